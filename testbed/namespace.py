# SPDX-License-Identifier: GPL-2.0-or-later
"""Unnamed network and mount namespaces that live as long as a descriptor of this process is open,
and processes inside them that die with this process. So a run leaves nothing behind, even when it
is killed, and two runs never meet."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from patience import PATIENCE

IPPROTO_MPTCP = 262

_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18

# What ip, tc and nft say when the command is right and the kernel cannot do it.
# Of each tool. Our own programs have none: what they fail at is never a reason to skip a test.
_SIGNS_OF_THE_KERNEL = {
    "ip": ("Unknown device type", "Operation not supported"),
    "tc": ("qdisc kind is unknown", "Operation not supported"),
    "nft": ("Could not process rule: Operation not supported",),
}

# What is parsed is English, and su(1) leaves out the directories of ip, tc and nft.
ENVIRONMENT = {**os.environ, "LC_ALL": "C",
               "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}

# Twenty times what the slowest takes on a busy machine.
_PATIENCE_S = 60 * PATIENCE

_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """What the kernel, or the rights of this process, do not allow."""


def _checked(result: int, what: str) -> None:
    if result != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}")


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    _checked(_libc.mount(source.encode(), target.encode(), kind.encode(), flags, None),
             f"mount {target}")


def _hold(flag: int, kind: str, prepare: Callable[[], None]) -> int:
    """A descriptor of a fresh namespace, made by a thread that leaves the process's own for it."""
    result: list = []

    def work() -> None:
        try:
            _checked(_libc.unshare(flag), "unshare")
            prepare()
            result.append(os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            result.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise Unavailable(f"cannot make a {kind} namespace (are you root?): {result[0]}")
    return result[0]


class _Held:
    def __init__(self, fd: int) -> None:
        self.fd = fd

    @property
    def path(self) -> str:
        """For other processes, as long as this one lives."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def close(self) -> None:
        os.close(self.fd)


class MountNamespace(_Held):
    """Sees the file system, but for some files replaced and some directories emptied."""

    def __init__(self, binds: Mapping[str, str], empty: Sequence[str] = ()) -> None:
        def prepare() -> None:
            _mount("none", "/", "none", _MS_REC | _MS_PRIVATE)
            for directory in empty:
                _mount("tmpfs", directory, "tmpfs", 0)
            for target, source in binds.items():
                if os.path.dirname(target) in empty:
                    Path(target).touch()
                _mount(source, target, "none", _MS_BIND)

        super().__init__(_hold(_CLONE_NEWNS, "mnt", prepare))


class Namespace(_Held):
    """A network namespace with its loopback device up."""

    def __init__(self) -> None:
        super().__init__(_hold(_CLONE_NEWNET, "net", lambda: None))
        self.run("ip", "link", "set", "lo", "up")

    @classmethod
    def of_process(cls, pid: int) -> Namespace:
        """That of a process, which somebody else made."""
        namespace = cls.__new__(cls)
        _Held.__init__(namespace, os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        return namespace

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Moves the calling thread into the namespace. Sockets that it makes there stay there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _checked(_libc.setns(self.fd, _CLONE_NEWNET), "setns")
            try:
                yield
            finally:
                _checked(_libc.setns(home, _CLONE_NEWNET), "setns")
        finally:
            os.close(home)

    def socket(self, family: int, kind: int = socket.SOCK_STREAM, protocol: int = 0,
               ) -> socket.socket:
        with self.entered():
            return socket.socket(family, kind, protocol)

    def sysctl(self, name: str, value: object = None) -> str:
        """Sets net/name to value, if one is given. Returns what it was before. Unavailable when the
        kernel has no such setting."""
        path = Path("/proc/sys/net", name)
        with self.entered():
            if not path.exists():
                raise Unavailable(f"this kernel has no net.{name.replace('/', '.')}")
            before = path.read_text("ascii").strip()
            if value is not None:
                path.write_text(str(value), "ascii")
        return before

    @contextmanager
    def setting(self, name: str, value: object) -> Iterator[None]:
        """net/name has this value meanwhile."""
        before = self.sysctl(name, value)
        try:
            yield
        finally:
            self.sysctl(name, before)

    def device_bytes(self, device: str) -> tuple[int, int]:
        """Received and sent so far."""
        with self.entered(), open("/proc/thread-self/net/dev", encoding="ascii") as file:
            for line in file:
                name, _, figures = line.partition(":")
                if name.strip() == device:
                    fields = figures.split()
                    return int(fields[0]), int(fields[8])
        raise ValueError(f"no device {device}")

    def run(self, *command: str, text: str | None = None) -> str:
        """Runs a short command with text as its input, and returns its output. RuntimeError when
        it fails, Unavailable when that is the kernel's doing."""
        with self.entered():
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False,
                                  env=ENVIRONMENT, timeout=_PATIENCE_S)
        if done.returncode == 0:
            return done.stdout
        complaint = f"{' '.join(command)}: {done.stderr.strip()}"
        if any(sign in complaint for sign in _SIGNS_OF_THE_KERNEL.get(command[0], ())):
            raise Unavailable(f"the kernel lacks something: {complaint}")
        raise RuntimeError(complaint)

    def batch(self, tool: str, commands: Sequence[str]) -> None:
        """Has one run of ip or tc do all commands."""
        self.run(tool, "-batch", "-", text="\n".join(commands))

    def start(self, command: Sequence[str], mounts: MountNamespace | None = None,
              **options) -> subprocess.Popen:
        """Starts a process that is killed when the calling thread ends. Its working directory is
        / where mounts are given."""
        options.setdefault("env", ENVIRONMENT)
        enter = [f"--net={self.path}"] + ([f"--mount={mounts.path}"] if mounts else [])
        return subprocess.Popen(["nsenter", *enter, "--", "setpriv", "--pdeathsig", "KILL", "--",
                                 *command], **options)

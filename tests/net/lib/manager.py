# SPDX-License-Identifier: GPL-2.0-or-later
"""A service manager as systemd is one, as far as hawserd sees it: NOTIFY_SOCKET, the file descriptor
store, LISTEN_FDS, signals to the main process only."""

from __future__ import annotations

import array
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from verdict import ENDS, judge_end
from waiting import until

SO_PASSCRED = getattr(socket, "SO_PASSCRED", 16)
# Becomes the program with its own number in LISTEN_PID; dies with the tests.
LAUNCH = 'export LISTEN_PID=$$; exec "$@"'
_PR_SET_CHILD_SUBREAPER = 36


def ask(control: str, command: str) -> dict:
    """{} when nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        try:
            connection.connect(control)
            connection.sendall(json.dumps({"command": command}).encode() + b"\n")
            with connection.makefile("rb") as answer:
                return json.loads(answer.readline())
        except (OSError, ValueError):
            return {}


class _Orphans:
    """Those that outlive their keeper become children of this process, so that it learns how they ended."""

    _managers = 0

    def __init__(self) -> None:
        self._pids: set[int] = set()
        self._adopt(1)

    @classmethod
    def _adopt(cls, more: int) -> None:
        cls._managers += more
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(cls._managers > 0), 0, 0, 0)

    def note(self, keeper: int) -> None:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text("ascii").split()
            self._pids |= set(map(int, children))

    def ends(self) -> Iterator[int]:
        """Of all that their keeper has not waited for, when they end."""
        self._adopt(-1)
        for pid in self._pids:
            with contextlib.suppress(ChildProcessError):
                _, status = until(lambda pid=pid: os.waitpid(pid, os.WNOHANG), lambda found: found[0])
                yield os.waitstatus_to_exitcode(status)


class Manager:
    """names_control: by an option; else the configuration does."""

    def __init__(self, bed, namespace, directory: Path, *options: str, watchdog_s: float = 0,
                 names_control: bool = True) -> None:
        self.bed, self.namespace, self.directory = bed, namespace, directory
        self.options, self.watchdog_s = options, watchdog_s
        self.control = f"{directory}/control.sock"
        self._named = ("--control", self.control) if names_control else ()
        self.messages: list[tuple[float, int, str]] = []  # when, from which process, what
        self.store: dict[str, list[int]] = {}
        self.process: subprocess.Popen | None = None
        self._orphans = _Orphans()
        # What its hawserds may end with, and what may be said of it.
        self.ends, self.expected = ENDS, ""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"{directory}/notify")
        self._socket.setsockopt(socket.SOL_SOCKET, SO_PASSCRED, 1)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                text, ancillary, _, _ = self._socket.recvmsg(4096, 4096)
            except OSError:
                return
            if not text:
                return
            self._take(text.decode(), ancillary)

    def _take(self, text: str, ancillary: list) -> None:
        fields = dict(line.split("=", 1) for line in text.splitlines())
        fds, pid = [], 0
        for _, kind, data in ancillary:
            if kind == socket.SCM_RIGHTS:
                fds = list(array.array("i", data[:len(data) // 4 * 4]))
                for fd in fds:
                    os.set_inheritable(fd, False)  # else one that drains would listen on
            else:
                pid = int.from_bytes(data[:4], "little")
        if fields.get("FDSTORE") == "1":
            self.store.setdefault(fields["FDNAME"], []).extend(fds)
        if fields.get("FDSTOREREMOVE") == "1":
            for fd in self.store.pop(fields["FDNAME"], []):
                os.close(fd)
        self.messages.append((time.monotonic(), pid, text))

    def log(self) -> str:
        return (self.directory / "log").read_text("utf-8", "replace")

    def start(self, extra: dict[str, list[int]] | None = None) -> None:
        """As `systemctl start`: returns when it is ready."""
        passed = [(name, fd) for group in (self.store, extra or {})
                  for name, fds in group.items() for fd in fds]
        environment = {**os.environ, "NOTIFY_SOCKET": f"{self.directory}/notify",
                       "LISTEN_FDS": str(len(passed)),
                       "LISTEN_FDNAMES": ":".join(name for name, _ in passed)}
        if self.watchdog_s:
            environment["WATCHDOG_USEC"] = str(int(self.watchdog_s * 1e6))
        command = ["sh", "-c", LAUNCH, "sh", str(self.bed.build / "hawserd"), *self._named,
                   "--state-dir", f"{self.directory}/state", *self.options]
        fds = [fd for _, fd in passed]

        def place() -> None:
            moved = [os.dup2(fd, 500 + i, inheritable=False) for i, fd in enumerate(fds)]
            for i, fd in enumerate(moved):
                os.dup2(fd, 3 + i)

        seen = len(self.messages)
        with (self.directory / "log").open("a") as log:
            self.process = self.namespace.start(
                command, self.bed.mounts, stderr=log, env=environment,
                preexec_fn=place, close_fds=False)
        until(lambda: any("READY=1" in text for _, _, text in self.messages[seen:])
              or self.process.poll() is not None)
        assert self.process.poll() is None, self.log()

    def send(self, number: int) -> None:
        """Tells the main process to end."""
        if "--keeper" in self.options:
            self._orphans.note(self.process.pid)
        self.process.send_signal(number)

    def stop(self) -> int:
        """As `systemctl stop` with KillMode=process: returns when the main process has ended."""
        self.send(signal.SIGTERM)
        return self.process.wait(60)

    def count(self, word: str) -> int:
        return sum(word in text for _, _, text in self.messages)

    def close_gently(self) -> None:
        """Without draining; whoever is behind the keeper ends first."""
        self.send(signal.SIGINT)
        self.process.wait(60)

    def close(self) -> None:
        """Judges all of its hawserds, which have no sessions any more."""
        try:
            if self.process and self.process.poll() is None:
                self.close_gently()
            for status in *self._orphans.ends(), *([self.process.returncode] if self.process else []):
                judge_end(status, self.log(), self.ends, self.expected)
        finally:
            if self.process:
                self.process.kill()
            self._close_sockets()

    def _close_sockets(self) -> None:
        for fds in self.store.values():
            for fd in fds:
                os.close(fd)
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(60)

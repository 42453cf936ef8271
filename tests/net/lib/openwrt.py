# SPDX-License-Identifier: GPL-2.0-or-later
"""A root file system as an OpenWrt router has it: BusyBox, this package as its Makefile installs it,
and stand-ins for what the package's scripts use of OpenWrt (openwrt_root/)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from namespace import MountNamespace, Namespace

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "openwrt" / "hawser"
SDK = Path(__file__).parent / "openwrt_sdk"
# What the kernel shows.
KERNEL = ("/dev", "/proc", "/sys", "/sys/fs/cgroup", "/sys/fs/bpf")
CONF = "/var/etc/hawser/hawser.conf"


def make(*words: str) -> str:
    """What the package's Makefile prints for a target of the stand-in for OpenWrt's build system."""
    return subprocess.run(["make", "-s", "--no-print-directory", "-C", PACKAGE, f"TOPDIR={SDK}",
                           *words], capture_output=True, text=True, check=True,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}).stdout


def copy_with_libraries(program: Path, target: Path) -> None:
    """The libraries, and what loads them, where the program looks for them."""
    root = next(parent for parent in target.parents if (parent / "etc" / "rc.common").exists())
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, target)
    # It fails for programs that need none.
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for path in re.findall(r"(/\S+) \(0x", listed):
        copy = root / path[1:]
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)


def uci(*sections: tuple[str, str, Mapping[str, object]]) -> str:
    """A configuration: types, names, and options, lists among them."""
    lines = []
    for kind, name, options in sections:
        lines.append(f"config {kind}" + (f" {quoted(name)}" if name else ""))
        for option, value in options.items():
            if isinstance(value, list):
                lines += [f"\tlist {option} {quoted(item)}" for item in value]
            else:
                lines.append(f"\toption {option} {quoted(value)}")
    return "\n".join(lines) + "\n"


def quoted(value: object) -> str:
    return "'" + str(value).replace("'", "'\\''") + "'"


class OpenWrt:
    """Runs commands in the file system, in a network namespace."""

    def __init__(self, build: Path, root: Path, network: Namespace) -> None:
        self.root, self.network = root, network
        shutil.copytree(Path(__file__).parent / "openwrt_root", root, dirs_exist_ok=True)
        for directory in ("bin", "dev", "proc", "sys", "tmp/netifd", "tmp/etc", "tmp/run"):
            (root / directory).mkdir(parents=True)
        (root / "var").symlink_to("tmp")
        (root / "run").symlink_to("tmp/run")  # the package is built with RUN_DIR=/var/run
        copy_with_libraries(Path(shutil.which("busybox") or "/bin/busybox"), root / "bin/busybox")
        for applet in subprocess.run(["busybox", "--list"], capture_output=True, text=True,
                                     check=True).stdout.split():
            if applet != "busybox":
                (root / "bin" / applet).symlink_to("busybox")
        # Of BusyBox as OpenWrt has it; not of Debian's.
        copy_with_libraries(Path(shutil.which("flock") or "/usr/bin/flock"), root / "usr/bin/flock")
        # Where it runs from a build directory of any name.
        stage = root.parent / "stage"
        (stage / "build").mkdir(parents=True)
        for name in "hawserd", "hawser":
            shutil.copy(build / name, stage / "build" / name)
        make("install-hawser", f"DEST={root}", f"PKG_BUILD_DIR={stage}")
        for path in root / "usr/sbin/hawserd", root / "usr/bin/hawser":
            copy_with_libraries(path, path.with_suffix(".copy"))
            path.with_suffix(".copy").unlink()
        self.mounts = MountNamespace({f"{root}{path}": path for path in KERNEL if Path(path).is_dir()})

    def close(self) -> None:
        self.mounts.close()

    # Its files.

    def write(self, path: str, text: str) -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")

    def read(self, path: str) -> str:
        return self.path(path).read_text("utf-8")

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/").replace("var/", "tmp/", 1)

    def configure(self, *sections: tuple[str, str, Mapping[str, object]], name: str = "hawser") -> None:
        self.write(f"/etc/config/{name}", uci(*sections))

    def interface(self, name: str, device: str = "", **answers: str) -> None:
        """What netifd says of a logical interface: nothing while it is down."""
        path = self.root / "tmp/netifd" / name
        if device:
            path.write_text("".join(f"{key}='{value}'\n" for key, value in
                                    {"l3_device": device, **answers}.items()), "ascii")
        else:
            path.unlink(missing_ok=True)

    # Commands.

    def start(self, *command: str, **options) -> subprocess.Popen:
        return self.network.start(["/usr/sbin/chroot", str(self.root), *command], self.mounts,
                                  env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, **options)

    def run(self, *command: str) -> subprocess.CompletedProcess:
        with self.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            output, complaints = process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, process.returncode, output, complaints)

    def translate(self) -> subprocess.CompletedProcess:
        return self.run("/usr/libexec/hawser/uci-config", CONF)

    def service(self, action: str) -> subprocess.CompletedProcess:
        return self.run("/bin/sh", "/etc/rc.common", "/etc/init.d/hawser", action)

    def fire(self, event: str) -> None:
        """As procd does: runs what was registered for such events."""
        for line in self.read("/tmp/procd/hawser.triggers").splitlines():
            pattern, *command = line.split()
            if re.fullmatch(pattern.replace(".", r"\.").replace("*", ".*"), event):
                done = self.run("/bin/sh", "/etc/rc.common", *command)
                assert done.returncode == 0, done.stderr


def settings_of_manual() -> dict[tuple[str, str], str]:
    """{("link", "role"): "primary | shared…"}, from hawser.conf(5); of constants their default."""
    found, section, name = {}, "", ""
    for line in (ROOT / "man/hawser.conf.5").read_text("utf-8").splitlines():
        if line.startswith((".Ss ", ".Sh ")):
            section = line.split()[1] if line[2] == "s" else ""
        elif section and line.startswith(".It Cm ") and " No = " in line:
            for item in line.removeprefix(".It Cm ").split(" , Cm "):
                name, _, form = item.partition(" No = ")
                found[section, name] = form
        elif section == "tune" and (default := re.search(r"default: (\d+)", line)):
            found[section, name] = default[1]
    return found

# SPDX-License-Identifier: GPL-2.0-or-later
"""What a virtual machine starts from: an image of this machine's root with the tree in it, one of a
kernel's modules, and the first program that mounts them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from packages import Kernel

GUEST_TREE = "/hawser"
# What the tests call, besides what each Debian has.
_PACKAGES = ("bash", "bpftool", "curl", "iproute2", "kmod", "netcat-openbsd", "nftables",
             "openssh-client", "openssh-server", "openssl", "procps", "python3", "python3-pytest",
             "python3-pytest-timeout", "python3-pytest-xdist", "python3-requests", "util-linux",
             "wget")
# Neither read nor run by a test.
_LEFT_OUT = re.compile(r"/usr/share/(doc|man|locale|info|i18n|zoneinfo|bash-completion|perl)/"
                       r"|/usr/lib/\S*/perl")
_STATE = ("etc/passwd", "etc/group", "etc/shadow", "etc/nsswitch.conf", "etc/hosts",
          "etc/localtime", "etc/ld.so.cache", "etc/alternatives", "etc/ssl/certs")
_DIRECTORIES = ("proc", "sys", "dev", "run", "tmp", "root", "var/tmp", "var/lib", "usr/lib/modules")

# In the guest's initramfs, so that it finds its root.
_BOOT = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
# Loaded at its start: nobody asks the kernel for them by name.
START_MODULES = ("virtio_console", "virtio_rng", "tun", "tcp_bbr", "tcp_dctcp", "br_netfilter", "nf_conntrack")
# What the kernel may ask for, and all that these need.
_MODULES = (*START_MODULES, "veth", "dummy", "macvlan", "ifb", "overlay")
_MODULE_PATHS = re.compile("kernel/net/(core|ipv4|ipv6|netfilter|bridge|sched|mptcp|netlink|packet|"
                           "unix|llc|802|8021q|psample)/")


def _run(*command: str, **settings) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **settings).stdout


# The root.

def _closure(packages: Iterable[str]) -> list[str]:
    """These, what each Debian has, and all that they depend on, as far as installed."""
    rows = _run("dpkg-query", "-W", "-f=${Package} ${db:Status-Status} ${Priority}\\n").splitlines()
    installed = {name: priority for name, status, priority in map(str.split, rows)
                 if status == "installed"}
    wanted = [name for name in installed if installed[name] == "required" or name in packages]
    listed = _run("apt-cache", "depends", "--recurse", "--installed", "--no-recommends",
                  "--no-suggests", "--no-enhances", "--no-conflicts", "--no-breaks",
                  "--no-replaces", *wanted)
    names = {line.partition(":")[0] for line in listed.splitlines() if line[:1].isalnum()}
    return sorted(names & installed.keys())


def _files(packages: Iterable[str]) -> set[str]:
    """Where they really lie: /lib is a link to /usr/lib."""
    found: set[str] = set()
    for path in _run("dpkg", "-L", *packages).splitlines():
        if path.startswith("/") and not _LEFT_OUT.match(path) and not os.path.isdir(path):
            directory, name = os.path.split(path)
            real = os.path.join(os.path.realpath(directory), name)
            if os.path.lexists(real):
                found.add(real)
            if name.endswith(".py"):  # compiled, which takes an emulated machine long
                found.update(map(str, Path(directory, "__pycache__").glob(f"{name[:-3]}.*.pyc")))
    return found


def _libraries(programs: Iterable[Path]) -> set[str]:
    """What they load, by each name that leads there."""
    found: set[str] = set()
    # It fails where one is static.
    listed = subprocess.run(["ldd", *map(str, programs)], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False).stdout
    for path in re.findall(r"=> (/\S+)", listed):
        real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        found |= {real, os.path.realpath(real)}
    return found


def make_root(tree: Path, build: Path, scratch: Path, tests: Iterable[str]) -> Path:
    """An ext4 image of about half a gigabyte. The tree is in GUEST_TREE there, without sources;
    build is relative to it. The tests are compiled."""
    root = scratch / "root"
    programs = _programs(tree / build)
    _copy(_files(_closure(_PACKAGES)) | _libraries(programs), Path("/"), root)
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink(f"/{name}"):
            (root / name).symlink_to(os.readlink(f"/{name}"))
    for name in _DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    _copy((f"/{name}" for name in _STATE if os.path.lexists(f"/{name}")), Path("/"), root)
    (root / "etc" / "resolv.conf").touch()
    listed = _run("git", "-C", str(tree), "ls-files", "-z", "-co", "--exclude-standard").split("\0")
    _copy([name for name in listed if not name.endswith((".c", ".h")) and (tree / name).is_file()]
          + [str(path.relative_to(tree)) for path in programs], tree, root / GUEST_TREE.lstrip("/"))
    (root / GUEST_TREE.lstrip("/") / build / "bpf").mkdir(exist_ok=True)
    _compile(root, tests)
    return _filesystem(root, scratch / "root.img", 400)


def _compile(root: Path, tests: Iterable[str]) -> None:
    """By having pytest collect them there, which an emulated machine needs half a minute for."""
    (root / "dev" / "null").touch()
    done = subprocess.run(["chroot", str(root), "env", "-C", GUEST_TREE, "PYTHONDONTWRITEBYTECODE=",
                           "python3", "-m", "pytest", "-p", "no:cacheprovider", "--collect-only",
                           "-q", *tests], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the tests cannot be collected in the image:\n{done.stdout[-4000:]}")


def _programs(build: Path) -> list[Path]:
    wanted = [build / "hawserd", build / "hawser", *(build / "unit").glob("*/*_test"),
              *(build / "tests").glob("*"), build / "testbed" / "emulator"]
    return [path for path in wanted if path.is_file() and os.access(path, os.X_OK)]


def _copy(files: Iterable[str], home: Path, root: Path) -> None:
    root.mkdir(exist_ok=True)
    with subprocess.Popen(["tar", "-C", str(home), "-c", "--null", "-T", "-"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as pack, \
            subprocess.Popen(["tar", "-C", str(root), "-xp"], stdin=pack.stdout) as unpack:
        pack.stdout.close()
        pack.stdin.write(b"".join(path.lstrip("/").encode() + b"\0" for path in files))
        pack.stdin.close()
        if pack.wait() or unpack.wait():
            raise RuntimeError(f"cannot copy into {root}")


def _filesystem(directory: Path, image: Path, spare_mib: int) -> Path:
    size = int(_run("du", "-sm", str(directory)).split()[0])
    _run("mke2fs", "-q", "-t", "ext4", "-d", str(directory), "-E", "lazy_itable_init=0",
         "-O", "^has_journal,^metadata_csum,^orphan_file", "-m", "0", str(image),
         f"{size + size // 8 + spare_mib}M")
    shutil.rmtree(directory)
    return image


# What depends on the kernel.

class Modules:
    """Of one kernel, by name."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._needs: dict[str, list[str]] = {}
        self._path: dict[str, str] = {}
        for line in (kernel.modules / "modules.dep").read_text("ascii").splitlines():
            path, _, needs = line.partition(":")
            self._needs[path] = needs.split()
            self._path[_module_name(path)] = path

    def closure(self, names: Iterable[str]) -> list[str]:
        """The files of these and of what they need, in the order in which they can be loaded.
        A module that is not there is built in, or the kernel has none."""
        ordered: dict[str, None] = {}
        for name in names:
            path = self._path.get(name)
            if path:
                ordered.update(dict.fromkeys([*reversed(self._needs[path]), path]))
        return list(ordered)

    def names(self) -> list[str]:
        """Those that the tests may need."""
        return [*_MODULES,
                *(name for name, path in self._path.items() if _MODULE_PATHS.match(path))]

    def unpack(self, path: str, target: Path) -> None:
        """Uncompressed, which saves the guest the time."""
        source = self._kernel.modules / path
        tool = {".xz": "xz", ".zst": "zstd", ".gz": "gzip"}.get(source.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        if tool is None:
            shutil.copyfile(source, target)
            return
        with target.open("wb") as file:
            subprocess.run([tool, "-dcq", str(source)], stdout=file, check=True)


def _module_name(path: str) -> str:
    return os.path.basename(path).partition(".ko")[0].replace("-", "_")


def make_modules(modules: Modules, kernel: Kernel, scratch: Path) -> Path:
    """An image of lib/modules."""
    root = scratch / "modules"
    home = root / "lib" / "modules" / kernel.release
    for path in modules.closure(modules.names()):
        modules.unpack(path, home / (path.partition(".ko")[0] + ".ko"))
    for name in "modules.builtin", "modules.builtin.modinfo", "modules.order":
        if (kernel.modules / name).exists():
            shutil.copyfile(kernel.modules / name, home / name)
    _run("depmod", "-b", str(root), kernel.release, stderr=subprocess.DEVNULL)
    return _filesystem(root / "lib" / "modules", scratch / "modules.img", 8)


_INIT = """#!/bin/sh
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
for module in /modules/*.ko; do insmod $module; done
mount -t ext4 /dev/vda /root && mount -t ext4 -o ro /dev/vdb /root/usr/lib/modules ||
	{ echo "hawser: no root"; poweroff -f; }
mount -t tmpfs run /root/run; cp -r /hawser-check /root/run/
mount --move /dev /root/dev; mount --move /proc /root/proc; mount --move /sys /root/sys
exec switch_root /root /bin/bash @TREE@/tests/kernels/guest.sh
"""


def make_initramfs(modules: Modules, texts: dict[str, str], scratch: Path) -> Path:
    """What mounts the images and hands on to guest.sh, which finds the texts by their names in
    /run/hawser-check/."""
    root = scratch / "initramfs"
    for name in "bin", "dev", "proc", "sys", "root", "modules", "hawser-check":
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin" / "busybox")
    for name in "sh", "mount", "insmod", "poweroff", "cp", "switch_root":
        (root / "bin" / name).symlink_to("busybox")
    for number, path in enumerate(modules.closure(_BOOT)):
        modules.unpack(path, root / "modules" / f"{number:03}.ko")
    for name, text in texts.items():
        (root / "hawser-check" / name).write_text(text, "utf-8")
    (root / "init").write_text(_INIT.replace("@TREE@", GUEST_TREE), "utf-8")
    (root / "init").chmod(0o755)
    image = scratch / "initramfs.img"
    with image.open("wb") as file:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=root, stdout=file, text=True,
                       input=_run("find", ".", cwd=root), check=True)
    return image

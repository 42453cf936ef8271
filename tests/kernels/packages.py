# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels of Debian: which there are, and one of them on disk. They come from where this machine's
apt gets its own packages, by apt itself, with lists of its own."""

from __future__ import annotations

import fcntl
import functools
import re
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_RELEASES = ("bullseye", "bookworm", "trixie")
_SUITES = ("{0}", "{0}-backports")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Neither of a cloud nor of real time, nor the name that stands for the newest one.
_IMAGE = re.compile(r"linux-image-[0-9]+\.[0-9]+\.[0-9]+[^ a-z]*(deb[0-9.]+)?-amd64$")


class Missing(Exception):
    """A kernel that is not to be had, or no place to get one from."""


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be booted. version: "6.1.190", release: what `uname -r` says there."""
    version: str
    release: str
    image: Path
    modules: Path  # lib/modules/RELEASE, with modules.dep


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*)$", text, re.M)
    return found[1] if found else ""


def _output(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _newer(one: str, other: str) -> int:
    if one == other:
        return 0
    return 1 if subprocess.run(["dpkg", "--compare-versions", one, "gt", other],
                               check=False).returncode == 0 else -1


class Archive:
    """The lists of packages, and what was fetched, below home; several runs share it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        home.mkdir(parents=True, exist_ok=True)
        self._lock = (home / "lock").open("w")
        self._options = ["-o", f"Dir::Etc::SourceList={home}/sources.list",
                         "-o", "Dir::Etc::SourceParts=/dev/null",
                         "-o", f"Dir::State::Lists={home}/lists", "-o", f"Dir::Cache={home}/cache",
                         # Images for containers set these to nothing: each call would build them.
                         "-o", "Dir::Cache::pkgcache=pkgcache.bin",
                         "-o", "Dir::Cache::srcpkgcache=srcpkgcache.bin",
                         "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"]
        self._images: dict[str, str] = {}  # version of a package: its name

    def __enter__(self) -> Archive:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def update(self) -> None:
        """A mirror may lack some suites; it is enough that it has the wanted kernels."""
        mirrors = self._mirrors()
        signed = f" signed-by={_KEYRING}" if _KEYRING.exists() else ""
        lines = [f"deb [arch=amd64{signed}] {mirrors['']} {suite.format(release)} main"
                 for release in _RELEASES for suite in _SUITES] + [
                     f"deb [arch=amd64{signed}] {mirrors['']} sid main"]
        if "-security" in mirrors:
            lines += [f"deb [arch=amd64{signed}] {mirrors['-security']} {release}-security main"
                      for release in _RELEASES]
        (self._home / "sources.list").write_text("\n".join(lines) + "\n", "ascii")
        (self._home / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (self._home / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", *self._options, "-qq", "update"], stderr=subprocess.DEVNULL,
                       check=False)

    @staticmethod
    def _mirrors() -> dict[str, str]:
        """Where this machine's apt gets Debian from: "" and, if it knows one, "-security"."""
        found: dict[str, str] = {}
        for line in _output("apt-get", "indextargets", "--format",
                            "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages",
                            "Origin: Debian").splitlines():
            codename, component, uri = line.split()
            if component == "main":
                found.setdefault("-security" if codename.endswith("-security") else "", uri)
        if "" not in found:
            raise Missing("apt of this machine has no list of Debian, main: see 'apt-get update' "
                          "and 'apt-get indextargets'")
        return found

    def images(self) -> dict[str, str]:
        """The package of each version that there is."""
        if not self._images:
            names = [name for name in _output("apt-cache", *self._options, "pkgnames",
                                              "linux-image-").split() if _IMAGE.match(name)]
            shown = _output("apt-cache", *self._options, "show", *names) if names else ""
            for paragraph in shown.split("\n\n"):
                if paragraph:
                    self._images[_field(paragraph, "Version")] = _field(paragraph, "Package")
        return self._images

    def newest(self, line: str) -> str:
        """The package version of the newest kernel whose number begins so: "6.12", "7"."""
        versions = [version for version in self.images()
                    if re.match(rf"{re.escape(line)}[.-]", version)]
        if not versions:
            raise Missing(f"no kernel {line} where this machine's apt gets its packages")
        return max(versions, key=functools.cmp_to_key(_newer))

    def kernel(self, line: str) -> Kernel:
        """Fetches it, unless it is there from an earlier run."""
        version = self.newest(line)
        place = self._home / version.replace("~", "-")
        if not place.is_dir():
            self._fetch(self._images[version], version, place)
        kernel = unpacked(place)
        if not (kernel.modules / "modules.dep").exists():
            # Takes a while, since it uncompresses all; packages leave it to those who install them.
            subprocess.run(["depmod", "-b", str(kernel.modules.parents[2]), kernel.release],
                           stderr=subprocess.DEVNULL, check=True)
        return kernel

    def _fetch(self, package: str, version: str, place: Path) -> None:
        """All of it or nothing is there afterwards."""
        shown = _output("apt-cache", *self._options, "show", f"{package}={version}")
        parts = re.findall(r"(linux-(?:binary|modules)-\S+) \(= ", _field(shown, "Depends"))
        with tempfile.TemporaryDirectory(dir=self._home) as scratch:
            subprocess.run(["apt-get", *self._options, "-qq", "download",
                            *(f"{name}={version}" for name in (package, *parts))],
                           cwd=scratch, check=True)
            root = Path(scratch, "root")
            for archive in Path(scratch).glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", str(archive), str(root)], check=True)
            root.rename(place)


def own(place: Path) -> Kernel:
    """A kernel that somebody built and installed there."""
    kernel = unpacked(place)
    if not (kernel.modules / "modules.dep").exists():
        raise Missing(f"{kernel.modules}: no modules.dep in it; depmod makes one")
    return kernel


def unpacked(place: Path) -> Kernel:
    """The kernel in a directory that is laid out as Debian's packages and `make dir-pkg` are."""
    modules = next((found for base in ("usr/lib/modules", "lib/modules")
                    for found in sorted((place / base).glob("*")) if (found / "kernel").is_dir()),
                   None)
    if modules is None:
        raise Missing(f"{place}: no lib/modules/RELEASE/kernel in it")
    release = modules.name
    image = next((path for path in (place / "boot" / f"vmlinuz-{release}", modules / "vmlinuz")
                  if path.exists()), None)
    if image is None:
        raise Missing(f"{place}: no boot/vmlinuz-{release} in it")
    return Kernel(_version(image) or release, release, image, modules)


def _version(image: Path) -> str:
    """As its maker counts: Debian names 6.1.190 "6.1.0-54-amd64". The boot protocol has a pointer
    to what `uname -a` says (Documentation/arch/x86/boot.rst)."""
    with image.open("rb") as file:
        file.seek(0x20e)
        file.seek(struct.unpack("<H", file.read(2))[0] + 0x200)
        text = file.read(512).split(b"\0")[0].decode("ascii", "replace")
    found = re.search(r" Debian ([0-9.]+)", text) or re.match(r"([0-9]+\.[0-9]+\.[0-9]+)", text)
    return found[1] if found else ""

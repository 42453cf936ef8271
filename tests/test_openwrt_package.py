# SPDX-License-Identifier: GPL-2.0-or-later
"""The OpenWrt package: its Makefile, its scripts, and the release tarball that it builds from."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from conftest import ROOT
from openwrt import PACKAGE, make

VERSION = re.search(r"^VERSION := (\S+)", (ROOT / "Makefile").read_text("utf-8"), re.M)[1]
SCRIPTS = ["uci-config", "net.sh", "hawser.init", "hawser.defaults"]
VARIANTS = {"hawser": "bpf", "hawser-nobpf": "nobpf"}


def fields(package: str, *words: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in make(f"show-{package}", *words).splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("package", VARIANTS)
def test_fields(package):
    found = fields(package)
    assert found["version"] == [f"{VERSION}-r1"] and re.fullmatch(r"\d+(\.\d+)*", VERSION)
    assert found["variant"] == [VARIANTS[package]] and found["license"] == ["GPL-2.0-or-later"]
    assert found["conffile"] == ["/etc/config/hawser", "/etc/hawser/"]
    depends = set(found["depends"][0].split())
    for name in "+libbpf", "+libncurses", "+libmicrohttpd-no-ssl", "+zlib":
        assert (name in depends) == (package == "hawser")
    assert {"+nftables-json", "+kmod-nft-tproxy", "+kmod-nft-socket"} <= depends


@pytest.mark.parametrize(("package", "has_bpf"), [("hawser", True), ("hawser-nobpf", False)])
def test_builds_what_it_is_called(package, has_bpf):
    """By what it hands to Hawser's own Makefile."""
    flags, = fields(package, f"BUILD_VARIANT={VARIANTS[package]}")["flags"]
    done = subprocess.run(["make", "-n", "-B", "-C", ROOT, "BPF_READY=bpf/ready", *flags.split(), "build/hawserd"],
                          capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
    compiled = {name: f"-c -o build/user/{name}.o" in done.stdout for name in
                ("accel/sockmap", "accel/sockmap_off", "accel/local", "accel/local_off", "intercept/steer_off",
                 "cli/top", "cli/top_off", "http/http_server", "http/http_server_off", "web/page", "web/page_off", "base/packed")}
    assert compiled == {"accel/sockmap": has_bpf, "accel/sockmap_off": not has_bpf,
                        "accel/local": False, "accel/local_off": True,
                        "intercept/steer_off": not has_bpf, "cli/top": has_bpf, "cli/top_off": not has_bpf,
                        "http/http_server": has_bpf, "http/http_server_off": not has_bpf,
                        "web/page": has_bpf, "web/page_off": not has_bpf, "base/packed": has_bpf}
    assert """-DHAWSER_RUN_DIR='"/var/run"' -DSTATE_DIR_DEFAULT='"/etc/hawser/state"' -DHISTORY_WRITE_S=21600""" in done.stdout
    for library in "-lncurses", "-lbpf", "-lmicrohttpd", "-lz":
        assert (library in done.stdout) == has_bpf, library


@pytest.mark.parametrize("package", VARIANTS)
def test_installs_all_that_it_has(package, tmp_path):
    (tmp_path / "built/build").mkdir(parents=True)
    for name in "hawserd", "hawser":
        (tmp_path / "built/build" / name).write_text(name, "ascii")
    root = tmp_path / "root"
    make(f"install-{package}", f"DEST={root}", f"PKG_BUILD_DIR={tmp_path / 'built'}")
    texts = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    for source in (PACKAGE / "files").iterdir():
        assert any(path.read_bytes() == source.read_bytes() for path in texts.values()), source
    assert texts["usr/sbin/hawserd"].read_text("ascii") == "hawserd"
    for name in "etc/init.d/hawser", "usr/libexec/hawser/uci-config", "usr/sbin/hawserd", "usr/bin/hawser":
        assert texts[name].stat().st_mode & 0o777 == 0o755, name
    assert texts["etc/config/hawser"].stat().st_mode & 0o777 == 0o600
    assert texts["lib/upgrade/keep.d/hawser"].read_text("ascii") == "/etc/hawser/\n"
    assert (root / "etc/hawser").is_dir()


@pytest.mark.parametrize("name", SCRIPTS)
def test_ash_reads(name):
    assert name in SCRIPTS and (PACKAGE / "files" / name).exists()
    done = subprocess.run(["busybox", "sh", "-n", PACKAGE / "files" / name], capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_all_scripts_are_known():
    found = {path.name for path in (PACKAGE / "files").iterdir()
             if path.suffix == ".sh" or path.read_text("utf-8").startswith("#!")}
    assert found == set(SCRIPTS)


def test_capabilities_file():
    sets = json.loads((PACKAGE / "files/hawser.capabilities").read_text("ascii"))
    assert set(sets) == {"bounding", "effective", "ambient", "permitted", "inheritable"}
    assert len({tuple(names) for names in sets.values()}) == 1


@pytest.mark.parametrize(("says", "asked", "status"), [("0.1.0", "0.1.0", 0), ("0.1.1", "0.1.0", 1)])
def test_script_of_the_feed(tmp_path, says, asked, status):
    for name in "hawserd", "hawser":
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} {says}\n", "ascii")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(["busybox", "sh", PACKAGE / "test.sh", "hawser", asked], check=False,
                          env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert done.returncode == status


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The unpacked tarball."""
    if not (ROOT / ".git").exists():
        pytest.skip("this tree is not git's")
    directory = tmp_path_factory.mktemp("release")
    done = subprocess.run(["make", "-s", "-C", ROOT, "dist"], capture_output=True, text=True, check=False,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    checksum, name = done.stdout.splitlines()[-1].split()
    assert re.fullmatch("[0-9a-f]{64}", checksum) and name == f"hawser-{VERSION}.tar.gz"
    with tarfile.open(ROOT / "build" / name) as tar:
        tar.extractall(directory, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(directory)
    return directory / f"hawser-{VERSION}"


def types(path: Path) -> list[dict]:
    return json.loads(subprocess.run(["/usr/sbin/bpftool", "-j", "btf", "dump", "file", path], capture_output=True,
                                     text=True, check=True).stdout)["types"]


def without_spare_names(found: list[dict]) -> list[dict]:
    """Of members of what has a name: of maps' descriptions libbpf needs them, and the kernel those of arguments."""
    for one in found:
        if one["kind"] in ("STRUCT", "UNION") and one["name"] != "(anon)":
            for part in one["members"]:
                part["name"] = "(anon)"
    return found


def without_lines(path: Path) -> bytes:
    less = path.parent / f"{path.name}.less"
    subprocess.run(["llvm-objcopy", *(f"--remove-section={name}" for name in (
        ".BTF", ".BTF.ext", ".rel.BTF", ".rel.BTF.ext")), path, less], check=True)
    data = less.read_bytes()
    less.unlink()
    return data


def test_release_has_skeletons_of_both_byte_orders(release, tmp_path):
    """Those of this machine's order are what bpftool makes here, but for the source's lines and names that nothing
    looks for: the same types, and the same bytes elsewhere. The others are an object of the other order."""
    names = [path.name.removesuffix(".bpf.c") for path in (ROOT / "bpf").glob("*.bpf.c")]
    looks_for_members = {name for name in names
                         if "preserve_access_index" in (ROOT / f"bpf/{name}.bpf.c").read_text("utf-8")}
    assert names and looks_for_members
    for name in names:
        text = (release / f"bpf/ready/{name}.skel.h").read_text("ascii")
        little, big = (gzip.decompress(bytes.fromhex("".join(re.findall(r"\\x(..)", part))))
                       for part in re.findall(r'\*\)"([^;]*)";', text))
        assert little[:6] == b"\x7fELF\x02\x01" and big[:6] == b"\x7fELF\x02\x02"
        assert little[18:20] == big[19:17:-1] == b"\xf7\x00"  # EM_BPF
        before, after = ROOT / f"build/dist/{name}.bpfel.o", tmp_path / f"{name}.o"
        after.write_bytes(little)
        expected = types(before)
        assert len(expected) > 10
        assert types(after) == (expected if name in looks_for_members else without_spare_names(expected))
        assert without_lines(after) == without_lines(before)
        assert not any(name in little for name in (b"struct __sk_buff *skb", b"return "))


def test_release_builds_without_clang_and_bpftool(release):
    """What has skeletons in it, as far as that; the rest is as it is in git."""
    wanted = [f"build/{path.relative_to(release).with_suffix('.o')}" for path in release.glob("user/*/*.c")
              if ".skel.h" in path.read_text("utf-8")]
    assert wanted
    done = subprocess.run(["make", "-s", "-C", release, "CLANG=/bin/false", "BPFTOOL=/bin/false",
                           "WERROR=-Werror", "CFLAGS=-O0", *wanted], capture_output=True, text=True, check=False,
                          timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert shutil.which("clang") is None or not (release / "build/bpf").exists()


def test_release_has_what_libbpf_takes(release, tmp_path):
    done = subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Iuser", "-Iinclude", "-isystem", "bpf/ready", "-o",
                           tmp_path / "test", "tests/unit/accel/objects_test.c", "user/base/packed.c", "-lbpf", "-lz",
                           "-lcmocka"], cwd=release, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    subprocess.run([tmp_path / "test"], check=True, timeout=60)

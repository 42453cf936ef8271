# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make check-kernels` makes of its words and of what machines tell, without any machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import feature
from conftest import ROOT
from waiting import until

sys.path.append(str(ROOT / "tests" / "kernels"))

import check  # pylint: disable=wrong-import-position
from check import SELECTION, chosen_files  # pylint: disable=wrong-import-position
from packages import Archive, Missing, own  # pylint: disable=wrong-import-position
from table import Results, remarks, table  # pylint: disable=wrong-import-position

VERSIONS = {"6.1.190-1": "linux-image-6.1.0-54-amd64", "6.1.99-1": "linux-image-6.1.0-23-amd64",
            "6.12.9-1~bpo12+1": "linux-image-6.12.9+bpo-amd64",
            "6.12.95-1": "linux-image-6.12.95+deb13-amd64",
            "7.3.4-1~bpo13+1": "linux-image-7.3.4+deb13-amd64",
            "7.2.13-1": "linux-image-7.2.13+deb14-amd64"}


@pytest.fixture
def archive(tmp_path, monkeypatch):
    made = Archive(tmp_path)
    monkeypatch.setattr(made, "images", lambda: VERSIONS)
    return made


@pytest.mark.parametrize(("line", "newest"), [
    ("6.1", "6.1.190-1"), ("6.12", "6.12.95-1"), ("6.12.9", "6.12.9-1~bpo12+1"),
    ("6", "6.12.95-1"), ("7", "7.3.4-1~bpo13+1"), ("7.2", "7.2.13-1")])
def test_newest_of_a_line(archive, line, newest):
    assert archive.newest(line) == newest


@pytest.mark.parametrize("line", ["5.10", "6.1.1", "1"])
def test_line_that_there_is_not(archive, line):
    with pytest.raises(Missing, match=f"no kernel {line}"):
        archive.newest(line)


def kernel_image(path, text: bytes) -> None:
    """As much of one as tells its version."""
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(0x20e) + struct.pack("<H", 0x100) + bytes(0xf0) + text + b"\0")


@pytest.mark.parametrize(("release", "text", "version"), [
    ("6.1.0-54-amd64", b"6.1.0-54-amd64 (x@y) #1 SMP Debian 6.1.190-1 (2026-10-02)", "6.1.190"),
    ("7.4.0-rc1+", b"7.4.0-rc1+ (me@here) #3 SMP", "7.4.0")])
def test_kernel_of_ones_own(tmp_path, release, text, version):
    (tmp_path / "lib/modules" / release / "kernel").mkdir(parents=True)
    kernel_image(tmp_path / "boot" / f"vmlinuz-{release}", text)
    with pytest.raises(Missing, match="no modules.dep in it; depmod makes one"):
        own(tmp_path)
    (tmp_path / "lib/modules" / release / "modules.dep").touch()
    found = own(tmp_path)
    assert (found.version, found.release) == (version, release)


def test_directory_without_a_kernel(tmp_path):
    with pytest.raises(Missing, match="no lib/modules/RELEASE/kernel"):
        own(tmp_path)
    (tmp_path / "lib/modules/6.6.1/kernel").mkdir(parents=True)
    with pytest.raises(Missing, match="no boot/vmlinuz-6.6.1"):
        own(tmp_path)


def test_table():
    """A test that fails while it is torn down failed; one that a machine died in is no less."""
    one, two = Results("6.1.190"), Results("7.3.4")
    one.add("tests/net/test_a.py::test_x", "passed")
    one.add("tests/net/test_a.py::test_x", "failed", "left over")
    one.add("tests/net/test_a.py::test_y", "skipped", "Skipped: this kernel has no tcx")
    two.add("tests/net/test_a.py::test_x", "passed")
    two.add("tests/net/test_b.py::test_z", "died", "Kernel panic")
    two.add("tests/net/test_c.py::test_z", "cut short", "it takes too long")
    lines = [line.split("  ") for line in table([one, two]).splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells[:4] == [["6.1.190", "7.3.4"], ["net/test_a.py", "1 skipped, 1 failed", "1 passed"],
                         ["net/test_b.py", "not run", "1 died"],
                         ["net/test_c.py", "not run", "1 cut short"]]
    assert not one.ok() and not two.ok()
    assert "this kernel has no tcx" in remarks(one) and "left over" in remarks(one)
    assert "Kernel panic" in remarks(two) and "it takes too long" in remarks(two)


def test_green():
    results = Results("6.1.190")
    assert not results.ok()  # nothing ran
    results.add("a", "passed")
    assert results.ok()
    results.note = "it takes too long"
    assert not results.ok()


def test_resumed(tmp_path):
    """What passed is not run again; the rest is, also what was skipped."""
    first, second = Results("6.1.190"), Results("6.1.190")
    for outcome in "passed", "skipped", "failed", "died", "cut short":
        first.add(f"a::{outcome}", outcome, f"why it {outcome}")
    first.features["bpf"] = "on"
    first.save(tmp_path / "saved")
    second.load(tmp_path / "saved")
    assert second.outcomes == {"a::passed": "passed"}
    assert second.features == {"bpf": "on"} and "1 ran earlier" in remarks(second)
    assert "why it" not in remarks(second)
    third = Results("7.3.4")
    third.load(tmp_path / "nothing")
    assert not third.outcomes and not remarks(third)


NOTED = {"sockmap, TCP": "sockmap-tcp", "packets forwarded": "packets", "`--local-accel`": "local-accel"}


@pytest.mark.parametrize(("what", "name"), NOTED.items(), ids=NOTED.values())
def test_what_kernels_are_known_to_have(what, name):
    """As docs/kernel-notes.md has it: on from a version, and on or off where it was run."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]]
            for line in (ROOT / "docs/kernel-notes.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    row = next(row for row in rows if row[0] == what)
    found = [(version, cell.startswith("on")) for cell in row[1:] if cell
             for version in re.findall(r"\d+\.\d+\.\d+", cell)]
    assert len(found) >= 5
    for version, is_on in found:
        assert feature.is_known_to_have(version, name) == is_on, (version, name)
    assert feature.is_known_to_have("8.0.0", name) and not feature.is_known_to_have("5.15.200", name)


@pytest.mark.parametrize(("release", "version", "name", "outcome"), [
    ("6.1.0-54-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-10-02)", "sockmap-tcp", "failed"),
    ("6.1.0-23-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.99-1 (2024-07-15)", "sockmap-tcp", "skipped"),
    ("6.1.0-54-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-10-02)", "local-accel", "skipped"),
    ("6.12.118+deb13-amd64", "#1 SMP Debian 6.12.118-1", "packets", "failed"),
    ("6.12.118+deb13-amd64", "#1 SMP Debian 6.12.118-1", "all", "skipped"),
    ("6.18.44-fc-v657", "#1 SMP", "all", "failed"), ("6.17.3", "#1 SMP", "packets", "skipped"),
    ("6.19.2", "#1 SMP", "local-accel", "skipped"), ("7.3-rc1", "#1 SMP", "local-accel", "failed")])
def test_what_a_kernel_may_lack(monkeypatch, release, version, name, outcome):
    """A fault of hawserd's own trial skips no test of what the kernel has."""
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "guest", release, version, "x86_64")))
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception)) as raised:
        feature.lacks("permission denied by the verifier", name)
    assert isinstance(raised.value, pytest.fail.Exception) == (outcome == "failed")
    with pytest.raises(pytest.skip.Exception):
        feature.lacks("built without BPF", name)


def test_parts_of_names():
    assert chosen_files("exits") == ["tests/net/test_exits.py"]
    assert chosen_files("torture exits") == ["tests/net/test_exits.py", "tests/net/test_torture.py"]
    assert chosen_files("") == SELECTION
    with pytest.raises(Missing, match="T=nonsense"):
        chosen_files("exits nonsense")


def listed_there(tmp_path, done: str, *options: str, where=ROOT) -> list[str]:
    """The tests that a machine would run, with what has run before."""
    (tmp_path / "done").write_text(done, "ascii")
    said = run_there(tmp_path, "--collect-only", "-q", *options, where=where).stdout
    return [line for line in said.splitlines() if "::" in line]


def run_there(tmp_path, *options: str, where: Path, plugin: str = "report") -> subprocess.CompletedProcess:
    """In place of a machine, whose kernel's log is a file."""
    (tmp_path / "kmsg").touch()
    (tmp_path / "here.py").write_text(
        f"import pathlib, kernel_log, {plugin}\n"
        f"{plugin}._DONE = pathlib.Path({str(tmp_path / 'done')!r})\n"
        f"kernel_log.KMSG = {str(tmp_path / 'kmsg')!r}\n", "ascii")
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-p", plugin, "-p",
         "here", *options], cwd=where, capture_output=True, text=True,
        timeout=60, check=False, env={**os.environ, "HAWSER_REPORT_FD": "2", "PYTHONPATH": ":".join(
            map(str, (tmp_path, ROOT / "tests", ROOT / "tests" / "kernels", ROOT / "testbed")))})


def test_order_in_the_machine(tmp_path):
    """That of the selection, not the one for several processes, and without what has run."""
    files = ["tests/test_units.py", "tests/test_order.py", "tests/test_make.py"]
    tests = listed_there(tmp_path, "tests/test_order.py::test_units[test_a-False]\n", *files)
    assert list(dict.fromkeys(test.partition("::")[0] for test in tests)) == files
    assert not any("test_units[test_a-False]" in test for test in tests)
    assert any("test_units[test_a[mptcp]-False]" in test for test in tests)


def test_sample_in_the_machine(tmp_path):
    """Each value of each parameter once, of those that -k leaves, and each test without any."""
    (tmp_path / "test_it.py").write_text("""import pytest

@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("method", ["a", "b", "none"])
@pytest.mark.parametrize("early", [False, True])
def test_many(family, method, early):
    pass

def test_one():
    pass
""", "ascii")
    tests = [test.partition("::")[2] for test in
             listed_there(tmp_path, "", "-k", "not none", "test_it.py", where=tmp_path)]
    assert sorted(tests) == ["test_many[False-a-4]", "test_many[True-b-6]", "test_one"]


def test_a_kernel_that_warns(tmp_path):
    """A test in which it does has failed, each time; those that show what kernels do wrong only tell it."""
    (tmp_path / "done").touch()
    for name in "test_it", "limits_shown":
        (tmp_path / f"{name}.py").write_text(f"""import pytest
def says(text):
    with open({str(tmp_path / 'kmsg')!r}, "a") as log:
        log.write(f"4,1,2,-;{{text}}\\n")

@pytest.fixture
def late():
    yield
    says("BUG: sleeping function called from invalid context")

def test_good():
    says("TCP: request_sock_TCP: Possible SYN flooding on port 1080.")

def test_warns():
    says("------------[ cut here ]------------")
    says("WARNING: CPU: 1 PID: 700 at net/ipv4/af_inet.c:157 inet_sock_destruct+0x174/0x1a0")

def test_again():
    says("WARNING: CPU: 0 PID: 7 at net/core/sock_map.c:1")

def test_good_after_it():
    pass

def test_late(late):
    pass

def test_dies():
    says("hawserd[4649]: segfault at 8 ip 00007f7cb31489c9 sp 00007ffe66520ab0 error 4 in libc.so.6")
""", "ascii")
    results = {}
    for name in "test_it", "limits_shown":
        said = run_there(tmp_path, f"{name}.py", where=tmp_path).stderr
        results[name] = [json.loads(line) for line in said.splitlines() if '"end"' in line]
    failed = {each["test"].partition("::")[2]: each["reason"] for each in results["test_it"] if each["outcome"] == "failed"}
    assert set(failed) == {"test_warns", "test_again", "test_late", "test_dies"}
    assert "the kernel warned:" in failed["test_warns"] and "inet_sock_destruct" in failed["test_warns"]
    shown = {each["test"].partition("::")[2]: each["features"] for each in results["limits_shown"]}
    assert all(each["outcome"] == "passed" for each in results["limits_shown"])
    assert shown["test_again"] == {"kernel warning": "WARNING: CPU: 0 PID: 7 at net/core/sock_map.c:1"}


def test_what_the_kernel_says_of_a_run(tmp_path):
    """On a machine that others use, too: it is told, and fails nobody."""
    (tmp_path / "test_it.py").write_text(f"""def test():
    with open({str(tmp_path / 'kmsg')!r}, "a") as log:
        log.write("4,1,2,-;TCP: out of memory\\n4,2,2,-;WARNING: CPU: 1 PID: 700 at net/ipv4/af_inet.c:157\\n")
""", "ascii")
    done = run_there(tmp_path, ".", where=tmp_path, plugin="conftest")
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.partition("said by the kernel meanwhile, of this run or another")[2]
    assert "at net/ipv4/af_inet.c:157" in said and "out of memory" not in said, done.stdout


@pytest.mark.parametrize(("accel", "machines", "kinds", "note"), [
    ("tcg", ["dies", "runs"], ["tcg"] * 2, ""), ("tcg", ["hangs", "runs"], ["tcg"], "it does not start"),
    ("tcg", ["dies"] * 5, ["tcg"] * 4, "died 4 times"),
    ("kvm", ["runs"], ["kvm"], ""), ("kvm", ["dies", "runs"], ["kvm", "tcg"], ""),
    ("kvm", ["hangs", "dies", "runs"], ["kvm", "tcg", "tcg"], ""),
    ("tcg", ["finds none"], ["tcg"], "no test was chosen of a"),
    ("tcg", ["dies in it", "finds none"], ["tcg"] * 2, "")])
def test_machine_that_does_not_come_up(monkeypatch, tmp_path, accel, machines, kinds, note):
    """One that dies before its first test is started again; one that hangs has used up its time. KVM that runs no test is
    not tried again. That none is left is right only where some have run."""
    started, seen = [], []

    class Scripted(contextlib.nullcontext):
        def __init__(self, _, kind, __):
            super().__init__(self)
            started.append(machines[len(started)])
            seen.append(kind)

        def lines(self, _):
            if started[-1] == "hangs":
                raise TimeoutError("it does not start")
            if started[-1] in ("runs", "dies in it"):
                yield {"kind": "start", "test": "a::b"}
            if started[-1] == "runs":
                yield {"kind": "end", "test": "a::b", "outcome": "passed", "reason": "",
                       "features": {}, "seconds": 1}
                yield {"kind": "finish", "status": 0}
            if started[-1] == "finds none":
                yield {"kind": "finish", "status": 5}

        def last_words(self):
            return ""

    monkeypatch.setattr(check, "Machine", Scripted)
    for name in "Modules", "make_modules", "make_initramfs":
        monkeypatch.setattr(check, name, lambda *_: None)
    column = check.Column("x", check.Kernel("1", "1", tmp_path, tmp_path), tmp_path, tmp_path,
                          tmp_path, ["a"], tmp_path / "saved")
    assert column.run(accel) == kinds[-1]
    assert (seen, column.results.note) == (kinds, note)
    assert column.results.ok() == (started[-1] == "runs")


INTERRUPTED = """import contextlib, pathlib, sys
sys.path[:0] = sys.argv[1:3]
import check
from packages import Kernel
home = pathlib.Path(sys.argv[3])
class Archive(contextlib.nullcontext):
    def __init__(self, home):
        super().__init__(self)
        home.mkdir(parents=True, exist_ok=True)
    def update(self):
        pass
for name in "Modules", "make_root", "make_modules", "make_initramfs":
    setattr(check, name, lambda *_: home)
check.Archive, check.TREE, check.os.geteuid = Archive, home, lambda: 0
check.choose = lambda *_: [("x", Kernel("1", "1", home, home))]
sys.argv = ["check.py", "--build", "build", "6.1"]
sys.exit(check.main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_interrupted(tmp_path, number):
    """No machine and no image is left; killed, the next run takes the images away."""
    fake = tmp_path / "bin" / "qemu-system-x86_64"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/new\nmv {tmp_path}/new {tmp_path}/pid\n"
                    "exec sleep 60\n", "ascii")
    fake.chmod(0o755)
    images = tmp_path / "build" / "kernels"
    with subprocess.Popen(
            [sys.executable, "-B", "-c", INTERRUPTED, str(ROOT / "testbed"),
             str(ROOT / "tests" / "kernels"), str(tmp_path)], stdout=subprocess.DEVNULL,
            env={**os.environ, "ACCEL": "tcg", "PATH": f"{fake.parent}:{os.environ['PATH']}"}) as run:
        machine = int(until(lambda: (tmp_path / "pid").exists() and
                            (tmp_path / "pid").read_text("ascii")))
        assert list(images.glob("run.*"))
        run.send_signal(number)
        run.wait(timeout=60)
    until(lambda: not Path(f"/proc/{machine}/cmdline").exists() or
          not Path(f"/proc/{machine}/cmdline").read_bytes())
    if number == signal.SIGKILL:
        with check.run_directory(images) as own_one:
            assert list(images.glob("run.*")) == [own_one]
    assert not list(images.glob("run.*"))


def test_wrong_directory():
    """Said before anything is fetched or built."""
    program = str(ROOT / "tests" / "kernels" / "check.py")
    done = subprocess.run([sys.executable, "-B", program, "--build", "build", "/nonexistent"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "/nonexistent: no lib/modules" in done.stdout

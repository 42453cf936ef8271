# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands promise before any test runs: make unit T=, make check T=, and their set-up."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from conftest import ROOT

# Lest the make that runs the tests hands its variables on.
BARE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
WITHOUT_NAMESPACES = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")


def run(*command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=ROOT, env=BARE | environment, capture_output=True, text=True,
                          timeout=200, check=False)


@pytest.mark.parametrize(("target", "known"), [("unit", "dial"), ("check", "exits"),
                                               ("check", "unit")])
def test_unknown_part(target, known):
    """Nothing is built or run; what could be meant is named."""
    done = run("make", target, "T=nonsense")
    assert done.returncode == 2 and done.stdout == ""
    complaint, = done.stderr.splitlines()
    assert f"T=nonsense: no {'unit ' * (target == 'unit')}test" in complaint
    assert known in complaint.removesuffix(".  Stop.").split()


@pytest.mark.parametrize("words", [("arm",), ("armhf", "s390"), (".*",)])
def test_unknown_processor(words):
    """Else nothing would be built, and that be called good."""
    done = run("sh", "tests/cross.sh", *words)
    assert done.returncode == 1 and done.stdout == ""
    complaint, = done.stderr.splitlines()
    assert f'unexpected "{words[-1]}"; expected some of: armhf s390x' in complaint


@pytest.mark.parametrize(("part", "files"), [
    ("exact", ["tests/net/test_exact.py"]), ("fuzz", ["tests/fuzz/test_fuzz.py"]),
    ("link_s", ["tests/net/test_link_setup.py", "tests/net/test_link_spread.py",
                "tests/net/test_link_swallow.py"]), ("", ["tests"])])
def test_chosen_files(part, files):
    command = run("make", "-n", "check", f"T={part}").stdout.partition("-m pytest")[2]
    assert [word for word in command.split() if word.startswith("tests")] == files


def test_the_debian_packages_have_what_is_installed():
    """Else dh_missing ends their build, which only make check-packages sees."""
    installed = run("make", "-s", "--eval", "show: ; @echo $(INSTALLED)", "show").stdout.split()
    packaged = [line for file in (ROOT / "debian").glob("*.install") for line in file.read_text("ascii").split()]
    assert "bin/hawser" in installed
    assert not [file for file in installed
                if not any(f"usr/{file}/".startswith(f"{path}/") for path in packaged)]


def ignored_in(file: str) -> set[str]:
    lines = (ROOT / file).read_text("ascii").splitlines()
    paths = [line.rstrip("/") for line in lines if not line.startswith("#")]
    return {path.lstrip("/") if path.startswith("/") or file != ".gitignore" else f"**/{path}" for path in paths}


def test_an_image_is_made_of_what_git_has():
    """Not of secrets, nor of what was built elsewhere."""
    assert ignored_in(".dockerignore") == ignored_in(".gitignore") | {".git"}
    assert "build" in ignored_in(".gitignore")


def pytest_of(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return run(*WITHOUT_NAMESPACES, sys.executable, "-m", "pytest", "-p", "no:cacheprovider",
               *words, **environment)


@pytest.mark.parametrize("words", [("tests",), ("tests/net/test_token.py",), ("-n", "2", "tests"),
                                   ("tests/net/test_curl.py::test_socks",)])
def test_no_namespaces(words):
    """One line says so, and nothing else is done."""
    done = pytest_of(*words)
    assert done.returncode != 0 and "passed" not in done.stdout + done.stderr
    line, = (done.stdout + done.stderr).split("\n\n")[0].splitlines()
    assert line.startswith("ERROR: the network tests cannot run here: ")
    assert "make check NET=0" in line


def test_no_namespaces_wanted():
    done = pytest_of("tests/net", HAWSER_NET="0")
    assert done.returncode == 0 and " skipped" in done.stdout and "passed" not in done.stdout


@pytest.mark.parametrize("kind", ["run", "check", "fresh", "kernels"])
def test_other_distribution(kind, tmp_path):
    """The list of packages, and no more."""
    for tool in "sh", "echo":
        (tmp_path / tool).symlink_to(f"/bin/{tool}")
    done = run("/bin/sh", "tests/setup.sh", kind, PATH=str(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    listed = [line.strip() for line in done.stderr.splitlines() if line.startswith("  ")]
    assert {"run": "libev-dev", "check": "python3-pytest", "fresh": "debootstrap",
            "kernels": "qemu-system-x86"}[kind] in listed


def fake(directory, **scripts: str) -> str:
    """A PATH on which these commands come first."""
    for name, script in scripts.items():
        path = directory / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n", "ascii")
        path.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


def test_says_what_it_installs(tmp_path):
    path = fake(tmp_path, dpkg_query="echo gcc=installed libev-dev=config-files", id="echo 0",
                apt_get='echo "$*" >>"$LOG"')
    log = tmp_path / "log"
    done = run("/bin/sh", "tests/setup.sh", "run", PATH=path, LOG=str(log))
    assert (done.returncode, done.stderr) == (0, "")
    words = done.stdout.split()
    assert words[:2] == ["hawser:", "installing"]
    assert "libev-dev" in words and "gcc" not in words
    update, install = log.read_text("ascii").splitlines()
    assert "update" in update and install.split()[-len(words) + 2:] == words[2:]


def test_only_root_installs(tmp_path):
    path = fake(tmp_path, dpkg_query="exit 1", id="echo 1000", apt_get="echo called")
    done = run("/bin/sh", "tests/setup.sh", "check", PATH=path)
    assert done.returncode == 1 and done.stdout == ""
    assert "as root: apt-get install gcc" in done.stderr


def test_nothing_missing(tmp_path):
    path = fake(tmp_path, dpkg_query='shift 2; for p; do printf "%s=installed " "$p"; done',
                apt_get="exit 9")
    done = run("/bin/sh", "tests/setup.sh", "check", PATH=path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

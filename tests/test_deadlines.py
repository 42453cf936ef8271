# SPDX-License-Identifier: GPL-2.0-or-later
"""What hangs ends, says so, and leaves nothing behind: see deadlines.py."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from conftest import ROOT
from waiting import until

HANGS = {
    "body": """
        def test(mark):
            time.sleep(1000)
        """,
    "join": """
        def test(mark):
            thread = threading.Thread(target=time.sleep, args=(1000,), daemon=True)
            thread.start()
            thread.join()
        """,
    "pipe": """
        def test(mark):
            subprocess.run(["sh", "-c", "sleep 1000 & exit"], stdout=subprocess.PIPE, check=True)
        """,
    "teardown": """
        @pytest.fixture
        def stuck(mark):
            yield
            time.sleep(1000)

        def test(stuck):
            assert False, "as expected"
        """,
    "session_teardown": """
        @pytest.fixture(scope="session")
        def stuck():
            yield
            while True:
                try:
                    time.sleep(1000)
                except BaseException:
                    pass

        def test(stuck, mark):
            pass
        """,
    "without_python": """
        def test(mark):
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            ctypes.PyDLL(None).sleep(1000)  # keeps the lock of the interpreter
        """,
    "thread_at_the_end": """
        def test(mark):
            threading.Thread(target=time.sleep, args=(1000,)).start()
        """,
}
HEAD = """
import ctypes, os, signal, subprocess, sys, threading, time
from pathlib import Path
import pytest
sys.path.insert(0, {testbed!r})

@pytest.fixture
def mark(request):
    # A process of the test bed.
    from namespace import Unavailable, Namespace
    try:
        namespace = Namespace()
    except Unavailable as reason:
        pytest.skip(str(reason))
    namespace.start(["sleep", {marker!r}])
    yield
    Path("torn-down-" + Path(__file__).stem).touch()
"""
GOOD = "def test():\n    pass\n"


def marker(directory: Path) -> str:
    """What sleeps so long is a process of this test's; the fraction tells whose."""
    return f"1000.{os.getpid()}{directory.stat().st_ino}"


def running(directory: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if marker(directory).encode() in words:
            found.append(path.parent.name)
    return found


def await_end(directory: Path) -> None:
    """What is killed is gone a moment later."""
    until(lambda: running(directory), lambda found: found == [])


def write(directory: Path, name: str, body: str) -> None:
    head = HEAD.format(testbed=str(ROOT / "testbed"), marker=marker(directory))
    lines = [line.removeprefix("        ") for line in body.splitlines()]
    (directory / f"test_{name}.py").write_text(head + "\n".join(lines) + "\n", "ascii")


def start(directory: Path, *words: str, ignored: Sequence[int] = (), **limits: str) -> subprocess.Popen:
    def ignore() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "deadlines", *words, "."],
        cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, preexec_fn=ignore,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PYTEST_TIMEOUT": "3",
             "HAWSER_END_S": "30", "HAWSER_EXIT_S": "30", "HAWSER_RUN_S": "0", **limits})


def output_of(process: subprocess.Popen) -> str:
    try:
        return process.communicate(timeout=150)[0]
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def failed_in(said: str) -> set[str]:
    return set(re.findall(r"^(?:FAILED|ERROR) test_(\w+)\.py", said, re.MULTILINE))


def test_hangs_fail_and_the_rest_runs(tmp_path):
    """Fixtures are torn down."""
    hangs = ("body", "join", "pipe")
    for name in hangs:
        write(tmp_path, name, HANGS[name])
    write(tmp_path, "good", GOOD)
    write(tmp_path, "zz_good", GOOD)
    process = start(tmp_path, "-n", "2", "--dist", "loadfile", PYTEST_TIMEOUT="3")
    said = output_of(process)
    assert (process.returncode, failed_in(said)) == (1, {*hangs}), said
    assert "3 failed, 2 passed" in said and "Stack of Thread" in said, said
    assert {path.name for path in tmp_path.glob("torn-down-*")} == {
        f"torn-down-test_{name}" for name in hangs}
    await_end(tmp_path)


@pytest.mark.parametrize(("name", "jobs"), [
    ("teardown", 0), ("session_teardown", 1), ("without_python", 1)])
def test_what_cannot_be_failed_ends_its_process(tmp_path, name, jobs):
    """With the stacks of its threads."""
    write(tmp_path, name, HANGS[name])
    process = start(tmp_path, "-n", str(jobs), PYTEST_TIMEOUT="3", HAWSER_END_S="0.5")
    said = output_of(process)
    assert process.returncode == 1 and "Timeout (0:00:03.5" in said, said
    if jobs:
        assert f"crashed while running 'test_{name}.py::test'" in said, said
        assert failed_in(said) == {name}, said
    await_end(tmp_path)


def test_a_thread_that_does_not_end(tmp_path):
    write(tmp_path, "thread_at_the_end", HANGS["thread_at_the_end"])
    process = start(tmp_path, HAWSER_EXIT_S="2")
    said = output_of(process)
    assert process.returncode == 1 and "1 passed" in said and "Timeout (0:00:10)" in said, said
    await_end(tmp_path)


def test_a_run_that_takes_too_long(tmp_path):
    (tmp_path / "test_slow.py").write_text(
        "import pytest, time\n@pytest.mark.parametrize('n', range(500))\n"
        "def test(n):\n    time.sleep(0.2)\n    assert n\n", "ascii")
    process = start(tmp_path, "-n", "1", HAWSER_RUN_S="6")
    said = output_of(process)
    assert process.returncode == 1 and "the run takes longer than 6 s" in said, said
    assert failed_in(said) == {"slow"} and " passed" in said, said


@pytest.mark.parametrize(("number", "jobs"), [
    (signal.SIGINT, 1), (signal.SIGHUP, 1), (signal.SIGTERM, 0), (signal.SIGKILL, 1)])
def test_interrupted(tmp_path, number, jobs):
    """By the terminal and when it goes, by another program, and so that nobody can do anything about it."""
    write(tmp_path, "body", HANGS["body"])
    process = start(tmp_path, "-n", str(jobs), PYTEST_TIMEOUT="100")
    until(lambda: running(tmp_path))
    if number in (signal.SIGINT, signal.SIGHUP):
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    said = output_of(process)
    if number != signal.SIGKILL:
        assert process.returncode == 2 and "KeyboardInterrupt" in said, said
        assert (tmp_path / "torn-down-test_body").exists(), said
    await_end(tmp_path)


@pytest.mark.parametrize("jobs", [0, 1])
def test_a_run_that_ignores_signals(tmp_path, jobs):
    """As under nohup, or behind a shell's &: it goes on, and what it starts does not ignore them."""
    ignored = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT]
    (tmp_path / "test_ignored.py").write_text(f"""
import os, pytest, subprocess
@pytest.mark.parametrize("number", {list(map(int, ignored))})
def test(number):
    os.killpg(0, number)
    done = subprocess.run(["sh", "-c", f"trap 'exit 7' {{number}}; kill -{{number}} $$; exit 0"])
    assert done.returncode == 7
""", "ascii")
    process = start(tmp_path, "-n", str(jobs), ignored=ignored)
    said = output_of(process)
    assert process.returncode == 0 and "3 passed" in said, said

# SPDX-License-Identifier: GPL-2.0-or-later
"""A test that fails while the kernel loses bytes of a fallback runs again, but not if a hawserd died in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from conftest import ROOT

TESTS = """
import contextlib, subprocess
from pathlib import Path
import pytest
import daemon

class Fake(daemon.Hawserd):
    # A shell in place of hawserd.
    def __init__(self, bed, directory, script, log):
        self._clients, self._stopped = contextlib.ExitStack(), False
        self._log = directory / "log"
        self._log.write_text(log)
        self._refuses = "sleep" in script
        self.process = subprocess.Popen(["sh", "-c", f'trap "exit 0" INT; echo; {script}'], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def sessions(self):
        if self._refuses:
            raise ConnectionRefusedError
        return []

    def _left_over(self):
        return {}

class Bed:
    count = 0

    def fallback_counts(self):
        Bed.count += 1
        return Bed.count, Bed.count

daemon.Hawserd = Fake

@pytest.fixture
def bed():
    return Bed()

SEEN = set()

@pytest.mark.mptcp
@pytest.mark.parametrize("name", CASES)
def test(hawserd, tmp_path, name):
    script, log, is_awaited = CASES[name]
    (tmp_path / "other").mkdir()
    started = hawserd(tmp_path, script, log), hawserd(tmp_path / "other", LIVES, "")
    if is_awaited:
        started[0].wait()
    was_there = name in SEEN
    SEEN.add(name)
    assert was_there, "for the first time"
"""
LIVES = "read line"
REPORT = "x.c:7: ERROR: AddressSanitizer: heap-use-after-free"
# What becomes of a hawserd, what it says, and whether the test waits for its end.
CASES = {
    "lives": (LIVES, "", False), "dies": ("kill -SEGV $$", "", False), "dies, awaited": ("kill -SEGV $$", "", True),
    "dies soon": ("sleep 0.3; kill -ABRT $$", "", False), "ends by itself": ("exit 0", "", False),
    "is told to": ("exit 0", "", True), "complains": (LIVES, REPORT, False), "complains, awaited": ("exit 1", REPORT, True)}


def test_who_is_tried_again(tmp_path):
    (tmp_path / "test_it.py").write_text(f"CASES, LIVES = {CASES!r}, {LIVES!r}\n{TESTS}", "ascii")
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "conftest", "-rA", "."],
                          cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
                          env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "HAWSER_RUN_S": "0"})
    said: dict[str, set[str]] = {name: set() for name in CASES}
    for outcome, name in re.findall(r"^(PASSED|FAILED|ERROR) test_it.py::test\[mptcp-(.*?)\]", done.stdout, re.MULTILINE):
        said[name].add(outcome)
    assert said == {name: {"PASSED"} if name in ("lives", "is told to") else {"FAILED", "ERROR"} for name in CASES}, done.stdout
    # What the first run failed of is not lost.
    warnings = done.stdout.partition("warnings summary")[2]
    assert warnings.count("run again after") == 2 and "for the first time" in warnings, done.stdout

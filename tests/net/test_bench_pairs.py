# SPDX-License-Identifier: GPL-2.0-or-later
"""bench/pairs.py runs, tells what it measured, and leaves nothing behind. Its figures are not judged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from process_tree import is_gone, programs
from waiting import until

PAIRS = [sys.executable, "-B", str(ROOT / "bench" / "pairs.py")]
# The kernel without netem has no other links with a round-trip time.
needs_tun = pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="there is no /dev/net/tun")


@needs_tun
def test_measures_both(build, tmp_path):
    done = subprocess.run([*PAIRS, "--pairs", "far", "--directions", "upload", "--rounds", "1",
                           "--settle", "2", "--seconds", "2", "--json", str(tmp_path / "rates")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rates = json.loads((tmp_path / "rates").read_text("ascii"))["far upload"]
    assert rates["both"][0] > 0 and rates["better"][0] > 0, rates
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  far")]
    assert f"{rates['both'][0] / 70:.2f}" in line and "of better" in line


@needs_tun
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_interrupted(build, tmp_path, number):
    with subprocess.Popen([*PAIRS, "--pairs", "slow", "--rounds", "1"], start_new_session=True,
                          stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}) as running:
        assert running.stdout.readline().startswith(b"slow: ")
        until(lambda: programs(running.pid) >= {"hawserd", "emulator"})
        running.send_signal(number)
        assert running.wait(60) == 128 + number
    until(lambda: is_gone(running.pid))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("words", "legal"), [(("--pairs", "nonsense"), "jittery"),
                                              (("--directions", "left"), "upload")])
def test_says_what_there_is(words, legal):
    done = subprocess.run([*PAIRS, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and words[1] in done.stderr and legal in done.stderr

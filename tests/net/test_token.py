# SPDX-License-Identifier: GPL-2.0-or-later
"""hawser token: needs no daemon, and says what is wrong."""

from __future__ import annotations

import re
import subprocess

import pytest


def run(build, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([build / "hawser", "token", *arguments], capture_output=True, text=True,
                          timeout=120, check=False)


def test_one_line_each_time_another(build):
    made = [run(build, "new", "home") for _ in range(2)]
    for done in made:
        assert done.returncode == 0 and done.stderr == ""
        assert re.fullmatch(r"home [A-Za-z0-9_-]{43}\n", done.stdout)
    assert made[0].stdout != made[1].stdout


@pytest.mark.parametrize(("words", "part"), [
    ((), "expected: new NAME"), (("old",), "expected: new NAME"), (("new",), "expected: new NAME"),
    (("new", "a b"), "A-Z a-z 0-9"), (("new", ""), "A-Z a-z 0-9"), (("new", "x" * 65), "1 to 64"),
    (("new", "a", "b"), "unexpected \"b\"")])
def test_wrong_words(build, words, part):
    done = run(build, *words)
    assert done.returncode == 2 and done.stdout == "" and part in done.stderr

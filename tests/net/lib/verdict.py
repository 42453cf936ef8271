# SPDX-License-Identifier: GPL-2.0-or-later
"""What no hawserd says and ends with, whoever ends it, and whether its test waits for that or not."""

from __future__ import annotations

import signal

# What a keeper says of its hawserd.
KILLED = " was ended by signal "
# Of sanitizers and of assert(3), too.
COMPLAINTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "Assertion", KILLED)
# A sanitizer's status is 1, as that of a refusal to start.
ENDS = (0, -signal.SIGKILL)
# What was found of this test: one that a hawserd died in is not tried again (tests/conftest.py).
faults: list[str] = []


def _fault(what: str) -> None:
    faults.append(what)
    raise AssertionError(what)


def judge_log(log: str, expected: str = "") -> None:
    """expected: the complaint that the test has brought about."""
    for complaint in COMPLAINTS:
        if complaint in log and complaint != expected:
            _fault(log[-8000:])


def judge_end(status: int | None, log: str, ends: tuple[int, ...] = ENDS, expected: str = "") -> None:
    """status: as of Popen, None of one that does not end; ends: what it may be."""
    judge_log(log, expected)
    if status not in ends:
        _fault(f"hawserd ended with {status}:\n{log[-4000:]}")

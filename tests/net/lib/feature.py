# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of what not every kernel has. hawserd says that it is off, so a fault of its own trial would
skip them: where a kernel is known to have all of it, that is a failure."""

from __future__ import annotations

import platform
import re

import pytest

# The first where everything was seen to be on (docs/kernel-notes.md).
_ALL_ON = (6, 18, 44)


def may_lack(reason: str) -> None:
    """Fails the test where the kernel is known to have it."""
    kernel = tuple(int(number) for number in re.findall(r"\d+", platform.release())[:3])
    if kernel >= _ALL_ON and "built without" not in reason:
        pytest.fail(f"{platform.release()} has it, but hawserd says: {reason}")


def lacks(reason: str) -> None:
    """Skips the test, or fails it."""
    may_lack(reason)
    pytest.skip(reason)

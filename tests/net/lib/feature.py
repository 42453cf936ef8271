# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of what not every kernel has. hawserd says that it is off, so a fault of its own trial would
skip them: where a kernel is known to have it, that is a failure."""

from __future__ import annotations

import os
import re

import pytest

Version = tuple[int, ...]
# The first of each line where it was seen to be on; of lines behind the last, all have it
# (docs/kernel-notes.md).
_SINCE: dict[str, list[Version]] = {
    "sockmap-tcp": [(6, 1, 142), (6, 6, 94), (6, 12, 34), (6, 15, 3), (6, 16, 0)],
    "packets": [(6, 1, 192), (6, 12, 118), (6, 18, 15)],
    "local-accel": [(6, 12, 75), (6, 18, 14), (6, 19, 4), (7, 0, 0)],
    "run": [(6, 1, 192), (6, 12, 118), (6, 18, 15)],
    "fast-open": [(6, 12, 118), (6, 18, 15)],
    "all": [(6, 18, 44)],
}


def kernel_version() -> str:
    """Also where the release is called 6.1.0-54."""
    name = os.uname()
    found = re.search(r" Debian (\d+(?:\.\d+)+)", name.version) or re.match(r"\d+(?:\.\d+)+", name.release)
    return found[found.lastindex or 0]


def is_known_to_have(kernel: str, feature: str) -> bool:
    version = tuple(map(int, kernel.split(".")))
    *lines, last = _SINCE[feature]
    same_line = [first for first in lines if first[:2] == version[:2]]
    return version >= (same_line or [last])[0]


def may_lack(reason: str, feature: str = "all") -> None:
    """Fails the test where the kernel is known to have it."""
    if is_known_to_have(kernel_version(), feature) and "built without" not in reason:
        pytest.fail(f"{kernel_version()} has {feature}, but hawserd says: {reason}")


def lacks(reason: str, feature: str = "all") -> None:
    """Skips the test, or fails it."""
    may_lack(reason, feature)
    pytest.skip(reason)

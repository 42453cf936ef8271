# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for what must come true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from patience import PATIENCE

Value = TypeVar("Value")


def until(what: Callable[[], Value], expected: Callable[[Value], bool] = bool,
          seconds: float = 10) -> Value:
    """Asks what() until its answer is as expected, and returns it; else an AssertionError."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    pause = 0.001
    while not expected(value := what()):
        assert time.monotonic() < end, f"after {seconds} s still {value!r:.2000}"
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    return value

# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for what must come true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from patience import PATIENCE

Value = TypeVar("Value")


def until(what: Callable[[], Value], expected: Callable[[Value], bool] = bool,
          seconds: float = 60) -> Value:
    """Asks what() until its answer is as expected, and returns it; else an AssertionError. The deadline is far: on a busy
    machine a process may not run for seconds."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    pause = 0.001
    while not expected(value := what()):
        assert time.monotonic() < end, f"after {seconds} s still {value!r:.2000}"
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    return value


def quickest(measure: Callable[[], float], enough: float, tries: int = 40) -> float:
    """The least of what measure() says of some tries, which end when it is less than enough: on a busy machine one may
    take long, but none is too quick."""
    seen: list[float] = []
    while len(seen) < tries and not (seen and seen[-1] < enough):
        seen.append(measure())
    return min(seen)

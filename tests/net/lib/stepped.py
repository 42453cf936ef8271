# SPDX-License-Identifier: GPL-2.0-or-later
"""A time of day that a test sets back and forth."""

from __future__ import annotations

import os
import struct


class Clock:
    """Of one hawserd."""

    def __init__(self, build, path) -> None:
        self._path = path
        self.step(0)
        self.prefix = ("env", f"LD_PRELOAD={(build / 'tests' / 'stepping_clock.so').resolve()}",
                       f"STEPPING_CLOCK={path}", "ASAN_OPTIONS=verify_asan_link_order=0:"
                       + os.environ.get("ASAN_OPTIONS", ""))

    def step(self, seconds: int) -> None:
        """From what is true."""
        with open(self._path, "r+b" if self._path.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))

# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of a program that leaves nothing behind."""

from __future__ import annotations

import signal
import sys


def end_in_order() -> None:
    """Who is told to end, or loses its terminal, unwinds; but under nohup(1) goes on without one."""
    for number in signal.SIGTERM, signal.SIGHUP:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))

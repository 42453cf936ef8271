# SPDX-License-Identifier: GPL-2.0-or-later
"""On an emulated machine (tests/kernels/) everything takes longer; HAWSER_PATIENCE says how many
times. What must come true is waited for so much longer, and big loads are so much smaller."""

from __future__ import annotations

import os

PATIENCE = float(os.environ.get("HAWSER_PATIENCE", "1"))


def load(count: int) -> int:
    """How many sessions, messages or bytes to try in place of so many."""
    return int(count / PATIENCE)

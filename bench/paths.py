# SPDX-License-Identifier: GPL-2.0-or-later
"""Import this first: it lets a program in bench/ import what lies in testbed/."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "testbed"))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Hundreds of sessions at once, each doing something else, while hawserd changes tiers and ticks at
random: every byte and every end of stream is right, and nothing is left over. 30 seconds, or
SOAK_SECONDS."""

from __future__ import annotations

import os
import subprocess

import pytest

from torture import Torture

SECONDS = int(os.environ.get("SOAK_SECONDS", "30"))
# The main run is the one with all kinds of sockets and changes.
SECONDS_OTHERS = max(SECONDS // 10, 2)


def test_torture(bed, hawserd):
    Torture(bed, hawserd, "--torture").run(SECONDS if bed.mptcp else SECONDS_OTHERS)


@pytest.mark.parametrize("tier", ["copy", "splice", "sockmap"])
def test_torture_of_one_tier(bed, build, hawserd, tier):
    usage = subprocess.run([build / "hawserd", "--help"], capture_output=True, text=True,
                           check=True).stdout
    if f"|{tier}" not in usage:
        pytest.skip(f"no --tier {tier} yet")
    Torture(bed, hawserd, "--tier", tier).run(SECONDS_OTHERS)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Hundreds of sessions at once, each doing something else, while hawserd changes tiers and ticks at
random: every byte and every end of stream is right, and nothing is left over. 30 seconds, or
SOAK_SECONDS."""

from __future__ import annotations

import os

import pytest

from cgroup import Cgroup
from torture import Torture

SECONDS = int(os.environ.get("SOAK_SECONDS", "30"))
# The main run is the one with all kinds of sockets and changes.
SECONDS_OTHERS = max(SECONDS // 10, 2)
# The sockmap, after a pair has left it.
ENTER_AGAIN_SOON = ("--tune", "chat-backoff-ms=1", "--tune", "chat-backoff-max-ms=10")
# Pairs are let in and out of it all the time.
TRIALS = ("--tune", "chat-trial-ms=10", "--tune", "chat-trial-rest-s=1")


def test_torture(bed, hawserd):
    Torture(bed, hawserd, "--torture", *TRIALS, sockmap=True).run(SECONDS if bed.mptcp else SECONDS_OTHERS)


@pytest.mark.parametrize("tier", ["copy", "splice", "sockmap"])
def test_torture_of_one_tier(bed, hawserd, tier):
    Torture(bed, hawserd, "--tier", tier, *ENTER_AGAIN_SOON,
            sockmap=tier == "sockmap").run(SECONDS_OTHERS)


@pytest.mark.no_mptcp
def test_torture_of_local_clients(bed, hawserd):
    """Of TCP clients, since only these can be accelerated."""
    with Cgroup() as cgroup:
        # A few are not accelerated; that these stay out of the sockmap keeps all resets judged.
        torture = Torture(bed, hawserd, "--local-accel", str(cgroup.path), "--tier", "copy",
                          "--torture", cgroup=cgroup)
        torture.run(SECONDS_OTHERS)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The torture of pairs whose packets the kernel forwards, also over wires that lose, double and overtake."""

from __future__ import annotations

import os

import pytest

import peers
from bad_wire import bad_wires
from daemon import PORT
from forwarded import ALWAYS, packets_needed  # pylint: disable=unused-import
from topology import LAN4, LAN6, LINKS, near
from torture import Torture

pytestmark = [pytest.mark.no_mptcp, pytest.mark.usefixtures("packets_needed")]

SECONDS = int(os.environ.get("SOAK_SECONDS", "30"))
NOBODY = 9
# Percent of the packets.
LOSS, DOUBLE, LATE = 2, 2, 2


def test_torture(bed, hawserd):
    """Pairs stay taken."""
    torture = Torture(bed, hawserd, *ALWAYS)
    torture.run(SECONDS // 10)
    assert torture.taken() > 0


@pytest.mark.parametrize(("brief", "ipv6", "share"), [(True, False, 0.4), (False, False, 0.2), (True, True, 0.4)],
                         ids=["many", "long", "ipv6"])
def test_torture_over_bad_wires(bed, hawserd, brief, ipv6, share):
    """Pairs are learnt, taken and taken back in every moment, also when a packet has just been lost, doubled or
    overtaken."""
    with bad_wires(bed, LOSS, DOUBLE, LATE):
        torture = Torture(bed, hawserd, *ALWAYS, "--torture", brief=brief, ipv6=ipv6)
        torture.run(int(SECONDS * share))
    assert torture.taken() > 0
    # The wires are good again, for other tests. Nobody listens beyond the links, and says so.
    peers.connect(bed.client, LAN6 if ipv6 else LAN4, PORT).close()
    for link in LINKS:
        with pytest.raises(ConnectionRefusedError):
            peers.connect(bed.server, near(link)[ipv6], NOBODY)

# SPDX-License-Identifier: GPL-2.0-or-later
"""A server on the exit's own machine, which sends as fast as memory: whoever reads it by a connection
that fell back loses segments to the kernel, and then waits for the server's timeouts."""

from __future__ import annotations

import contextlib
import random
import threading
import time

import pytest

import peers
from exit_net import net  # pylint: disable=unused-import
from pattern import Stream
from topology import SERVER4, SERVER6

pytestmark = pytest.mark.mptcp

FIT = 1_000_000
TOTAL = 40 * FIT
# Of what fitted the window that the kernel had told, and of what came again when it had closed it.
DROPPED = ("TCPRcvQDrop", "BeyondWindow")


def dropped(bed) -> dict[str, int]:
    counters = bed.counters(bed.server, "TcpExt")
    return {name: counters.get(name, 0) for name in DROPPED}


@pytest.mark.parametrize("host", [SERVER4, SERVER6])
def test_a_server_beside_the_exit(bed, net, host):
    """The client reads in fits, as what comes over an uneven link does."""
    exit_ = net.serve("one")
    router = net.settled("one")
    stream, fits = Stream(7), random.Random(7)
    before = dropped(bed)

    def send(server) -> None:
        with contextlib.suppress(OSError):
            stream.send(server, TOTAL)

    with peers.listen(bed.server, host) as listening, \
            router.dial(host, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        sender = threading.Thread(target=send, args=(server,))
        sender.start()
        for first in range(0, TOTAL, FIT):
            time.sleep(fits.random() * 0.1)
            stream.receive(client, first + FIT, first)
        sender.join()
        transport = exit_.session()["upstream_transport"]
    assert dropped(bed) == before
    assert transport == "tcp"

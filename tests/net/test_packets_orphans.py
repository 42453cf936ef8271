# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hawserd that is killed leaves in the kernel: it works as long as it is needed, and no longer. Each on a
test bed of its own, whose link is a device of layer 3."""

from __future__ import annotations

import signal
import socket

import pytest

from daemon import Hawserd
from flows import chat, tiers
from forwarded import ALWAYS, STAYING, packets_needed, programs, take  # pylint: disable=unused-import
from handshakes import at_end
from pattern import MEGABYTE, Stream
from sessions import through
from waiting import until

pytestmark = [pytest.mark.no_mptcp, pytest.mark.usefixtures("packets_needed")]


@pytest.fixture
def far(emulated_bed):
    return emulated_bed(a={"rate": 200})


@pytest.fixture
def killed(request, far):
    """request.param: until when a pair that is idle stays taken."""
    daemon = Hawserd(far, *ALWAYS, *request.param)
    yield daemon
    daemon.process.kill()


def kill(daemon: Hawserd) -> None:
    daemon.signal(signal.SIGKILL)
    daemon.wait()


@pytest.mark.parametrize("killed", [STAYING], indirect=True, ids=[""])
def test_sessions_go_on(far, killed):
    stream = Stream(21)
    with through(killed) as (client, server):
        take(killed, client, server)
        kill(killed)
        chat(client, server, 20)
        stream.carry(server, client, 2 * MEGABYTE)
        successor = Hawserd(far, *ALWAYS)
        chat(client, server, 20)
        client.shutdown(socket.SHUT_WR)
        assert at_end(server)
        server.shutdown(socket.SHUT_WR)
        assert at_end(client)
    # What the ends send again is forwarded for a while.
    assert programs(far.router) == 2
    successor.finish()


@pytest.mark.parametrize("killed", [("--tune", "keepalive-idle-s=1")], indirect=True, ids=[""])
def test_nothing_stays(far, killed):
    """The next one takes off what forwards nothing, once the other has not been heard of for some seconds. It need
    not forward packets itself."""
    with through(killed) as (client, server):
        take(killed, client, server)
        until(lambda: tiers(killed), lambda found: "packets" not in found)
        assert programs(far.router) == 2
        kill(killed)
    successor = Hawserd(far)
    until(lambda: programs(far.router), lambda left: left == 0)
    successor.finish()

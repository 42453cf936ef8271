# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions by an exit whose hop fell back to TCP: what the hop has read itself is not lost."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

import peers
from exit_net import PORTS, net, states  # pylint: disable=unused-import
from handshakes import at_end, read
from pattern import MEGABYTE, Stream, together
from topology import SERVER4
from waiting import until

pytestmark = pytest.mark.mptcp

TOTAL = 2 * MEGABYTE
# What the kernel of a late reader holds for it.
NARROW = 1 << 16


@contextlib.contextmanager
def exit_without_mptcp(bed) -> Iterator[None]:
    bed.server.sysctl("mptcp/enabled", 0)
    try:
        yield
    finally:
        bed.server.sysctl("mptcp/enabled", 1)


def path_that_strips(bed):
    return bed.rules(f"tcp dport {PORTS['one']} reset tcp option mptcp")


def path_that_strips_after_the_handshake(bed):
    return bed.rules(f"tcp dport {PORTS['one']} tcp flags & syn == 0 reset tcp option mptcp")


@contextlib.contextmanager
def kernel_that_pauses(bed) -> Iterator[None]:
    """As 6.12 and later do for all connections of a host, when one fell back after SYNs got lost."""
    bed.router.sysctl("mptcp/blackhole_timeout", 3600)
    with peers.listen(bed.server, mptcp=True) as lost:
        with bed.rules(f"tcp dport {peers.port_of(lost)} tcp option mptcp exists drop"):
            peers.connect(bed.router, SERVER4, peers.port_of(lost), mptcp=True).close()
    try:
        yield
    finally:
        bed.router.sysctl("mptcp/blackhole_timeout", 3600)  # ends the pause


FALLBACKS = [exit_without_mptcp, path_that_strips, path_that_strips_after_the_handshake,
             kernel_that_pauses]


@pytest.mark.parametrize("fallback", FALLBACKS, ids=lambda fallback: fallback.__name__)
def test_by_an_exit_that_fell_back(bed, net, fallback):
    """Both streams are whole and end in order; the server's first, as the kernel forgets what it has
    counted when both have ended."""
    up, down = Stream(65), Stream(66)
    with fallback(bed):
        one = net.serve("one")
        router = net.settled("one")
        with peers.listen(bed.server) as listening, \
                router.dial(SERVER4, peers.port_of(listening)) as client, \
                peers.accept(listening) as server:
            assert router.session()["upstream_transport"] == "fallback"
            together(lambda: up.send(client, TOTAL), lambda: up.receive(server, TOTAL),
                     lambda: down.send(server, TOTAL), lambda: down.receive(client, TOTAL))
            server.shutdown(socket.SHUT_WR)
            assert at_end(client)
            client.sendall(b"all")
            client.shutdown(socket.SHUT_WR)
            assert read(server, 3) == b"all" and at_end(server)
        for daemon in router, one:
            until(daemon.active, lambda active: active == 0)
            assert daemon.errors() == {}
    assert states(router) == {"one": "up"}


@pytest.mark.parametrize("direction", ["up", "down"])
def test_by_an_exit_that_fell_back_and_a_late_reader(bed, net, direction):
    """Of whom the kernel on the way holds much when the stream ends."""
    stream = Stream(61)
    with exit_without_mptcp(bed):
        net.serve("one")
        router = net.settled("one")
        with peers.listen(bed.server) as listening, \
                router.dial(SERVER4, peers.port_of(listening)) as client, \
                peers.accept(listening) as server:
            sender, reader = (client, server) if direction == "up" else (server, client)
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)
            stream.send(sender, TOTAL)
            sender.close()
            time.sleep(0.5)
            stream.receive(reader, TOTAL)
            assert at_end(reader)
        until(router.active, lambda active: active == 0)
        assert router.errors() == {}

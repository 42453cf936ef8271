# SPDX-License-Identifier: GPL-2.0-or-later
"""Two links in one connection: both carry payload and add up; one is cut in mid-transfer."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

import peers
from bed import Bed
from daemon import Hawserd
from filled import measured_while_full
from patience import PATIENCE
from pattern import MEGABYTE, Stream, together
from topology import LINKS, SERVER4
from waiting import until

pytestmark = pytest.mark.mptcp

RATE = int(50 / PATIENCE ** 0.75)  # Mbit/s of each link
CUT_AFTER = 6 * MEGABYTE
TOTAL = 24 * MEGABYTE


@pytest.fixture(scope="module")
def slow_bed(bed, build, tmp_path_factory):
    """Links whose rate, and not this machine's, is the limit."""
    with Bed(build, tmp_path_factory.mktemp("bed"), rate_a=RATE, rate_b=RATE) as made:
        yield made


@pytest.fixture
def daemon(slow_bed):
    running = Hawserd(slow_bed)
    yield running
    running.finish()


@contextlib.contextmanager
def through(daemon):
    """A client and the server that it is connected to, by both links."""
    with peers.listen(daemon.bed.server, mptcp=True) as listening, \
            daemon.dial(SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        client.sendall(b"?")
        assert server.recv(1) == b"?"
        server.sendall(b"!")
        assert client.recv(1) == b"!"
        until(lambda: daemon.session()["upstream_subflows"] == 2)
        yield client, server


def link_bytes(bed: Bed, direction: str) -> list[int]:
    return [bed.link_bytes(link)[direction == "up"] for link in LINKS]


def measure(bed: Bed, sock: socket.socket, direction: str) -> tuple[float, list[float]]:
    """Mbit/s of what arrives, and of each link, over 3 seconds."""
    before = link_bytes(bed, direction)
    started, received, seconds = time.monotonic(), 0, 0.0
    while seconds < 3:
        received += len(sock.recv(1 << 18))
        seconds = time.monotonic() - started
    links = [after - earlier for after, earlier in zip(link_bytes(bed, direction), before)]
    return received * 8e-6 / seconds, [count * 8e-6 / seconds for count in links]


@pytest.mark.parametrize("direction", ["down", "up"])
def test_links_add_up(daemon, direction):
    """Payload of both links together, far more than one carries, and by both; a shaped link cannot be too fast. `make
    bench` has the share."""
    with through(daemon) as (client, server):
        source, target = (client, server) if direction == "up" else (server, client)
        seen = measured_while_full(source, target,
                                   lambda: measure(daemon.bed, target, direction),
                                   lambda best: best[0] >= 0.75 * 2 * RATE and min(best[1]) >= 0.5 * RATE)
    best, links = max(seen)
    assert best >= 0.75 * 2 * RATE, seen
    assert min(links) >= 0.5 * RATE, seen


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("link", ["b", "a"])
def test_link_cut_in_mid_transfer(daemon, link, direction):
    """The first subflow is on link a, so that its loss is the harder one."""
    bed, stream = daemon.bed, Stream(4)
    with through(daemon) as (client, server):
        source, target = (client, server) if direction == "up" else (server, client)
        before = link_bytes(bed, direction)

        def least() -> int:
            return min(after - earlier for after, earlier in zip(link_bytes(bed, direction), before))

        def receive() -> None:
            got = CUT_AFTER
            stream.receive(target, got)
            # A link alone carries what a busy machine gives it.
            while least() <= CUT_AFTER // 8 and got < TOTAL // 2:
                stream.receive(target, got + MEGABYTE, got)
                got += MEGABYTE
            assert least() > CUT_AFTER // 8, "one link carried nearly nothing"
            bed.cut(link)
            stream.receive(target, TOTAL, got)
            assert target.recv(1) == b""

        def send() -> None:
            stream.send(source, TOTAL)
            source.shutdown(socket.SHUT_WR)

        try:
            together(send, receive)
            target.shutdown(socket.SHUT_WR)
            assert source.recv(1) == b""
            assert bed.swallowed(link) > 0
        finally:
            bed.mend(link)

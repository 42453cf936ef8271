# SPDX-License-Identifier: GPL-2.0-or-later
"""What an exit costs: round trips, and nothing of what the links add up to."""

from __future__ import annotations

import contextlib
import time

import pytest

import handshakes
import peers
from bed import Bed
from daemon import Hawserd
from exit_net import Net, exits, totals  # pylint: disable=unused-import
from filled import measured_while_full
from handshakes import read
from sessions import through
from topology import SERVER4

pytestmark = pytest.mark.mptcp
TRIES = 8


@contextlib.contextmanager
def daemons(bed):
    """Starts them on a bed of their own, and judges them at the end."""
    started = []

    def start(*options: str, **settings) -> Hawserd:
        started.append(Hawserd(bed, *options, **settings))
        return started[-1]

    yield start
    for daemon in reversed(started):
        daemon.finish()


def first_byte(router: Hawserd, port: int, early: bool) -> float:
    """Seconds from connect to the first byte from the server. early: the client does not wait for our
    answer; the best of some, as the machine may be busy."""
    seconds = []
    for _ in range(TRIES):
        started = time.monotonic()
        with router.connect() as client:
            if early:
                client.sendall(f"GET http://{SERVER4}:{port}/ HTTP/1.1\r\n"
                               f"Host: {SERVER4}\r\n\r\n".encode())
            else:
                handshakes.socks5(client, SERVER4, port)
                client.sendall(b"hello")
            assert read(client, 8) == (b"HTTP/1.1" if early else b"HTTP/1.0")
            seconds.append(time.monotonic() - started)
    return min(seconds)


def test_round_trips(emulated_bed, tmp_path):
    """With links of 100 ms: one round trip to the exit more than directly for a client that waits for
    our answer, none more for one whose first bytes come with the request."""
    def handler(sock):
        sock.recv(1000)
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    bed = emulated_bed(a={"delay": 50}, b={"delay": 50})
    with daemons(bed) as start, contextlib.closing(peers.Server(bed.server, handler)) as server:
        net = Net(bed, start, tmp_path)
        net.serve("one")
        direct = start()
        waiting, early = (first_byte(direct, server.port, early) for early in (False, True))
        direct.finish()
        router = net.settled("one")
        assert 0.1 <= exits(router)["one"]["rtt_s"] < 10
        assert 0.06 < first_byte(router, server.port, False) - waiting < 0.18
        assert abs(first_byte(router, server.port, True) - early) < 0.07
        assert totals(router) == {"one": 2 * TRIES}


RATE = 50  # Mbit/s of each link
ENOUGH = 0.75 * 2 * RATE


@pytest.mark.parametrize("direction", ["down", "up"])
def test_links_add_up(build, tmp_path_factory, tmp_path, direction):
    """Through both hops, to a server without MPTCP: far more than one link carries. `make bench` has the share."""
    with Bed(build, tmp_path_factory.mktemp("bed"), rate_a=RATE, rate_b=RATE) as bed, \
            daemons(bed) as start:
        net = Net(bed, start, tmp_path)
        net.serve("one")
        router = net.settled("one")
        with through(router) as (client, server):
            source, target = (client, server) if direction == "up" else (server, client)

            def measure() -> float:
                started, received, seconds = time.monotonic(), 0, 0.0
                while seconds < 2:
                    received += len(target.recv(1 << 18))
                    seconds = time.monotonic() - started
                return received * 8e-6 / seconds

            seen = measured_while_full(source, target, measure,
                                       lambda rate: rate >= ENOUGH)
    assert max(seen) >= ENOUGH, seen

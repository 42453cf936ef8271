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
from waiting import quickest

pytestmark = pytest.mark.mptcp
ROUND_TRIP_S = 0.1


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
    answer."""
    started = time.monotonic()
    with router.connect() as client:
        if early:
            client.sendall(f"GET http://{SERVER4}:{port}/ HTTP/1.1\r\n"
                           f"Host: {SERVER4}\r\n\r\n".encode())
        else:
            handshakes.socks5(client, SERVER4, port)
            client.sendall(b"hello")
        assert read(client, 8) == (b"HTTP/1.1" if early else b"HTTP/1.0")
        return time.monotonic() - started


def round_trips(router: Hawserd, port: int, early: bool, expected: int) -> tuple[int, int]:
    """How many go by until the first byte, in the best of some tries, as the machine may be busy; and how many those were."""
    seen: list[float] = []

    def try_once() -> float:
        seen.append(first_byte(router, port, early))
        return seen[-1]

    return int(quickest(try_once, (expected + 1) * ROUND_TRIP_S) / ROUND_TRIP_S), len(seen)


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
        assert [round_trips(direct, server.port, early, 2)[0] for early in (False, True)] == [2, 2]
        direct.finish()
        router = net.settled("one")
        assert 0.1 <= exits(router)["one"]["rtt_s"] < 10
        (waiting, count), (early, more) = (round_trips(router, server.port, *expected)
                                           for expected in ((False, 3), (True, 2)))
        assert (waiting, early) == (3, 2)
        assert totals(router) == {"one": count + more}


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

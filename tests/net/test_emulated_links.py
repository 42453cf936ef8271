# SPDX-License-Identifier: GPL-2.0-or-later
"""MPTCP over two links with round-trip times of their own, as DSL and LTE have: every byte arrives,
in order, and both links carry some of them."""

from __future__ import annotations

import contextlib
import time

import pytest

import peers
from daemon import Hawserd
from pattern import MEGABYTE, exchange
from topology import LINKS, SERVER4, SERVER6
from waiting import until

pytestmark = pytest.mark.mptcp

TOTAL = 8 * MEGABYTE
DSL = {"rate_down": 50, "rate_up": 20, "delay": 5}
LTE = {"rate_down": 30, "rate_up": 20, "delay": 40, "jitter": 10}
LOSSY = {**LTE, "loss": 1}


@contextlib.contextmanager
def through(bed, address: str):
    """A client and the server that it is connected to by a hawserd on this bed, by both links."""
    daemon = Hawserd(bed)
    try:
        with peers.listen(bed.server, address, mptcp=True) as listening, \
                daemon.dial(address, peers.port_of(listening)) as client, \
                peers.accept(listening) as server:
            client.sendall(b"?")
            assert server.recv(1) == b"?"
            server.sendall(b"!")
            assert client.recv(1) == b"!"
            until(lambda: daemon.session()["upstream_subflows"] == 2)
            yield client, server
    finally:
        daemon.finish()


@pytest.mark.parametrize(("link_a", "link_b"), [(DSL, LTE), (LTE, DSL), (DSL, LOSSY)],
                         ids=["second-slower", "first-slower", "second-lossy"])
def test_byte_exact_over_unequal_links(emulated_bed, link_a, link_b):
    bed = emulated_bed(a=link_a, b=link_b)
    with through(bed, SERVER4) as (client, server):
        def carried() -> list[list[int]]:
            """After another transfer, by each link: up, and down. A link alone carries what a busy machine gives it."""
            exchange(client, server, TOTAL, ends=False)
            stats = [bed.emulated[link].stats() for link in LINKS]
            return [[each[direction]["bytes"] for each in stats] for direction in ("up", "down")]

        def lost() -> int:
            return bed.emulated["b"].stats()["down"]["lost"]

        both = until(carried, lambda seen: min(map(min, seen)) > TOTAL // 50 and (lost() > 0 or "loss" not in link_b))
        assert min(map(sum, both)) >= TOTAL
        assert (lost() > 0) == ("loss" in link_b)
        exchange(client, server, MEGABYTE)


def test_byte_exact_over_ipv6(emulated_bed):
    bed = emulated_bed(a=DSL, b=LTE)
    with through(bed, SERVER6) as (client, server):
        exchange(client, server, MEGABYTE)


def test_delay_is_in_the_connection(emulated_bed):
    """No exchange is quicker than its link allows."""
    bed = emulated_bed(a={"delay": 30}, b={"delay": 100})
    with through(bed, SERVER4) as (client, server):
        for _ in range(5):
            started = time.monotonic()
            client.sendall(b"ping")
            assert server.recv(4) == b"ping"
            server.sendall(b"pong")
            assert client.recv(4) == b"pong"
            assert time.monotonic() - started >= 0.06


@pytest.mark.parametrize("link", LINKS)
def test_link_swallowed_in_mid_transfer(emulated_bed, link):
    bed = emulated_bed(a={"rate": 50, "delay": 5}, b={"rate": 50, "delay": 10})

    def down() -> list[int]:
        return [bed.emulated[each].stats()["down"]["bytes"] for each in LINKS]

    def swallow() -> None:
        until(lambda: sum(down()), lambda count: count > before + MEGABYTE)
        bed.emulated[link].set(blackhole="on")

    with through(bed, SERVER4) as (client, server):
        # A link alone carries what a busy machine gives it.
        until(lambda: exchange(client, server, MEGABYTE, ends=False) or min(down()) > MEGABYTE // 4)
        before = sum(down())
        exchange(client, server, TOTAL, 120, swallow)
    assert bed.emulated[link].stats()["down"]["swallowed"] > 0

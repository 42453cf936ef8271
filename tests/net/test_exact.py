# SPDX-License-Identifier: GPL-2.0-or-later
"""Byte-exact both ways at once, by every tier and pair of transports, in large and small pieces."""

from __future__ import annotations

import socket
import threading

import pytest

import peers
from handshakes import NO_PASSWORD, read, read_socks5_reply, socks5_request
from patience import load
from pattern import BULK, MEGABYTE, Stream, exchange, together
from sessions import auto_tier, sockmap_tier, through
from topology import SERVER4

TIERS = ("copy", "splice", "sockmap", "auto")


def expected_tiers(daemon, bed, client: str, tier: str) -> tuple[str, str]:
    """Up and down. Only TCP sockets enter the sockmap; where there is MPTCP, the upstream socket is
    none, not even after a fallback."""
    server = "mptcp" if bed.mptcp else "tcp"
    if tier in ("copy", "splice"):
        return tier, tier
    if tier == "sockmap" and not bed.mptcp:
        return sockmap_tier(daemon), sockmap_tier(daemon)
    return auto_tier(daemon, client, server), auto_tier(daemon, server, client)


@pytest.mark.parametrize("tier", TIERS)
def test_much_both_ways(bed, hawserd, pair, tier):
    daemon = hawserd("--tier", tier)
    total = BULK
    with through(daemon, pair) as (client, server):
        session = daemon.session()
        assert (session["tier_up"], session["tier_down"]) == \
            expected_tiers(daemon, bed, pair[0], tier)
        exchange(client, server, total, seconds=180)
    assert daemon.status()["bytes"] == {"up": total, "down": total}
    assert daemon.errors() == {}


@pytest.mark.parametrize("tier", TIERS)
def test_tcp_both_sides_where_there_is_mptcp(bed, hawserd, tier):
    """With upstream MPTCP off, both sockets are TCP whatever the kernel has."""
    daemon = hawserd("--tier", tier, "--mptcp", "off")
    with through(daemon) as (client, server):
        assert daemon.session()["tier_up"] == {
            "auto": "splice", "sockmap": sockmap_tier(daemon)}.get(tier, tier)
        exchange(client, server, BULK // 8)


class Trickle:
    """One direction, a byte per write. Only so many are under way at a time: each takes the kernel
    about 1 KiB, and an MPTCP receiver (seen: 6.18, without any proxy) whose buffer is full of bytes
    that came too early by one subflow does not take the missing ones from the other."""

    COUNT, UNDER_WAY_MAX = load(3000), 40

    def __init__(self, source: socket.socket, target: socket.socket, seed: int) -> None:
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._source, self._target, self._stream = source, target, Stream(seed)
        self._room = threading.Semaphore(self.UNDER_WAY_MAX)

    def send(self) -> None:
        for offset in range(self.COUNT):
            assert self._room.acquire(timeout=peers.TIMEOUT_S)
            self._source.sendall(self._stream.part(offset, 1))

    def receive(self) -> None:
        for offset in range(self.COUNT):
            self._stream.receive(self._target, offset + 1, offset)
            self._room.release()


@pytest.mark.parametrize("tier", TIERS)
def test_one_byte_at_a_time(hawserd, pair, tier):
    with through(hawserd("--tier", tier), pair) as (client, server):
        flows = [Trickle(client, server, 5), Trickle(server, client, 6)]
        together(*(job for flow in flows for job in (flow.send, flow.receive)))


@pytest.mark.parametrize("tier", TIERS)
def test_one_byte_there_and_back(hawserd, pair, tier):
    with through(hawserd("--tier", tier), pair) as (client, server):
        for number in range(load(300)):
            byte = bytes([number % 256])
            client.sendall(byte)
            assert read(server, 1) == byte
            server.sendall(byte)
            assert read(client, 1) == byte


@pytest.mark.parametrize("tier", TIERS)
def test_early_data(bed, hawserd, pair, tier):
    """A request and a megabyte after it, without waiting for any answer."""
    daemon = hawserd("--tier", tier)
    stream = Stream(8)
    with peers.listen(bed.server, mptcp=pair[1] == "mptcp") as listening, \
            daemon.connect(mptcp=pair[0] == "mptcp") as client:
        client.sendall(NO_PASSWORD + socks5_request(SERVER4, peers.port_of(listening)))

        def answer() -> None:
            with peers.accept(listening) as server:
                stream.receive(server, MEGABYTE)
                stream.send(server, MEGABYTE)

        together(lambda: stream.send(client, MEGABYTE), answer)
        assert read(client, 2) == b"\x05\x00"
        assert read_socks5_reply(client) == 0
        stream.receive(client, MEGABYTE)
        assert client.recv(1) == b""

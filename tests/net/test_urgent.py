# SPDX-License-Identifier: GPL-2.0-or-later
"""Urgent bytes (MSG_OOB) stay in their place in the stream, by every tier and pair of transports,
and whoever sends them keeps no worker busy."""

from __future__ import annotations

import contextlib
import socket

import pytest

import peers
from handshakes import at_end, read
from pattern import together
from sessions import through
from waiting import until

TIERS = ("copy", "splice", "sockmap", "auto")
DIRECTIONS = ("up", "down")
PIECES = 500
# A spinning worker comes round some 100,000 times a second.
ROUNDS_PER_PIECE = 20


def ends(direction: str, client: socket.socket, server: socket.socket,
         ) -> tuple[socket.socket, socket.socket]:
    return (client, server) if direction == "up" else (server, client)


def many_urgent(hawserd, pair: tuple[str, str], tier: str):
    """A hawserd with no socket that fell back, which loses bytes at urgent ones, one after the other
    (docs/kernel-notes.md)."""
    return hawserd("--tier", tier, *(() if pair[1] == "mptcp" else ("--mptcp", "off")))


@contextlib.contextmanager
def bounded_rounds(daemon, pieces: int):
    before = daemon.status()["rounds"]
    yield
    rounds = daemon.status()["rounds"] - before
    assert rounds < 1000 + ROUNDS_PER_PIECE * pieces


def take(sock: socket.socket, expected: bytes) -> None:
    assert read(sock, len(expected)) == expected
    assert at_end(sock)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("pause", [False, True])
def test_between_others(hawserd, pair, tier, direction, pause):
    """All of it and the end at once, or each once the one before has arrived."""
    daemon = hawserd("--tier", tier)
    with through(daemon, pair) as (client, server), bounded_rounds(daemon, 4):
        source, target = ends(direction, client, server)
        pieces = [(b"before", 0), (b"!", socket.MSG_OOB), (b"after", 0)]
        for data, flags in pieces:
            source.send(data, flags)
            if pause:
                assert read(target, len(data)) == data
        source.shutdown(socket.SHUT_WR)
        take(target, b"" if pause else b"before!after")
        target.sendall(b"answer")
        target.shutdown(socket.SHUT_WR)
        take(source, b"answer")
    until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_first_and_last(hawserd, pair, tier, direction):
    """Nothing before it, nothing but the end behind it; and one that the receiver waits for."""
    daemon = hawserd("--tier", tier)
    with through(daemon, pair) as (client, server), bounded_rounds(daemon, 3):
        source, target = ends(direction, client, server)
        source.send(b"1", socket.MSG_OOB)
        assert read(target, 1) == b"1"
        source.send(b"2", socket.MSG_OOB)
        source.send(b"34", socket.MSG_OOB)
        source.shutdown(socket.SHUT_WR)
        take(target, b"234")
        target.send(b"5", socket.MSG_OOB)
        target.shutdown(socket.SHUT_WR)
        take(source, b"5")
    assert daemon.errors() == {}


@pytest.mark.parametrize("tier", TIERS)
def test_again_and_again_both_ways(hawserd, pair, tier):
    daemon = many_urgent(hawserd, pair, tier)
    with through(daemon, pair) as (client, server), bounded_rounds(daemon, 4 * PIECES):

        def send(source: socket.socket, letter: bytes) -> None:
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(PIECES):
                source.sendall(letter * 100)
                source.send(letter.upper(), socket.MSG_OOB)
            source.shutdown(socket.SHUT_WR)

        def receive(target: socket.socket, letter: bytes) -> None:
            take(target, (letter * 100 + letter.upper()) * PIECES)

        together(lambda: send(client, b"a"), lambda: send(server, b"b"),
                 lambda: receive(client, b"b"), lambda: receive(server, b"a"))
    assert daemon.errors() == {}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_while_the_receiver_does_not_read(hawserd, pair, tier, direction):
    daemon = many_urgent(hawserd, pair, tier)
    piece = bytes(range(256)) * 256
    with through(daemon, pair) as (client, server):
        source, target = ends(direction, client, server)
        sent = bytearray()
        source.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while True:
                source.send(b"!", socket.MSG_OOB)
                sent += b"!"
                sent += piece[:source.send(piece)]
        source.settimeout(peers.TIMEOUT_S)
        with bounded_rounds(daemon, 1):
            until(lambda: daemon.session()["idle_s"], lambda idle: idle > 0.3)
        together(lambda: source.shutdown(socket.SHUT_WR), lambda: take(target, bytes(sent)))
    assert daemon.errors() == {}

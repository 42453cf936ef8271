# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reads slowly gets all the same: no deadline cuts a reader that lives, and no reset or close
overtakes what was accepted for it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

import peers
from handshakes import at_end, read
from pattern import MEGABYTE, Stream
from sessions import through
from waiting import until

FIRST = ["client", "server"]
# More than this is not on its way beside what hawserd holds, so a reader of it is slow to the end.
NARROW = 1 << 16
# hawserd takes all of this at once; the kernel of its reader does not.
FITTING = MEGABYTE // 2
# A deadline, and how long a reader takes that is not to be cut by it, though a busy machine may stop it for a while.
DEADLINE_S, READING_S = 3.5, 4.8
# The deadline of one that reads nothing.
STOPPED_S = 1


def read_slowly(reader: socket.socket, stream: Stream, total: int) -> None:
    """At a steady rate that takes longer than the deadline in any case."""
    started = time.monotonic()
    for first in range(0, total, FITTING // 50):
        stream.receive(reader, min(first + FITTING // 50, total), first)
        ahead_s = first / total * READING_S - (time.monotonic() - started)
        time.sleep(max(ahead_s, 0))


@contextlib.contextmanager
def narrow(daemon, pair, first: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The sender and the reader of a session whose reader's kernel holds little."""
    with through(daemon, pair) as (client, server):
        sender, reader = (client, server) if first == "client" else (server, client)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)
        yield sender, reader


def check_slow_reader_of_the_last_bytes(daemon, pair, first: str) -> None:
    stream = Stream(62)
    with narrow(daemon, pair, first) as (sender, reader):
        stream.send(sender, FITTING)
        sender.shutdown(socket.SHUT_WR)
        read_slowly(reader, stream, FITTING)
        assert at_end(reader)
        reader.sendall(b"all")
        assert read(sender, 3) == b"all"
    until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {}


def test_a_slow_reader_of_the_last_bytes_is_not_half_closed_for_too_long(hawserd, pair):
    daemon = hawserd("--timeout", f"half-closed={DEADLINE_S}")
    check_slow_reader_of_the_last_bytes(daemon, pair, "server")


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("tier", ["splice", "sockmap"])
def test_nor_is_it_by_another_tier(hawserd, first, tier):
    daemon = hawserd("--mptcp", "off", "--timeout", f"half-closed={DEADLINE_S}", "--tier", tier)
    check_slow_reader_of_the_last_bytes(daemon, ("tcp", "tcp"), first)


@pytest.mark.parametrize("first", FIRST)
def test_a_slow_reader_is_not_idle(hawserd, first):
    daemon = hawserd("--timeout", f"idle={DEADLINE_S}")
    stream = Stream(63)
    with narrow(daemon, ("tcp", "tcp"), first) as (sender, reader):
        stream.send(sender, FITTING)
        read_slowly(reader, stream, FITTING)
        reader.sendall(b"all")
        assert read(sender, 3) == b"all"
    until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {}


def test_a_slow_reader_gets_what_came_before_a_reset(hawserd, pair):
    """After which the session counts as half closed."""
    daemon = hawserd("--timeout", f"half-closed={DEADLINE_S}")
    stream = Stream(64)
    with narrow(daemon, pair, "server") as (sender, reader):
        stream.send(sender, FITTING)
        # What hawserd has not read yet, a reset takes along.
        until(daemon.session, lambda now: now["bytes_down"] == FITTING)
        peers.reset(sender)
        read_slowly(reader, stream, FITTING)
        assert peers.was_reset(reader)
    daemon.await_error("reset")


@pytest.mark.parametrize("name", ["idle", "half-closed"])
def test_a_reader_that_has_stopped_is_cut(hawserd, pair, name):
    daemon = hawserd("--timeout", f"{name}={STOPPED_S}")
    with narrow(daemon, pair, "server") as (sender, reader):
        sender.sendall(bytes(FITTING))
        if name == "half-closed":
            sender.shutdown(socket.SHUT_WR)
        until(daemon.sessions, lambda sessions: sessions == [])
        assert reader.recv(1) == b"\0"
    daemon.await_error(f"{name}-timeout")


def test_a_refusal_that_arrives_late(bed, hawserd):
    """While the client goes on to send: a close with bytes unread would overtake it."""
    daemon = hawserd()
    client = daemon.connect()
    with bed.rules("tcp sport 1080 tcp flags & psh != 0 drop", bed.client):
        client.sendall(b"CONNECT 192.0.2.1:notaport HTTP/1.1\r\n\r\n")
        until(daemon.session, lambda now: now["state"] == "refusing")
        for _ in range(25):
            client.sendall(b"more")
            time.sleep(0.1)
    assert read(client, 12).startswith(b"HTTP/1.1 400")
    client.close()
    until(daemon.active, lambda active: active == 0)

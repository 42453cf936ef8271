# SPDX-License-Identifier: GPL-2.0-or-later
"""Bulk is looked at on a tick, exactly, and only as long as it is bulk."""

from __future__ import annotations

import queue
import socket
import threading
import time

import pytest

import peers
from handshakes import read
from pattern import MEGABYTE, Stream, exchange, together
from sessions import through
from waiting import until

FIXED = ("--tick", "3000")


def ticks(daemon) -> tuple[int, int]:
    session = daemon.session()
    return session["tick_up_us"], session["tick_down_us"]


@pytest.mark.parametrize("tier", ["copy", "splice"])
@pytest.mark.parametrize("tick", ["auto", "1000", "10000"])
def test_exact_both_ways(hawserd, pair, tier, tick):
    daemon = hawserd("--tier", tier, "--tick", tick)
    with through(daemon, pair) as (client, server):
        exchange(client, server, 48 * MEGABYTE)
    assert daemon.errors() == {}


@pytest.mark.parametrize("direction", ["up", "down"])
def test_bulk_ticks_and_its_pause_does_not(hawserd, pair, direction):
    daemon = hawserd(*FIXED)
    stream = Stream(31)
    with through(daemon, pair) as (client, server):
        sender, receiver = (client, server) if direction == "up" else (server, client)
        wanted = (3000, 0) if direction == "up" else (0, 3000)

        pieces: queue.SimpleQueue[int] = queue.SimpleQueue()
        seen = threading.Event()

        def send() -> None:
            """Bulk, but no more than a busy machine can take: the target shall not set the pace."""
            offset = 0
            while offset < 16 * MEGABYTE or not seen.is_set():
                sender.sendall(stream.part(offset, 1 << 18))
                pieces.put(offset)
                offset += 1 << 18
                time.sleep(0.005)
            pieces.put(-1)

        def receive() -> None:
            while (offset := pieces.get()) >= 0:
                stream.receive(receiver, offset + (1 << 18), offset)

        def watch() -> None:
            try:
                until(lambda: ticks(daemon), lambda now: now == wanted)
            finally:
                seen.set()

        together(send, receive, watch)
        # The end of the burst came through, and what follows is waited for as ever.
        until(lambda: ticks(daemon), lambda seen: seen == (0, 0))
        sender.sendall(b"small")
        assert read(receiver, 5) == b"small"


def test_off_never_ticks(hawserd, pair):
    daemon = hawserd("--tick", "off")
    stream, seen = Stream(32), []
    with through(daemon, pair) as (client, server):
        def watch() -> None:
            for _ in range(20):
                seen.append(ticks(daemon))
                time.sleep(0.02)

        together(lambda: stream.send(server, 64 * MEGABYTE),
                 lambda: stream.receive(client, 64 * MEGABYTE), watch)
    assert set(seen) == {(0, 0)}


@pytest.mark.parametrize("end", ["close", "reset"])
def test_the_end_is_seen_by_the_tick(hawserd, pair, end):
    """With readability not watched, the tick itself must find the end of the stream, or a reset."""
    daemon = hawserd("--tick", "50000")
    stream = Stream(33)
    with through(daemon, pair) as (client, server):
        stop = threading.Event()

        def send() -> None:
            offset = 0
            while not stop.is_set():
                server.sendall(stream.part(offset, 1 << 16))
                offset += 1 << 16
            if end == "reset":
                peers.reset(server)
            else:
                server.shutdown(socket.SHUT_WR)

        def receive() -> None:
            try:
                while client.recv(1 << 18):
                    pass
                assert end == "close", "a cut stream looks whole"
            except ConnectionResetError:
                assert end == "reset"

        def watch() -> None:
            try:
                until(lambda: ticks(daemon)[1], lambda interval_us: interval_us == 50000)
            finally:
                stop.set()

        together(send, receive, watch)

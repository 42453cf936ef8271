# SPDX-License-Identifier: GPL-2.0-or-later
"""How connections end: half-close, reset, idle and half-closed for too long."""

from __future__ import annotations

import socket
import time

import pytest

import peers
from handshakes import at_end, read
from patience import PATIENCE
from pattern import MEGABYTE, Stream, together
from sessions import half_close, through
from waiting import until

FIRST = ["client", "server"]


def ends(first: str, client: socket.socket, server: socket.socket,
         ) -> tuple[socket.socket, socket.socket]:
    """The end that acts first, and the other."""
    return (client, server) if first == "client" else (server, client)


@pytest.mark.parametrize("first", FIRST)
def test_half_close(hawserd, pair, first):
    daemon = hawserd()
    with through(daemon, pair) as (client, server):
        half_close(*ends(first, client, server), 4 * MEGABYTE)
    until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {}


@pytest.mark.parametrize("first", FIRST)
def test_half_close_without_a_byte(hawserd, pair, first):
    with through(hawserd(), pair) as (client, server):
        closing, other = ends(first, client, server)
        closing.shutdown(socket.SHUT_WR)
        assert at_end(other)
        other.sendall(b"still here")
        assert read(closing, 10) == b"still here"


@pytest.mark.parametrize("first", FIRST)
def test_close_after_the_last_byte(hawserd, pair, first):
    """A close right behind the data: all of it arrives, then the end."""
    stream = Stream(13)
    with through(hawserd(), pair) as (client, server):
        closing, other = ends(first, client, server)

        def send() -> None:
            stream.send(closing, 3 * MEGABYTE)
            closing.close()

        def receive() -> None:
            time.sleep(0.3)
            stream.receive(other, 3 * MEGABYTE)
            assert at_end(other)

        together(send, receive)


@pytest.mark.parametrize("first", FIRST)
def test_reset_while_idle(hawserd, pair, first):
    """Never an end of stream, which would make a cut transfer look whole."""
    daemon = hawserd()
    with through(daemon, pair) as (client, server):
        resetting, other = ends(first, client, server)
        client.sendall(b"a")
        assert read(server, 1) == b"a"
        peers.reset(resetting)
        assert peers.was_reset(other)
    daemon.await_error("reset")


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("tier", ["copy", "splice", "sockmap"])
def test_reset_in_mid_transfer(hawserd, pair, first, tier):
    """The resetting side is the one that sends."""
    daemon = hawserd("--tier", tier)
    stream = Stream(14)
    with through(daemon, pair) as (client, server):
        resetting, other = ends(first, client, server)

        def send() -> None:
            stream.send(resetting, 4 * MEGABYTE)
            peers.reset(resetting)

        def receive() -> None:
            stream.receive(other, MEGABYTE)
            assert peers.was_reset(other)

        together(send, receive)
    daemon.await_error("reset")


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("tier", ["copy", "splice", "sockmap"])
def test_reset_of_a_receiver_that_holds_the_sender_back(hawserd, pair, first, tier):
    daemon = hawserd("--tier", tier)
    with through(daemon, pair) as (client, server):
        resetting, other = ends(first, client, server)
        other.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while True:
                other.sendall(bytes(1 << 18))
        other.settimeout(peers.TIMEOUT_S)
        peers.reset(resetting)
        assert peers.was_reset(other)
    daemon.await_error("reset")


@pytest.mark.parametrize("first", FIRST)
def test_reset_after_a_half_close(hawserd, pair, first):
    """By the side that still could send: the other waits for its answer and must not believe that
    it was empty."""
    daemon = hawserd()
    with through(daemon, pair) as (client, server):
        waiting, resetting = ends(first, client, server)
        waiting.sendall(b"question")
        waiting.shutdown(socket.SHUT_WR)
        assert read(resetting, 8) == b"question"
        assert at_end(resetting)
        peers.reset(resetting)
        assert peers.was_reset(waiting)
    daemon.await_error("reset")


@pytest.mark.parametrize("first", FIRST)
def test_reset_of_a_side_that_has_ended_its_stream(hawserd, pair, first):
    """The other side is about to send, and learns at once that nobody reads."""
    daemon = hawserd()
    with through(daemon, pair) as (client, server):
        resetting, other = ends(first, client, server)
        resetting.shutdown(socket.SHUT_WR)
        assert at_end(other)
        peers.reset(resetting)
        until(daemon.active, lambda active: active == 0)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(100):
                other.sendall(bytes(1 << 16))
    daemon.await_error("reset")


def test_idle_for_too_long(hawserd):
    """Bytes start the time again."""
    daemon = hawserd("--timeout", "idle=3")

    def lasts_longer() -> bool:
        """Unless a busy machine kept this from saying anything for so long."""
        opened = time.monotonic()
        with through(daemon) as (client, server):
            time.sleep(1)
            started = time.monotonic()
            try:
                server.sendall(b"x")
                assert read(client, 1) == b"x"
            except (ConnectionError, EOFError):
                assert time.monotonic() - opened > 3
                return False
            assert peers.was_reset(client)
            assert 2.7 < time.monotonic() - started < 60 * PATIENCE
            assert peers.was_reset(server)
            return True

    until(lasts_longer)
    daemon.await_error("idle-timeout")


@pytest.mark.parametrize("first", FIRST)
def test_half_closed_for_too_long(hawserd, first):
    daemon = hawserd("--timeout", "half-closed=1")
    with through(daemon) as (client, server):
        closing, other = ends(first, client, server)
        started = time.monotonic()
        closing.shutdown(socket.SHUT_WR)
        assert at_end(other)
        assert peers.was_reset(closing)
        assert 0.8 < time.monotonic() - started < 60 * PATIENCE
    daemon.await_error("half-closed-timeout")


def test_idle_session_gets_keepalives(bed, hawserd, pair):
    """On both legs; else a NAT on the way forgets an idle ssh."""
    def timers() -> list[str]:
        lines = bed.router.run("ss", "-tnoH", "state", "established").splitlines()
        return [line.partition("timer:(")[2].partition(",")[0] for line in lines]

    with through(hawserd(), pair):
        until(timers, lambda now: len(now) >= 2 and set(now) == {"keepalive"})


@pytest.mark.parametrize("first", FIRST)
def test_reset_that_gets_lost(bed, hawserd, pair, first):
    """The keepalive finds out that nobody is there any more."""
    daemon = hawserd()
    with through(daemon, pair) as (client, server):
        resetting, other = ends(first, client, server)
        with bed.rules("tcp flags & rst != 0 drop", bed.router):
            peers.reset(resetting)
            time.sleep(0.3)
            assert daemon.active() == 1
        assert peers.was_reset(other)
    daemon.await_error("reset")

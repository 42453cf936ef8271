# SPDX-License-Identifier: GPL-2.0-or-later
"""The exit's side of speed tests, by messages of docs/hop-protocol.md: it gives what was asked for
and no more, within the token's limits, and garbage gets nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import pytest

import handshakes
import hop
import peers
import speed
from exit_net import PORTS, net  # pylint: disable=unused-import
from handshakes import at_end, read
from patience import PATIENCE
from topology import SERVER4
from waiting import until

pytestmark = pytest.mark.mptcp


def connect(net):
    return peers.connect(net.bed.router, SERVER4, PORTS["one"], mptcp=net.bed.mptcp)


def test_source_sink_echo(net):
    """A source ends when its time is over, a sink tells all that it took, an echo sends it back."""
    one = net.serve("one")
    with connect(net) as source, connect(net) as sink, connect(net) as echo:
        began = time.monotonic()
        assert speed.ask(source, net.token, speed.request(speed.SOURCE, 1))[0] == 0
        assert speed.ask(sink, net.token, speed.request(speed.SINK, 60))[0] == 0
        code, said = speed.ask(echo, net.token, speed.request(speed.ECHO, 60))
        assert code == 0 and said[:2] == (speed.TAKEN, 0) and said[2] <= 10_000_000_000
        shown = {session["destination"] for session in one.sessions()}
        assert shown == {"speed test"}
        sample = source.recv(4096)
        assert len(set(sample)) > 200  # noise
        # Before the source is read to its end: who is silent for 5 s is cut off.
        echo.sendall(b"12345678" * 3)
        assert read(echo, 24) == b"12345678" * 3
        sink.sendall(bytes(1_000_000))
        sink.shutdown(1)
        reports = [speed.read_report(sink)]
        while reports[-1][1] < 1_000_000:
            reports.append(speed.read_report(sink))
        assert at_end(sink) and reports == sorted(reports) and reports[-1][1] == 1_000_000
        while source.recv(1 << 20):
            pass
        assert 0.9 < time.monotonic() - began < 30 * PATIENCE
    until(one.active, lambda active: active == 0)
    status = one.status()
    assert status["bytes"]["up"] >= 1_000_024 and status["bytes"]["down"] >= 4096


def test_garbage(net):
    """Before, in and after the request; none of it costs the exit more than a session."""
    one = net.serve("one")
    for asked in (speed.request(4, 1), speed.request(speed.SOURCE, 61),
                  bytes([5, speed.COMMAND, 0, 3, 4]) + b"a.de" + bytes(2)):
        with connect(net) as sock:
            assert speed.ask(sock, net.token, asked) == (1, None)
            assert at_end(sock)
    # Nobody gets a source without a token, nor with one that does not cover the request.
    with connect(net) as sock:
        sock.sendall(hop.GREETING[:1] + b"\x01\x00" + speed.request(speed.SOURCE, 9))
        assert sock.recv(100) == b"\x05\xff"
    with connect(net) as sock:
        message = hop.Message(net.token, speed.request(speed.ECHO, 9), "one")
        sock.sendall(message.head[:-22] + speed.request(speed.SOURCE, 9))
        assert hop.read_answer(sock, message)[0] == hop.REFUSED
    for kind, payload in ((speed.SOURCE, b"x"), (speed.SINK, b"x" * 100_000), (speed.ECHO, b"x")):
        with connect(net) as sock:
            assert speed.ask(sock, net.token, speed.request(kind, 9), payload)[0] == 1
    with connect(net) as sock:
        assert speed.ask(sock, net.token, speed.request(speed.SOURCE, 9))[0] == 0
        sock.sendall(os.urandom(1000))
        with contextlib.suppress(ConnectionError):
            while sock.recv(1 << 20):
                pass
    until(one.active, lambda active: active == 0)


def test_who_reads_slowly(net):
    """Or not at all, or sends and never reads its reports: a session's memory, until it is over."""
    one = net.serve("one")
    before, began = one.resident_bytes(), time.monotonic()
    with contextlib.ExitStack() as held:
        for kind in (speed.SOURCE, speed.SOURCE, speed.ECHO, speed.SINK):
            sock = held.enter_context(connect(net))
            assert speed.ask(sock, net.token, speed.request(kind, 60))[0] == 0
            if kind != speed.SOURCE:
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    for _ in range(1000):
                        sock.send(bytes(65536))
        assert one.resident_bytes() - before < 4 << 20
        # For five seconds, after which they are cut off.
        assert speed.ask(held.enter_context(connect(net)), net.token, speed.request(speed.SOURCE, 1, test=2))[1][0] \
            == speed.BUSY or time.monotonic() - began > 5
        # They move nothing, so they are not waited for.
        until(lambda: [each for each in one.sessions() if each["bytes_up"] == 0], lambda left:
              left == [])


def test_many_at_once(net):
    """A hundred ask: eight of one test are served, of another one none."""
    one = net.serve("one")
    answers = []

    def ask(test: int) -> None:
        with connect(net) as sock:
            refusal = speed.ask(sock, net.token, speed.request(speed.ECHO, 60, test))[1][0]
            answers.append((test, refusal))
            # Who is silent for 5 s is cut off.
            while refusal == speed.TAKEN and not done.wait(1) and time.monotonic() < until_s:
                sock.sendall(b"x")

    done = threading.Event()
    until_s = time.monotonic() + 60 * PATIENCE
    threads = [threading.Thread(target=ask, args=(number % 2,)) for number in range(100)]
    for thread in threads:
        thread.start()
    until(lambda: len(answers), lambda count: count == 100)
    ending = time.monotonic()
    done.set()
    for thread in threads:
        thread.join()
    served = [test for test, refusal in answers if refusal == speed.TAKEN]
    assert len(served) == 8 and len(set(served)) == 1
    assert {refusal for test, refusal in answers if test != served[0]} == {speed.BUSY}
    assert {refusal for test, refusal in answers if test == served[0]} == {speed.TAKEN,
                                                                         speed.CROWDED}
    until(one.active, lambda active: active == 0)
    # Between its parts a test keeps its place, for three seconds; then another one may.
    assert _asks(net, 7) == speed.BUSY or time.monotonic() - ending > 3
    until(lambda: _asks(net, 7), lambda refusal: refusal == speed.TAKEN)


def _asks(net, test: int, kind: int = speed.ECHO) -> int:
    with connect(net) as sock:
        return speed.ask(sock, net.token, speed.request(kind, 1, test))[1][0]


def test_limits(net):
    """Bytes of the day, also after a reload; a rate of the token holds; a revoked one is cut off."""
    hop.write_tokens(net.tokens, net.token.line("speedtest=500K rate=8M"))
    one = net.serve("one")
    with connect(net) as source:
        began = time.monotonic()
        assert speed.ask(source, net.token, speed.request(speed.SOURCE, 60))[1][2] == 500_000
        got = 0
        while part := source.recv(1 << 20):
            got += len(part)
        assert 500_000 <= got < 600_000  # the last piece may go beyond
        assert time.monotonic() - began > 0.2  # half a second at that rate, but for a burst
    one.signal(signal.SIGHUP)
    with connect(net) as source:
        refusal, wait, limit = speed.ask(source, net.token, speed.request(speed.SOURCE, 60))[1]
        assert (refusal, limit) == (speed.USED_UP, 500_000) and 86_000 < wait <= 86_401
    hop.write_tokens(net.tokens, net.token.line("speedtest=2M"))
    assert one.run_cli("reload").returncode == 0
    with connect(net) as echo:
        assert speed.ask(echo, net.token, speed.request(speed.ECHO, 60))[1][2] <= 1_500_000
        hop.write_tokens(net.tokens, hop.Token("other").line())
        assert one.run_cli("reload").returncode == 0
        with contextlib.suppress(ConnectionError):
            assert echo.recv(1) == b""
    hop.write_tokens(net.tokens, net.token.line())
    assert one.run_cli("reload").returncode == 0
    # What is under way is thrown away, and not kept for who does not read it.
    until(lambda: _asks(net, 2, speed.SOURCE), lambda refusal: refusal == speed.TAKEN)
    with connect(net) as unread, connect(net) as left:
        for sock in unread, left:
            asked = speed.request(speed.SOURCE, 60, 2)
            assert speed.ask(sock, net.token, asked)[1][0] == speed.TAKEN

        def sent() -> list[int]:
            return [each["bytes_down"] for each in one.sessions()]

        # Until nothing more fits: what has come to its kernel is a reader's.
        until(lambda: (sent(), time.sleep(0.3), sent()),
              lambda seen: seen[0] == seen[2] and len(seen[0]) == 2 and min(seen[0]) > 100_000)
        left.shutdown(1)
        hop.write_tokens(net.tokens, hop.Token("other").line())
        assert one.run_cli("reload").returncode == 0
        until(one.active, lambda active: active == 0)
        for sock in unread, left:
            with pytest.raises(ConnectionError):
                while sock.recv(1 << 20):
                    pass
    with pytest.raises(handshakes.Refused), connect(net) as sock:
        hop.connect(sock, net.token, SERVER4, 80, exit_name="one")

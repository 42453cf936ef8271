# SPDX-License-Identifier: GPL-2.0-or-later
"""The exit's side of the hop, spoken to by an implementation of the protocol that is not ours."""

from __future__ import annotations

import contextlib
import functools
import signal
import socket
import subprocess
import threading
import time

import pytest

import hop
import peers
from handshakes import Refused, at_end, read, read_socks5_reply, socks5, socks5_request
from patience import PATIENCE
from pattern import MEGABYTE, Stream, together
from topology import LAN4, LAN_PREFIX4, SERVER4
from waiting import quickest, until

PORT = 2080
SERVERS = ("--exit-allow", "10.77.9.0/24", "--exit-allow", "fd77:9::/64")
HOUR_MS = 3_600_000


class Exit:
    """An exit on the router, whose servers are reached over its links."""

    def __init__(self, hawserd, directory, *options: str, limits: str = "", exits: str = "",
                 servers: tuple[str, ...] = SERVERS) -> None:
        self.token, self.other = hop.Token("home"), hop.Token("other")
        self.tokens = hop.write_tokens(directory / "tokens", self.token.line(limits),
                                       self.other.line())
        self.daemon = hawserd("--serve-exit", f"{LAN4}:{PORT}", "--tokens", str(self.tokens),
                              *servers, *options, listen=False)

    def open(self) -> socket.socket:
        return self.daemon.connect(port=PORT)

    def connect(self, host: str, port: int, payload: bytes = b"", token: hop.Token | None = None,
                **settings) -> socket.socket:
        sock = self.open()
        hop.connect(sock, token or self.token, host, port, payload, **settings)
        return sock

    def probe(self, token: hop.Token | None = None, **settings) -> tuple[int, int]:
        with self.open() as sock:
            return hop.send(sock, token or self.token, hop.probe(), **settings)


def refuse_all(exit_: Exit, heads: list[bytes]) -> None:
    """All at once, since the answer to each is later than that to the one before."""
    socks = [exit_.open() for _ in heads]
    for sock, head in zip(socks, heads):
        sock.sendall(head)
    for sock in socks:
        assert read(sock, 44) == bytes([5, hop.METHOD, 1, hop.REFUSED]) + bytes(40)
        assert at_end(sock)
        sock.close()


@pytest.fixture
def start(hawserd, tmp_path):
    return lambda *options, **settings: Exit(hawserd, tmp_path, *options, **settings)


@pytest.fixture
def exit_(start):
    return start()


@pytest.fixture
def echo(serve):
    return serve(peers.echo)


def code_of(call, *arguments, **settings) -> int:
    with pytest.raises(Refused) as refused:
        call(*arguments, **settings)
    return refused.value.code


@pytest.mark.parametrize("host", [SERVER4, "fd77:9::1", "server.test"])
def test_all_at_once(exit_, echo, host):
    """Greeting, authentication, request and first bytes leave in one write; half-close works."""
    with exit_.connect(host, echo.port, b"first bytes") as sock:
        sock.sendall(b", and more")
        sock.shutdown(socket.SHUT_WR)
        assert read(sock, 21) == b"first bytes, and more"
        assert at_end(sock)


def test_byte_by_byte(exit_, echo):
    with exit_.open() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        message = hop.Message(exit_.token, socks5_request(SERVER4, echo.port))
        for byte in message.head + b"hello":
            sock.sendall(bytes([byte]))
            time.sleep(0.001)
        assert hop.read_answer(sock, message)[0] == hop.ACCEPTED
        assert read_socks5_reply(sock) == 0
        assert read(sock, 5) == b"hello"


def test_probe(exit_):
    with exit_.open() as sock:
        status, time_ms = hop.send(sock, exit_.token, hop.probe())
        assert status == hop.ACCEPTED and abs(time_ms - hop.now_ms()) < 60_000
        assert read_socks5_reply(sock) == 0
        assert at_end(sock)
    assert exit_.daemon.errors() == {}


def test_replies_are_truthful(bed, exit_, dns):
    with bed.server.socket(socket.AF_INET) as closed:
        closed.bind((SERVER4, 0))
        assert code_of(exit_.connect, SERVER4, peers.port_of(closed)) == 5
    assert code_of(exit_.connect, "nobody.test", 80) == 4


@pytest.mark.mptcp
def test_wrong_token(exit_, echo):
    """Key, name, and every single byte of the message and of the request it vouches for."""
    request = socks5_request(SERVER4, echo.port)
    good = hop.Message(exit_.token, request).head
    # TIME, NONCE, the token's name, the exit's, MAC, DST.ADDR, DST.PORT.
    bent = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
            for at in (4, 11, 12, 29, 34, 38, 69, len(good) - 4, len(good) - 1)]
    others = [hop.Message(hop.Token(name), request).head for name in ("home", "nobody")]
    refuse_all(exit_, [*bent, *others])
    exit_.daemon.await_error("auth-failed")


@pytest.mark.mptcp
def test_replay(exit_, echo):
    """A capture, sent again to whichever worker."""
    head = hop.Message(exit_.token, socks5_request(SERVER4, echo.port)).head
    with exit_.open() as sock:
        sock.sendall(head + b"hello")
        read(sock, 44)
        assert read_socks5_reply(sock) == 0
        assert read(sock, 5) == b"hello"  # so the server has counted it
    refuse_all(exit_, [head + b"hello"] * 8)
    assert len(echo.families) == 1


def test_replay_after_a_restart(bed, hawserd, start):
    """What was captured before it started is too old for an exit."""
    before = hop.now_ms()
    exit_ = start()
    assert exit_.probe(time_ms=before)[0] == hop.CLOCK
    assert exit_.probe()[0] == hop.ACCEPTED


@pytest.mark.mptcp
@pytest.mark.parametrize("off_ms", [-HOUR_MS, HOUR_MS, -31_000, 20_000])
def test_clock(exit_, off_ms):
    """The answer has the exit's time, and proves that it is the exit's; with it all is well."""
    status, time_ms = exit_.probe(time_ms=hop.now_ms() + off_ms)
    assert status == hop.CLOCK and abs(time_ms - hop.now_ms()) < 10_000
    assert exit_.probe(time_ms=time_ms + 1)[0] == hop.ACCEPTED


def test_clock_within_the_window(exit_):
    until(lambda: exit_.probe(time_ms=hop.now_ms() + 4_000)[0], lambda s: s == hop.ACCEPTED)


def test_name_of_the_exit(start):
    exit_ = start("--exit-name", "vps")
    assert exit_.probe(exit_name="other")[0] == hop.REFUSED
    assert exit_.probe(exit_name="vps")[0] == hop.ACCEPTED


def test_limit_of_sessions(start, echo):
    """One router at its limit does not harm another."""
    exit_ = start(limits="sessions=2")
    first = exit_.connect(SERVER4, echo.port)
    exit_.connect(SERVER4, echo.port)
    assert code_of(exit_.connect, SERVER4, echo.port) == 256 + hop.BUSY
    exit_.connect(SERVER4, echo.port, token=exit_.other)
    first.close()
    until(lambda: exit_.probe()[0], lambda status: status == hop.ACCEPTED)


@pytest.mark.mptcp
@pytest.mark.parametrize("direction", ["up", "down"])
def test_rate_of_a_token(bed, start, direction):
    """Of all its sessions together; another token is unharmed, and nothing is lost."""
    exit_ = start(limits="rate=2000000")

    def transfer(token: hop.Token, size: int) -> None:
        stream = Stream(size)
        with peers.listen(bed.server) as listening, \
                exit_.connect(SERVER4, peers.port_of(listening), token=token) as client, \
                peers.accept(listening) as server:
            source, target = (client, server) if direction == "up" else (server, client)

            def send() -> None:
                stream.send(source, size)
                source.shutdown(socket.SHUT_WR)

            together(send, lambda: stream.receive(target, size))
            assert at_end(target)

    started = time.monotonic()
    together(*[lambda: transfer(exit_.token, 2 * MEGABYTE)] * 2)
    seconds = time.monotonic() - started
    # 2 s less the burst and the last piece of each, which nobody waits for.
    assert 1.2 < seconds < 60

    def other_s() -> float:
        started = time.monotonic()
        transfer(exit_.other, 40 * MEGABYTE)
        return time.monotonic() - started

    assert quickest(other_s, 15, tries=3) < 15  # 20 s by that rate


@pytest.mark.mptcp
@pytest.mark.parametrize("direction", ["up", "down"])
def test_small_sessions_beside_large_ones(bed, start, echo, direction):
    """Of a token with a rate. One byte, and a session that begins, do not wait for twenty
    transfers, which all go on, on whichever workers; the same transfers wait for each other."""
    exit_ = start("--workers", "2", limits="rate=1000000")
    moved = [0] * 20
    over = threading.Event()

    def flood(number: int, client: socket.socket, server: socket.socket) -> None:
        source, target = (client, server) if direction == "up" else (server, client)
        source.settimeout(0.2)
        target.settimeout(0.2)
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                source.send(bytes(65536))
            with contextlib.suppress(TimeoutError):
                moved[number] += len(target.recv(65536))

    def ask() -> None:
        time.sleep(2)
        before = list(moved)
        started = time.monotonic()
        small = exit_.connect(SERVER4, echo.port)
        waits = []
        for number in range(20):
            asked = time.monotonic()
            client = small if number % 2 else exit_.connect(SERVER4, echo.port)
            client.sendall(b"x")
            assert read(client, 1) == b"x"
            waits.append(time.monotonic() - asked)
            time.sleep(0.1)

        def since() -> list[int]:
            return [now - then for now, then in zip(moved, before)]

        time.sleep(2)
        until(since, all)
        seconds = time.monotonic() - started
        over.set()
        # Ten seconds each when all wait in one line; on a busy machine one may.
        assert sorted(waits)[len(waits) // 2] < 2
        assert 0.2e6 * seconds < sum(since()) < 4e6 * seconds
        assert max(since()) < sum(since()) / 4  # their share is a twentieth

    with contextlib.ExitStack() as stack:
        pairs = []
        for _ in moved:
            listening = stack.enter_context(peers.listen(bed.server))
            client = stack.enter_context(exit_.connect(SERVER4, peers.port_of(listening)))
            pairs.append((client, stack.enter_context(peers.accept(listening))))
        together(ask, *[functools.partial(flood, number, *pair)
                        for number, pair in enumerate(pairs)])


@pytest.mark.mptcp
@pytest.mark.parametrize("host", [
    "127.0.0.1", "::1", "0.0.0.0", "169.254.169.254", "10.77.9.1", "::ffff:10.77.9.1",
    "64:ff9b::a4d:901", "fe80::1", "localhost", "server.test", LAN4])
def test_special_addresses(start, echo, host):
    """Also when a name resolves to them, and the exit's own."""
    exit_ = start(servers=())
    assert code_of(exit_.connect, host, echo.port) == 2
    assert echo.families == []


def test_own_address_that_is_not_special(bed, start):
    """Its services may be reachable from within only."""
    bed.router.run("ip", "addr", "add", "192.0.2.1/32", "dev", "lo")
    try:
        exit_ = start(servers=())
        with peers.listen(bed.router, "192.0.2.1") as service:
            assert code_of(exit_.connect, "192.0.2.1", peers.port_of(service)) == 2
            service.settimeout(0.1)
            with pytest.raises(TimeoutError):
                service.accept()
    finally:
        bed.router.run("ip", "addr", "del", "192.0.2.1/32", "dev", "lo")


def test_destinations_of_a_token(start, echo):
    exit_ = start(limits="to=192.0.2.0/24,10.77.9.0/29")
    exit_.connect(SERVER4, echo.port).close()
    assert code_of(exit_.connect, "10.77.9.9", echo.port) == 2
    exit_.connect("fd77:9::1", echo.port, token=exit_.other).close()
    assert code_of(exit_.connect, "fd77:9::1", echo.port) == 2


def test_other_clients(bed, start, echo, tmp_path):
    """Without a token nobody gets in, but who may by password or address, and by their rules."""
    strict = start()
    with strict.open() as sock:
        sock.sendall(b"\x05\x01\x00")
        assert read(sock, 2) == b"\x05\xff"
    until(strict.daemon.sessions, lambda sessions: sessions == [])
    (tmp_path / "password").write_text("secret\n", "ascii")
    lenient = strict.daemon
    lenient.signal(signal.SIGINT)
    assert lenient.wait() == 0
    with start("--allow", LAN_PREFIX4, servers=()).open() as sock:
        socks5(sock, SERVER4, echo.port)
        sock.sendall(b"hello")
        assert read(sock, 5) == b"hello"


@pytest.mark.mptcp
def test_failures_slow_down(exit_):
    """Each later than the one before, up to two seconds; a router with a token is not delayed."""
    seconds = []
    for _ in range(4):
        started = time.monotonic()
        assert exit_.probe(token=hop.Token("home"))[0] == hop.REFUSED
        seconds.append(time.monotonic() - started)
    assert all(took >= least for took, least in zip(seconds, (0.1, 0.2, 0.4, 0.8))) and sum(seconds) < 60

    def good_s() -> float:
        started = time.monotonic()
        assert exit_.probe()[0] == hop.ACCEPTED
        return time.monotonic() - started

    assert quickest(good_s, 0.7) < 0.7


def test_revoked_while_in_use(exit_, echo):
    """Its sessions are reset; others, and what the account has seen, stay."""
    kept = hop.Message(exit_.other, hop.probe())
    with exit_.open() as sock:
        sock.sendall(kept.head)
        assert hop.read_answer(sock, kept)[0] == hop.ACCEPTED
    revoked = exit_.connect(SERVER4, echo.port)
    other = exit_.connect(SERVER4, echo.port, token=exit_.other)
    hop.write_tokens(exit_.tokens, exit_.other.line())
    exit_.daemon.signal(signal.SIGHUP)
    assert peers.was_reset(revoked)
    assert exit_.probe()[0] == hop.REFUSED
    other.sendall(b"hello")
    assert read(other, 5) == b"hello"
    with exit_.open() as sock:
        sock.sendall(kept.head)
        assert read(sock, 44)[3] == hop.REFUSED
    assert exit_.daemon.errors()["revoked"] == 1
    assert exit_.probe(token=exit_.other)[0] == hop.ACCEPTED


def test_reset_travels(bed, exit_):
    for ends_first in "client", "server":
        with peers.listen(bed.server) as listening:
            client = exit_.connect(SERVER4, peers.port_of(listening))
            with peers.accept(listening) as server:
                near, far = (client, server) if ends_first == "client" else (server, client)
                peers.reset(near)
                assert peers.was_reset(far)


@pytest.mark.parametrize(("options", "part"), [
    (("--serve-exit", "127.0.0.1:2080"), "--serve-exit 127.0.0.1:2080: nobody could use it"),
    (("--tokens", "/nowhere"), "nothing takes them"),
    (("--serve-exit", "127.0.0.1:2080", "--tokens", "/nowhere"), "/nowhere: cannot be read"),
    (("--exit-name", "x"), "no exit to name"),
    (("--exit-allow", "10.0.0.1/8"), "expected ADDR or ADDR/BITS")])
def test_wrong_options(build, options, part):
    done = subprocess.run([build / "hawserd", "--check", *options], capture_output=True, text=True,
                          timeout=120 * PATIENCE, check=False)
    assert done.returncode == 2 and part in done.stderr and done.stderr.count("\n") == 1

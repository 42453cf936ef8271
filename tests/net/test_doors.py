# SPDX-License-Identifier: GPL-2.0-or-later
"""Who says nothing, or guesses, does not keep others out."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

import hop
import peers
from handshakes import (PASSWORD, http_connect_request, read, read_http_head,
                        read_socks5_reply, socks5_password, socks5_request)
from lan_fixtures import interceptor, lan  # pylint: disable=unused-import
from topology import CLIENT4, LAN4, SERVER4
from waiting import quickest, until

EXIT_PORT = 2080
# What many systems begin with.
LIMIT = 1024
SILENT = 3000
HANDSHAKE_S = 100


@pytest.fixture
def user(tmp_path):
    (tmp_path / "password").write_text("open sesame\n", "ascii")
    return ("--socks", f"{LAN4}:1080", "--user", f"ali:{tmp_path / 'password'}")


@pytest.fixture
def echo(bed):
    with contextlib.closing(peers.Server(bed.server, peers.echo)) as server:
        yield server


def say_nothing(bed, port: int, stack: contextlib.ExitStack, head: bytes = b"",
                count: int = SILENT) -> None:
    for _ in range(count):
        sock = stack.enter_context(peers.connect(bed.client, LAN4, port, source=CLIENT4))
        if head:
            sock.sendall(head)


def works(client: socket.socket) -> bool:
    client.sendall(b"hello")
    return read(client, 5) == b"hello"


def log_lines(daemon, text: str) -> int:
    return daemon.log().count(text)


@pytest.mark.parametrize("door", ["exit", "socks", "http"])
def test_silent_clients(bed, hawserd, user, echo, tmp_path, door):
    """Thousands from one address, which also is that of the one who knows the token or the password; some have
    said half of something. The log says so once a worker."""
    token = hop.Token("home")
    options = ("--serve-exit", f"{LAN4}:{EXIT_PORT}", "--tokens",
               str(hop.write_tokens(tmp_path / "tokens", token.line())),
               "--exit-allow", "10.77.9.0/24") if door == "exit" else user
    daemon = hawserd(*options, "--timeout", f"handshake={HANDSHAKE_S}", "--workers", "2",
                     "--log-level", "info", listen=False, open_files=LIMIT)
    port = EXIT_PORT if door == "exit" else 1080
    half = {"exit": hop.GREETING, "socks": PASSWORD, "http": b"GET http://server.test/ HT"}[door]
    with contextlib.ExitStack() as stack:
        say_nothing(bed, port, stack, count=SILENT // 2)
        say_nothing(bed, port, stack, half, count=SILENT // 2)
        for _ in range(5):
            client = stack.enter_context(peers.connect(bed.client, LAN4, port, source=CLIENT4))
            if door == "exit":
                hop.connect(client, token, SERVER4, echo.port)
            elif door == "socks":
                client.sendall(PASSWORD + socks5_password("ali", "open sesame")
                               + socks5_request(SERVER4, echo.port))
                assert read(client, 4) == b"\x05\x02\x01\x00"
                assert read_socks5_reply(client) == 0
            else:
                client.sendall(http_connect_request(SERVER4, echo.port, "ali:open sesame"))
                assert read_http_head(client)[0] == 200
            assert works(client)
        # A worker may take those of its queue later.
        until(lambda: daemon.errors().get("crowded", 0), lambda count: count > SILENT / 2)
        assert 0 < log_lines(daemon, "connect and request nothing") <= 2
        assert log_lines(daemon, "accepting pauses") == 0
    until(daemon.active, lambda active: active == 0)


def test_silent_clients_of_router_mode(lan, interceptor):
    """Where the name is waited for: who has to make room goes on by its address."""
    daemon = interceptor("redirect", "--bypass-domain", "bypassed.test", "--workers", "1",
                         open_files=200)
    daemon.up()
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(peers.listen(lan.server, port=443))
        count = 30
        for _ in range(count):
            stack.enter_context(peers.connect(lan.client, SERVER4, 443))
        # Half of what one worker lets stand there.
        assert [s["state"] for s in daemon.sessions()].count("peeking") <= 12
        for _ in range(count):
            stack.enter_context(peers.accept(listening))
        assert daemon.errors() == {}
    until(daemon.active, lambda active: active == 0)


def guess_socks5(client: socket.socket, password: str) -> bool:
    client.sendall(PASSWORD + socks5_password("ali", password))
    assert read(client, 2) == b"\x05\x02"
    return read(client, 2) == b"\x01\x00"


def guess_http(client: socket.socket, password: str) -> bool:
    client.sendall(http_connect_request(SERVER4, 1, f"ali:{password}"))
    return read_http_head(client)[0] != 407


@pytest.mark.parametrize("guess", [guess_socks5, guess_http])
def test_wrong_passwords_are_answered_late(hawserd, user, guess):
    """Later each time; who gives none, as browsers at first, is asked at once."""
    daemon = hawserd(*user, listen=False)
    waits = []
    for _ in range(6):
        with daemon.connect() as client:
            started = time.monotonic()
            assert not guess(client, "wrong")
            waits.append(time.monotonic() - started)
            while client.recv(4096):
                pass
    # 0.1, 0.2, 0.4, 0.8, 1.6, 2.
    assert all(wait > least for wait, least in zip(waits, (0.09, 0.19, 0.39, 0.79, 1.59, 1.99)))

    def asked_s() -> float:
        with daemon.connect() as client:
            started = time.monotonic()
            client.sendall(http_connect_request(SERVER4, 1))
            assert read_http_head(client)[0] == 407
            return time.monotonic() - started

    assert quickest(asked_s, 1) < 1
    with daemon.connect() as client:
        assert guess(client, "open sesame")
    until(lambda: daemon.errors().get("auth-failed", 0), lambda count: count >= 7)


@pytest.mark.parametrize("guess", [guess_socks5, guess_http])
def test_guesses_by_many_connections(bed, hawserd, user, tmp_path, guess):
    """Who does not wait for the answers has no more of them judged: not even the right one is found then. Another
    address is not made to pay, and a little later all is well."""
    other = "10.77.0.77"
    bed.client.run("ip", "addr", "add", f"{other}/24", "dev", "lan")
    try:
        daemon = hawserd(*user, "--workers", "1", "--log-level", "info", listen=False)
        with contextlib.ExitStack() as stack:
            def is_refused() -> bool:
                """Ten a second are judged, so on a busy machine it may have its turn."""
                for _ in range(100):
                    client = stack.enter_context(daemon.connect())
                    client.sendall(PASSWORD + socks5_password("ali", "wrong"))
                with daemon.connect() as client:
                    return not guess(client, "open sesame")

            until(is_refused)
            with peers.connect(bed.client, LAN4, 1080, source=other) as client:
                assert guess(client, "open sesame")

        def is_found() -> bool:
            time.sleep(1)
            with daemon.connect() as client:
                return guess(client, "open sesame")

        until(is_found)
    finally:
        bed.client.run("ip", "addr", "del", f"{other}/24", "dev", "lan")

# SPDX-License-Identifier: GPL-2.0-or-later
"""SOCKS5 on the wire: replies for each cause, requests in any pieces, passwords."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

import peers
from causes import UNREACHABLE, unreachable
from handshakes import (BIND, NO_PASSWORD, PASSWORD, UDP_ASSOCIATE, Refused, at_end, read,
                        read_socks5_reply, socks5_host, socks5_password, socks5_request)
from topology import SERVER4, SERVER6
from waiting import until

NAME, SECRET = "ali", "open sesame"


@pytest.fixture
def password(tmp_path) -> list[str]:
    """The option that makes hawserd know one user."""
    file = tmp_path / "password"
    file.write_text(SECRET + "\n", "utf-8")
    file.chmod(0o600)
    return ["--user", f"{NAME}:{file}"]


def greet(daemon, **how) -> socket.socket:
    client = daemon.connect(**how)
    client.sendall(NO_PASSWORD)
    assert read(client, 2) == b"\x05\x00"
    return client


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("cause", UNREACHABLE)
def test_reply_names_the_cause(bed, hawserd, cause, family):
    daemon = hawserd("--timeout", f"connect={0.5 if cause == 'connect-timeout' else 60}")
    client = greet(daemon)
    with unreachable(bed, cause, family) as (host, port):
        client.sendall(socks5_request(host, port))
        assert read_socks5_reply(client) == UNREACHABLE[cause][0]
        assert at_end(client)
    client.close()
    daemon.await_error(cause)


def test_unknown_name(hawserd, dns):
    daemon = hawserd()
    client = greet(daemon)
    client.sendall(socks5_request("nowhere.test", 80))
    assert read_socks5_reply(client) == 4
    client.close()
    daemon.await_error("name-not-found")


@pytest.mark.parametrize(("request_bytes", "code", "cause"), [
    pytest.param(socks5_request(SERVER4, 80, BIND), 7, "command-not-supported", id="bind"),
    pytest.param(socks5_request(SERVER4, 80, UDP_ASSOCIATE), 7, "command-not-supported", id="udp"),
    pytest.param(socks5_request(SERVER4, 80, 0x7f), 7, "command-not-supported", id="command"),
    pytest.param(b"\x05\x01\x00\x02\x0a\x4d\x09\x01\x00\x50", 8,
                 "address-type-not-supported", id="address-type"),
    pytest.param(socks5_request(SERVER4, 0), 1, "bad-request", id="port-0"),
    pytest.param(b"\x05\x01\x00\x03\x00\x00\x50", 1, "bad-request", id="empty-name"),
    pytest.param(b"\x05\x01\x00\x03\x03a\x00b\x00\x50", 1, "bad-request", id="NUL-in-name"),
    pytest.param(b"\x04\x01\x00\x01\x0a\x4d\x09\x01\x00\x50", 1, "bad-request", id="version"),
])
def test_bad_request(hawserd, request_bytes, code, cause):
    daemon = hawserd()
    client = greet(daemon)
    client.sendall(request_bytes)
    assert read_socks5_reply(client) == code
    assert at_end(client)
    client.close()
    daemon.await_error(cause)


@pytest.mark.parametrize("host", [SERVER4, SERVER6, "server.test"])
def test_one_byte_at_a_time(bed, hawserd, host, password):
    daemon = hawserd(*password)
    with peers.listen(bed.server, SERVER6 if host == "server.test" else host) as listening:
        client = daemon.connect()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = peers.port_of(listening)
        for byte in PASSWORD + socks5_password(NAME, SECRET) + socks5_request(host, port):
            client.sendall(bytes([byte]))
            time.sleep(0.001)
        assert read(client, 4) == b"\x05\x02\x01\x00"
        assert read_socks5_reply(client) == 0
        with peers.accept(listening) as server:
            client.sendall(b"ping")
            assert read(server, 4) == b"ping"


@pytest.mark.parametrize("host", [SERVER4, SERVER6, "server.test"])
@pytest.mark.parametrize("with_password", [False, True])
def test_all_at_once_with_payload(bed, hawserd, host, password, with_password):
    daemon = hawserd(*password)
    with peers.listen(bed.server, SERVER6 if host == "server.test" else host) as listening:
        client = daemon.connect()
        opening = PASSWORD + socks5_password(NAME, SECRET) if with_password else NO_PASSWORD
        payload = b"early data " * 20
        client.sendall(opening + socks5_request(host, peers.port_of(listening)) + payload)
        with peers.accept(listening) as server:
            assert read(server, len(payload)) == payload
            server.sendall(b"answer")
            assert read(client, 2) == (b"\x05\x02" if with_password else b"\x05\x00")
            if with_password:
                assert read(client, 2) == b"\x01\x00"
            assert read_socks5_reply(client) == 0
            assert read(client, 6) == b"answer"


def test_payload_before_the_reply_is_kept(bed, hawserd, dns):
    """While the name is looked up the client already sends, more than one segment."""
    dns.records["slow.test"] = [SERVER4]
    dns.delays_s["slow.test", "A"] = dns.delays_s["slow.test", "AAAA"] = 0.4
    daemon = hawserd()
    payload = bytes(range(256)) * 400
    with peers.listen(bed.server) as listening:
        client = greet(daemon)
        client.sendall(socks5_request("slow.test", peers.port_of(listening)))
        for start in range(0, len(payload), 10_000):
            client.sendall(payload[start:start + 10_000])
        with peers.accept(listening) as server:
            assert read(server, len(payload)) == payload
            assert read_socks5_reply(client) == 0


@pytest.mark.parametrize(("name", "secret"), [
    (NAME, "close sesame"), (NAME, SECRET + "x"), (NAME, SECRET[:-1]), ("baba", SECRET),
    (NAME, ""), ("", SECRET)])
def test_wrong_password(hawserd, password, name, secret):
    daemon = hawserd("--socks", "10.77.0.1:1080", *password, listen=False)
    client = daemon.connect()
    client.sendall(PASSWORD)
    assert read(client, 2) == b"\x05\x02"
    client.sendall(socks5_password(name, secret))
    assert read(client, 2) == b"\x01\x01"
    assert at_end(client)
    client.close()
    daemon.await_error("auth-failed")


def test_password_needed(bed, hawserd, password):
    """No method without a password is accepted, and none is needed for an allowed prefix."""
    daemon = hawserd("--socks", "10.77.0.1:1080", *password, listen=False)
    client = daemon.connect()
    client.sendall(NO_PASSWORD)
    assert read(client, 2) == b"\x05\xff"
    assert at_end(client)
    client.close()
    daemon.await_error("auth-failed")


def test_request_before_the_password_is_not_served(bed, hawserd, password):
    daemon = hawserd("--socks", "10.77.0.1:1080", *password, listen=False)
    with peers.listen(bed.server) as listening:
        client = daemon.connect()
        client.sendall(PASSWORD + socks5_request(SERVER4, peers.port_of(listening)))
        assert read(client, 2) == b"\x05\x02"
        assert read(client, 2) == b"\x01\x01"
        listening.settimeout(0.3)
        with pytest.raises(TimeoutError):
            listening.accept()


def test_source_not_allowed(bed, hawserd):
    daemon = hawserd("--socks", "10.77.0.1:1080", "--allow", "10.99.0.0/16", listen=False)
    client = daemon.connect()
    client.sendall(NO_PASSWORD)
    assert read(client, 2) == b"\x05\xff"
    assert at_end(client)
    client.close()
    daemon.await_error("not-allowed")


def test_the_daemon_itself_is_not_a_destination(bed, hawserd):
    """Else a client could make it connect to itself again and again, and reach the router's own
    services that only listen to the router."""
    daemon = hawserd()
    with peers.listen(bed.router, "127.0.0.1") as private:
        for host, port in (("10.77.0.1", 1080), ("127.0.0.1", peers.port_of(private)),
                           ("::ffff:127.0.0.1", peers.port_of(private)),
                           ("0.0.0.0", peers.port_of(private))):
            with pytest.raises(Refused) as refused:
                daemon.dial(host, port)
            assert refused.value.code == 2


def test_silent_client_times_out(hawserd):
    daemon = hawserd("--timeout", "handshake=0.5")
    started = time.monotonic()
    idle, half = daemon.connect(), daemon.connect()
    with contextlib.suppress(ConnectionError):  # what comes after the time is reset
        half.sendall(b"\x05")
    while idle.recv(100):
        pass
    with contextlib.suppress(ConnectionError):
        while half.recv(100):
            pass
    assert 0.3 < time.monotonic() - started < 60
    idle.close()
    half.close()
    until(daemon.errors, lambda errors: errors == {"handshake-timeout": 2})


def test_client_that_leaves_during_the_handshake(bed, hawserd):
    daemon = hawserd()
    for pieces in (b"", b"\x05", NO_PASSWORD, NO_PASSWORD + socks5_request(SERVER4, 80)[:6]):
        with daemon.connect() as client:
            client.sendall(pieces)
    daemon.await_error("client-gone")


def test_client_that_leaves_while_connecting(bed, hawserd):
    daemon = hawserd()
    with unreachable(bed, "connect-timeout") as (host, port):
        client = greet(daemon)
        client.sendall(socks5_request(host, port))
        until(lambda: daemon.session()["state"] == "connecting")
        peers.reset(client)
        daemon.await_error("client-gone")


def test_not_a_protocol(hawserd):
    """A TLS greeting, say."""
    daemon = hawserd()
    client = daemon.connect()
    client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64))
    data = b""
    while piece := client.recv(100):
        data += piece
    client.close()
    daemon.await_error("bad-request")


def test_reply_holds_the_bound_address(bed, hawserd):
    daemon = hawserd()
    with peers.listen(bed.server) as listening:
        client = greet(daemon)
        client.sendall(socks5_request(SERVER4, peers.port_of(listening)))
        with peers.accept(listening) as server:
            host, port = server.getpeername()
            assert read(client, 10) == (b"\x05\x00\x00" + socks5_host(host)
                                        + port.to_bytes(2, "big"))

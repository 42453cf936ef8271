# SPDX-License-Identifier: GPL-2.0-or-later
"""The PROXY protocol: who the client is, told by the proxy before us and to the server behind us."""

from __future__ import annotations

import socket

import pytest

import hop
import peers
from exit_net import PORTS
from handshakes import (at_end, authority, proxy_header, read, read_socks5_reply, socks5,
                        socks5_request)
from topology import CLIENT4, LAN4, LAN_PREFIX4, LAN_PREFIX6, SERVER4, SERVER6
from waiting import until

FORWARD = 5000
FAR = "203.0.113.9"
FAR6 = "2001:db8::9"
HEADER = proxy_header(FAR, 56324, "198.51.100.2", 443, b"\x04\0\x03abc")
HEADER6 = proxy_header(FAR6, 56324, "2001:db8::2", 443)
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
FAMILIES = [socket.AF_INET, socket.AF_INET6]


@pytest.fixture
def listening(bed):
    with peers.listen(bed.server) as made:
        yield made


def ended(client) -> bool:
    try:
        return at_end(client)
    except ConnectionResetError:
        return True


def test_accepted(hawserd, listening):
    """Split at every byte or at once with what follows; the client told of is judged and shown."""
    port = peers.port_of(listening)
    daemon = hawserd("--accept-proxy-protocol", LAN_PREFIX4, "--allow", f"{FAR}/32",
                     "--forward", f"{LAN4}:{FORWARD}={SERVER4}:{port}")
    request = b"\x05\x01\x00" + socks5_request(SERVER4, port)
    for pieces in ([HEADER + request + b"early"],
                   [bytes([byte]) for byte in HEADER + request] + [b"early"]):
        with daemon.connect() as client:
            for piece in pieces:
                client.sendall(piece)
            assert read(client, 2) == b"\x05\x00"
            assert read_socks5_reply(client) == 0
            with peers.accept(listening) as server:
                assert read(server, 5) == b"early"
                assert daemon.session()["client"] == f"{FAR}:56324"
        until(daemon.active, lambda now: now == 0)
    with daemon.connect(port=FORWARD) as client:
        client.sendall(HEADER + b"forwarded")
        with peers.accept(listening) as server:
            assert read(server, 9) == b"forwarded"
    # What the proxy does for itself, a health check, is as from any client.
    with daemon.connect(port=FORWARD) as client:
        client.sendall(LOCAL + b"check")
        with peers.accept(listening) as server:
            assert read(server, 5) == b"check"
            assert daemon.session()["client"] == f"{CLIENT4}:{client.getsockname()[1]}"
    with daemon.connect(port=FORWARD) as client:
        client.sendall(proxy_header("203.0.113.10", 1, "198.51.100.2", 443))
        assert ended(client)
    until(daemon.errors, lambda errors: errors == {"not-allowed": 1})
    # And no connection without it.
    for wrong in (request, b"PROXY TCP4 203.0.113.9 198.51.100.2 56324 443\r\n",
                  HEADER[:12] + b"\x31" + HEADER[13:], HEADER[:13] + b"\x12" + HEADER[14:]):
        with daemon.connect() as client:
            client.sendall(wrong)
            assert ended(client)
    until(daemon.errors, lambda errors: errors == {"not-allowed": 1, "proxy-header": 4})


def test_not_from_others(hawserd, listening):
    """Who is not listed cannot say that it is somebody else."""
    daemon = hawserd("--accept-proxy-protocol", "10.99.0.0/16")
    with daemon.connect() as client:
        client.sendall(HEADER)
        assert ended(client)
    until(daemon.errors, lambda errors: errors == {"bad-request": 1})
    with daemon.dial(SERVER4, peers.port_of(listening)) as client:
        assert daemon.session()["client"] == f"{CLIENT4}:{client.getsockname()[1]}"


@pytest.mark.parametrize("family", FAMILIES)
def test_accepted_of_either_family(hawserd, listening, family):
    """Over IPv4 and over IPv6 a client of either is told of, and judged as what it is."""
    port = peers.port_of(listening)
    daemon = hawserd("--accept-proxy-protocol", LAN_PREFIX4,
                     "--accept-proxy-protocol", LAN_PREFIX6,
                     "--allow", f"{FAR}/32", "--allow", f"{FAR6}/128")
    request = b"\x05\x01\x00" + socks5_request(SERVER4, port)
    mapped = proxy_header(f"::ffff:{FAR}", 56324, "::ffff:198.51.100.2", 443)
    mixed = proxy_header(f"::ffff:{FAR}", 56324, "2001:db8::2", 443)
    for header, source in (HEADER, FAR), (HEADER6, FAR6), (mapped, FAR), (mixed, FAR):
        with daemon.connect(family=family) as client:
            client.sendall(header + request + b"early")
            assert read(client, 2) == b"\x05\x00" and read_socks5_reply(client) == 0
            with peers.accept(listening) as server:
                assert read(server, 5) == b"early"
                assert daemon.session()["client"] == authority(source, 56324)
        until(daemon.active, lambda now: now == 0)
    with daemon.connect(family=family) as client:
        client.sendall(proxy_header("2001:db8::a", 1, "2001:db8::2", 443) + request)
        assert read(client, 2) == b"\x05\xff"
    daemon.await_error("not-allowed")


def told(server, client) -> None:
    """Of the client's connection to the router, by its family, whatever that to the server is."""
    source, port = client.getsockname()[:2]
    expected = proxy_header(source, port, *client.getpeername()[:2])
    assert read(server, len(expected)) == expected


def test_sent(bed, hawserd, listening):
    """Before the first bytes, to the chosen destination only."""
    port = peers.port_of(listening)
    with peers.listen(bed.server) as other:
        daemon = hawserd("--send-proxy-protocol", f"Server.test:{port}",
                         "--send-proxy-protocol", f"{SERVER4}:{port}")
        for host in ("server.test", SERVER4):
            with daemon.connect() as client:
                client.sendall(b"\x05\x01\x00" + socks5_request(host, port) + b"early")
                with peers.accept(listening) as server:
                    told(server, client)
                    assert read(server, 5) == b"early"
        with daemon.dial(SERVER4, peers.port_of(other)) as client:
            client.sendall(b"plain")
            with peers.accept(other) as server:
                assert read(server, 5) == b"plain"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("host", [SERVER4, SERVER6])
def test_sent_of_either_family(bed, hawserd, family, host):
    with peers.listen(bed.server, host) as listening:
        port = peers.port_of(listening)
        daemon = hawserd("--send-proxy-protocol", authority(host, port))
        with daemon.connect(family=family) as client:
            client.sendall(b"\x05\x01\x00" + socks5_request(host, port) + b"early")
            with peers.accept(listening) as server:
                told(server, client)
                assert read(server, 5) == b"early"


@pytest.mark.parametrize("header", [
    proxy_header(FAR, 56324, "198.51.100.2", 443), HEADER6,
    proxy_header(f"::ffff:{FAR}", 56324, "2001:db8::2", 443),
    proxy_header(FAR6, 56324, "::ffff:198.51.100.2", 443)], ids=["4", "6", "4to6", "6to4"])
def test_handed_on(hawserd, listening, header):
    """What another proxy told is told to the server, as it was."""
    port = peers.port_of(listening)
    daemon = hawserd("--accept-proxy-protocol", LAN_PREFIX4, "--allow", "::/0",
                     "--allow", "0.0.0.0/0", "--send-proxy-protocol", f"{SERVER4}:{port}")
    with daemon.connect() as client:
        client.sendall(header + b"\x05\x01\x00" + socks5_request(SERVER4, port) + b"early")
        with peers.accept(listening) as server:
            assert read(server, len(header) + 5) == header + b"early"


@pytest.mark.mptcp
@pytest.mark.parametrize("family", FAMILIES)
def test_sent_through_an_exit(bed, hawserd, listening, tmp_path, family):
    """By IPv6 to the exit and by IPv4 from there: it is the client's connection that is told of."""
    port = peers.port_of(listening)
    tokens = hop.write_tokens(tmp_path / "tokens", hop.Token("home").line())
    hawserd("--serve-exit", f"[{SERVER6}]:{PORTS['one']}", "--tokens", str(tokens),
            "--exit-allow", "10.77.9.0/24", listen=False, namespace=bed.server)
    daemon = hawserd("--exit", f"[{SERVER6}]:{PORTS['one']}", "--exit-token", str(tokens),
                     "--when-no-exit", "refuse", "--send-proxy-protocol", f"{SERVER4}:{port}")
    with daemon.connect(family=family) as client:
        socks5(client, SERVER4, port)
        assert daemon.session()["exit"] != ""
        with peers.accept(listening) as server:
            told(server, client)

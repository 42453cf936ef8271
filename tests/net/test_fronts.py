# SPDX-License-Identifier: GPL-2.0-or-later
"""SOCKS4, SOCKS4a and fixed forwards on the wire."""

from __future__ import annotations

import socket

import pytest

import peers
from causes import UNREACHABLE, unreachable
from handshakes import at_end, read, read_socks4_reply, socks4_request
from topology import LAN4, LAN6, LAN_PREFIX4, LAN_PREFIX6, SERVER4, SERVER6

GRANTED, REJECTED = 90, 91
FORWARD = 5000


@pytest.mark.parametrize("host", [SERVER4, "server.test"])
@pytest.mark.parametrize("user", ["", "somebody"])
def test_socks4_with_early_payload(bed, hawserd, host, user):
    daemon = hawserd()
    with peers.listen(bed.server, SERVER6 if host == "server.test" else host) as listening:
        client = daemon.connect()
        client.sendall(socks4_request(host, peers.port_of(listening), user) + b"early")
        assert read_socks4_reply(client) == GRANTED
        with peers.accept(listening) as server:
            assert read(server, 5) == b"early"
            server.sendall(b"answer")
            assert read(client, 6) == b"answer"
            assert daemon.session()["protocol"] == ("socks4" if host == SERVER4 else "socks4a")


@pytest.mark.parametrize("cause", UNREACHABLE)
def test_socks4_reply_for_any_cause(bed, hawserd, cause):
    daemon = hawserd("--timeout", f"connect={0.5 if cause == 'connect-timeout' else 60}")
    client = daemon.connect()
    with unreachable(bed, cause) as (host, port):
        client.sendall(socks4_request(host, port))
        assert read_socks4_reply(client) == REJECTED
        assert at_end(client)
    client.close()
    daemon.await_error(cause)


def test_socks4_bind_is_rejected(hawserd):
    daemon = hawserd()
    client = daemon.connect()
    client.sendall(b"\x04\x02" + socks4_request(SERVER4, 80)[2:])
    assert read_socks4_reply(client) == REJECTED
    client.close()
    daemon.await_error("command-not-supported")


def test_socks4_cannot_carry_a_password(hawserd, tmp_path):
    (tmp_path / "password").write_text("open sesame\n", "utf-8")
    daemon = hawserd("--socks", f"{LAN4}:1080", "--user", f"ali:{tmp_path}/password", listen=False)
    client = daemon.connect()
    client.sendall(socks4_request(SERVER4, 80, "ali"))
    assert REJECTED <= read_socks4_reply(client) <= 93
    client.close()
    daemon.await_error("auth-failed")


@pytest.mark.parametrize("to", [SERVER4, f"[{SERVER6}]", "server.test"])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_forward(bed, hawserd, serve, family, to):
    """What the client sends is payload from the first byte, whatever it looks like."""
    server = serve(peers.echo)
    address = LAN4 if family == socket.AF_INET else f"[{LAN6}]"
    daemon = hawserd("--forward", f"{address}:{FORWARD}={to}:{server.port}",
                     "--allow", LAN_PREFIX4, "--allow", LAN_PREFIX6, listen=False)
    client = daemon.connect(family=family, port=FORWARD)
    client.sendall(b"\x05\x01\x00")
    assert read(client, 3) == b"\x05\x01\x00"
    assert daemon.session()["protocol"] == "forward"


def test_forward_to_a_server_that_speaks_first(hawserd, serve):
    server = serve(lambda sock: sock.sendall(b"220 hello"))
    daemon = hawserd("--forward", f"{LAN4}:{FORWARD}={SERVER4}:{server.port}",
                     "--allow", LAN_PREFIX4, listen=False)
    client = daemon.connect(port=FORWARD)
    assert read(client, 9) == b"220 hello"
    assert at_end(client)


def test_forward_whose_destination_fails(bed, hawserd):
    """There is no protocol to say why, so the connection just ends."""
    with unreachable(bed, "refused") as (host, port):
        daemon = hawserd("--forward", f"{LAN4}:{FORWARD}={host}:{port}",
                         "--allow", LAN_PREFIX4, listen=False)
        with daemon.connect(port=FORWARD) as client:
            try:
                assert at_end(client)
            except ConnectionResetError:
                pass
        daemon.await_error("refused")


def test_forward_for_a_source_not_allowed(hawserd, serve):
    server = serve(peers.echo)
    daemon = hawserd("--forward", f"{LAN4}:{FORWARD}={SERVER4}:{server.port}",
                     "--allow", "10.99.0.0/16", listen=False)
    with daemon.connect(port=FORWARD) as client:
        try:
            assert at_end(client)
        except ConnectionResetError:
            pass
    daemon.await_error("not-allowed")
    assert server.families == []

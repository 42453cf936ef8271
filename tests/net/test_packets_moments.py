# SPDX-License-Identifier: GPL-2.0-or-later
"""The moments in which a pair of connections passes to the kernel, or a peer is gone: what is owed then is not
lost, and what is over ends."""

from __future__ import annotations

import socket
import time

import pytest

import peers
from daemon import PORT
from flows import chat
from forwarded import ALWAYS, packets_needed, swallowed, take  # pylint: disable=unused-import
from handshakes import NO_PASSWORD, at_end, read, socks5, socks5_request
from sessions import through
from topology import LAN4, SERVER4
from waiting import until

pytestmark = [pytest.mark.no_mptcp, pytest.mark.usefixtures("packets_needed")]

ANSWER_BYTES = 12


def early(daemon, port: int, data: bytes) -> socket.socket:
    """A client that asks for the server and sends data without waiting for an answer."""
    client = daemon.connect()
    client.sendall(NO_PASSWORD + socks5_request(SERVER4, port) + data)
    return client


def test_what_was_lost_before_it_was_learnt(bed, hawserd):
    """The client lacks hawserd's answers when the server says something."""
    daemon = hawserd(*ALWAYS)
    with peers.listen(bed.server) as listening:
        client = daemon.connect()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with bed.rules(f"ip saddr {LAN4} tcp sport {PORT} drop", bed.client):
            client.sendall(NO_PASSWORD + socks5_request(SERVER4, peers.port_of(listening)) + b"a")
            server = peers.accept(listening)
            assert read(server, 1) == b"a"
            for byte in b"bc":
                client.sendall(bytes([byte]))
                assert read(server, 1) == bytes([byte])
                server.sendall(bytes([byte]))
                time.sleep(0.1)
        assert read(client, ANSWER_BYTES + 2)[ANSWER_BYTES:] == b"bc"
        take(daemon, client, server)


def test_an_end_that_nobody_has_read(bed, hawserd):
    """It has come before the kernel learns the pair, behind the client's last bytes."""
    daemon = hawserd(*ALWAYS)
    with peers.listen(bed.server) as listening:
        for _ in range(20):
            client = early(daemon, peers.port_of(listening), b"a")
            with peers.accept(listening) as server:
                assert read(server, 1) == b"a"
                server.sendall(b"b")
                read(client, ANSWER_BYTES + 1)
                # It is learnt when it reads this, and the end is behind it.
                client.sendall(b"c")
                client.shutdown(socket.SHUT_WR)
                assert read(server, 1) == b"c"
                server.sendall(b"d")
                assert read(client, 1) == b"d"
                assert at_end(server)
            assert at_end(client)
            client.close()


@pytest.mark.parametrize("owing", [False, True], ids=["quiet", "owing"])
def test_peers_that_vanish(bed, hawserd, owing):
    """Nobody hears of their ends; a byte is on its way or none."""
    daemon = hawserd(*ALWAYS)
    with through(daemon) as (client, server):
        take(daemon, client, server)
        time.sleep(0.1)  # longer than an acknowledgement is delayed
        with swallowed(bed.client, "lan"):
            if owing:
                server.sendall(b"a")
                assert read(client, 1) == b"a"
            with swallowed(bed.server, "a"):
                peers.reset(client)
                peers.reset(server)
        until(daemon.active, lambda active: active == 0)
    daemon.await_error("reset")


@pytest.mark.parametrize("alone", [False, True], ids=["both", "client"])
def test_a_port_used_again(bed, hawserd, alone):
    """A client that has forgotten its connection begins one with the same port: it reaches hawserd, not the
    server that the old one led to, which may be gone too."""
    daemon = hawserd(*ALWAYS)
    with peers.listen(bed.server) as listening:
        client = daemon.dial(SERVER4, peers.port_of(listening))
        source = client.getsockname()
        server = peers.accept(listening)
        take(daemon, client, server)
        with swallowed(bed.client, "lan"):
            peers.reset(client)
            if not alone:
                with swallowed(bed.server, "a"):
                    peers.reset(server)
        with bed.client.socket(socket.AF_INET) as again:
            again.settimeout(peers.TIMEOUT_S)
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(source)
            again.connect((LAN4, PORT))
            socks5(again, SERVER4, peers.port_of(listening))
            if alone:
                assert peers.was_reset(server)
            with peers.accept(listening) as other:
                chat(again, other, 20)

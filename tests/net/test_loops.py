# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections of hawserd that lead back to it end, instead of going round until no file descriptor
is left."""

from __future__ import annotations

import contextlib
import socket

import pytest

import peers
from daemon import PORT as SOCKS_PORT
from handshakes import Refused, socks5
from lan import PORT
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from topology import LAN4, SERVER4, SERVER6
from waiting import until

FORWARD, BEHIND = 5000, 5001
SECONDARY4, SECONDARY6, ROUTED4 = "10.77.0.3", "fd77::3", "203.0.113.1"
# A local route need not be in the table of that name: rules for TPROXY have others.
ADDRESSES = [f"addr add {SECONDARY4}/24 dev lan", f"addr add {SECONDARY6}/64 dev lan nodad",
             "route add local 203.0.113.0/28 dev lo table 300",
             "rule add to 203.0.113.0/28 lookup 300"]
# Workers may see each other's connections late, on a busy machine more so; all of its descriptors would be 500.
ROUNDS = 200


@pytest.fixture
def more_addresses(lan):
    for command in ADDRESSES:
        lan.router.run("ip", *command.split())
    lan.client.run("ip", "route", "add", "203.0.113.0/28", "via", LAN4)
    yield
    lan.client.run("ip", "route", "del", "203.0.113.0/28")
    for command in reversed(ADDRESSES):
        lan.router.run("ip", *command.replace(" add ", " del ").replace(" nodad", "").split())


@contextlib.contextmanager
def own_output(lan, port: int, to: int):
    """Has a rule redirect what the router itself sends to the servers."""
    lan.router.run("nft", "-f", "-", text=f"""
        table inet foreign {{
            chain c {{
                type nat hook output priority -100;
                ip daddr {SERVER4} tcp dport {port} redirect to :{to};
                ip6 daddr {SERVER6} tcp dport {port} redirect to :{to};
            }}
        }}""")
    try:
        yield
    finally:
        lan.router.run("nft", "delete", "table", "inet", "foreign")


def ends(namespace, address: str, port: int) -> bool:
    """Whether a client is cut off."""
    try:
        with peers.connect(namespace, address, port) as sock:
            return sock.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("address", [LAN4, SECONDARY4, SECONDARY6, ROUTED4, "127.0.0.2", "::1"])
def test_listener_on_all_addresses(lan, interceptor, more_addresses, address):
    daemon = interceptor("redirect")
    client = lan.router if address in ("127.0.0.2", "::1") else lan.client
    assert ends(client, address, PORT)
    daemon.await_error("not-allowed")
    assert daemon.status()["sessions"]["total"] == 1


@pytest.mark.parametrize("address", [SECONDARY4, SECONDARY6, "127.0.0.2", "0.0.0.0", "::"])
def test_listener_asked_for(lan, interceptor, more_addresses, address):
    """By a client that may reach the router's own addresses."""
    daemon = interceptor("redirect", "--socks", f"127.0.0.1:{SOCKS_PORT}")
    with peers.connect(lan.router, "127.0.0.1", SOCKS_PORT) as sock, \
            pytest.raises(Refused) as refused:
        socks5(sock, address, PORT)
    assert refused.value.code == 2
    assert daemon.status()["sessions"]["total"] == 1


@pytest.mark.parametrize("address", [SERVER4, SERVER6])
def test_rule_that_takes_the_routers_own(lan, interceptor, serve, address):
    """No address tells: each round is for a server elsewhere."""
    server = serve()
    daemon = interceptor("redirect", "--mptcp", "off")
    with own_output(lan, server.port, PORT):
        assert ends(lan.router, address, server.port)
        until(daemon.active, lambda active: active == 0)
    assert "not-allowed" in daemon.errors()
    assert daemon.status()["sessions"]["total"] <= ROUNDS
    assert "sent it back" in daemon.log()
    assert server.families == []


@pytest.mark.parametrize("to", [SERVER4, f"[{SERVER6}]", "server.test"])
def test_rule_that_brings_a_forward_back(lan, interceptor, to):
    daemon = interceptor("redirect", "--forward", f"0.0.0.0:{FORWARD}={to}:{BEHIND}", "--forward",
                         f"[::]:{FORWARD}={to}:{BEHIND}", "--mptcp", "off", "--allow", "0.0.0.0/0",
                         "--allow", "::/0")
    with own_output(lan, BEHIND, FORWARD):
        assert ends(lan.client, LAN4, FORWARD)
        until(daemon.active, lambda active: active == 0)
    assert "not-allowed" in daemon.errors()
    assert daemon.status()["sessions"]["total"] <= ROUNDS


@pytest.mark.parametrize("address", [SERVER4, SERVER6])
def test_many_that_do_not_come_back(lan, interceptor, serve, address):
    """The other way round: clients on the router whose connections a rule takes are served, also
    when hawserd has just dialled the same server from there."""
    server = serve()
    daemon = interceptor("redirect", "--mptcp", "off")
    family = "ip6" if ":" in address else "ip"
    lan.router.run("nft", "-f", "-", text=f"""
        table inet foreign {{
            chain c {{
                type nat hook output priority -100;
                meta mark 7 {family} daddr {address} tcp dport {server.port} redirect to :{PORT};
            }}
        }}""")
    try:
        for _ in range(100):
            with lan.router.socket(socket.AF_INET6 if ":" in address
                                   else socket.AF_INET) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 7)
                sock.settimeout(peers.TIMEOUT_S)
                sock.connect((address, server.port))
                assert sock.recv(100)
    finally:
        lan.router.run("nft", "delete", "table", "inet", "foreign")
    assert daemon.errors() == {}
    assert daemon.status()["sessions"]["total"] == 100


@pytest.fixture
def few_ports(lan):
    """On the router."""
    before = lan.router.sysctl("ipv4/ip_local_port_range", "40000 40063")
    yield
    lan.router.sysctl("ipv4/ip_local_port_range", before)


def address_towards(namespace, server: str) -> str:
    with namespace.socket(socket.AF_INET6 if ":" in server else socket.AF_INET,
                          socket.SOCK_DGRAM) as sock:
        sock.connect((server, 1))
        return sock.getsockname()[0]


@pytest.mark.parametrize("to, server_is", [
    (SERVER4, SERVER4), (f"[{SERVER6}]", SERVER6), ("server.test", SERVER6)])
def test_port_that_a_dial_has(lan, interceptor, serve, few_ports, to, server_is):
    """A client on the router may have it, too: it goes elsewhere."""
    def tell_port(sock: socket.socket) -> None:
        sock.sendall(sock.getpeername()[1].to_bytes(2, "big"))
        sock.recv(1)

    server = serve(tell_port)
    daemon = interceptor("redirect", "--forward", f"[::]:{FORWARD}={to}:{server.port}", "--forward",
                         f"0.0.0.0:{FORWARD}={to}:{server.port}", "--mptcp", "off", "--allow",
                         "0.0.0.0/0", "--allow", "::/0")
    source = address_towards(lan.router, server_is)
    dialled_from: set[int] = set()
    shared = 0
    with contextlib.ExitStack() as stack:
        while shared < 3:
            client = stack.enter_context(peers.connect(lan.router, source, FORWARD))
            shared += client.getsockname()[1] in dialled_from
            dialled_from.add(int.from_bytes(client.recv(2, socket.MSG_WAITALL), "big"))
    assert daemon.errors() == {}

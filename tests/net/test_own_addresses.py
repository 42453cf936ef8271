# SPDX-License-Identifier: GPL-2.0-or-later
"""The router's own addresses, which its packet filter guards and hawserd must not open. Which they
are is asked of the kernel's routes."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

import hop
import peers
from handshakes import (Refused, authority, http_connect_request, proxy_header, read,
                        read_http_head, socks5)
from topology import CLIENT4, CLIENT6, LAN4, LAN6, LAN_PREFIX4, LAN_PREFIX6, SERVER4, near

NOT_ALLOWED = 2
# On the router besides: secondary addresses of its LAN, one with a peer, two of no subnet, some that
# are local by a rule and a table of their own, one that is by a route alone, and two of public ranges.
SECONDARY4, SECONDARY6, PEERED, ALONE4, ALONE6 = \
    "10.77.0.3", "fd77::3", "198.51.100.1", "192.0.2.1", "2001:db8::1"
BY_RULE4, BY_RULE6, ROUTED4 = "203.0.113.1", "2001:db8:1::1", "203.0.113.32"
PUBLIC4, ANYCAST6 = "192.0.2.34", "2001:db8:2::"
ADDRESSES = [f"addr add {SECONDARY4}/24 dev lan", f"addr add {SECONDARY6}/64 dev lan nodad",
             f"addr add {PEERED} peer 198.51.100.2 dev lan",
             f"addr add {ALONE4}/32 dev lo", f"addr add {ALONE6}/128 dev lo nodad",
             f"route add local 203.0.113.0/28 dev lo src {LAN4} table 300",
             "rule add to 203.0.113.0/24 lookup 300",
             f"route add local {ROUTED4}/32 dev lo src {LAN4}",
             "addr add 192.0.2.33/28 dev lan", f"addr add {PUBLIC4}/28 dev lan",
             "addr add 2001:db8:2::1/64 dev lan nodad",
             "route add local 2001:db8:1::/64 dev lo table 300",
             "-6 rule add to 2001:db8:1::/48 lookup 300"]
OWN = [SECONDARY4, SECONDARY6, PEERED, ALONE4, ALONE6, BY_RULE4, "203.0.113.9", BY_RULE6,
       ROUTED4, PUBLIC4, ANYCAST6, LAN4, LAN6, *near("a"), *near("b"), "127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::",
       "10.77.0.255", "255.255.255.255", "224.0.0.1", "fd77::", "ff02::1"]
OTHERS = [CLIENT4, CLIENT6, "203.0.113.17", "2001:db8:1:1::1", "192.0.2.2", "2001:db8::2"]
# What contains an own address.
WRAPPED = ["::ffff:10.77.0.3", "::10.77.0.3", "64:ff9b::10.77.0.3", "2002:a4d:3::1"]


@pytest.fixture
def router(bed):
    """With more addresses, and anycast ones, as every router has."""
    forwarding = bed.router.sysctl("ipv6/conf/all/forwarding", 1)
    for command in ADDRESSES:
        bed.router.run("ip", *command.split())
    yield bed.router
    for command in reversed(ADDRESSES):
        bed.router.run("ip", *command.replace(" add ", " del ").replace(" nodad", "").split())
    bed.router.sysctl("ipv6/conf/all/forwarding", forwarding)


def is_own(router, address: str) -> bool:
    """Whether it stays here, by the kernel: "local ADDRESS dev lo…", without a word for unicast."""
    if address == "::":
        return True  # to connect() alone
    try:
        return router.run("ip", "route", "get", address).split()[0] in \
            ("local", "broadcast", "multicast", "anycast")
    except RuntimeError:
        return False


@pytest.fixture
def echo(router):
    """On every address of the router, both families; its port is the first element, and whoever
    came is in the second."""
    seen: list[str] = []

    def serve(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted = peers.accept(listening)
                seen.append(accepted.getpeername()[0])
                threading.Thread(target=peers.echo, args=(accepted,), daemon=True).start()

    with peers.listen(router, "::") as listening:
        listening.settimeout(None)
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield peers.port_of(listening), seen
        listening.shutdown(socket.SHUT_RDWR)


def code_of(sock: socket.socket, host: str, port: int) -> int:
    try:
        socks5(sock, host, port)
    except Refused as refused:
        return refused.code
    finally:
        sock.close()
    return 0


def answers(sock: socket.socket) -> bool:
    with sock:
        sock.sendall(b"hello")
        return read(sock, 5) == b"hello"


def test_not_for_the_lan(router, hawserd, echo):
    """Whichever way an address is the router's own."""
    daemon = hawserd("--timeout", "connect=0.3")
    port, seen = echo
    assert [address for address in OWN if not is_own(router, address)] == []
    assert [address for address in OTHERS if is_own(router, address)] == []
    for address in OWN + WRAPPED:
        assert (address, code_of(daemon.connect(), address, port)) == (address, NOT_ALLOWED)
    for address in OTHERS:
        assert code_of(daemon.connect(), address, port) not in (0, NOT_ALLOWED), address
    assert seen == []


@pytest.mark.parametrize("client", ["127.0.0.1", LAN4, SECONDARY4])
def test_clients_on_the_router_go_on(router, hawserd, echo, client):
    daemon = hawserd("--socks", "127.0.0.1:1080")
    for to in SECONDARY4, SECONDARY6, "127.0.0.2", "::1", ROUTED4:
        sock = peers.connect(router, "127.0.0.1" if client == "127.0.0.1" else LAN4, 1080,
                             source=client)
        socks5(sock, to, echo[0])
        assert answers(sock)
    assert daemon.errors() == {}


def test_some_may_be_allowed(router, hawserd, echo):
    daemon = hawserd("--own-allow", SECONDARY4, "--own-allow", LAN_PREFIX6)
    for to in SECONDARY4, LAN6, SECONDARY6:
        assert answers(daemon.dial(to, echo[0]))
    for to in LAN4, ALONE4, "127.0.0.1", "::1":
        assert code_of(daemon.connect(), to, echo[0]) == NOT_ALLOWED


def test_setting_in_a_file(router, hawserd, echo, tmp_path):
    (tmp_path / "conf").write_text(f'access {{ own-allow = {{ "{SECONDARY4}" }} }}\n', "ascii")
    daemon = hawserd("-c", str(tmp_path / "conf"))
    assert answers(daemon.dial(SECONDARY4, echo[0]))
    assert code_of(daemon.connect(), LAN4, echo[0]) == NOT_ALLOWED


@pytest.mark.parametrize("request_of", [
    http_connect_request, lambda host, port: f"GET http://{authority(host, port)}/ HTTP/1.1\r\n"
                                             f"Host: {authority(host, port)}\r\n\r\n".encode()])
@pytest.mark.parametrize("host", [LAN4, SECONDARY6, "127.0.0.2", "own.test"])
def test_not_by_http(router, hawserd, echo, dns, request_of, host):
    dns.records["own.test"] = [SECONDARY4, ALONE6]
    daemon = hawserd()
    client = daemon.connect()
    client.sendall(request_of(host, echo[0]))
    assert read_http_head(client)[0] == 403
    client.close()
    daemon.await_error("not-allowed")
    assert echo[1] == []


def test_name_that_is_rebound(bed, router, hawserd, echo, dns):
    """Each address of an answer is judged, and each answer."""
    port, seen = echo
    daemon = hawserd()
    with peers.listen(bed.server, SERVER4, port) as server:
        dns.records["name.test"] = [SECONDARY4, SECONDARY6, ALONE4, SERVER4]
        client = daemon.dial("name.test", port)
        peers.accept(server).close()
        client.close()
        for records in [SECONDARY4], [SECONDARY6], [LAN4, LAN6], ["127.0.0.2"], [BY_RULE6]:
            dns.records[f"name{len(dns.records)}.test"] = records
            assert code_of(daemon.connect(), list(dns.records)[-1], port) == NOT_ALLOWED
    assert seen == []


@pytest.mark.parametrize("to", [LAN4, SECONDARY4, f"[{SECONDARY6}]", "127.0.0.2", "[::1]",
                                "own.test"])
def test_forwards_lead_where_the_administrator_wants(router, hawserd, echo, dns, to):
    dns.records["own.test"] = [SECONDARY4]
    daemon = hawserd("--forward", f"{LAN4}:5000={to}:{echo[0]}", "--allow", LAN_PREFIX4,
                     listen=False)
    assert answers(daemon.connect(port=5000))


def test_name_of_a_forward_leads_not_to_loopback(router, hawserd, echo, dns):
    """Whoever answers for the name is not the administrator."""
    dns.records["own.test"] = ["127.0.0.2"]
    daemon = hawserd("--forward", f"{LAN4}:5000=own.test:{echo[0]}", "--allow", LAN_PREFIX4,
                     listen=False)
    with daemon.connect(port=5000) as client:
        assert client.recv(1) == b""
    daemon.await_error("not-allowed")
    assert echo[1] == []


@pytest.mark.parametrize("told", ["127.0.0.1", "::1"])
def test_loopback_of_another_host(router, hawserd, echo, told):
    """A proxy elsewhere tells of its own client on loopback, who is not ours."""
    daemon = hawserd("--accept-proxy-protocol", CLIENT4)
    client = daemon.connect()
    client.sendall(proxy_header(told, 4000, told, 1080))
    assert code_of(client, SECONDARY4, echo[0]) == NOT_ALLOWED
    assert echo[1] == []


@pytest.mark.mptcp
@pytest.mark.parametrize("host", [SECONDARY4, PEERED, ALONE4, ALONE6, BY_RULE4,
                                  BY_RULE6, ROUTED4, PUBLIC4, ANYCAST6, "own.test"])
def test_not_for_tokens(router, hawserd, echo, dns, tmp_path, host):
    """No address that is special by itself is needed for that: the exit's firewall is passed by."""
    dns.records["own.test"] = [ALONE4, BY_RULE6]
    token = hop.Token("home")
    hawserd("--serve-exit", f"{LAN4}:2080", "--tokens",
            str(hop.write_tokens(tmp_path / "tokens", token.line())), "--exit-allow",
            "10.77.9.0/24", listen=False)
    with peers.connect(router, LAN4, 2080) as sock, pytest.raises(Refused) as refused:
        hop.connect(sock, token, host, echo[0])
    assert refused.value.code == NOT_ALLOWED
    assert echo[1] == []

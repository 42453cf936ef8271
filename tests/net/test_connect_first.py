# SPDX-License-Identifier: GPL-2.0-or-later
"""Connect first, accept after: a client in router mode sees of a destination that fails what it
would see without hawserd, so that it goes on to the next address."""

from __future__ import annotations

import errno
import signal
import socket

import pytest

import peers
from causes import unreachable
from daemon import Hawserd
from exit_net import Net, states
from lan import METHODS, SERVERS, Interceptor, asks, asks_at_once, is_reset
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from origin import PAYLOAD, Origin
from pattern import MEGABYTE, exchange
from programs import run
from topology import CLIENT4, NOBODY4, NOBODY6, SERVER4, SERVER6
from waiting import until

FAILS = {"host-unreachable": errno.EHOSTUNREACH, "network-unreachable": errno.ENETUNREACH}
CODES = {"host-unreachable": ("host-unreachable", "addr-unreachable"),
         "network-unreachable": ("net-unreachable", "no-route")}
# Without a round-trip time an answer comes while connect() still has the socket: the kernel hears no
# "unreachable" then, and tries again a second later.
LAN = {"emulated": {"a": {"delay": 1}}}
# Dials end soon after those who asked for them have gone.
BRIEF = ("--timeout", "connect=2")
# Of the server, for a while.
OTHER4 = "10.77.9.50"
# Nobody's, and nobody has a route to it.
NOWHERE = {4: "198.51.100.1", 6: "2001:db8::1"}


def fails_with(lan, address: str, port: int, mptcp: bool = False,
               patience_s: float = peers.TIMEOUT_S) -> int:
    """The error number of connect(), 0 if the connection was accepted; ETIMEDOUT: no answer."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with lan.client.socket(family, protocol=peers.IPPROTO_MPTCP if mptcp else 0) as sock:
        sock.settimeout(patience_s)
        try:
            sock.connect((address, port))
        except TimeoutError:
            return errno.ETIMEDOUT
        except OSError as error:
            return error.errno
        return 0


def hold(daemon: Interceptor) -> None:
    """Rules, and a heartbeat that says that first packets may be held."""
    daemon.up()
    daemon.await_holding()


def fails(lan, daemon: Interceptor, address: str, port: int, expected: int, **settings) -> int:
    """With this error number. Where a busy machine keeps hawserd from its heartbeat, a client is accepted first, as ever;
    not each time. Returns how often."""
    seen: list[int] = []
    before = daemon.status()["sessions"]["total"]

    def connect() -> int:
        daemon.await_holding()
        seen.append(fails_with(lan, address, port, **settings))
        assert seen[-1] in (expected, 0)
        return seen[-1]

    until(connect, lambda error: error == expected)
    until(lambda: daemon.status()["sessions"]["total"] - before, lambda count: count == seen.count(0))
    return seen.count(0)


@pytest.mark.parametrize("mptcp", [False, True])
@pytest.mark.parametrize("family", [4, 6])
def test_closed_port(lan, interceptor, family, mptcp):
    daemon = interceptor("tproxy")
    hold(daemon)
    with unreachable(lan, "refused", family) as (address, port):
        fails(lan, daemon, address, port, errno.ECONNREFUSED, mptcp=mptcp)
    daemon.await_error("refused")


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("cause", sorted(CODES))
def test_what_a_router_beyond_says(lan, interceptor, cause, family):
    daemon = interceptor("tproxy")
    hold(daemon)
    nobody, kind = ((NOBODY4, "icmp"), (NOBODY6, "icmpv6"))[family == 6]
    code = CODES[cause][family == 6]
    with lan.rules(f"ip{'6' if family == 6 else ''} daddr {nobody} reject with {kind} {code}"):
        fails(lan, daemon, nobody, 80, FAILS[cause])
    daemon.await_error(cause)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("method", METHODS)
def test_without_route(lan, interceptor, method, family):
    """It is not taken, and the router's kernel answers."""
    daemon = interceptor(method)
    daemon.up()
    lan.router.run("ip", "route", "add", "unreachable", NOWHERE[family])
    try:
        assert fails_with(lan, NOWHERE[family], 80) in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    finally:
        lan.router.run("ip", "route", "del", "unreachable", NOWHERE[family])
    counters = daemon.show()["counters"]
    assert counters["caught"] == counters.get("held", 0) == 0
    assert daemon.status()["sessions"]["total"] == 0


def test_silence_is_silence(lan, interceptor):
    daemon = interceptor("tproxy", *BRIEF)
    hold(daemon)
    with unreachable(lan, "connect-timeout") as (address, port):
        fails(lan, daemon, address, port, errno.ETIMEDOUT, patience_s=1.5)
    # The second SYN is that of the first.
    assert daemon.show()["counters"]["held"] >= 2


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("mptcp", [False, True])
def test_it_is_the_connection_that_was_dialled(lan, interceptor, serve, family, mptcp):
    """The server sees one, and not another that was given up."""
    seen = []

    def count(sock: socket.socket) -> None:
        seen.append(sock.getpeername())
        sock.sendall(b"once")

    server = serve(count, mptcp=mptcp)
    daemon = interceptor("tproxy")
    hold(daemon)
    for number in range(1, 21):
        with peers.connect(lan.client, SERVERS[family], server.port, mptcp) as sock:
            assert sock.recv(10) == b"once"
        assert len(seen) == number
    daemon.assert_counted(caught=20)
    # All of them, where a busy machine does not keep hawserd from its heartbeat.
    assert daemon.show()["counters"]["held"] >= 10
    assert daemon.errors() == {}


def goes_on(lan, daemon: Interceptor, *words: str) -> int:
    """How many sessions a program needed for the payload; 0 if it failed, as where a busy machine keeps hawserd from its
    heartbeat, so that the first address seems to be good."""
    daemon.await_holding()
    before = daemon.status()["sessions"]["total"]
    try:
        assert run(lan, *words) == PAYLOAD
    except AssertionError:
        return 0
    return daemon.status()["sessions"]["total"] - before


# wget takes its time for an address that is silent.
@pytest.mark.parametrize(("program", "cause"), [
    ("curl", "connect-timeout"), ("curl", "refused"), ("curl", "no route"), ("wget", "refused"),
    ("wget", "no route")])
def test_happy_eyeballs(lan, interceptor, tmp_path, program, cause):
    """A name whose IPv6 address does not work, and whose IPv4 address does."""
    daemon = interceptor("tproxy")
    hold(daemon)
    (tmp_path / "payload").write_bytes(PAYLOAD)
    bad = {"refused": SERVER6, "no route": NOWHERE[6], "connect-timeout": NOBODY6}[cause]
    with Origin(lan.server, tmp_path, mptcp=False) as origin:
        port = int(origin.url(SERVER4, "").split(":")[2].rstrip("/"))
        # Whether the origin listens on IPv6 or not, this does not get through.
        rule = (f"ip6 daddr {SERVER6} tcp dport {port} reject with tcp reset"
                if cause == "refused" else f"ip6 daddr {NOBODY6} drop")
        hosts = lan.scratch / "hosts"
        before = hosts.read_text("ascii")
        hosts.write_text(f"{before}\n{bad} both.test\n{SERVER4} both.test\n", "ascii")
        try:
            with lan.rules(rule), lan.route("unreachable", NOWHERE[6]):
                words = {"curl": ("curl", "-qsS", "--max-time", "60"),
                         "wget": ("wget", "-q", "-T", "60", "-t", "1", "-O", "-")}[program]
                until(lambda: goes_on(lan, daemon, *words, f"http://both.test:{port}/payload"), lambda count: count == 1)
        finally:
            hosts.write_text(before, "ascii")


@pytest.mark.parametrize("by_exit", [False, True])
def test_port_scan(lan, interceptor, tmp_path, by_exit):
    """Open ports look open, closed ones closed, filtered ones filtered; by an exit, too."""
    options: tuple[str, ...] = BRIEF
    net = Net(lan, lambda *words, **more: Hawserd(lan, *words, **more), tmp_path)
    if by_exit:
        net.serve("one")
        config = tmp_path / "router.conf"
        config.write_text(f'upstream {{ exit-answer = 20 }}\nexit "one" {{ address = "{SERVER4}" port = 1081 '
                          f'token-file = "{net.tokens}" }}\n', "ascii")
        options += ("-c", str(config))
    # Not the exit's own address, which is bypassed.
    lan.server.run("ip", "address", "add", f"{OTHER4}/32", "dev", "lo")
    daemon = interceptor("tproxy", *options)
    if by_exit:
        until(lambda: states(daemon), lambda seen: seen == {"one": "up"})
    hold(daemon)
    try:
        with peers.listen(lan.server, OTHER4) as listening, lan.rules("tcp dport 3 drop"):
            ports = {"open": peers.port_of(listening), "closed": 2, "filtered": 3}
            assert fails_with(lan, OTHER4, ports["open"]) == 0
            peers.accept(listening).close()
            until(lambda: daemon.status()["sessions"]["total"], lambda count: count == 1)
            accepted = fails(lan, daemon, OTHER4, ports["closed"], errno.ECONNREFUSED)
            accepted += fails(lan, daemon, OTHER4, ports["filtered"], errno.ETIMEDOUT, patience_s=1.5)
            assert daemon.show()["counters"]["held"] >= 3
            # What was connected before the client was accepted is used, and in order.
            with peers.connect(lan.client, OTHER4, ports["open"]) as near, \
                    peers.accept(listening) as far:
                exchange(near, far, MEGABYTE)
        if by_exit:
            assert 2 <= daemon.ask("exits")["exits"][0]["sessions"]["total"] <= 2 + accepted
    finally:
        lan.server.run("ip", "address", "del", f"{OTHER4}/32", "dev", "lo")
        for made in net.exits.values():
            made.finish()


def test_off(lan, interceptor):
    """As without what the kernel needs for it: accepted, then reset."""
    daemon = interceptor("tproxy", "--connect-first", "no")
    daemon.up()
    with unreachable(lan, "refused") as (address, port):
        assert is_reset(lan, address, port)
    assert "held" not in daemon.show()["counters"]


def test_rules_that_hold_with_a_daemon_that_does_not(lan, interceptor, serve):
    """After a reload, or a restart, with other settings."""
    server = serve()
    daemon = interceptor("tproxy")
    hold(daemon)
    assert asks(lan, SERVER4, server.port) != CLIENT4
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    held = daemon.show()["counters"]["held"]
    assert asks_at_once(lan, SERVER4, server.port) == CLIENT4
    again = interceptor("tproxy", "--connect-first", "no")
    until(lambda: asks(lan, SERVER4, server.port) != CLIENT4)
    assert again.show()["counters"]["held"] == held > 0


def test_killed_while_it_holds(lan, interceptor, serve):
    """No packet is lost from then on."""
    server = serve()
    daemon = interceptor("tproxy")
    hold(daemon)
    daemon.signal(signal.SIGKILL)
    assert daemon.wait() == -signal.SIGKILL
    assert asks_at_once(lan, SERVER4, server.port) == CLIENT4


def test_more_than_it_holds(lan, interceptor, serve):
    """One client with many destinations that are silent does not keep itself, or others, from those
    that answer."""
    server = serve()
    daemon = interceptor("tproxy")
    hold(daemon)
    waiting = []
    with unreachable(lan, "connect-timeout") as (address, port):
        for _ in range(300):
            sock = lan.client.socket(socket.AF_INET)
            sock.setblocking(False)
            sock.connect_ex((address, port))
            waiting.append(sock)
        # What is beyond its share is accepted as ever.
        until(lambda: daemon.status()["sessions"]["active"], lambda count: count == 300 - 128)
        assert asks_at_once(lan, SERVER4, server.port, tries=5) != CLIENT4
        for sock in waiting:
            peers.reset(sock)
    until(lambda: daemon.status()["sessions"]["active"], lambda count: count == 0)


def test_what_is_received_again_is_lost(lan, interceptor, serve):
    """A rule that nobody foresees: clients wait for a while, and then nothing is held any more."""
    server = serve()
    daemon = interceptor("tproxy")
    hold(daemon)
    with lan.rules("iifname lo ip saddr != 127.0.0.0/8 meta l4proto tcp drop", lan.router):
        clients = [lan.client.socket(socket.AF_INET) for _ in range(40)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex((SERVER4, server.port))
        until(lambda: "does not arrive" in daemon.log())
        for client in clients:
            client.close()
        daemon.await_holding(False)
        assert asks_at_once(lan, SERVER4, server.port, tries=5) != CLIENT4


def test_a_masquerade_of_all_of_the_lan(lan, interceptor, serve):
    """Somebody's rule that does not name an interface; what comes in again keeps its sender."""
    server = serve()
    daemon = interceptor("tproxy")
    hold(daemon)
    lan.router.run("nft", "-f", "-", text=f"""
        table ip foreign {{
            chain c {{
                type nat hook postrouting priority srcnat;
                ip saddr {CLIENT4} masquerade;
            }}
        }}""")
    try:
        assert asks(lan, SERVER4, server.port) != CLIENT4
        assert daemon.status()["sessions"]["total"] == 1
    finally:
        lan.router.run("nft", "delete", "table", "ip", "foreign")


@pytest.mark.parametrize("family", [4, 6])
def test_bytes_with_the_first_packet(lan, interceptor, serve, family):
    """TCP Fast Open: they arrive once, in order."""
    server = serve(peers.echo)
    daemon = interceptor("tproxy")
    hold(daemon)
    before = [space.sysctl("ipv4/tcp_fastopen") for space in (lan.client, lan.router)]
    for space in lan.client, lan.router:
        space.sysctl("ipv4/tcp_fastopen", 0x607)

    def is_held() -> bool:
        daemon.await_holding()
        with lan.client.socket(socket.AF_INET if family == 4 else socket.AF_INET6) as sock:
            sock.settimeout(peers.TIMEOUT_S)
            sock.sendto(b"early ", socket.MSG_FASTOPEN, (SERVERS[family], server.port))
            sock.sendall(b"late")
            sock.shutdown(socket.SHUT_WR)
            got = b""
            while part := sock.recv(100):
                got += part
        assert got == b"early late"
        return daemon.show()["counters"]["held"] > 0

    try:
        until(is_held)
    finally:
        for space, value in zip((lan.client, lan.router), before):
            space.sysctl("ipv4/tcp_fastopen", value)


@pytest.mark.parametrize("strict", [0, 1, 2])
def test_return_path_filter(lan, interceptor, serve, strict):
    server = serve()
    daemon = interceptor("tproxy")
    hold(daemon)
    before = lan.router.sysctl("ipv4/conf/all/rp_filter")
    lan.router.sysctl("ipv4/conf/all/rp_filter", strict)

    def is_held() -> bool:
        daemon.await_holding()
        assert asks(lan, SERVER4, server.port) != CLIENT4
        return daemon.show()["counters"]["held"] > 0

    try:
        until(is_held)
    finally:
        lan.router.sysctl("ipv4/conf/all/rp_filter", before)

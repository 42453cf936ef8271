# SPDX-License-Identifier: GPL-2.0-or-later
"""Router mode: what is left alone, by address, by name or as it has no MPTCP, and the client's own
address towards the server, or the exit's."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Iterator
from functools import partial

import pytest

import handshakes
import hop
import peers
from daemon import Hawserd
from dns import NameServer
from lan import CLIENTS, METHODS, SERVERS, Interceptor, asks
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from pattern import MEGABYTE, exchange
from topology import CLIENT4, LAN_PREFIX4, LAN_PREFIX6, SERVER4, SERVER6, far, near
from waiting import quickest, until

# Not the server's: what goes to an exit's address does not go by the exit.
EXIT4, EXIT6 = far("a")
EXIT = f"{EXIT4}:2081"
# A busy machine is not to be taken for a dead exit.
PATIENT = ("--exit-answer", "20")
ROUTER = near("a")[0]
# A name is waited for so long.
AWAITED_S = 0.3
# Nobody's.
ELSEWHERE = "198.51.100.1"


@pytest.mark.parametrize(("kind", "value"), [
    ("destination", f"{SERVER4}/32"), ("destination", f"{SERVER6}"), ("port", "{port}"),
    ("source", LAN_PREFIX4), ("source", LAN_PREFIX6), ("mac", "{mac}")])
@pytest.mark.parametrize("method", METHODS)
def test_bypass_by_address(lan, interceptor, serve, method, kind, value):
    """Routed and never proxied; the rest is taken as ever."""
    bypassed, other = serve(), serve()
    family = 6 if ":" in value else 4
    mac = json.loads(lan.client.run("ip", "-j", "link", "show", "lan"))[0]["address"]
    daemon = interceptor(method, f"--bypass-{kind}", value.format(port=bypassed.port, mac=mac))
    daemon.up()
    assert asks(lan, SERVERS[family], bypassed.port) == CLIENTS[family]
    daemon.assert_counted(bypassed=1)
    assert daemon.caught() == 0
    if kind == "port":
        until(lambda: asks(lan, SERVERS[family], other.port) != CLIENTS[family])
    elif kind != "mac":
        family = 10 - family
        until(lambda: asks(lan, SERVERS[family], bypassed.port) != CLIENTS[family])


# By name.

def hello(name: str) -> bytes:
    """A client's first bytes by TLS."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def request(name: str) -> bytes:
    return f"GET / HTTP/1.1\r\nAccept: */*\r\nHost: {name}\r\n\r\n".encode()


def how_dialled(lan, daemon: Interceptor, port: int, parts: list[bytes], mptcp: bool) -> str:
    """What the connection to the server is when these parts were sent, a moment apart; all of them must arrive. "late"
    when a busy machine kept us from sending them while hawserd waits."""
    started = time.monotonic()
    with peers.listen(lan.server, port=port, mptcp=True) as listening, \
            peers.connect(lan.client, SERVER4, port, mptcp) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, part in enumerate(parts):
            if number:
                time.sleep(0.03)
            client.sendall(part)
        in_time = time.monotonic() - started < 0.9 * AWAITED_S
        with peers.accept(listening) as far:
            data = b"".join(parts)
            assert handshakes.read(far, len(data)) == data
            transport = daemon.relaying()["upstream_transport"]
    until(daemon.sessions, lambda left: not left)  # before the next is looked at
    return transport if in_time else "late"


@pytest.mark.parametrize("mptcp", [False, True])
@pytest.mark.parametrize(("port", "first"), [(443, hello), (80, request)])
def test_bypass_by_name(lan, interceptor, port, first, mptcp):
    """Taken, and dialled as plain TCP; also when it comes in pieces."""
    daemon = interceptor("tproxy", "--bypass-domain", "bank.test")
    daemon.up()
    seen: list[str] = []

    def judged(parts: list[bytes]) -> str:
        seen.append(how_dialled(lan, daemon, port, parts, mptcp))
        return seen[-1]

    for name, expected in ("www.bank.test", "tcp"), ("notmybank.test", "mptcp"):
        data = first(name)
        for parts in [data], [data[:1], data[1:]], [data[:40], data[40:-3], data[-3:]]:
            assert until(partial(judged, parts), lambda transport: transport != "late") == expected
    shown = daemon.show()["hawserd"]
    assert 3 <= shown["bypassed_by_name"] <= 3 + seen.count("late") and shown["sessions"] == len(seen)
    assert f"{shown['bypassed_by_name']} of the {len(seen)} that hawserd took use plain TCP" in \
        lan.hawser("intercept", "show", control=daemon.control)


@pytest.mark.parametrize(("port", "limit"), [(2525, 0.25), (443, 0.9)])
def test_server_speaks_first_beside_names(lan, interceptor, serve, port, limit):
    """Where names are looked for, a banner is late only on the ports of HTTP and TLS."""
    serve(lambda sock: sock.sendall(b"220 server.test\r\n"), port=port)
    interceptor("tproxy", "--bypass-domain", "bank.test").up()

    def banner_s() -> float:
        started = time.monotonic()
        with peers.connect(lan.client, SERVER4, port) as sock:
            assert sock.recv(100) == b"220 server.test\r\n"
        return time.monotonic() - started

    assert quickest(banner_s, limit) < limit


def test_client_leaves_while_its_name_is_awaited(lan, interceptor, serve):
    serve(peers.silent, port=443)
    daemon = interceptor("tproxy", "--bypass-domain", "bank.test")
    daemon.up()
    part = hello("bank.test")[:20]

    def leaves_in_time() -> bool:
        """The name is awaited for no longer than 0.3 s."""
        with peers.connect(lan.client, SERVER4, 443) as sock:
            sock.sendall(part)
            state = daemon.session()["state"]
            peers.reset(sock)
        until(daemon.sessions, lambda left: not left)
        return state == "peeking"

    until(leaves_in_time)
    # What it sent may be read before its reset, so that the server is dialled all the same.
    assert set(daemon.errors()) <= {"client-gone", "reset"}
    assert sum(daemon.errors().values()) == daemon.status()["sessions"]["total"]


# By an exit.

@pytest.fixture
def exit_tokens(lan, tmp_path):
    """The token file of an exit on the server."""
    tokens = str(hop.write_tokens(tmp_path / "tokens", hop.Token("home").line()))
    made = Hawserd(lan, "--serve-exit", EXIT, "--tokens", tokens, "--exit-allow", "10.77.9.0/24",
                   "--mptcp", "off",
                   listen=False, namespace=lan.server)
    yield tokens
    made.finish()


@contextlib.contextmanager
def in_time(lan, daemon: Interceptor, address: str, first: bytes) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client that has sent this to port 443 while hawserd waits for a name, and who listens there on the server. A busy
    machine may hold it up for too long; then it is another one."""
    while True:
        with peers.listen(lan.server, port=443) as listening:
            started = time.monotonic()
            with peers.connect(lan.client, address, 443) as client:
                client.sendall(first)
                if time.monotonic() - started < 0.9 * AWAITED_S:
                    yield client, listening
                    return
        until(daemon.sessions, lambda left: not left)


@pytest.mark.parametrize(("name", "source"), [("other.test", SERVER4), ("bank.test", ROUTER)])
def test_leaves_by_the_exit_unless_bypassed_by_name(lan, exit_tokens, interceptor, name, source):
    """What is bypassed is to leave from the router, for instance because the exit is abroad."""
    daemon = interceptor("tproxy", "--exit", EXIT, "--exit-token", exit_tokens, *PATIENT, "--bypass-domain", "bank.test")
    daemon.up()
    first = hello(name)
    with in_time(lan, daemon, SERVER4, first) as (client, listening), peers.accept(listening) as server:
        assert server.getpeername()[0] == source
        assert handshakes.read(server, len(first)) == first
        server.sendall(b"back")
        assert handshakes.read(client, 4) == b"back"


@pytest.mark.parametrize(("name", "address", "shown"), [
    ("server.test", ELSEWHERE, "server.test:443"), ("nowhere.test", SERVER4, "nowhere.test:443"),
    ("server", SERVER4, f"{SERVER4}:443"), ("bank.test", SERVER4, f"{SERVER4}:443")])
def test_prefer_name(lan, exit_tokens, interceptor, name, address, shown):
    """The exit connects to the name, or, when it knows none such, to the address."""
    daemon = interceptor("tproxy", "--exit", EXIT, "--exit-token", exit_tokens, *PATIENT, "--bypass-domain", "bank.test",
                         "--prefer-name", "yes")
    daemon.up()
    first = hello(name)
    with NameServer(lan.server), in_time(lan, daemon, address, first) as (client, listening), \
            peers.accept(listening) as server:
        assert server.getpeername()[0] == (ROUTER if name == "bank.test" else SERVER4)
        assert daemon.relaying()["destination"] == shown
        assert handshakes.read(server, len(first)) == first
        server.sendall(b"back")
        assert handshakes.read(client, 4) == b"back"


def test_preferred_name_is_not_for_ourselves(lan, exit_tokens, interceptor):
    """No exit answers, so the router dials: the address, as the client's own look-up has it."""
    daemon = interceptor("tproxy", "--exit", f"{EXIT4}:9", "--exit-token", exit_tokens,
                         "--prefer-name", "yes")
    daemon.up()
    with peers.listen(lan.server, port=80) as listening, \
            peers.connect(lan.client, SERVER4, 80) as client:
        client.sendall(request("nowhere.test"))
        with peers.accept(listening) as server:
            assert server.getpeername()[0] == ROUTER


@pytest.mark.parametrize("method", METHODS)
def test_exit_is_never_caught(lan, exit_tokens, interceptor, serve, method):
    """Else a client's own hawserd would use an exit by the exit, and nobody could reach other
    services there, as an exit does not connect to itself."""
    daemon = interceptor(method, "--exit", EXIT, "--exit-token", exit_tokens)
    until(lambda: daemon.ask("exits")["exits"][0]["state"], lambda state: state == "up")
    daemon.up()
    with peers.connect(lan.client, EXIT4, 2081) as client:
        client.sendall(hop.GREETING)
        assert client.recv(2)[:1] == b"\x05"
    counters = daemon.show()["counters"]
    assert (counters["caught"], counters["bypassed"] > 0) == (0, True)
    assert daemon.status()["sessions"]["total"] == 0
    assert f"{EXIT4}" in json.dumps(daemon.show()["bypass"])


def test_named_exit_is_not_reached_by_itself(lan, exit_tokens, interceptor):
    """Its address is known once it has answered. Where the rules do not know it, hawserd does."""
    with NameServer(lan.router) as names:
        names.records["exit.test"] = [EXIT4]
        daemon = interceptor("redirect", "--exit", "exit.test:2081", "--exit-token", exit_tokens)
        until(lambda: daemon.ask("exits")["exits"][0]["state"], lambda state: state == "up")
    with peers.listen(lan.server, EXIT4) as listening, \
            lan.redirect(peers.port_of(listening)), \
            peers.connect(lan.client, EXIT4, peers.port_of(listening)), \
            peers.accept(listening) as server:
        assert server.getpeername()[0] == ROUTER
    daemon.up()
    assert f"{EXIT4}" in json.dumps(daemon.show()["bypass"])


# From the client's own address.

@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("mptcp", [False, True])
def test_transparent_source(lan, interceptor, serve, family, mptcp):
    server = serve(mptcp=mptcp)
    daemon = interceptor("tproxy", "--transparent-source", "yes")
    daemon.up()
    assert asks(lan, SERVERS[family], server.port) == CLIENTS[family]
    daemon.assert_counted(caught=1)
    assert daemon.status()["protocols"]["transparent"] == 1
    daemon.await_end()
    assert daemon.errors() == {}


def test_transparent_source_carries_much(lan, interceptor):
    interceptor("tproxy", "--transparent-source", "yes").up()
    with peers.listen(lan.server, mptcp=True) as listening, \
            peers.connect(lan.client, SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as far:
        assert far.getpeername()[0] == CLIENT4
        exchange(client, far, 8 * MEGABYTE)


@pytest.mark.parametrize("method", ["redirect", "bpf"])
def test_transparent_source_needs_tproxy(lan, interceptor, method):
    daemon = interceptor(method, "--transparent-source", "yes")
    with pytest.raises(RuntimeError, match="transparent-source needs the method tproxy"):
        daemon.up()


# Around hawserd.

@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("method", METHODS)
def test_auto_bypass(lan, interceptor, serve, method, family):
    """What fell back is routed; what learns MPTCP is taken again."""
    server = serve()
    speaker = serve(mptcp=True)
    daemon = interceptor(method, "--auto-bypass", "yes", "--tcp-only-retry", "8", "--workers", "1")
    daemon.up()
    address = SERVERS[family]

    def listed() -> list[str]:
        return [row["destination"] for row in daemon.show()["auto_bypass"]]

    until(lambda: asks(lan, address, speaker.port) != CLIENTS[family])
    until(lambda: asks(lan, address, server.port) != CLIENTS[family])
    name = f"[{address}]:{server.port}" if family == 6 else f"{address}:{server.port}"
    until(listed, lambda names: names == [name])
    assert f"{name} for another" in lan.hawser("intercept", "show", control=daemon.control)
    seen = [asks(lan, address, server.port) for _ in range(100)]
    routed = seen.count(CLIENTS[family])
    # Of 100, one in 8 comes through; less than 60 or all have a chance of 1e-6 or less.
    assert 60 <= routed < 100
    daemon.assert_counted(auto_bypassed=routed)
    until(lambda: asks(lan, address, speaker.port) != CLIENTS[family])
    port = server.port
    server.close()
    serve(mptcp=True, port=port)
    time.sleep(2)  # after which each that comes through is a trial

    def learnt() -> bool:
        asks(lan, address, port)
        return listed() == []

    until(learnt)
    until(lambda: asks(lan, address, port) != CLIENTS[family])
    assert daemon.status()["tcp_only"]["learnt"] == 1

# SPDX-License-Identifier: GPL-2.0-or-later
"""Three exits behind one address: each announces one of its own, so that subflows of a connection
come to the exit that has it, whatever the balancer makes of them."""

from __future__ import annotations

import signal
import socket
import time

import pytest

import peers
from balancer import JOINS, Balanced, Exit
from daemon import Hawserd
from handshakes import Refused, at_end, read
from links import LINK, bare  # pylint: disable=unused-import
from pattern import Stream
from topology import SERVER4, near
from waiting import until

pytestmark = pytest.mark.mptcp
SESSIONS = 10


@pytest.fixture
def balanced(bare, tmp_path):
    made = Balanced(bare, tmp_path)
    yield made
    made.close()


@pytest.fixture
def echo(bare):
    server = peers.Server(bare.server, peers.echo)
    yield server
    server.close()


@pytest.fixture
def router(balanced):
    made: list[Hawserd] = []

    def start(*options: str) -> Hawserd:
        made.append(balanced.router(*options))
        until(lambda: made[-1].run_cli("ready").returncode == 0)
        return made[-1]

    yield start
    for each in made:
        each.finish()


def announce(exits: list[Exit], port: str = "") -> None:
    for exit_ in exits:
        exit_.start("--announce", exit_.own + port)


def dial(router: Hawserd, port: int) -> socket.socket:
    """A session that has said something, so that its subflows may join."""
    client = router.dial(SERVER4, port)
    client.sendall(b"hello")
    assert read(client, 5) == b"hello"
    return client


def carried(exit_: Exit, port: int) -> int:
    """Sessions to the server there; routers' questions whether it is an exit are sessions, too."""
    return sum(session["destination"] == f"{SERVER4}:{port}" for session in exit_.daemon.sessions())


def carrier(exits: list[Exit], port: int) -> Exit:
    """Of the only session to the server there."""
    return next(exit_ for exit_ in exits if carried(exit_, port))


def joined(namespace) -> set[tuple[str, str]]:
    """Addresses of the router and of the exit, of subflows that stand."""
    words = [line.split() for line in namespace.run("ss", "-tnHO", "state", "established").splitlines()]
    ends = [(local.rpartition(":")[0].partition("%")[0], far.rpartition(":")[0])
            for _, _, local, far, *_ in words]
    return {(local, far) for local, far in ends if far.startswith("10.78.")}


def test_joins_come_to_the_exit_that_has_the_connection(balanced, echo, router):
    announce(balanced.exits)
    daemon = router(*LINK)
    clients = [dial(daemon, echo.port) for _ in range(SESSIONS)]
    until(lambda: sum(exit_.counter("MPJoinAckRx") for exit_ in balanced.exits),
          lambda joins: joins >= SESSIONS)
    counts = {exit_.number: exit_.counter("MPCapableACKRX") for exit_ in balanced.exits}
    assert all(counts.values()), f"the hash gave all to one: {counts}"
    assert all(exit_.counter("MPJoinNoTokenFound") == 0 for exit_ in balanced.exits)
    own = {exit_.own for exit_ in balanced.exits}
    locals_ = {near(link)[0] for link in "ab"}
    until(lambda: {local for local, far in joined(balanced.bed.router) if far in own}, lambda seen: locals_ <= seen)
    for client in clients:
        client.close()


def test_without_an_announced_address_they_do_not(balanced, echo, router):
    """What the balancer does to them, so that the test above means something."""
    for exit_ in balanced.exits:
        exit_.start()
    daemon = router(*LINK)
    clients = [dial(daemon, echo.port) for _ in range(SESSIONS)]
    until(lambda: sum(exit_.counter("MPJoinNoTokenFound") for exit_ in balanced.exits))
    for client in clients:
        client.close()


@pytest.mark.parametrize("port", ["", ":1081"])
def test_a_link_that_comes_back_joins_again(bare, balanced, echo, router, port):
    announce(balanced.exits, port)
    daemon = router(*LINK)
    client = dial(daemon, echo.port)
    own = carrier(balanced.exits, echo.port).own
    both = {(near(link)[0], own) for link in "ab"}
    until(lambda: joined(bare.router), lambda seen: both <= seen)
    bare.router.run("ip", "link", "set", "dev", "b", "down")
    until(lambda: joined(bare.router), lambda seen: (near("b")[0], own) not in seen)
    bare.router.run("ip", "link", "set", "dev", "b", "up")
    bare.router.run("ip", "route", "replace", "default", "via", "10.77.2.2", "dev", "b", "metric", "102")
    until(lambda: joined(bare.router), lambda seen: both <= seen)
    client.close()


def test_a_link_that_comes_back_ends_no_join_to_a_port(bare, balanced, echo, router):
    """Where it is the address that they dialled with another port, sessions that began before cannot join by it:
    offered to them again, it would only end what others have."""
    for exit_ in balanced.exits:
        exit_.start("--announce", f"{exit_.inner}:1081")
    daemon = router(*LINK)
    clients = [dial(daemon, echo.port) for _ in range(4)]

    def by_b() -> set[str]:
        lines = bare.router.run("ss", "-tnHO", "state", "established", "src", near("b")[0]).splitlines()
        return {line.split()[2] for line in lines if line.split()[3].endswith(":1081")}

    until(lambda: joined(bare.router), lambda seen: any(local == near("b")[0] for local, _ in seen))
    bare.router.run("ip", "link", "set", "dev", "b", "down")
    until(by_b, lambda seen: not seen)
    bare.router.run("ip", "link", "set", "dev", "b", "up")
    bare.router.run("ip", "route", "replace", "default", "via", "10.77.2.2", "dev", "b", "metric", "102")
    until(lambda: bare.router.run("ip", "mptcp", "endpoint"), lambda seen: f"{near('b')[0]} " in seen)
    clients.append(dial(daemon, echo.port))
    kept = until(by_b)
    time.sleep(5)  # beyond the first look at who has joined
    assert by_b() == kept
    for client in clients:
        client.close()


def test_a_dead_exit_is_left(balanced, echo, router):
    announce(balanced.exits)
    daemon = router(*LINK)
    clients = {}
    while len(clients) < 3:
        before = {exit_.number: carried(exit_, echo.port) for exit_ in balanced.exits}
        client = dial(daemon, echo.port)
        at = next(exit_ for exit_ in balanced.exits
                  if carried(exit_, echo.port) > before[exit_.number])
        clients.setdefault(at.number, []).append(client)
    dead = balanced.exits[0]
    dead.kill()
    assert not dead.daemon.answers()
    balanced.give_to(balanced.exits[1:])

    def works() -> bool:
        try:
            dial(daemon, echo.port).close()
        except (Refused, OSError, AssertionError):
            return False
        return True

    until(works)
    for _ in range(SESSIONS):
        assert works(), "a session after the dead exit has left"
    for number, those in clients.items():
        for client in those:
            if number == dead.number:  # the kernel closed for who was killed
                assert at_end(client)
            else:
                client.sendall(b"hello")
                assert read(client, 5) == b"hello"


def test_an_exit_that_drains_cuts_nothing(balanced, echo, router):
    """As Kubernetes ends a pod: no new connections, SIGTERM, and time to end. Then all is as it
    was in its kernel."""
    before = [exit_.namespace.run("ip", "mptcp", "limits") for exit_ in balanced.exits]
    announce(balanced.exits)
    until(lambda: all(exit_.namespace.sysctl(JOINS) == "0" for exit_ in balanced.exits))
    daemon = router(*LINK)
    client = dial(daemon, echo.port)
    leaving = carrier(balanced.exits, echo.port)
    assert leaving.daemon.run_cli("ready").stdout == "ready\n"
    balanced.give_to([exit_ for exit_ in balanced.exits if exit_ is not leaving])
    leaving.daemon.signal(signal.SIGTERM)
    until(lambda: leaving.daemon.status()["draining"])
    ready = leaving.daemon.run_cli("ready")
    assert ready.returncode == 1 and ready.stdout.startswith("not ready: it takes no new sessions")
    dial(daemon, echo.port).close()
    stream, total = Stream(3), 8 << 20
    stream.carry(client, client, total)
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    assert leaving.daemon.wait() == 0
    assert leaving.namespace.sysctl(JOINS) == "1"
    assert leaving.namespace.run("ip", "mptcp", "endpoint") == ""
    assert leaving.namespace.run("ip", "mptcp", "limits") == before[leaving.number - 1]


def test_what_others_change_is_put_back(bare, balanced):
    exit_ = balanced.exits[0]
    limits = exit_.namespace.run("ip", "mptcp", "limits")
    announce([exit_])
    until(lambda: exit_.daemon.status()["announced"],
          lambda told: told == {"addresses": [exit_.own], "not_local": [], "fault": ""})

    def state() -> tuple[str, str]:
        return (exit_.namespace.sysctl(JOINS), exit_.namespace.run("ip", "mptcp", "endpoint").strip())

    until(state, lambda now: now == ("0", f"{exit_.own} id 1 signal"))
    exit_.namespace.run("ip", "mptcp", "endpoint", "flush")
    exit_.namespace.sysctl(JOINS, 1)
    until(state, lambda now: now[0] == "0" and f"{exit_.own} id" in now[1])
    exit_.kill()
    # What a killed one has left serves the next; a configuration without it takes it back.
    exit_.namespace.sysctl(JOINS, 1)
    exit_.start("--announce", exit_.own)
    until(lambda: exit_.namespace.sysctl(JOINS) == "0" and exit_.namespace.run("ip", "mptcp", "limits") != limits)
    exit_.kill()
    exit_.start()
    until(state, lambda now: now == ("1", ""))
    until(lambda: exit_.namespace.run("ip", "mptcp", "limits"), lambda now: now == limits)


def test_without_rights_the_status_says_so(bare, balanced):
    exit_ = balanced.exits[0]
    daemon = exit_.daemon = Hawserd(
        bare, "--serve-exit", "0.0.0.0:1080", "--tokens", str(balanced.tokens), "--announce",
        exit_.own, listen=False, namespace=exit_.namespace,
        prefix=("setpriv", "--bounding-set=-net_admin", "--"))
    until(lambda: daemon.status()["announced"]["fault"], lambda fault: "not permitted" in fault or "denied" in fault)
    assert exit_.own in daemon.run_cli("status").stdout


@pytest.mark.parametrize(("text", "complaint"), [
    ("0.0.0.0", "expected an address that routers reach"),
    ("::1", "expected an address that routers reach"),
    ("fe80::1", "expected an address that routers reach"),
    ("224.0.0.1", "expected an address that routers reach"),
    ("ff02::1", "expected an address that routers reach"),
    ("169.254.7.1", "expected an address that routers reach"),
    ("255.255.255.255:1081", "expected an address that routers reach"),
    ("203.0.113.0/24", "expected an address of this host"),
    ("exit.example", "expected an address of this host"),
    ("203.0.113.1:0", "expected an address of this host"),
])
def test_complaints(bed, text, complaint):
    done = bed.router.start([bed.build / "hawserd", "--check", "--announce", text], bed.mounts,
                            stderr=-1, text=True)
    _, errors = done.communicate(timeout=60)
    assert done.returncode and complaint in errors and text in errors

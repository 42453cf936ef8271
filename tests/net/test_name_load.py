# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that ask for many names, or leave before the answer; names that need no name server; name servers
with a zone; a resolv.conf that changes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import peers
from dns import NameServer
from handshakes import Refused, read, socks5, socks5_request
from topology import LAN6, SERVER4, SERVER6
from waiting import until

NEIGHBOUR4 = "10.77.0.3"
ONE_WORKER = ("--workers", "1", "--timeout", "resolve=30")
# In resolver.h: questions at once of one client, and those of one client that wait.
RUNNING_CLIENT_MAX, WAITING_CLIENT_MAX = 16, 512
FAMILIES = 2


@pytest.fixture
def server(serve):
    return serve(peers.echo)


def ask(daemon, host: str, port: int = 80) -> socket.socket:
    """A client that has asked for host and waits."""
    client = daemon.connect()
    client.sendall(b"\x05\x01\x00" + socks5_request(host, port))
    assert read(client, 2) == b"\x05\x00"
    return client


def sockets(daemon) -> int:
    return daemon.open_files()["socket"] - daemon.baseline["socket"]


def test_who_leaves_takes_the_question_along(hawserd, dns, server):
    """No socket to the name server outlives its session, and others get their turn at once."""
    daemon = hawserd(*ONE_WORKER)
    dns.records["host.test"] = [SERVER4]
    for turn in range(10):
        names = [f"n{turn}-{number}.silent.test" for number in range(30)]
        dns.silent.update(names)
        clients = [ask(daemon, name) for name in names]
        until(lambda: len(daemon.sessions()), lambda count: count == len(names))
        for client in clients:
            peers.reset(client)
    until(daemon.active, lambda active: active == 0)
    # The control socket's own may still be there for a moment.
    until(lambda: sockets(daemon), lambda count: count <= 0)
    with daemon.dial("host.test", server.port) as client:
        client.sendall(b"hello")
        assert read(client, 5) == b"hello"


def test_one_client_leaves_room_for_others(bed, hawserd, dns, server):
    """Many patient sessions of one client ask at most so much at once, and at most so many wait; another's question is
    neither behind theirs nor refused."""
    daemon = hawserd(*ONE_WORKER, "--socks", "127.0.0.1:1081")
    places = (RUNNING_CLIENT_MAX + WAITING_CLIENT_MAX) // FAMILIES
    names = [f"n{number}.silent.test" for number in range(places + 36)]
    dns.silent.update(names)
    dns.records.update({f"host{number}.test": [SERVER4] for number in range(3)})
    for name in names:
        ask(daemon, name)
    until(daemon.active, lambda active: active == places)
    daemon.await_error("resources")
    asked = until(lambda: {question for question in dns.asked if question[0] in dns.silent},
                  lambda questions: len(questions) >= RUNNING_CLIENT_MAX)
    assert len(asked) == RUNNING_CLIENT_MAX
    # By IPv6 it is another client, and so is a neighbour.
    bed.client.run("ip", "addr", "add", NEIGHBOUR4, "dev", "lan")
    try:
        for number, client in enumerate((daemon.connect(family=socket.AF_INET6),
                                         daemon.connect(source=NEIGHBOUR4),
                                         peers.connect(bed.router, "127.0.0.1", 1081))):
            with client:
                socks5(client, f"host{number}.test", server.port)
                client.sendall(b"hello")
                assert read(client, 5) == b"hello"
    finally:
        bed.client.run("ip", "addr", "del", f"{NEIGHBOUR4}/32", "dev", "lan")


def test_who_waits_gets_a_turn(hawserd, dns, server):
    """More questions than may run at once, all of them answered in the end."""
    dns.records.update({f"n{number}.test": [SERVER4] for number in range(100)})
    for number in range(100):
        for kind in "A", "AAAA":
            dns.delays_s[f"n{number}.test", kind] = 0.05
    daemon = hawserd(*ONE_WORKER)
    for number in range(100):
        ask(daemon, f"n{number}.test", server.port)
    until(lambda: [session["state"] for session in daemon.sessions()],
          lambda states: states == ["relaying"] * 100)
    # A busy name server is asked again; who has an address does not wait for the other answer.
    until(lambda: len(set(dns.asked)), lambda count: count == 100 * FAMILIES)


def test_asked_once_for_all(hawserd, dns):
    dns.silent.add("host.test")
    daemon = hawserd(*ONE_WORKER)
    clients = [ask(daemon, name) for name in ("host.test", "HOST.test") for _ in range(20)]
    until(lambda: len(daemon.sessions()), lambda count: count == len(clients))
    # Each once, and again twice at most while nobody answers; not for each client.
    until(lambda: set(dns.asked), lambda asked: asked == {("host.test", "A"), ("host.test", "AAAA")})
    assert len(set(dns.asked[:2])) == 2 and len(dns.asked) <= 2 * 3
    # The first who asked is not the one who owns the question.
    for client in clients[:-1]:
        peers.reset(client)
    until(daemon.active, lambda active: active == 1)
    assert sockets(daemon) >= FAMILIES
    peers.reset(clients[-1])
    until(lambda: sockets(daemon), lambda count: count <= 0)


@pytest.mark.parametrize("failure", ["nowhere.test", "servfail.test"])
def test_failures_are_remembered_for_a_moment(hawserd, dns, server, failure):
    dns.failing.add("servfail.test")
    daemon = hawserd(*ONE_WORKER)
    with pytest.raises(Refused):
        daemon.dial(failure, 80)
    until(lambda: len(set(dns.asked)), lambda count: count == FAMILIES)
    before, began = len(dns.asked), time.monotonic()
    for _ in range(20):
        with pytest.raises(Refused):
            daemon.dial(failure, 80)
    # For a second each; what is asked then may be asked twice.
    assert len(dns.asked) <= before * 2 * (2 + time.monotonic() - began)
    dns.failing.clear()
    dns.records[failure] = [SERVER4]

    def is_asked_again() -> bool:
        try:
            return bool(daemon.dial(failure, server.port))
        except Refused:
            return False

    until(is_asked_again)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.b.localhost"])
def test_localhost_is_asked_of_nobody(bed, hawserd, dns, host):
    daemon = hawserd("--socks", "127.0.0.1:1081")
    with peers.listen(bed.router, "127.0.0.1") as listening, \
            peers.connect(bed.router, "127.0.0.1", 1081) as client:
        socks5(client, host, peers.port_of(listening))
        with peers.accept(listening) as far:
            client.sendall(b"hello")
            assert read(far, 5) == b"hello"
    assert dns.asked == []
    # And it is not for clients elsewhere.
    with pytest.raises(Refused):
        daemon.dial(host, 22)
    assert dns.asked == []


@pytest.fixture
def behind(bed) -> Iterator[tuple[str, NameServer, Path]]:
    """An interface of the router, a name server at its fe80::53, and the router's resolv.conf."""
    device = json.loads(bed.router.run("ip", "-j", "-6", "route", "get", LAN6.replace("::1", "::2")))[0]["dev"]
    index = json.loads(bed.router.run("ip", "-j", "link", "show", "dev", device))[0]["ifindex"]
    bed.router.run("ip", "-6", "address", "add", "fe80::53/64", "dev", device, "nodad")
    path = bed.scratch / "resolv.conf"
    before = path.read_text("ascii")
    try:
        with NameServer(bed.router, ("fe80::53", 53, 0, index)) as dns:
            dns.records["host.test"] = [SERVER4]
            yield device, dns, path
    finally:
        path.write_text(before, "ascii")
        bed.router.run("ip", "-6", "address", "del", "fe80::53/64", "dev", device)


@pytest.mark.parametrize("first", ["", "nameserver 127.0.0.9\n"], ids=["alone", "second"])
def test_name_server_with_a_zone(hawserd, server, behind, first):
    """As router advertisements bring them; c-ares 1.18 drops such lines."""
    device, dns, path = behind
    path.write_text(f"{first}nameserver fe80::53%{device}\n", "ascii")
    daemon = hawserd("--timeout", "resolve=60")
    with daemon.dial("host.test", server.port) as client:
        client.sendall(b"hello")
        assert read(client, 5) == b"hello"
    assert dns.asked
    path.write_text("nameserver fe80::53%gone0\n", "ascii")
    until(daemon.log, lambda log: "there is no interface gone0" in log)


@pytest.mark.parametrize("order", [("here", "gone0"), ("gone0", "here"), ("gone0", "here", "gone1")])
def test_the_same_address_behind_several_interfaces(hawserd, server, behind, order):
    """As of two routers that both are fe80::1: what counts is where one is."""
    device, dns, path = behind
    path.write_text("".join(f"nameserver fe80::53%{device if name == 'here' else name}\n" for name in order), "ascii")
    daemon = hawserd("--timeout", "resolve=60")
    with daemon.dial("host.test", server.port) as client:
        client.sendall(b"hello")
        assert read(client, 5) == b"hello"
    assert dns.asked


def test_an_interface_that_comes_later(bed, hawserd, server):
    """Nobody writes resolv.conf again for it."""
    path = bed.scratch / "resolv.conf"
    before = path.read_text("ascii")
    path.write_text("nameserver fe80::54%late0\n", "ascii")
    try:
        daemon = hawserd("--timeout", "resolve=60")
        with pytest.raises(Refused):
            daemon.dial("host.test", server.port)
        assert "there is no interface late0" in daemon.log()
        bed.router.run("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1")
        bed.router.batch("ip", ["link set dev late1 up", "link set dev late0 up",
                                "addr add fe80::54/64 dev late0 nodad"])
        index = json.loads(bed.router.run("ip", "-j", "link", "show", "dev", "late0"))[0]["ifindex"]
        with NameServer(bed.router, ("fe80::54", 53, 0, index)) as dns:
            dns.records["other.test"] = [SERVER4]
            with daemon.dial("other.test", server.port) as client:
                client.sendall(b"hello")
                assert read(client, 5) == b"hello"
    finally:
        path.write_text(before, "ascii")
        with contextlib.suppress(RuntimeError):
            bed.router.run("ip", "link", "del", "late0")


def test_two_changes_in_one_second(bed, hawserd, dns, server):
    """Of the same length, which is all that a clock of whole seconds would show."""
    dns.records["host.test"] = [SERVER4]
    path = bed.scratch / "resolv.conf"
    good = path.read_text("ascii")
    try:
        path.write_text(good.replace("127.0.0.1", "127.0.0.7"), "ascii")
        second = int(path.stat().st_mtime)
        os.utime(path, ns=(second * 10**9, second * 10**9))
        daemon = hawserd(*ONE_WORKER)
        with pytest.raises(Refused):
            daemon.dial("host.test", server.port)
        path.write_text(good, "ascii")
        os.utime(path, ns=(second * 10**9 + 500, second * 10**9 + 500))

        def resolves() -> bool:
            try:
                return bool(daemon.dial("host.test", server.port))
            except Refused:
                return False

        until(resolves)
    finally:
        path.write_text(good, "ascii")


SILENT4 = "127.0.0.2"


@pytest.fixture
def etc(bed, tmp_path):
    """A directory /etc that can be changed."""
    made = tmp_path / "etc"
    made.mkdir()
    for name in "passwd", "group", "nsswitch.conf":
        if Path("/etc", name).exists():
            shutil.copy(Path("/etc", name), made / name)
    shutil.copy(bed.scratch / "hosts", made / "hosts")
    return made


def write(link: Path, server: str) -> None:
    """Into the file behind the link."""
    link.resolve().write_text(f"nameserver {server}\n", "ascii")


def replace(link: Path, server: str) -> None:
    """The file behind the link, as resolvconf and OpenWrt do."""
    new = link.parent.parent / "new"
    new.write_text(f"nameserver {server}\n", "ascii")
    new.rename(link.resolve())


def point(link: Path, server: str) -> None:
    """The link at another file."""
    other = link.parent.parent / server
    other.write_text(f"nameserver {server}\n", "ascii")
    new = link.with_name("new")
    new.symlink_to(other)
    new.rename(link)


@pytest.mark.parametrize("change", [write, replace, point])
def test_resolv_conf_is_a_symbolic_link(bed, hawserd, dns, server, etc, change):
    """What is being asked of a name server that went away is asked of the next one, and what comes then at once."""
    link = etc / "resolv.conf"
    link.symlink_to(etc.parent / "first")
    daemon = None
    with bed.router.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((SILENT4, 53))
        silent.settimeout(peers.TIMEOUT_S)
        write(link, "127.0.0.1")
        for turn in range(2):
            dns.records.update({f"{name}{turn}.test": [SERVER4] for name in ("before", "then", "next")})
            if not daemon:
                daemon = hawserd(*ONE_WORKER, prefix=(
                    "unshare", "--mount", "--propagation", "private", "sh", "-c", f'mount --bind {etc} /etc && exec "$@"', "sh"))
            daemon.dial(f"before{turn}.test", server.port).close()
            change(link, SILENT4)
            with ask(daemon, f"then{turn}.test", server.port) as client:
                silent.recv(512)
                change(link, "127.0.0.1")
                assert read(client, 10)[1] == 0
            daemon.dial(f"next{turn}.test", server.port).close()


@pytest.mark.parametrize(("name", "records"), [("host.test", [SERVER4]), ("v6.test", [SERVER6])])
def test_answers_are_not_kept(hawserd, dns, server, name, records):
    """The name server has a cache, with a bound; a portal's wrong answer is gone when the portal is."""
    dns.ttl_s = 3600
    dns.records[name] = records
    daemon = hawserd(*ONE_WORKER)
    for _ in range(3):
        before = len(dns.asked)
        daemon.dial(name, server.port).close()
        assert len(dns.asked) > before

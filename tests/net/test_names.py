# SPDX-License-Identifier: GPL-2.0-or-later
"""Names: the hosts file, a name server that is late, silent or wrong, and Happy Eyeballs."""

from __future__ import annotations

import signal
import socket
import time

import pytest

import peers
from causes import unreachable
from handshakes import Refused, read
from topology import NOBODY6, SERVER4, SERVER6
from waiting import quickest, until

# RFC 8305 section 8.
RESOLUTION_DELAY_S, ATTEMPT_DELAY_S = 0.05, 0.25
# What a machine may add; one that is busy now and then does not. A second attempt that had to wait for a lost SYN takes
# 1 s.
NOISE_S = 0.6
# Names for tries that are the first of their name.
HOSTS = [f"host{number}.test" for number in range(40)]


@pytest.fixture
def server(serve):
    return serve(peers.echo)


def dial(daemon, host: str, port: int) -> float:
    """Checks that host can be talked to; seconds until it could."""
    started = time.monotonic()
    with daemon.dial(host, port) as client:
        seconds = time.monotonic() - started
        client.sendall(b"hello")
        assert read(client, 5) == b"hello"
    return seconds


def families(daemon, server, host: str) -> list[int]:
    """Of the connections to the server that dialling host makes: on a busy machine the answer with the IPv6 address, or its
    connection, may be late, so that the other one is tried."""
    before = len(server.families)
    dial(daemon, host, server.port)
    return server.families[before:]


def dial_anew(hawserd, host: str, port: int) -> float:
    """The same by a daemon that knows nothing yet."""
    daemon = hawserd()
    seconds = dial(daemon, host, port)
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    return seconds


def refusal(daemon, host: str, port: int) -> tuple[int, float]:
    """The SOCKS5 reply, and seconds until it came."""
    started = time.monotonic()
    with pytest.raises(Refused) as refused:
        daemon.dial(host, port)
    return refused.value.code, time.monotonic() - started


@pytest.mark.parametrize(("addresses", "family"), [
    ([SERVER4], socket.AF_INET), ([SERVER6], socket.AF_INET6),
    ([SERVER4, SERVER6], socket.AF_INET6)])
def test_resolved(hawserd, dns, server, addresses, family):
    dns.records.update({host: addresses for host in HOSTS})
    daemon, dialled = hawserd(), []

    def dial_next() -> list[int]:
        dialled.append(HOSTS[len(dialled)])
        return families(daemon, server, dialled[-1])

    until(dial_next, lambda seen: seen == [family])
    # Who has an address does not wait for the other answer.
    until(lambda: set(dns.asked), lambda asked: asked == {(host, kind) for host in dialled for kind in ("A", "AAAA")})


def test_case_and_trailing_dot(hawserd, dns, server):
    dns.records["host.test"] = [SERVER4]
    daemon = hawserd()
    dial(daemon, "HOST.Test", server.port)
    dial(daemon, "host.test.", server.port)


def test_address_as_a_name(hawserd, dns, server):
    """Clients of socks5h send literal addresses as names too."""
    daemon = hawserd()
    for host, sent in ((SERVER4, SERVER4), (SERVER6, SERVER6), (SERVER6, f"[{SERVER6}]")):
        with daemon.connect() as client:
            client.sendall(b"\x05\x01\x00\x05\x01\x00\x03" + bytes([len(sent)]) + sent.encode()
                           + server.port.to_bytes(2, "big") + b"hello")
            assert read(client, 4) == b"\x05\x00\x05\x00", host
    assert dns.asked == []


def test_hosts_file(hawserd, dns, server):
    daemon = hawserd()
    until(lambda: families(daemon, server, "server.test"), lambda seen: seen == [socket.AF_INET6])
    assert dns.asked == []


def test_many_addresses_until_one_answers(bed, hawserd, dns, server):
    dns.records["host.test"] = [f"10.77.9.{last}" for last in range(90, 93)] + [SERVER4]
    with bed.route("unreachable", "10.77.9.88/29"):
        dial(hawserd(), "host.test", server.port)


def test_the_farthest_failure_is_reported(bed, hawserd, dns):
    """Of an IPv6 address without a route and an IPv4 address that refuses, the latter says more."""
    with unreachable(bed, "network-unreachable", 6) as (host6, _), \
            unreachable(bed, "refused") as (host4, port):
        dns.records["host.test"] = [host6, host4]
        daemon = hawserd()
        assert refusal(daemon, "host.test", port)[0] == 5
        daemon.await_error("refused")


def test_nxdomain(hawserd, dns):
    daemon = hawserd()
    code, seconds = refusal(daemon, "nowhere.test", 80)
    assert code == 4 and seconds < 5  # half of the time to resolve
    daemon.await_error("name-not-found")


def test_servfail(hawserd, dns):
    dns.failing.add("host.test")
    daemon = hawserd("--timeout", "resolve=5")
    assert refusal(daemon, "host.test", 80)[0] == 4
    daemon.await_error("resolve-failed")


def test_no_name_server(hawserd):
    """Nobody listens on its port."""
    daemon = hawserd()
    assert refusal(daemon, "host.test", 80)[0] == 4
    daemon.await_error("resolve-failed")


def test_late_answers(hawserd, dns, server):
    dns.records["host.test"] = [SERVER4, SERVER6]
    dns.delays_s["host.test", "A"] = dns.delays_s["host.test", "AAAA"] = 0.3
    assert dial(hawserd(), "host.test", server.port) >= 0.3


def test_late_ipv6_answer_is_not_waited_for(hawserd, dns, server):
    for host in HOSTS:
        dns.records[host] = [SERVER4, SERVER6]
        dns.delays_s[host, "AAAA"] = 20
    daemon, hosts = hawserd(), iter(HOSTS)

    def dial_one() -> float:
        seconds = dial(daemon, next(hosts), server.port)
        assert RESOLUTION_DELAY_S <= seconds
        return seconds

    assert quickest(dial_one, NOISE_S) < NOISE_S
    assert set(server.families) == {socket.AF_INET}


def test_ipv6_answer_within_the_resolution_delay(hawserd, dns, server):
    """A busy machine may let the later one come too late."""
    daemon = hawserd()
    for host in HOSTS:
        dns.records[host] = [SERVER4, SERVER6]
        dns.delays_s[host, "A"] = 0.05
        dns.delays_s[host, "AAAA"] = 0.06
        if families(daemon, server, host) == [socket.AF_INET6]:
            return
    raise AssertionError(server.families)


def test_late_ipv4_answer_is_not_waited_for(hawserd, dns, server):
    for host in HOSTS:
        dns.records[host] = [SERVER4, SERVER6]
        dns.delays_s[host, "A"] = 20
    daemon, hosts = hawserd(), iter(HOSTS)
    assert quickest(lambda: dial(daemon, next(hosts), server.port), NOISE_S) < NOISE_S
    assert set(server.families) == {socket.AF_INET6}


def test_ipv6_that_swallows_packets(bed, hawserd, dns, server):
    with unreachable(bed, "connect-timeout", 6) as (host6, _):
        dns.records["host.test"] = [host6, SERVER4]
        seconds = quickest(lambda: dial_anew(hawserd, "host.test", server.port), ATTEMPT_DELAY_S + NOISE_S)
    assert ATTEMPT_DELAY_S <= seconds < ATTEMPT_DELAY_S + NOISE_S
    assert set(server.families) == {socket.AF_INET}


def test_addresses_take_turns_until_one_answers(bed, hawserd, dns, server):
    with unreachable(bed, "connect-timeout", 6) as (host6, _), \
            unreachable(bed, "connect-timeout") as (host4, _):
        dns.records["host.test"] = [host6, host4, SERVER4]
        seconds = quickest(lambda: dial_anew(hawserd, "host.test", server.port), 2 * ATTEMPT_DELAY_S + NOISE_S)
    assert 2 * ATTEMPT_DELAY_S <= seconds < 2 * ATTEMPT_DELAY_S + NOISE_S


def test_ipv6_that_refuses_costs_no_delay(bed, hawserd, dns, serve):
    """The IPv4 attempt starts when the IPv6 attempt fails, not when its time is up."""
    dns.records["host.test"] = [NOBODY6, SERVER4]
    server = serve(peers.echo)
    with bed.rules(f"ip6 daddr {NOBODY6} meta l4proto tcp reject with tcp reset"):
        daemon = hawserd()
        fastest = quickest(lambda: dial(daemon, "host.test", server.port), ATTEMPT_DELAY_S)
    assert fastest < ATTEMPT_DELAY_S
    assert set(server.families) == {socket.AF_INET}


def test_silent_name_server(hawserd, dns, server):
    """It costs its own session the resolve time, and other sessions of the worker nothing."""
    dns.silent.add("silent.test")
    dns.records["host.test"] = [SERVER4]
    daemon = hawserd("--workers", "1", "--timeout", "resolve=4")
    with daemon.connect() as waiting:
        started = time.monotonic()
        waiting.sendall(b"\x05\x01\x00\x05\x01\x00\x03\x0bsilent.test\x00\x50")
        assert read(waiting, 2) == b"\x05\x00"
        until(lambda: dns.asked)
        for host in "server.test", SERVER4, "host.test":
            dial(daemon, host, server.port)
        # They were served while it waited, unless a busy machine took longer for them.
        assert [session["state"] for session in daemon.sessions()
                if session["destination"] == "silent.test:80"] == ["resolving"] or time.monotonic() - started > 3.9
        assert read(waiting, 10)[1] == 4
        assert 3.9 < time.monotonic() - started < 60
    daemon.await_error("resolve-failed")
    # Nobody waits for the answer any more, but its socket stays open until it comes.
    dns.silent.clear()
    until(daemon.open_files, lambda fds: fds["socket"] <= daemon.baseline["socket"])


def test_client_that_leaves_while_resolving(hawserd, dns):
    dns.records["host.test"] = [SERVER4]
    dns.held.add("host.test")
    daemon = hawserd()
    with daemon.connect() as client:
        client.sendall(b"\x05\x01\x00\x05\x01\x00\x03\x09host.test\x00\x50")
        until(lambda: dns.asked, lambda asked: len(asked) >= 2)
        peers.reset(client)
    daemon.await_error("client-gone")
    # The answers come when nobody waits for them.
    dns.release("host.test")
    time.sleep(0.2)
    assert daemon.active() == 0


def test_new_name_server(bed, hawserd, dns, server):
    """A router's resolv.conf changes with its links; nobody restarts hawserd for that."""
    path = bed.scratch / "resolv.conf"
    good = path.read_text("ascii")
    dns.records["host.test"] = [SERVER4]
    try:
        path.write_text("nameserver 127.0.0.2\n", "ascii")
        daemon = hawserd()
        assert refusal(daemon, "host.test", server.port)[0] == 4
        path.write_text(good, "ascii")
        end = time.monotonic() + 60
        while True:
            try:
                dial(daemon, "host.test", server.port)
                break
            except Refused:
                assert time.monotonic() < end
                time.sleep(0.2)
    finally:
        path.write_text(good, "ascii")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Which link a new connection begins on, where those of a client and a destination do not stay
together; test_sticky.py has those that do."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter

import pytest

import hop
import peers
from bed import Bed
from daemon import Hawserd
from handshakes import NO_PASSWORD, socks5_request
from links import LINK, bare, began_on  # pylint: disable=unused-import
from topology import CLIENT4, LAN4, LINKS, SERVER4, SERVER6, near
from waiting import until

RATE = 50  # Mbit/s of each link
DOWNLOADS = 8


@pytest.fixture
def start(bare):
    started: list[Hawserd] = []

    def run(*options: str) -> Hawserd:
        started.append(Hawserd(bare, "--sticky", "no", *options))
        return started[-1]

    yield run
    for daemon in started:
        daemon.finish()


def count(daemon: Hawserd, times: int, host: str = SERVER4, mptcp: bool = False) -> Counter:
    with peers.listen(daemon.bed.server, host, mptcp=mptcp) as listening:
        return Counter(began_on(daemon, listening, host) for _ in range(times))


@pytest.mark.parametrize("host", [SERVER4, SERVER6])
def test_turns(bare, start, host):
    """Whatever link has the better default route; MPTCP, fallback and plain TCP alike."""
    daemon = start(*LINK, "--workers", "1")
    assert count(daemon, 10, host) == {"a": 5, "b": 5}
    assert count(daemon, 10, host, mptcp=bare.mptcp) == {"a": 5, "b": 5}


def test_roles_and_weights(start):
    daemon = start("--link", "one=a,primary", "--link", "two=b", "--workers", "1")
    assert count(daemon, 10) == {"a": 8, "b": 2}


def test_weights(start):
    daemon = start("--link", "one=a,shared,1", "--link", "two=b,shared,3", "--workers", "1")
    assert count(daemon, 8) == {"a": 2, "b": 6}


def hop_from(stack: contextlib.ExitStack, exit_) -> str:
    """Where a hop comes from; those that see whether a link reaches the exit say nothing."""
    while True:
        accepted = stack.enter_context(peers.accept(exit_))
        with contextlib.suppress(OSError):
            if accepted.recv(1):
                return accepted.getpeername()[0]


def test_hops_to_exits(bare, start, tmp_path):
    token = hop.write_tokens(tmp_path / "token", hop.Token("home").line())
    with contextlib.ExitStack() as stack:
        exit_ = stack.enter_context(peers.listen(bare.server, mptcp=bare.mptcp))
        daemon = start(*LINK, "--workers", "1", "--exit", f"{SERVER4}:{peers.port_of(exit_)}",
                       "--exit-token", str(token), "--exit-probe", "3600", "--exit-answer", "100")
        seen: Counter = Counter()
        for _ in range(4):
            client = stack.enter_context(daemon.connect())
            client.sendall(NO_PASSWORD + socks5_request("192.0.2.1", 80))
            address = hop_from(stack, exit_)
            seen[next(link for link in LINKS if address in near(link))] += 1
    assert seen == {"a": 2, "b": 2}


def test_backup(bare, start):
    daemon = start("--link", "one=a,backup", "--link", "two=b")
    assert count(daemon, 6) == {"b": 6}
    bare.server.run("ip", "link", "set", "dev", "b", "down")
    until(lambda: daemon.status()["links"]["up"] == 1)
    assert count(daemon, 3) == {"a": 3}


def test_a_lost_link_is_not_chosen(bare, start):
    daemon = start(*LINK)
    bare.server.run("ip", "link", "set", "dev", "a", "down")
    until(lambda: daemon.status()["links"]["up"] == 1)
    assert count(daemon, 4) == {"b": 4}


def test_without_a_default_route_in_the_main_table(bare, start):
    """That of the links' own tables is enough."""
    daemon = start(*LINK, "--workers", "1")
    for link in LINKS:
        bare.router.run("ip", "route", "del", "default", "dev", link)
    assert count(daemon, 4) == {"a": 2, "b": 2}


def test_other_routes_are_obeyed(bare, start):
    """To the LAN, and where the administrator wants a destination to be reached."""
    daemon = start(*LINK)
    with peers.listen(bare.client, CLIENT4) as listening, \
            daemon.dial(CLIENT4, peers.port_of(listening)), peers.accept(listening) as server:
        assert server.getpeername()[0] == LAN4
    bare.router.run("ip", "route", "add", f"{SERVER4}/32", "via", "10.77.2.2", "dev", "b")
    assert count(daemon, 4) == {"b": 4}


def test_the_lan_reaches_the_outer_address(bare, start):
    """The rules for a link's address do not send answers for the LAN out of the link."""
    start(*LINK)
    bare.client.run("ip", "route", "add", "default", "via", LAN4)
    with peers.listen(bare.router, near("a")[0]) as listening, \
            peers.connect(bare.client, near("a")[0], peers.port_of(listening)), \
            peers.accept(listening):
        pass


def test_many_plain_tcp_sessions_fill_all_links(bare: Bed, start):
    """Payload of all, far more than one link carries; the best of some whiles, for on a busy machine one may be too slow,
    but none too fast."""
    daemon = start(*LINK)
    got = [0] * DOWNLOADS
    ended = threading.Event()
    seen: list[float] = []

    def fill(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not ended.is_set():
                server.sendall(bytes(1 << 16))

    def drain(client: socket.socket, index: int) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 18):
                got[index] += len(data)

    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(peers.listen(bare.server))
        threads = []
        for index in range(DOWNLOADS):
            client = stack.enter_context(daemon.dial(SERVER4, peers.port_of(listening)))
            server = stack.enter_context(peers.accept(listening))
            threads += [threading.Thread(target=fill, args=(server,)),
                        threading.Thread(target=drain, args=(client, index))]
        for thread in threads:
            thread.start()
        while len(seen) < 15 and (len(seen) < 2 or max(seen) < 0.75 * 2 * RATE or min(got) == 0):
            began, before = time.monotonic(), sum(got)
            time.sleep(2)
            seen.append((sum(got) - before) * 8e-6 / (time.monotonic() - began))
        transports = {session["upstream_transport"] for session in daemon.sessions()}
        ended.set()
    for thread in threads:
        thread.join(60)
    assert transports <= {"tcp", "fallback"}
    assert max(seen) >= 0.75 * 2 * RATE, seen
    assert min(got) > 0

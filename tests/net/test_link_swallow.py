# SPDX-License-Identifier: GPL-2.0-or-later
"""Links that swallow packets without losing carrier: noticed, taken out, and back again; and what
looks like it, but is not."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

import pytest

import peers
from daemon import Hawserd
from links import LINK
from pattern import MEGABYTE
from stalls import Stalls
from topology import LINKS, SERVER4, far, near
from waiting import until

pytestmark = pytest.mark.mptcp

TOTAL = 8 * MEGABYTE
# What a busy machine may add to the targets, to which `make soak` holds.
SLACK = 1 if "SOAK_SECONDS" in os.environ else 6
GAP_S = 0.5 * SLACK
# The queue of a full link makes its round trips longer; 0.29 to 0.48 s were measured.
UPLOAD_GAP_S = 0.7 * SLACK
BUSY_S = 0.3 * SLACK
IDLE_S = 3 * SLACK
# The last link that works is not taken out however long it is silent; it would be within this.
LOOK_S = 3


@pytest.fixture
def swallowing(emulated_bed):
    """Two links of 50 Mbit/s and 50 ms, and a daemon that has set them up and had answers."""
    bed = emulated_bed(a={"rate": 50, "delay": 25}, b={"rate": 50, "delay": 25})
    bed.router.run("ip", "mptcp", "endpoint", "flush")
    for number, link in enumerate(LINKS, 1):
        for gateway in far(link):
            bed.router.run("ip", "route", "add", "default", "via", gateway, "dev", link,
                           "metric", str(1000 + number))
    daemon = Hawserd(bed, *LINK)
    # Of both families, and it has taken them.
    until(lambda: min(bed.emulated[link].stats()["down"]["segments"] for link in LINKS) >= 2)
    for _ in range(2):
        daemon.status()
    yield bed, daemon
    daemon.finish()


def stalls_of(bed, daemon: Hawserd, link: str) -> Stalls:
    """Of what carries on when this link does not."""
    return Stalls(daemon, links=[bed.emulated[LINKS.replace(link, "")]])


def state(daemon: Hawserd, link: str) -> str:
    return next(each["state"] for each in daemon.ask("links")["links"]
                if each["name"] == f"wan-{link}")


def silences(daemon: Hawserd) -> int:
    """How often a link was called silent so far."""
    return sum(each["event"] == "no-answer" for each in daemon.ask("links")["events"])


def longest_gap(bed, link: str, sender, receiver, when_cut=lambda: None) -> float:
    """Sends all of it, and has the link swallow packets from a third on. The longest pause after
    that, in seconds."""
    payload = bytes(range(256)) * (TOTAL // 256)
    gap, got, cut = 0.0, bytearray(), False
    sending = threading.Thread(target=sender.sendall, args=(payload,))
    sending.start()
    last = time.monotonic()
    while len(got) < TOTAL:
        got += receiver.recv(1 << 18)
        now = time.monotonic()
        gap, last = max(gap, now - last) if cut else gap, now
        if not cut and len(got) > TOTAL // 3:
            bed.emulated[link].set(blackhole="on")
            cut = True
            when_cut()
    sending.join(60)
    assert bytes(got) == payload
    return gap


@pytest.mark.parametrize("link", LINKS)
def test_swallowed_in_mid_download(swallowing, link):
    """Whichever the connection began on: nothing is lost, and the pause is short."""
    bed, daemon = swallowing
    noticed = []

    def watch() -> None:
        began = time.monotonic()
        until(lambda: state(daemon, link) == "no-answer")
        noticed.append(time.monotonic() - began)

    watcher = threading.Thread(target=watch)
    with peers.listen(bed.server, mptcp=True) as listening, \
            daemon.dial(SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as server, stalls_of(bed, daemon, link) as stalls:
        gap = longest_gap(bed, link, server, client, watcher.start)
        watcher.join()
    assert noticed and noticed[0] < BUSY_S + stalls.allow_s(), (noticed, stalls.allow_s())
    assert gap < GAP_S + stalls.allow_s(), (gap, stalls.allow_s())
    # On a busy machine the other may have been out before.
    assert f"wan-{link}" in {each["link"] for each in daemon.ask("links")["events"] if each["event"] == "no-answer"}
    until(lambda: near(link)[0] not in bed.endpoints())


def test_swallowed_while_idle_and_back(swallowing):
    """The last one stays, and both are back when they answer."""
    bed, daemon = swallowing
    bed.emulated["a"].set(blackhole="on")
    until(lambda: state(daemon, "a") == "no-answer", seconds=IDLE_S)
    until(lambda: near("a")[0] not in bed.endpoints())
    # New connections begin on b.
    with peers.listen(bed.server, mptcp=True) as listening:
        for _ in range(3):
            with daemon.dial(SERVER4, peers.port_of(listening)), \
                    peers.accept(listening) as server:
                assert server.getpeername()[0] == near("b")[0]
    bed.emulated["b"].set(blackhole="on")
    time.sleep(LOOK_S)
    assert state(daemon, "b") == "up" and near("b")[0] in bed.endpoints()
    for link in LINKS:
        bed.emulated[link].set(blackhole="off")
    until(lambda: {near(link)[0] for link in LINKS} <= set(bed.endpoints()))
    until(lambda: [state(daemon, link) for link in LINKS], lambda states: states == ["up", "up"])


def unanswered(daemon: Hawserd) -> list[int]:
    probes = [each["probes"] for each in daemon.ask("links")["links"]]
    return [each["requests"] - each["replies"] for each in probes]


def test_no_gateway_answers_while_joins_are_on_their_way(swallowing):
    """No link is better, so no join is ended for that, and who is answered at last has joined."""
    bed, daemon = swallowing
    with peers.listen(bed.server, mptcp=True) as listening, \
            bed.rules("icmp type echo-request drop; icmpv6 type echo-request drop"):
        with bed.rules("tcp option mptcp subtype 1 drop"):
            client, before = daemon.dial(SERVER4, peers.port_of(listening)), unanswered(daemon)
            server = peers.accept(listening)
            until(lambda: unanswered(daemon),
                  lambda seen: all(now > was + 15 for now, was in zip(seen, before)))
            # Each is judged after 3 or 4 of them; then there are looks at what is offered.
            assert daemon.log().count("as its way has moved") < 10
        until(lambda: daemon.session()["upstream_subflows"], lambda count: count == 2)
        client.close()
        server.close()


@pytest.mark.parametrize("link", LINKS)
def test_swallowed_during_requests(swallowing, link):
    """Short questions and answers, one at a time: none waits longer than a transfer would."""
    bed, daemon = swallowing
    longest, began = 0.0, time.monotonic()
    with peers.listen(bed.server, mptcp=True) as listening, \
            daemon.dial(SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as server, stalls_of(bed, daemon, link) as stalls:
        answering = threading.Thread(target=peers.echo, args=(server,))
        answering.start()
        cut = False
        while time.monotonic() - began < 3:
            asked = time.monotonic()
            client.sendall(bytes(1000))
            left = 1000
            while left:
                left -= len(client.recv(left))
            if cut:
                longest = max(longest, time.monotonic() - asked)
            if not cut and time.monotonic() - began > 1:
                bed.emulated[link].set(blackhole="on")
                cut = True
        client.close()
        answering.join(60)
    assert longest < GAP_S + stalls.allow_s(), (longest, stalls.allow_s())


@pytest.mark.parametrize("link", LINKS)
def test_swallowed_in_mid_upload(swallowing, link):
    bed, daemon = swallowing
    with peers.listen(bed.server, mptcp=True) as listening, \
            daemon.dial(SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as server, stalls_of(bed, daemon, link) as stalls:
        gap = longest_gap(bed, link, client, server)
    assert gap < UPLOAD_GAP_S + stalls.allow_s(), (gap, stalls.allow_s())


@contextlib.contextmanager
def gone(bed, listening, client, server):
    """The destination is gone, without a word; the links are not."""
    with bed.rules(f"tcp dport {peers.port_of(listening)} drop"):
        yield


@contextlib.contextmanager
def unread(bed, listening, client, server):
    """The destination reads nothing any more, and its window closes."""
    yield


@contextlib.contextmanager
def full(bed, listening, client, server):
    """The links' queues are full, and lose packets."""
    reader = threading.Thread(target=peers.was_reset, args=(server,))
    reader.start()
    yield
    client.settimeout(peers.TIMEOUT_S)
    client.shutdown(socket.SHUT_WR)
    reader.join()


@pytest.mark.parametrize("trouble", [gone, unread, full])
def test_not_the_links_fault(swallowing, trouble):
    """An emulated link whose process a busy machine stops for a moment is at fault, but not each time."""
    bed, daemon = swallowing

    def blamed() -> int:
        """How often a link is, meanwhile."""
        began, before = time.monotonic(), silences(daemon)
        with peers.listen(bed.server, mptcp=True) as listening, \
                daemon.dial(SERVER4, peers.port_of(listening)) as client, \
                peers.accept(listening) as server:
            client.sendall(bytes(1000))
            client.settimeout(0.2)
            with trouble(bed, listening, client, server):
                while time.monotonic() - began < 2:
                    with contextlib.suppress(TimeoutError):
                        client.sendall(bytes(1 << 16))
            # Closing might be half of an end to the kernel: what comes is taken, and not answered.
            peers.reset(server)
            peers.reset(client)
        # What was on its way is sent again at ever longer intervals, before the other end is found gone.
        until(daemon.sessions, lambda sessions: sessions == [])
        return silences(daemon) - before

    until(blamed, lambda count: count == 0)

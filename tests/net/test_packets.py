# SPDX-License-Identifier: GPL-2.0-or-later
"""Pairs of TCP connections whose packets the kernel forwards: who is taken and who is not, that no byte is
lost, doubled or moved, how they end, that they come back, and that nothing stays behind."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time

import pytest

import lacking
import peers
from daemon import ALLOW, PORT
from flows import chat, feature_of, flows, reasons, tiers
from forwarded import (  # pylint: disable=unused-import
    ALWAYS, STAYING, TURN, dial, keys, moved, no_offloads, packets_needed, programs, take)
from handshakes import read, socks5
from namespace import MountNamespace
from pattern import MEGABYTE, Stream, together
from sessions import half_close, through
from test_reload import reload, text
from topology import LAN4, SERVER4, SERVER6
from waiting import until

pytestmark = [pytest.mark.no_mptcp, pytest.mark.usefixtures("packets_needed")]


@contextlib.contextmanager
def tcp_without(host, *options: str):
    with contextlib.ExitStack() as stack:
        for option in options:
            stack.enter_context(host.setting(f"ipv4/tcp_{option}", 0))
        yield


# Who is taken.

@pytest.mark.parametrize("address", [SERVER4, SERVER6])
def test_a_chat_is_taken(hawserd, address):
    daemon = hawserd(*ALWAYS, *STAYING)
    stream = Stream(3)
    with peers.listen(daemon.bed.server, address) as listening, \
            dial(daemon, address, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        size = take(daemon, client, server)
        assert reasons(daemon) == {"tier = packets"}
        chat(client, server, 100, 1000)
        moved(daemon, size + 100_000, size + 100_000)
        assert all(flow["packets"] >= 100 for flow in flows(daemon).values())
        for sender, receiver in (client, server), (server, client):
            stream.carry(sender, receiver, 8 * MEGABYTE)
        size += 100_000 + 8 * MEGABYTE
        assert tiers(daemon) == {"packets"}
        moved(daemon, size, size)
        assert daemon.session()["idle_s"] < 10
    until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {}
    assert daemon.status()["packets"] == {"taken": 1, "refused": 0}
    assert daemon.status()["bytes"] == {"up": size, "down": size}


def test_both_ways_at_once(hawserd):
    daemon = hawserd(*ALWAYS, *STAYING)
    with through(daemon) as (client, server):
        take(daemon, client, server)
        up, down = Stream(1), Stream(2)
        together(lambda: up.send(client, 8 * MEGABYTE), lambda: down.send(server, 8 * MEGABYTE),
                 lambda: up.receive(server, 8 * MEGABYTE), lambda: down.receive(client, 8 * MEGABYTE))
        assert tiers(daemon) == {"packets"}


def test_auto_needs_leave(hawserd):
    """packets = off, as without a word of it."""
    daemon = hawserd("--mptcp", "off")
    with through(daemon) as (client, server):
        chat(client, server, 500)
        assert "packets" not in tiers(daemon)
    assert programs(daemon.bed.router) == 0


def test_auto_takes_chats(hawserd):
    daemon = hawserd("--mptcp", "off", "--packets", *STAYING)
    with through(daemon) as (client, server):
        chat(client, server, 5)
        assert "packets" not in tiers(daemon)
        until(lambda: chat(client, server, 100) or tiers(daemon), lambda found: found == {"packets"})
        assert reasons(daemon) == {"chat"}


@pytest.mark.parametrize(("options", "reason"), [
    (("timestamps",), "only one leg has time stamps"),
    (("sack",), None),
    (("window_scaling",), None),
    (("sack", "window_scaling"), None),
])
def test_options_of_one_leg(hawserd, options, reason):
    daemon = hawserd(*ALWAYS)
    stream = Stream(5)
    with tcp_without(daemon.bed.client, *options), through(daemon) as (client, server):
        if reason:
            until(lambda: chat(client, server, 20) or reasons(daemon), lambda found: found == {reason})
        else:
            chat(client, server, 20)
            take(daemon, client, server)
        for sender, receiver in (client, server), (server, client):
            stream.carry(sender, receiver, 2 * MEGABYTE)


def test_no_time_stamps_at_all(hawserd):
    daemon = hawserd(*ALWAYS)
    stream = Stream(6)
    with tcp_without(daemon.bed.client, "timestamps"), \
            tcp_without(daemon.bed.router, "timestamps"), through(daemon) as (client, server):
        take(daemon, client, server)
        stream.carry(server, client, 2 * MEGABYTE)


def test_segments_too_large_for_the_other_leg(hawserd):
    daemon = hawserd(*ALWAYS)
    daemon.bed.router.run("ip", "link", "set", "dev", "a", "mtu", "1400")
    try:
        with through(daemon) as (client, server):
            until(lambda: chat(client, server, 20) or reasons(daemon),
                  lambda found: found == {"segments of one leg are too large for the other"})
    finally:
        daemon.bed.router.run("ip", "link", "set", "dev", "a", "mtu", "1500")


@pytest.fixture
def bridged(bed):
    """Another network between client and router, by a bridge of the router: its address there, after that of the
    client."""
    router, client = bed.router, bed.client
    router.run("ip", "link", "add", "name", "port", "type", "veth", "peer", "name", "home",
               "netns", client.path)
    try:
        router.batch("ip", ["link add name house type bridge", "link set dev port master house",
                            "link set dev port up", "link set dev house up",
                            "addr add 10.78.0.1/24 dev house"])
        client.batch("ip", ["addr add 10.78.0.2/24 dev home", "link set dev home up"])
        yield "10.78.0.1"
    finally:
        router.run("ip", "link", "del", "dev", "port")
        router.run("ip", "link", "del", "dev", "house")


@pytest.fixture
def tagged(bed):
    """The same, by a VLAN of the LAN."""
    with contextlib.ExitStack() as stack:
        for number, host in enumerate((bed.router, bed.client), 1):
            host.run("ip", "link", "add", "link", "lan", "name", "home", "type", "vlan", "id", "5")
            stack.callback(host.run, "ip", "link", "del", "dev", "home")
            host.batch("ip", [f"addr add 10.78.0.{number}/24 dev home", "link set dev home up"])
        yield "10.78.0.1"


@pytest.mark.parametrize("device", ["bridged", "tagged"])
def test_a_device_upon_others(hawserd, request, device):
    """The program looks where the address is, and at what comes by the LAN itself."""
    address = request.getfixturevalue(device)
    daemon = hawserd(*ALWAYS, *STAYING, "--socks", f"{LAN4}:1080", "--socks", f"{address}:1080",
                     "--allow", "10.0.0.0/8", listen=False)
    stream = Stream(7)
    with through(daemon) as (client, server):
        take(daemon, client, server)
    until(daemon.active, lambda active: active == 0)
    with peers.listen(daemon.bed.server) as listening, \
            peers.connect(daemon.bed.client, address, 1080) as client:
        socks5(client, SERVER4, peers.port_of(listening))
        with peers.accept(listening) as server:
            take(daemon, client, server)
            for sender, receiver in (client, server), (server, client):
                stream.carry(sender, receiver, MEGABYTE)
            assert tiers(daemon) == {"packets"}


def test_without_offloads(hawserd):
    """Nobody hands up more than one segment at once, nor leaves a checksum to a card."""
    daemon = hawserd(*ALWAYS, *STAYING)
    bed = daemon.bed
    ends = [(bed.client, "lan"), (bed.router, "lan"), (bed.router, "a"), (bed.server, "a")]
    stream = Stream(8)
    with contextlib.ExitStack() as stack:
        for host, device in ends:
            stack.enter_context(no_offloads(host, device))
        with through(daemon) as (client, server):
            take(daemon, client, server)
            for sender, receiver in (client, server), (server, client):
                stream.carry(sender, receiver, 2 * MEGABYTE)
            assert tiers(daemon) == {"packets"}


def test_without_btf(hawserd):
    """As on OpenWrt, whose kernels have none."""
    with contextlib.closing(MountNamespace({}, empty=["/sys/kernel/btf"])) as mounts:
        daemon = hawserd(*ALWAYS, prefix=("/usr/bin/nsenter", f"--mount={mounts.path}", "--"))
    with through(daemon) as (client, server):
        take(daemon, client, server)


def test_what_a_kernel_lacks(hawserd):
    """It is told, and sessions are served without."""
    daemon = hawserd(*ALWAYS, prefix=lacking.words("bpf"))
    state = feature_of(daemon, "packets")
    assert not state["available"]
    assert state["reason"] == "the kernel does not load the program: Function not implemented"
    with through(daemon) as (client, server):
        chat(client, server, 20)
        assert reasons(daemon) == {"packets: off, see hawser status"}


# How they end.

@pytest.mark.parametrize("first", ["client", "server"])
def test_half_close(hawserd, first):
    daemon = hawserd(*ALWAYS)
    with through(daemon) as (client, server):
        size = take(daemon, client, server)
        asking, answering = (client, server) if first == "client" else (server, client)
        half_close(asking, answering, 2 * MEGABYTE)
        until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {}
    up, down = (MEGABYTE, 2 * MEGABYTE) if first == "client" else (2 * MEGABYTE, MEGABYTE)
    assert daemon.status()["bytes"] == {"up": size + up, "down": size + down}


@pytest.mark.parametrize("first", ["client", "server"])
def test_reset(hawserd, first):
    daemon = hawserd(*ALWAYS)
    with through(daemon) as (client, server):
        take(daemon, client, server)
        resetting, other = (client, server) if first == "client" else (server, client)
        peers.reset(resetting)
        assert peers.was_reset(other)
    until(daemon.active, lambda active: active == 0)
    assert set(daemon.errors()) == {"reset"}


def test_idle_for_too_long(hawserd):
    daemon = hawserd(*ALWAYS, "--timeout", "idle=5s")
    with through(daemon) as (client, server):
        take(daemon, client, server)
        assert peers.was_reset(client)
        assert peers.was_reset(server)
    daemon.await_error("idle-timeout")


def test_an_idle_pair_gets_keepalives_again(hawserd):
    daemon = hawserd(*ALWAYS, "--tune", "keepalive-idle-s=1")
    with through(daemon) as (client, server):
        take(daemon, client, server)
        until(lambda: tiers(daemon), lambda found: "packets" not in found)
        take(daemon, client, server)
    assert daemon.status()["packets"]["taken"] >= 2


def test_sigterm_resets_both(hawserd):
    daemon = hawserd(*ALWAYS, "--timeout", "drain=1s")
    with through(daemon) as (client, server):
        take(daemon, client, server)
        daemon.signal(signal.SIGTERM)
        assert peers.was_reset(client)
        assert peers.was_reset(server)
        daemon.wait()
    assert programs(daemon.bed.router) == 0


def test_the_place_of_another(bed, hawserd):
    """Without tcx an interface has one place, which the second takes; when the first ends, it keeps it."""
    old_kernel = lacking.words("tcx")
    first = hawserd(*ALWAYS, *STAYING, "--timeout", "drain=1s", prefix=old_kernel)
    with through(first) as (client, server):
        take(first, client, server)
        second = hawserd(*ALWAYS, *STAYING, *ALLOW, "--socks", f"{LAN4}:1081", listen=False, prefix=old_kernel)
        with peers.listen(bed.server) as listening, peers.connect(bed.client, LAN4, 1081) as other:
            socks5(other, SERVER4, peers.port_of(listening))
            with peers.accept(listening) as far:
                size = take(second, other, far)
                first.signal(signal.SIGTERM)
                first.wait()
                assert peers.was_reset(client)
                assert peers.was_reset(server)
                assert programs(bed.router) == 2
                chat(other, far, 20)
                moved(second, size + 20 * TURN, size + 20 * TURN)
                assert tiers(second) == {"packets"}
    until(second.active, lambda active: active == 0)
    second.signal(signal.SIGTERM)
    second.wait()
    assert "clsact" not in bed.router.run("tc", "qdisc", "show")


# What may come in between.

def test_a_reload_that_forbids_it(hawserd, tmp_path):
    """Those that were taken come back; as soon as it is allowed again, they are taken."""
    file = tmp_path / "hawser.conf"

    def allow(words: str) -> None:
        file.write_text(text("upstream { mptcp = off }", f"relay {{ {words} }}"), "utf-8")

    allow("tier = packets")
    daemon = hawserd("-c", str(file), listen=False)
    with through(daemon) as (client, server), through(daemon) as (silent, far):
        def chats(*pairs) -> set[str]:
            """What moves their bytes then."""
            for near, other in pairs:
                chat(near, other, 1)
            return {session[way] for session in daemon.sessions() for way in ("tier_up", "tier_down")}

        both = (client, server), (silent, far)
        until(lambda: chats(*both), lambda found: found == {"packets"})
        allow("packets = off")
        reload(daemon, "configuration reloaded")
        until(lambda: chats(both[0]), lambda found: "packets" not in found)
        taken = daemon.status()["packets"]["taken"]
        with through(daemon) as young:
            for _ in range(50):
                chats(young, *both)
        assert daemon.status()["packets"]["taken"] == taken
        allow("tier = packets")
        reload(daemon, "configuration reloaded")
        until(lambda: chats(*both), lambda found: found == {"packets"})
    assert "packets stay" not in daemon.log()


def test_auto_leaves_where_packets_get_lost(hawserd):
    """Two TCPs do better there."""
    daemon = hawserd("--mptcp", "off", "--packets")
    with through(daemon) as (client, server):
        until(lambda: chat(client, server, 50) or tiers(daemon), lambda found: found == {"packets"})
        with daemon.bed.rules(f"ip saddr {LAN4} tcp sport {PORT} numgen random mod 5 < 1 drop", daemon.bed.client):
            until(lambda: chat(client, server, 5) or tiers(daemon), lambda found: "packets" not in found)
        for _ in range(20):
            chat(client, server, 50)
        assert "packets" not in tiers(daemon)
        # The program looks for it no more.
        until(lambda: keys(daemon), lambda count: count == 0)


def test_bulk_comes_back(hawserd, tmp_path):
    """There is always something on its way, in both directions."""
    file = tmp_path / "hawser.conf"
    file.write_text(text("upstream { mptcp = off }", "relay { tier = packets }"), "utf-8")
    daemon = hawserd("-c", str(file), *STAYING, listen=False)
    with through(daemon) as (client, server):
        take(daemon, client, server)
        enough = threading.Event()

        def send(sock: socket.socket, stream: Stream) -> None:
            sent = 0
            while not enough.is_set():
                stream.send(sock, sent + MEGABYTE // 2, sent)
                sent += MEGABYTE // 2
            sock.shutdown(socket.SHUT_WR)

        def receive(sock: socket.socket, stream: Stream) -> None:
            got = 0
            while piece := sock.recv(1 << 18):
                assert piece == stream.part(got, len(piece)).tobytes()
                got += len(piece)

        def forbid() -> None:
            try:
                until(lambda: flows(daemon)["down"]["bytes"], lambda found: found > 4 * MEGABYTE)
                assert tiers(daemon) == {"packets"}
                file.write_text(text("upstream { mptcp = off }"), "utf-8")
                reload(daemon, "configuration reloaded")
                until(lambda: tiers(daemon), lambda found: "packets" not in found)
            finally:
                enough.set()

        up, down = Stream(51), Stream(52)
        together(lambda: send(client, up), lambda: receive(server, up), lambda: send(server, down),
                 lambda: receive(client, down), forbid)
    until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {}


@pytest.mark.parametrize("address", [SERVER4, SERVER6])
def test_a_device_that_shrinks(hawserd, address):
    """The sender is told so, by ICMP."""
    daemon = hawserd(*ALWAYS, *STAYING)
    stream = Stream(31)
    with peers.listen(daemon.bed.server, address) as listening, \
            dial(daemon, address, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        take(daemon, client, server)
        try:
            for host in daemon.bed.router, daemon.bed.server:
                host.run("ip", "link", "set", "dev", "a", "mtu", "1300")
            stream.carry(client, server, MEGABYTE)
        finally:
            for host in daemon.bed.router, daemon.bed.server:
                host.run("ip", "link", "set", "dev", "a", "mtu", "1500")
        assert tiers(daemon) == {"packets"}


def test_a_reader_that_stops(hawserd):
    """Zero windows, both ways, for longer than a probe takes."""
    daemon = hawserd(*ALWAYS, *STAYING)
    up, down = Stream(41), Stream(42)
    with through(daemon) as (client, server):
        take(daemon, client, server)

        def late(sock: socket.socket, stream: Stream) -> None:
            time.sleep(1)
            stream.receive(sock, 16 * MEGABYTE)

        together(lambda: up.send(client, 16 * MEGABYTE), lambda: down.send(server, 16 * MEGABYTE),
                 lambda: late(client, down), lambda: late(server, up))
        assert tiers(daemon) == {"packets"}


def test_urgent_bytes(hawserd):
    daemon = hawserd(*ALWAYS)
    with through(daemon) as (client, server):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        take(daemon, client, server)
        client.sendall(b"ab")
        client.send(b"!", socket.MSG_OOB)
        client.sendall(b"cd")
        assert read(server, 5) == b"ab!cd"


def test_connection_tracking_forgets_them(hawserd):
    """It does not see their packets; what it remembered would be wrong later."""
    daemon = hawserd(*ALWAYS)
    router = daemon.bed.router
    router.run("nft", "-f", "-", text="""
        table inet tracked {
            chain input {
                type filter hook input priority 0;
                ct state invalid drop
            }
        }
        """)
    try:
        with through(daemon) as (client, server):
            before = int(router.sysctl("netfilter/nf_conntrack_count"))
            assert before >= 2
            size = take(daemon, client, server)
            until(lambda: int(router.sysctl("netfilter/nf_conntrack_count")),
                  lambda count: count <= before - 2)
            chat(client, server, 20)
    finally:
        router.run("nft", "delete", "table", "inet", "tracked")

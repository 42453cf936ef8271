# SPDX-License-Identifier: GPL-2.0-or-later
"""Pairs whose packets the kernel forwards when the way to a peer changes: by another device, with packets that are
too big and nobody whom that is told, or by a program that somebody takes off. The session goes on."""

from __future__ import annotations

import contextlib
import time

import pytest

import lacking
import peers
from daemon import PORT
from flows import chat, reasons, tiers
from forwarded import (  # pylint: disable=unused-import
    ALWAYS, STAYING, TURN, moved, packets_needed, programs, take)
from handshakes import socks5
from patience import PATIENCE
from pattern import MEGABYTE, Stream
from sessions import through
from tcx import tcx_detach
from test_reload import reload
from topology import CLIENT4, CLIENT6, LAN4, LAN6, SERVER4, SERVER6
from waiting import until

pytestmark = [pytest.mark.no_mptcp, pytest.mark.usefixtures("packets_needed")]

HOME4, HOME6 = "10.78.9.2", "fd78:9::2"
# The addresses of router and client, by device and family.
WAYS = {"lan": {"-4": (LAN4, CLIENT4), "-6": (LAN6, CLIENT6)},
        "other": {"-4": ("10.79.0.1", "10.79.0.2"), "-6": ("fd79::1", "fd79::2")}}


class Roaming:
    """A client whose address is on no device, and two ways between it and the router."""

    def __init__(self, bed, ipv6: bool) -> None:
        self.bed = bed
        self.home, self.lan = (HOME6, LAN6) if ipv6 else (HOME4, LAN4)
        self.family, self.bits = ("-6", 128) if ipv6 else ("-4", 32)

    def move(self, device: str) -> None:
        """All packets, both ways."""
        near, far = WAYS[device][self.family]
        replace = "ip", self.family, "route", "replace"
        self.bed.router.run(*replace, f"{self.home}/{self.bits}", "via", far, "dev", device)
        via = () if near == self.lan else ("via", near)
        self.bed.client.run(*replace, f"{self.lan}/{self.bits}", *via, "dev", device, "src", self.home)


@contextlib.contextmanager
def roaming(bed, ipv6: bool):
    router, client = bed.router, bed.client
    router.run("ip", "link", "add", "name", "other", "type", "veth", "peer", "name", "other", "netns", client.path)
    try:
        for host, number in (router, 1), (client, 2):
            host.batch("ip", [f"addr add 10.79.0.{number}/24 dev other", f"addr add fd79::{number}/64 dev other nodad",
                              "link set dev other up"])
        client.batch("ip", [f"addr add {HOME4}/32 dev lo", f"addr add {HOME6}/128 dev lo nodad"])
        one = Roaming(bed, ipv6)
        one.move("lan")
        yield one
    finally:
        router.run("ip", "link", "del", "dev", "other")
        client.batch("ip", [f"addr del {HOME4}/32 dev lo", f"addr del {HOME6}/128 dev lo"])
        for family, home, lan in ("-4", f"{HOME4}/32", f"{LAN4}/32"), ("-6", f"{HOME6}/128", f"{LAN6}/128"):
            for host, to in (router, home), (client, lan):
                if host.run("ip", family, "route", "show", "exact", to):
                    host.run("ip", family, "route", "del", to)


@contextlib.contextmanager
def taken(bed, hawserd, ipv6: bool):
    with roaming(bed, ipv6) as ways:
        daemon = hawserd(*ALWAYS, *STAYING, "--allow", f"{ways.home}/{ways.bits}")
        with peers.listen(bed.server, SERVER6 if ipv6 else SERVER4) as listening, \
                peers.connect(bed.client, ways.lan, PORT, source=ways.home) as client:
            socks5(client, SERVER6 if ipv6 else SERVER4, peers.port_of(listening))
            with peers.accept(listening) as server:
                client.settimeout(20 * PATIENCE)
                server.settimeout(20 * PATIENCE)
                yield daemon, ways, client, server, take(daemon, client, server)


@pytest.mark.parametrize(("first", "ipv6", "routes"), [("client", False, 0), ("server", True, 0), ("server", False, 1)],
                         ids=["client-ipv4", "server-ipv6", "server-ipv4-routes"])
def test_another_device(bed, hawserd, first, ipv6, routes):
    """Neither end knows of it. The new device is not looked at until then. They move back, too. A host that routes for
    others hears of it from the kernel."""
    with bed.router.setting("ipv4/conf/all/forwarding", routes), \
            taken(bed, hawserd, ipv6) as (daemon, ways, client, server, size):
        asking, answering = (client, server) if first == "client" else (server, client)
        for device in "other", "lan":
            ways.move(device)
            chat(asking, answering, 1)
            size += TURN
            moved(daemon, size, size)
            chat(client, server, 20)
            size += 20 * TURN
            assert tiers(daemon) == {"packets"}
        Stream(3).carry(server, client, MEGABYTE)
        moved(daemon, size, size + MEGABYTE)
    until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {}


class Flapping:
    """A network of its own between client and router, by an interface that comes and goes."""

    def __init__(self, bed) -> None:
        self.bed = bed

    def come(self, last: int = 1) -> None:
        """last: of the router's address."""
        router, client = self.bed.router, self.bed.client
        router.run("ip", "link", "add", "name", "usb", "type", "veth", "peer", "name", "usb", "netns", client.path)
        for host, number in (router, last), (client, 2):
            host.batch("ip", [f"addr add 10.79.1.{number}/24 dev usb", "link set dev usb up"])

    def go(self) -> None:
        self.bed.router.run("ip", "link", "del", "dev", "usb")


# What hawserd is told to use of it.
FLAPPING = ('listen "usb" { address = "0.0.0.0:1080" }', 'access { allow = { "10.79.1.0/24" } }', "upstream { mptcp = off }")
FORWARDED = "relay { tier = packets }"


def test_an_interface_that_is_made_anew(bed, hawserd, tmp_path):
    """Its name and addresses are the same. Meanwhile the pair is to come back, for which there is no way then."""
    file = tmp_path / "hawser.conf"
    file.write_text("\n".join([*FLAPPING, FORWARDED, ""]), "ascii")
    daemon, link = hawserd("-c", str(file), *STAYING, listen=False), Flapping(bed)
    link.come()
    try:
        with peers.listen(bed.server) as listening, peers.connect(bed.client, "10.79.1.1", PORT) as client:
            socks5(client, SERVER4, peers.port_of(listening))
            with peers.accept(listening) as server:
                take(daemon, client, server)
                for sock in client, server:
                    sock.settimeout(20 * PATIENCE)
                link.go()
                link.come()
                chat(client, server, 20)
                assert tiers(daemon) == {"packets"}
                time.sleep(0.2)  # longer than an acknowledgement is delayed
                link.go()
                file.write_text("\n".join([*FLAPPING, ""]), "ascii")
                reload(daemon, "configuration reloaded")
                time.sleep(0.2)  # longer than it takes to find the quiet moment
                link.come()
                until(lambda: chat(client, server, 1) or tiers(daemon), lambda found: "packets" not in found)
                Stream(3).carry(client, server, MEGABYTE)
        until(daemon.active, lambda active: active == 0)
        assert daemon.errors() == {}
    finally:
        link.go()


def test_an_address_that_is_gone(bed, hawserd, tmp_path):
    """The pair waits for a way back as long as a socket waits for its peer, and is reset."""
    file = tmp_path / "hawser.conf"
    file.write_text("\n".join([*FLAPPING, FORWARDED, ""]), "ascii")
    soon = "--tune", "keepalive-idle-s=2", "--tune", "keepalive-interval-s=1"
    daemon, link = hawserd("-c", str(file), *soon, listen=False), Flapping(bed)
    link.come()
    try:
        with peers.listen(bed.server) as listening, peers.connect(bed.client, "10.79.1.1", PORT) as client:
            socks5(client, SERVER4, peers.port_of(listening))
            with peers.accept(listening) as server:
                take(daemon, client, server)
                link.go()
                link.come(3)
                server.settimeout(60 * PATIENCE)
                with pytest.raises(ConnectionResetError):
                    server.recv(1)
        until(daemon.active, lambda active: active == 0)
    finally:
        link.go()


@contextlib.contextmanager
def shrunken(bed):
    """The link carries less, and both of its ends know it."""
    ends = bed.router, bed.server
    try:
        for host in ends:
            host.run("ip", "link", "set", "dev", "a", "mtu", "1300")
        yield
    finally:
        for host in ends:
            host.run("ip", "link", "set", "dev", "a", "mtu", "1500")


@pytest.mark.parametrize("why", ["no right", "not heeded"])
def test_too_big_and_not_told(bed, hawserd, why):
    """hawserd may not send ICMP, or nobody there takes it: such packets are carried as by any other tier."""
    # What it was told in other tests.
    bed.client.run("ip", "route", "flush", "cache")
    daemon = hawserd(*ALWAYS, *STAYING, prefix=("setpriv", "--bounding-set=-net_raw", "--") if why == "no right" else ())
    heeds = bed.rules("icmp type destination-unreachable drop", bed.client) if why == "not heeded" else \
        contextlib.nullcontext()
    with heeds, through(daemon) as (client, server):
        size = take(daemon, client, server)
        with shrunken(bed):
            # The program asks once a second. Meanwhile a veth carries what GSO has made, and nothing else so big.
            time.sleep(1.1)
            chat(client, server, 1)
            size += TURN
            Stream(31).carry(client, server, MEGABYTE)
            assert reasons(daemon) == {"packets: too big for the other leg"}
            chat(client, server, 20)
        assert daemon.status()["bytes"] == {"up": size + MEGABYTE + 20 * TURN, "down": size + 20 * TURN}


@pytest.mark.parametrize("hook", ["tcx", "clsact"])
def test_a_program_that_is_taken_off(bed, hawserd, hook):
    """Packets come to the sockets, past it, until it is put back."""
    daemon = hawserd(*ALWAYS, *STAYING, prefix=lacking.words("tcx") if hook == "clsact" else ())
    with through(daemon) as (client, server):
        take(daemon, client, server)
        time.sleep(0.2)  # longer than an acknowledgement is delayed
        before = programs(bed.router)
        if hook == "tcx":
            tcx_detach(bed.router, "lan")
        else:
            bed.router.run("tc", "qdisc", "del", "dev", "lan", "clsact")
        chat(client, server, 20)
        until(lambda: programs(bed.router), lambda found: found == before)
    until(daemon.active, lambda active: active == 0)
    with through(daemon) as (client, server):
        take(daemon, client, server)


def test_another_in_its_place(bed, hawserd):
    """It is left there, and packets come to the sockets."""
    daemon = hawserd(*ALWAYS, *STAYING, prefix=lacking.words("tcx"))
    with through(daemon) as (client, server):
        take(daemon, client, server)
        time.sleep(0.2)
        bed.router.batch("tc", ["filter del dev lan ingress prio 685",
                                "filter add dev lan ingress protocol all prio 685 u32 match u32 0 0"])
        try:
            chat(client, server, 20)
            assert reasons(daemon) == {"packets: some come past the program"}
            assert "u32" in bed.router.run("tc", "filter", "show", "dev", "lan", "ingress")
        finally:
            bed.router.run("tc", "qdisc", "del", "dev", "lan", "clsact")

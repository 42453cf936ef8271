# SPDX-License-Identifier: GPL-2.0-or-later
"""The method bpf of router mode: what only it has. The rest is in test_intercept and test_bypass."""

from __future__ import annotations

import contextlib
import json
import platform
import re
import shlex
import signal
import socket
import struct

import pytest

import handshakes
import lacking
import peers
from lan import CLIENTS, PORT, SERVERS, asks
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from namespace import MountNamespace
from topology import CLIENT4, SERVER4
from waiting import until


@pytest.fixture(autouse=True)
def only_with_bpf(lan):
    lan.skip_without("bpf")


@contextlib.contextmanager
def programs_that_lack(lan, what, scripts):
    """Has hawserd and hawser do without something."""
    build = lan.build
    scripts.mkdir()
    for name in "hawserd", "hawser":
        script = scripts / name
        script.write_text(f"#!/bin/sh\nexec {shlex.join(lacking.words(what))} "
                          f"{(build / name).resolve()} \"$@\"\n", "ascii")
        script.chmod(0o755)
    lan.build = scripts
    yield
    lan.build = build


@pytest.fixture
def old_kernel(lan, tmp_path):
    """Has no tcx, so that clsact is used."""
    with programs_that_lack(lan, "tcx", tmp_path / "old"):
        yield


@pytest.fixture
def no_nftables(lan, tmp_path):
    with programs_that_lack(lan, "nftables", tmp_path / "bare"):
        yield


@pytest.fixture(params=["tcx", "clsact"])
def hook(request, lan):
    """Where the program hangs."""
    if request.param == "clsact":
        request.getfixturevalue("old_kernel")
    else:
        lan.require_tcx()
    return request.param


PASS, DROP = 0, 2  # TC_ACT_OK, TC_ACT_SHOT


@contextlib.contextmanager
def foreign_filter(lan, where):
    """Somebody else's filter; yields a function that changes what it does to all packets."""
    words = ("dev", "lan", where, "prio", "1000", "handle", "7", "bpf", "da", "bytecode")

    def does(verdict: int) -> None:
        lan.router.run("tc", "filter", "replace", *words, f"1,6 0 0 {verdict}")

    does(PASS)
    yield does
    lan.router.run("tc", "filter", "del", *words[:5])


def filters(lan) -> str:
    return lan.router.run("tc", "filter", "show", "dev", "lan", "ingress")


def test_beside_another(lan, hook, interceptor, serve):
    """Somebody's clsact and filter, there before, judge all packets after us, and stay."""
    server = serve()
    lan.router.run("tc", "qdisc", "add", "dev", "lan", "clsact")
    try:
        before = lan.steering()
        with foreign_filter(lan, "ingress") as does:
            daemon = interceptor("bpf")
            daemon.up()
            assert lan.tcx() == (1 if hook == "tcx" else 0)
            assert ("hawser_steer" in filters(lan)) == (hook == "clsact")
            for family in 4, 6:
                until(lambda: asks(lan, SERVERS[family], server.port) != CLIENTS[family])  # pylint: disable=cell-var-from-loop
            daemon.assert_counted(caught=2)
            does(DROP)
            with lan.client.socket(socket.AF_INET) as client:
                client.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    client.connect((SERVER4, server.port))
            does(PASS)
            daemon.assert_counted(caught=3)
            daemon.up()
            daemon.down()
            assert "hawser_steer" not in filters(lan)
            assert "bytecode" in filters(lan)
        assert lan.steering() == before
    finally:
        lan.router.run("tc", "qdisc", "del", "dev", "lan", "clsact")


def test_own_clsact(lan, old_kernel, interceptor, serve):
    """Made if need be, remembered over `up`, and removed, unless somebody uses it by then."""
    server = serve()
    daemon = interceptor("bpf")
    before = lan.steering()
    daemon.up()
    daemon.up()
    assert "clsact" in lan.router.run("tc", "qdisc")
    assert lan.tcx() == 0
    for family in 4, 6:
        until(lambda: asks(lan, SERVERS[family], server.port) != CLIENTS[family])  # pylint: disable=cell-var-from-loop
    daemon.assert_counted(caught=2)
    daemon.down()
    assert lan.steering() == before
    daemon.up()
    with foreign_filter(lan, "egress"):
        daemon.down()
        assert "clsact" in lan.router.run("tc", "qdisc")
        assert filters(lan) == ""
    lan.router.run("tc", "qdisc", "del", "dev", "lan", "clsact")
    assert lan.steering() == before


def is_free(lan) -> bool:
    """Whether a socket that shares its port may listen beside hawserd's."""
    with lan.router.socket(socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            sock.bind(("127.0.0.1", PORT))
            sock.listen()
        except OSError:
            return False
    return True


def listening(lan) -> int:
    return lan.router.run("ss", "-Hltn", "src", f"127.0.0.1:{PORT}").count("LISTEN")


@pytest.mark.parametrize("shared", [True, False])
def test_a_kernel_that_takes_no_shared_listener(lan, interceptor, serve, shared):
    """All workers accept from one socket then, which does not share its port, and does so again
    after a reload: before Linux 6.6, and where it cannot be tried."""
    server = serve()
    daemon = interceptor("bpf", "--workers", "3", prefix=() if shared else lacking.words("netns"))
    could_share = "BPF takes a shared listener: yes" in daemon.log()
    release = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
    assert could_share == shared or release < (6, 6)
    daemon.up()
    for reloads in range(2):
        assert listening(lan) == (3 if could_share else 1)
        assert is_free(lan) == could_share
        # All of some in a row; a busy machine may keep hawserd from its heartbeat meanwhile.
        assert any(all(asks(lan, SERVERS[family], server.port) != CLIENTS[family] for family in (4, 6) * 4)
                   for _ in range(3))
        daemon.signal(signal.SIGHUP)
        until(daemon.log, lambda log, count=reloads: log.count("configuration reloaded") > count)


def test_without_btf(lan, interceptor, serve):
    """As on OpenWrt, whose kernels have none."""
    server = serve()
    daemon = interceptor("bpf")
    mounts = MountNamespace({}, empty=["/sys/kernel/btf"])
    try:
        up = lan.router.start([lan.build / "hawser", "--control", daemon.control, "--lan", "lan",
                               "--method", "bpf", "intercept", "up"], mounts)
        assert up.wait(60) == 0
    finally:
        mounts.close()
    until(lambda: asks(lan, SERVER4, server.port) != CLIENT4)
    daemon.assert_counted(caught=1)


def test_without_nftables(lan, no_nftables, interceptor, serve, tmp_path):
    """By hand and by the setting; hawserd lives on, and what needs nftables says so."""
    server = serve()
    before = lan.steering()
    daemon = interceptor("bpf")
    daemon.down()
    assert not daemon.show()["up"]
    with pytest.raises(RuntimeError, match="no nftables"):
        lan.hawser("--lan", "lan", "--method", "tproxy", "intercept", "up", control=daemon.control)
    daemon.up()
    until(lambda: asks(lan, SERVER4, server.port) != CLIENT4)
    until(lambda: daemon.status()["interception"]["wanted"])
    assert daemon.show()["method"] == "bpf"
    found = daemon.doctor("interception")
    assert {each["verdict"] for each in found.values()} == {"ok"}, found
    daemon.down()
    assert lan.steering() == before and not daemon.show()["up"]
    file = tmp_path / "conf"
    file.write_text('intercept { up = yes  method = bpf  lan = { "lan" } }\n', "utf-8")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    again = interceptor("bpf", "-c", str(file))
    until(lambda: asks(lan, SERVER4, server.port) != CLIENT4)
    assert "warning: nftables" not in again.log()


def test_goes_up_on_all_or_none(lan, interceptor, serve):
    """From one set of interfaces to another; one that there is not is told of."""
    lan.require_tcx()
    daemon = interceptor("bpf")
    daemon.up()
    lan.hawser("--lan", "lan,lo,nosuch0,lan", "--method", "bpf", "intercept", "up",
               control=daemon.control)
    assert sorted(daemon.show()["lan"]) == ["lan", "lo"]
    assert lan.tcx() == 2
    with pytest.raises(RuntimeError, match="none of the LAN's interfaces is there"):
        lan.hawser("--lan", "nosuch0", "--method", "bpf", "intercept", "up", control=daemon.control)
    assert lan.tcx() == 2
    daemon.up()
    assert daemon.show()["lan"] == ["lan"]
    assert lan.tcx() == 1


def test_hung(lan, interceptor, serve):
    """It has its listeners and takes nothing from them: as good as dead."""
    server = serve()
    daemon = interceptor("bpf")
    daemon.up()
    daemon.freeze()
    try:
        # Until then the kernel accepts in its stead.
        until(lambda: daemon_missed(lan) or trial(lan, server.port))
    finally:
        daemon.signal(signal.SIGCONT)
    until(lambda: asks(lan, SERVER4, server.port) != CLIENT4)


def daemon_missed(lan) -> int:
    return json.loads(lan.hawser("--json", "intercept", "show"))["counters"]["missed"]


def trial(lan, port) -> bool:
    """Makes one more connection; whether it was routed."""
    with peers.connect(lan.client, SERVER4, port) as sock:
        sock.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            return sock.recv(100) != b""
    return False


# By hand, since no kernel sends TCP in fragments unasked.

GHOST = "10.77.0.99"  # the LAN's client, but its kernel does not know: it would reset


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def segment(ports: tuple[int, int], seq: int, ack: int, flags: int, data: bytes = b"") -> bytes:
    """A TCP segment of the ghost to the server, with data of even length."""
    head = struct.pack("!HHIIBBHHH", *ports, seq, ack, 5 << 4, flags, 65535, 0, 0)
    pseudo = socket.inet_aton(GHOST) + socket.inet_aton(SERVER4) + \
        struct.pack("!HH", socket.IPPROTO_TCP, len(head) + len(data))
    return head[:16] + struct.pack("!H", checksum(pseudo + head + data)) + head[18:] + data


def packet(payload: bytes, number: int = 0, offset: int = 0, more: bool = False) -> bytes:
    """IPv4; offset in bytes."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), number,
                       offset // 8 | (0x2000 if more else 0), 64, socket.IPPROTO_TCP, 0,
                       socket.inet_aton(GHOST), socket.inet_aton(SERVER4))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


@pytest.mark.parametrize("method", ["tproxy", "bpf"])
def test_fragments(lan, interceptor, method):
    """A caught connection's segment in three fragments is put together and answered here."""
    daemon = interceptor(method)
    daemon.up()
    ours = json.loads(lan.client.run("ip", "-j", "link", "show", "lan"))[0]["address"]
    lan.router.run("ip", "neigh", "replace", GHOST, "lladdr", ours, "dev", "lan")
    with peers.listen(lan.server) as listening, \
            lan.client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender, \
            lan.client.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as sniffer:
        sniffer.bind(("lan", 0x0800))
        sniffer.settimeout(peers.TIMEOUT_S)
        ports = (40000, peers.port_of(listening))

        def answer() -> tuple[int, int, int]:
            """Sequence number, acknowledgement and flags of the next segment to the ghost."""
            while True:
                data = sniffer.recv(2000)
                if data[16:20] == socket.inet_aton(GHOST):
                    tcp = data[20:]
                    return *struct.unpack("!II", tcp[4:12]), tcp[13]

        sender.sendto(packet(segment(ports, 1000, 0, 0x02)), (SERVER4, 0))
        seq, ack, flags = answer()
        assert (ack, flags & 0x12) == (1001, 0x12)
        data = bytes(range(256)) * 4
        whole = segment(ports, 1001, seq + 1, 0x18, data)
        for offset in 0, 400, 800:
            part = whole[offset:offset + 400]
            sender.sendto(packet(part, 77, offset, offset < 800), (SERVER4, 0))
        with peers.accept(listening) as far:
            assert far.getpeername()[0] not in (GHOST, CLIENT4)
            assert handshakes.read(far, len(data)) == data
        sender.sendto(packet(segment(ports, 1001 + len(data), seq + 1, 0x04)), (SERVER4, 0))
        daemon.await_end()
    lan.router.run("ip", "neigh", "del", GHOST, "dev", "lan")

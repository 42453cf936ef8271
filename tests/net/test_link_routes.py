# SPDX-License-Identifier: GPL-2.0-or-later
"""Default routes in all the shapes that the kernel has for them, and what links are made of them;
routes that are withdrawn, that a VPN lays over others, and two links of one address."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess

import pytest

import hop
import peers
from bed import Bed
from daemon import Hawserd
from links import LINK, bare  # pylint: disable=unused-import
from patience import PATIENCE
from pattern import MEGABYTE, exchange
from topology import LINKS, SERVER4, SERVER6, far, near
from waiting import until

GATEWAY4, GATEWAY6 = far("b")
SECOND4 = "10.77.2.9"
EXIT_PORT = 1081


@pytest.fixture
def start(bare):
    """Starts daemons on the bare bed."""
    started: list[Hawserd] = []

    def begin(*options: str) -> Hawserd:
        started.append(Hawserd(bare, "--sticky", "no", "--workers", "1", *options))
        return started[-1]

    yield begin
    for daemon in started:
        daemon.finish()


def ip(bed: Bed, *commands: str) -> None:
    for command in commands:
        bed.router.run("ip", *command.split())


def link(daemon: Hawserd, device: str) -> dict:
    return next((each for each in daemon.ask("links")["links"] if each["device"] == device), {})


def origins(daemon: Hawserd, address: str = SERVER4, count: int = 6) -> set[str]:
    """Where connections come from that clients make by this daemon."""
    seen = set()
    with peers.listen(daemon.bed.server, address) as listening:
        for _ in range(count):
            with daemon.dial(address, peers.port_of(listening)), \
                    peers.accept(listening) as server:
                seen.add(server.getpeername()[0])
    return seen


def drop_b(bed: Bed) -> None:
    ip(bed, f"-4 route del default via {GATEWAY4} dev b", f"-6 route del default via {GATEWAY6} dev b")


# Link b's route for IPv4, and the gateway that it has then; each with what takes a's along.
SHAPES = {
    "multipath": (["route del default dev a", f"route add default nexthop via {far('a')[0]} dev a "
                   f"nexthop via {GATEWAY4} dev b"], GATEWAY4),
    "via-the-other-family": ([f"-4 route add default via inet6 {GATEWAY6} dev b metric 102"],
                             GATEWAY6),
    "nexthop-object": ([f"nexthop add id 7 via {GATEWAY4} dev b",
                        "route add default nhid 7 metric 102"], GATEWAY4),
    "group-of-objects": ([f"nexthop add id 7 via {GATEWAY4} dev b",
                          f"nexthop add id 8 via {far('a')[0]} dev a", "nexthop add id 9 group 8/7",
                          "route add default nhid 9 metric 50"], GATEWAY4),
    "no-gateway": (["route add default dev b metric 102"], ""),
    "no-gateway-in-an-object": (["nexthop add id 7 dev b", "route add default nhid 7 metric 102"],
                                ""),
    "preferred-source": ([f"address add {SECOND4}/24 dev b",
                          f"route add default via {GATEWAY4} dev b src {SECOND4} metric 102"],
                         GATEWAY4),
}


# What has an object may be told without its routes.
TOLD = [(shape, compat) for shape, (commands, _) in SHAPES.items()
        for compat in ((1, 0) if "nexthop" in commands[0].split() else (1,))]


@pytest.mark.parametrize(("shape", "compat"), TOLD, ids=str)
@pytest.mark.parametrize("options", [LINK, ("--links", "auto")], ids=["named", "auto"])
def test_a_route_is_what_the_kernel_says(bare, start, shape, options, compat):
    commands, gateway = SHAPES[shape]
    bare.router.sysctl("ipv4/nexthop_compat_mode", compat)
    drop_b(bare)
    ip(bare, *commands)
    daemon = start(*options)
    seen = link(daemon, "b")
    assert (seen["state"], seen["ipv4"]["gateway"]) == ("up", gateway)
    assert link(daemon, "a")["state"] == "up"
    source = SECOND4 if shape == "preferred-source" else near("b")[0]
    assert origins(daemon) == {near("a")[0], source}


def doctor(daemon: Hawserd) -> list[dict]:
    bed = daemon.bed
    process = bed.router.start([str(bed.build / "hawser"), "--control", daemon.control, "--json",
                                "doctor"], bed.mounts, stdout=subprocess.PIPE)
    return json.loads(process.communicate(timeout=120 * PATIENCE)[0])["checks"]


def verdicts(daemon: Hawserd) -> dict[tuple[str, str, str], str]:
    """Of links, by device, check and family."""
    names = {each["name"]: each["device"] for each in daemon.ask("links")["links"]}
    return {(names[each["name"]], each["check"], each.get("family") or ""): each["verdict"]
            for each in doctor(daemon) if each["subject"] == "link"}


@pytest.mark.parametrize("where", ["b", "lan"])
@pytest.mark.parametrize("options", [LINK, ("--links", "auto")], ids=["named", "auto"])
def test_routes_for_some_sources(bare, start, where, options):
    """As OpenWrt has them for IPv6: no default route is for all, and the address that a link's is for
    may be on another interface, where its prefix was delegated to (RFC 8043)."""
    source, prefix = {"b": (near("b")[1], "fd77:2::/64"),
                      "lan": ("2001:db8:7::1", "2001:db8:7::/48")}[where]
    drop_b(bare)
    ip(bare, f"-6 route del default via {far('a')[1]} dev a",
       f"-6 route add default from fd77:1::/64 via {far('a')[1]} dev a metric 512",
       f"-6 route add default from {prefix} via {GATEWAY6} dev b metric 512",
       # Better than the others by its kind, and of no use.
       "-6 addr add 2001:db8:9::1/64 dev b nodad")
    if where == "lan":
        ip(bare, f"-6 addr add {source}/64 dev lan nodad")
        bare.server.run("ip", "-6", "route", "add", prefix, "via", near("b")[1])
    daemon = start(*options)
    assert link(daemon, "a")["ipv6"]["address"] == near("a")[1]
    seen = link(daemon, "b")
    assert (seen["state"], seen["ipv6"]["gateway"], seen["ipv6"]["address"]) == \
        ("up", GATEWAY6, source)
    assert origins(daemon, SERVER6) == {near("a")[1], source}


@pytest.mark.parametrize("hops", ["objects", "multipath"])
def test_ipv6_next_hops(bare, start, hops):
    drop_b(bare)
    ip(bare, f"-6 route del default via {far('a')[1]} dev a")
    if hops == "objects":
        ip(bare, f"-6 nexthop add id 7 via {far('a')[1]} dev a",
           f"-6 nexthop add id 8 via {GATEWAY6} dev b", "nexthop add id 9 group 7/8",
           "-6 route add default nhid 9")
    else:
        ip(bare, f"-6 route add default nexthop via {far('a')[1]} dev a "
           f"nexthop via {GATEWAY6} dev b")
    daemon = start("--links", "auto")
    assert link(daemon, "b")["ipv6"]["gateway"] == GATEWAY6
    assert origins(daemon, SERVER6) == {near(each)[1] for each in LINKS}


def test_doctor_says_what_links_say(bare, start):
    """A link without a route is none, also to the doctor, and each shape is one."""
    drop_b(bare)
    daemon = start(*LINK)
    assert link(daemon, "b")["state"] == "no-gateway"
    assert verdicts(daemon)["b", "route", "ipv4"] == "fail"
    for shape in "no-gateway", "via-the-other-family", "nexthop-object":
        commands, _ = SHAPES[shape]
        ip(bare, *commands)
        until(lambda: link(daemon, "b")["state"] == "up")
        found = verdicts(daemon)
        assert found["b", "route", "ipv4"] == "ok" and found["b", "rule", "ipv4"] == "ok"
        ip(bare, "-4 route del default metric 102")
        until(lambda: link(daemon, "b")["state"] == "no-gateway")


# What is withdrawn.

def advertise(bed: Bed, lifetime_s: int) -> None:
    """A router advertisement of the server's on link b."""
    with bed.server.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"b")
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        with bed.server.entered():
            index = socket.if_nametoindex("b")
        sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime_s, 0, 0),
                    ("ff02::1", 0, 0, index))


def test_a_router_advertisement_withdraws(bare, start):
    bare.router.sysctl("ipv6/conf/b/accept_ra", 2)
    ip(bare, f"-6 route del default via {GATEWAY6} dev b")
    until(lambda: advertise(bare, 1800) or "proto ra" in
          bare.router.run("ip", "-6", "route", "show", "default"))
    daemon = start(*LINK)
    assert near("b")[1] in origins(daemon, SERVER6)
    advertise(bare, 0)
    until(lambda: not link(daemon, "b")["ipv6"]["works"])
    assert origins(daemon, SERVER6) == {near("a")[1]}
    assert link(daemon, "b")["ipv4"]["works"]
    advertise(bare, 1800)
    until(lambda: link(daemon, "b")["ipv6"]["works"])


@pytest.mark.parametrize("shape", ["via", "no-gateway"])
def test_a_deleted_route_withdraws(bare, start, shape):
    route = f"default via {GATEWAY4} dev b" if shape == "via" else "default dev b"
    drop_b(bare)
    ip(bare, f"route add {route} metric 102")
    daemon = start(*LINK)
    assert near("b")[0] in origins(daemon)
    ip(bare, f"route del {route} metric 102")
    until(lambda: link(daemon, "b")["state"] == "no-gateway")
    assert origins(daemon) == {near("a")[0]}
    ip(bare, f"route add {route} metric 102")
    until(lambda: link(daemon, "b")["state"] == "up")


# VPNs.

def make_vpn(bed: Bed, kind: str) -> None:
    made = {"tun": "tuntap add dev vpn mode tun", "wireguard": "link add vpn type wireguard"}
    ip(bed, made[kind], "address add 10.99.0.2/32 dev vpn", "link set vpn up")


# wg-quick; OpenVPN's redirect-gateway def1; a better metric, as NetworkManager has it.
TAKES_ALL = {
    "another-table": ["route add default dev vpn table 51820",
                      "rule add priority 32764 not fwmark 51820 lookup 51820",
                      "rule add priority 32763 lookup main suppress_prefixlength 0"],
    "two-halves": ["route add 0.0.0.0/1 dev vpn", "route add 128.0.0.0/1 dev vpn"],
    "a-better-metric": ["route add default dev vpn metric 50"],
}


@pytest.mark.parametrize("kind", ["tun", "wireguard"])
@pytest.mark.parametrize("how", TAKES_ALL)
def test_auto_makes_no_way_past_a_vpn(bare, start, kind, how):
    ip(bare, *(f"-6 route del default via {far(each)[1]} dev {each}" for each in LINKS))
    make_vpn(bare, kind)
    ip(bare, *TAKES_ALL[how])
    daemon = start("--links", "auto")
    assert daemon.ask("links")["links"] == []
    if how == "two-halves":
        assert any("the tunnel vpn takes everything" in each["seen"] for each in doctor(daemon))
    assert "2800" not in bare.router.run("ip", "rule")
    # Not the VPN's, and when it goes links are what they were.
    ip(bare, "link del vpn", *(["rule del priority 32764"] if how == "another-table" else []))
    until(lambda: {each["device"] for each in daemon.ask("links")["links"]} == set(LINKS))
    # It comes back while links are in use.
    make_vpn(bare, kind)
    ip(bare, *TAKES_ALL[how][:2 if how != "a-better-metric" else 1])
    until(lambda: "2800" not in bare.router.run("ip", "rule"))
    daemon.baseline = daemon.open_files()  # workers that have had links go on asking for routes


def test_a_vpn_that_is_named_is_a_link(bare, start):
    make_vpn(bare, "tun")
    ip(bare, *TAKES_ALL["a-better-metric"])
    daemon = start("--links", "auto", "--link", "tunnel=vpn")
    assert {each["device"] for each in daemon.ask("links")["links"]} == {*LINKS, "vpn"}


def test_a_route_that_nothing_leads_to_is_no_link(bare, start):
    """In a table of its own, that marked packets take."""
    drop_b(bare)
    ip(bare, f"route add default via {GATEWAY4} dev b table 77", "rule add fwmark 77 lookup 77")
    daemon = start("--links", "auto")
    assert {each["device"] for each in daemon.ask("links")["links"]} == {"a"}


# A mesh with two gateways, each with a prefix of its own.

GATEWAY_PREFIXES = {"fd78:1::": "fd78:1::/48", "fd78:2::": "fd78:2::/48"}


def leads(bed: Bed, prefix: str, by: str) -> None:
    """As a routing daemon moves it, there and back."""
    ip(bed, f"-6 route replace default from {prefix} via {far(by)[1]} dev {by} proto babel")
    bed.server.run("ip", "-6", "route", "replace", prefix, "via", near(by)[1])


def test_prefixes_of_a_mesh(bare, start):
    """Each is a link, wherever it leads; a subflow goes on when that changes, and ends when the
    gateway has gone."""
    drop_b(bare)
    ip(bare, f"-6 route del default via {far('a')[1]} dev a",
       *(f"-6 addr add {prefix}1/128 dev lo nodad" for prefix in GATEWAY_PREFIXES))
    for prefix in GATEWAY_PREFIXES.values():
        leads(bare, prefix, "a")
    daemon = start("--links", "auto")

    def mesh() -> dict[str, tuple[str, str]]:
        return {each["name"]: (each["device"], each["state"]) for each in daemon.ask("links")["links"]
                if each.get("prefix") in GATEWAY_PREFIXES.values()}

    assert mesh() == dict.fromkeys(GATEWAY_PREFIXES, ("a", "up"))
    assert origins(daemon, SERVER6) == {f"{prefix}1" for prefix in GATEWAY_PREFIXES}
    joined = 2 if bare.mptcp else 1
    with peers.listen(bare.server, SERVER6, mptcp=bare.mptcp) as listening, \
            daemon.dial(SERVER6, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        client.sendall(b"?")
        assert server.recv(1) == b"?"
        until(lambda: daemon.session()["upstream_subflows"], lambda count: count == joined)
        exchange(client, server, MEGABYTE, ends=False)
        before = bare.link_bytes("b")
        for prefix in GATEWAY_PREFIXES.values():
            leads(bare, prefix, "b")
        until(mesh, lambda seen: seen == dict.fromkeys(GATEWAY_PREFIXES, ("b", "up")))
        assert daemon.session()["upstream_subflows"] == joined
        exchange(client, server, MEGABYTE)
        assert bare.link_bytes("b")[0] - before[0] > MEGABYTE
    assert {check: verdict for check, verdict in verdicts(daemon).items()
            if check[1] in ("route", "rule") and verdict == "fail"} == {}
    ip(bare, f"-6 route del default from fd78:2::/48 via {far('b')[1]} dev b proto babel")
    until(mesh, lambda seen: seen == {"fd78:1::": ("b", "up"), "fd78:2::": ("b", "no-gateway")})
    assert origins(daemon, SERVER6) == {"fd78:1::1"}


@pytest.mark.mptcp
def test_a_join_is_sent_again_when_its_way_moves(bare, start):
    """Else it waits for TCP, which doubles its waiting."""
    drop_b(bare)
    ip(bare, f"-6 route del default via {far('a')[1]} dev a",
       *(f"-6 addr add {prefix}1/128 dev lo nodad" for prefix in GATEWAY_PREFIXES))
    for prefix in GATEWAY_PREFIXES.values():
        leads(bare, prefix, "a")
    daemon = start("--links", "auto")
    with peers.listen(bare.server, SERVER6, mptcp=True) as listening:
        with bare.rules("ip6 saddr fd78::/16 tcp option mptcp subtype 1 counter drop"):
            client = daemon.dial(SERVER6, peers.port_of(listening))
            server = peers.accept(listening)
            client.sendall(b"?")
            assert server.recv(1) == b"?"
            until(lambda: "counter packets 0 " not in bare.server.run("nft", "list", "ruleset"))
            assert "as its way has moved" not in daemon.log()
            for prefix in GATEWAY_PREFIXES.values():
                leads(bare, prefix, "b")
            until(lambda: "is offered again as its way has moved: connections that have not joined: 1\n" in daemon.log())
        until(lambda: daemon.session()["upstream_subflows"], lambda count: count == 2)
        client.close()
        server.close()


@pytest.mark.mptcp
def test_a_gateway_beyond_a_neighbour_that_answers(bare, start, tmp_path):
    """Nobody but the exit can tell, and no routing daemon has noticed yet."""
    drop_b(bare)
    ip(bare, f"-6 route del default via {far('a')[1]} dev a",
       *(f"-6 addr add {prefix}1/128 dev lo nodad" for prefix in GATEWAY_PREFIXES))
    for prefix in GATEWAY_PREFIXES.values():
        leads(bare, prefix, "a")
    tokens = hop.write_tokens(tmp_path / "tokens", hop.Token().line())
    exit_ = Hawserd(bare, "--serve-exit", f"[{SERVER6}]:{EXIT_PORT}", "--tokens", str(tokens), listen=False,
                    namespace=bare.server)
    # Connects are too seldom to tell it.
    daemon = start("--links", "auto", "--exit", f"[{SERVER6}]:{EXIT_PORT}", "--exit-token", str(tokens),
                   "--exit-probe", "1h")

    def mesh() -> list[dict]:
        return [each for each in daemon.ask("links")["links"] if each.get("prefix")]

    def states() -> dict[str, str]:
        return {each["name"]: each["state"] for each in mesh()}

    until(mesh, lambda seen: len(seen) == 2 and all(each["probes"]["replies"] >= 4 for each in seen))
    with bare.rules(f"ip6 daddr {SERVER6} ip6 saddr fd78:2::/48 drop"):
        until(states, lambda seen: seen == {"fd78:1::": "up", "fd78:2::": "no-answer"})
    until(states, lambda seen: seen == dict.fromkeys(GATEWAY_PREFIXES, "up"))
    exit_.finish()


@pytest.mark.mptcp
def test_connections_outlast_the_loss_of_all_ways(bare, start, tmp_path):
    """Nobody is better, so none is ended, also not the first to be found silent."""
    drop_b(bare)
    ip(bare, f"-6 route del default via {far('a')[1]} dev a",
       *(f"-6 addr add {prefix}1/128 dev lo nodad" for prefix in GATEWAY_PREFIXES))
    for prefix in GATEWAY_PREFIXES.values():
        leads(bare, prefix, "a")
    tokens = hop.write_tokens(tmp_path / "tokens", hop.Token().line())
    exit_ = Hawserd(bare, "--serve-exit", f"[{SERVER6}]:{EXIT_PORT}", "--tokens", str(tokens), "--exit-allow",
                    f"{SERVER6}/128", listen=False, namespace=bare.server)
    daemon = start("--links", "auto", "--exit", f"[{SERVER6}]:{EXIT_PORT}", "--exit-token", str(tokens))

    def mesh() -> list[dict]:
        return [each for each in daemon.ask("links")["links"] if each.get("prefix")]

    def unanswered() -> list[int]:
        return [each["probes"]["requests"] - each["probes"]["replies"] for each in mesh()]

    until(mesh, lambda seen: len(seen) == 2 and all(each["probes"]["replies"] >= 4 for each in seen))
    with peers.listen(bare.server, SERVER6) as listening, daemon.dial(SERVER6, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        client.sendall(b"?")
        assert server.recv(1) == b"?"
        until(lambda: daemon.session()["upstream_subflows"], lambda count: count == 2)
        exchange(client, server, MEGABYTE, ends=False)
        with bare.rules("ip6 saddr fd78::/16 drop"):
            client.sendall(b"?")
            before = unanswered()
            until(unanswered, lambda seen: all(now > was + 15 for now, was in zip(seen, before)))
            for prefix in GATEWAY_PREFIXES.values():
                leads(bare, prefix, "b")
            until(lambda: [each["device"] for each in mesh()], lambda seen: seen == ["b", "b"])
        assert server.recv(1) == b"?"
        exchange(client, server, MEGABYTE)
    assert "no-answer" not in daemon.log() and "stays" not in daemon.log()
    exit_.finish()


# Two links of the same address.

def test_two_modems_of_one_address(bare, start):
    """One is used, and the other when the first loses its carrier."""
    drop_b(bare)
    ip(bare, *(f"-6 route del default via {far('a')[1]} dev a",),
       f"address del {near('b')[0]}/24 dev b", f"address add {near('a')[0]}/24 dev b",
       f"route add default via {far('a')[0]} dev b metric 102")
    bare.server.run("ip", "address", "del", f"{GATEWAY4}/24", "dev", "b")
    bare.server.run("ip", "address", "add", f"{far('a')[0]}/24", "dev", "b")
    daemon = start(*LINK)
    assert [link(daemon, each)["state"] for each in LINKS] == ["up", "same-address"]
    assert origins(daemon, count=2) == {near("a")[0]}
    assert verdicts(daemon)["b", "use", ""] == "fail"
    carried = bare.link_bytes("b")
    bare.server.run("ip", "link", "set", "dev", "a", "down")
    until(lambda: link(daemon, "b")["state"] == "up")
    assert link(daemon, "a")["state"] == "no-carrier"
    assert origins(daemon, count=2) == {near("a")[0]}
    assert bare.link_bytes("b") > carried
    # It stays there.
    bare.server.run("ip", "link", "set", "dev", "a", "up")
    until(lambda: link(daemon, "a")["state"] == "same-address")
    assert link(daemon, "b")["state"] == "up"


# What a crash leaves.

@pytest.mark.parametrize("next_options", [(*LINK, "--links", "manual"), (),
                                          ("--link", "x=nothing", "--links", "manual")],
                         ids=["manual", "no-links", "manual-of-another"])
def test_what_a_killed_one_left_is_taken_back(bare, start, next_options):
    def kernel() -> list[str]:
        return [bare.router.run("ip", *command.split()) for command in
                ("-4 rule", "-6 rule", "route show table all", *(["mptcp endpoint"] if bare.mptcp
                                                                 else []))]

    before = kernel()
    killed = Hawserd(bare, *LINK)
    assert kernel() != before
    killed.signal(signal.SIGKILL)
    killed.wait()
    killed.finish()
    start(*next_options)
    until(lambda: kernel() == before)


def test_tethering_has_a_new_name_each_time(bare, start):
    """More names than there is room for; the one that is there is a link."""
    daemon = start("--links", "auto")
    for number in range(18):
        name = f"usb{number}"
        ip(bare, f"link add {name} type veth peer name peer",
           f"address add 10.78.{number}.2/24 dev {name}", f"link set {name} up", "link set peer up",
           f"route add default via 10.78.{number}.1 dev {name} metric 300")
        until(lambda name=name: link(daemon, name).get("state") == "up")
        ip(bare, f"link del {name}")
        until(lambda name=name: link(daemon, name).get("state", "no-device") == "no-device")
    assert link(daemon, "a")["state"] == link(daemon, "b")["state"] == "up"

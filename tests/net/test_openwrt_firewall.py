# SPDX-License-Identifier: GPL-2.0-or-later
"""hawserd beside what OpenWrt's firewall (fw4), mwan3 and pbr put into the kernel: rules as theirs, in
our words. None loses what it has, and each comes back after a restart of the others."""

from __future__ import annotations

import contextlib

import pytest

import peers
from daemon import Hawserd
from lan import CLIENTS, SERVERS, asks
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from links import LINK, bare_bed, began_on
from test_doctor_intercept import look
from topology import LAN_PREFIX4, LAN_PREFIX6, LINKS, SERVER4, SERVER6, far, near
from waiting import until

WANS = '{ "a", "b" }'


def fw4(lan_input: str = "accept") -> str:
    """Zones lan and wan; wan masquerades. lan_input: of the zone that the clients are in."""
    return f"""
        table inet fw4 {{
            chain input {{
                type filter hook input priority filter; policy drop;
                iifname "lo" accept
                ct state vmap {{ established : accept, related : accept }}
                tcp flags & (fin | syn | rst | ack) == syn jump syn_flood
                iifname "lan" jump input_lan
                iifname {WANS} jump input_wan
                jump handle_reject
            }}
            chain forward {{
                type filter hook forward priority filter; policy drop;
                ct state vmap {{ established : accept, related : accept }}
                iifname "lan" oifname {WANS} accept
                iifname {WANS} jump handle_reject
            }}
            chain output {{
                type filter hook output priority filter; policy accept;
                oifname "lo" accept
                ct state vmap {{ established : accept, related : accept }}
            }}
            chain handle_reject {{
                meta l4proto tcp reject with tcp reset
                reject
            }}
            chain syn_flood {{
                limit rate 25/second burst 50 packets return
                drop
            }}
            chain input_lan {{
                meta l4proto {{ icmp, icmpv6 }} accept
                {lan_input}
            }}
            chain input_wan {{
                meta l4proto {{ icmp, icmpv6 }} accept
                jump handle_reject
            }}
            chain srcnat {{
                type nat hook postrouting priority srcnat; policy accept;
                oifname {WANS} meta nfproto ipv4 masquerade
            }}
            chain dstnat {{
                type nat hook prerouting priority dstnat; policy accept;
            }}
            chain mangle_prerouting {{
                type filter hook prerouting priority mangle; policy accept;
            }}
            chain mangle_forward {{
                type filter hook forward priority mangle; policy accept;
                oifname {WANS} tcp flags & (fin | syn | rst) == syn tcp option maxseg size set rt mtu
            }}
        }}"""


@pytest.fixture
def firewall(lan):
    """Starts fw4 as its init script does: all that was there goes."""
    def restart(**settings: str) -> None:
        lan.router.run("nft", "flush", "ruleset")
        lan.router.run("nft", "-f", "-", text=fw4(**settings))

    before = lan.router.run("nft", "list", "ruleset")
    restart()
    yield restart
    lan.router.run("nft", "flush", "ruleset")
    lan.router.run("nft", "-f", "-", text=before)


def is_taken(lan, port: int) -> bool:
    return asks(lan, SERVERS[6], port) != CLIENTS[6] and asks(lan, SERVER4, port) == near("a")[0]


@pytest.mark.parametrize("method", ["tproxy", "redirect"])
def test_restart(lan, interceptor, firewall, serve, method):
    """What was taken goes on, and new connections are taken again soon."""
    server = serve(peers.echo)
    daemon = interceptor(method)
    daemon.up()
    until(lambda: daemon.status()["interception"]["wanted"])
    with peers.connect(lan.client, SERVER4, server.port) as sock:
        for count in 1, 2:
            sock.sendall(b"x")
            assert sock.recv(1) == b"x" and daemon.sessions()
            firewall()
            until(lambda: daemon.status()["interception"]["put_back"], lambda n: n == count)  # pylint: disable=cell-var-from-loop
        sock.sendall(b"y")
        assert sock.recv(1) == b"y"
    seen = serve()
    until(lambda: is_taken(lan, seen.port))


@pytest.mark.parametrize("rules", ["jump handle_reject", "quota over 1 mbytes drop\njump handle_reject",
                                   "limit rate 1/day drop\nct count over 1000 drop\njump handle_reject"],
                         ids=["reject", "quota", "limit"])
def test_guest_zone(lan, interceptor, firewall, serve, rules):
    """Of a zone that rejects input nothing is taken, as its clients would be cut off, until a rule of
    the firewall accepts what hawserd marks; doctor and the CLI say which."""
    server = serve()
    daemon = interceptor("tproxy", "--lan", "lan", "--intercept", "tproxy")
    firewall(lan_input=rules)
    with pytest.raises(RuntimeError, match="0x1000000"):
        daemon.up()
    found = look(daemon)["firewall"]
    assert found["verdict"] == "fail" and "inet fw4" in found["mend"], found
    # As fw4 makes it of the `config rule` in openwrt/README.md.
    firewall(lan_input="meta l4proto tcp meta mark & 0x1000000 == 0x1000000 accept\n" + rules)
    daemon.up()
    until(lambda: is_taken(lan, server.port))


def mwan3(link: str) -> str:
    """All traffic without a mark, the router's own too, is policed to go by one link."""
    number = LINKS.index(link) + 1
    marks = (0x100, 0x200, 0x3f00)
    hook = "\n".join([
        *(f"meta mark & 0x3f00 == 0 ct mark & 0x3f00 == {mark} meta mark set meta mark | {mark}" for mark in marks),
        "meta mark & 0x3f00 == 0 ip daddr @connected meta mark set meta mark | 0x3f00",
        "meta mark & 0x3f00 == 0 ip6 daddr @connected6 meta mark set meta mark | 0x3f00",
        f"meta mark & 0x3f00 == 0 meta mark set meta mark | {number << 8}",
        *(f"meta mark & 0x3f00 == {mark} ct mark set ct mark & 0xffffc0ff | {mark}" for mark in marks)])
    return f"""
        table inet mwan3 {{
            set connected {{ type ipv4_addr; flags interval; elements = {{ 127.0.0.0/8, 10.77.0.0-10.77.8.255, 224.0.0.0/3 }} }}
            set connected6 {{ type ipv6_addr; flags interval; elements = {{ fe80::/10, fd77::/64, fd77:1::/64, fd77:2::/64 }} }}
            chain prerouting {{ type filter hook prerouting priority mangle
{hook}
}}
            chain output {{ type route hook output priority mangle
{hook}
}}
        }}"""


@contextlib.contextmanager
def mwan3_running(host, policy: str):
    """Its tables, the three kinds of its rules, and its marks."""
    commands = []
    for number, link in enumerate(LINKS, 1):
        for family, gateway, prefix in zip((4, 6), far(link), (LAN_PREFIX4, LAN_PREFIX6)):
            commands += [f"-{family} route add default via {gateway} dev {link} table {number}",
                         f"-{family} route add {prefix} dev lan table {number}",
                         f"-{family} rule add priority {1000 + number} iif {link} lookup {number}",
                         f"-{family} rule add priority {2000 + number} fwmark {number << 8:#x}/0x3f00 lookup {number}",
                         f"-{family} rule add priority {3000 + number} fwmark {number << 8:#x}/0x3f00 unreachable"]
    for command in commands:
        host.run("ip", *command.split())
    host.run("nft", "-f", "-", text=mwan3(policy))
    try:
        yield
    finally:
        host.run("nft", "delete", "table", "inet", "mwan3")
        for command in commands:
            host.run("ip", *command.replace(" add ", " del ").split())


# Providers drop what has a source address of another.
STRICT = "\n".join(f'iifname "{link}" ip saddr {near(other)[0]} drop\niifname "{link}" ip6 saddr {near(other)[1]} drop'
                   for link, other in ("ab", "ba"))


@pytest.mark.mptcp
@pytest.mark.parametrize("policy", LINKS)
@pytest.mark.parametrize("host", [SERVER4, SERVER6])
def test_links_beside_mwan3(build, bed, tmp_path, policy, host):
    """Each link carries what begins on it, although mwan3 wants all on one."""
    with bare_bed(build, tmp_path, bed.mptcp) as bare, bare.rules(STRICT), \
            mwan3_running(bare.router, policy):
        daemon = Hawserd(bare, *LINK, "--sticky", "no", "--workers", "1")
        until(lambda: daemon.status()["links"]["up"], lambda up: up == 2)
        with peers.listen(bare.server, host) as listening:
            assert sorted(began_on(daemon, listening, host) for _ in range(6)) == list("aaabbb")
        daemon.finish()


PBR = """
    table inet pbr {
        chain prerouting {
            type filter hook prerouting priority mangle + 1; policy accept;
            iifname "lan" meta mark & 0x00ff0000 == 0 meta mark set meta mark & 0xff00ffff | 0x00020000
        }
    }"""


@contextlib.contextmanager
def pbr_running(host):
    """The LAN is policed to go by the link b."""
    commands = []
    for family, gateway in zip((4, 6), far("b")):
        commands += [f"-{family} route add default via {gateway} dev b table 257",
                     f"-{family} rule add priority 29998 fwmark 0x20000/0xff0000 lookup 257"]
    for command in commands:
        host.run("ip", *command.split())
    host.run("nft", "-f", "-", text=PBR)
    try:
        yield
    finally:
        host.run("nft", "delete", "table", "inet", "pbr")
        for command in commands:
            host.run("ip", *command.replace(" add ", " del ").split())


MARKS = """
    table inet marks {{
        counter kept {{ }}
        counter lost {{ }}
        chain forward {{
            type filter hook forward priority filter + 1;
            iifname "lan" meta mark & {0} == {1} counter name kept
            iifname "lan" meta mark & {0} != {1} counter name lost
        }}
    }}"""


@pytest.mark.parametrize("other", ["mwan3", "pbr"])
def test_interception_beside_policies(lan, interceptor, serve, other):
    """The LAN's connections are taken whatever marks they have; what is bypassed keeps its mark, and so
    the link that it was given."""
    policy, mask, mark = {"mwan3": (mwan3_running(lan.router, "b"), "0x3f00", "0x200"),
                          "pbr": (pbr_running(lan.router), "0xff0000", "0x20000")}[other]
    taken, bypassed = serve(), serve()
    daemon = interceptor("tproxy", "--bypass-port", str(bypassed.port))
    with policy, counted(lan.router, mask, mark):
        daemon.up()
        until(lambda: is_taken_by_all(lan, taken.port))
        lan.router.run("nft", "reset", "counters", "table", "inet", "marks")
        before = lan.link_bytes("b")[1]
        for family in 4, 6:
            assert asks(lan, SERVERS[family], bypassed.port) == CLIENTS[family]
        assert lan.link_bytes("b")[1] > before + 400
        counters = lan.router.run("nft", "list", "counters", "table", "inet", "marks")
        kept, lost = (int(part.split()[0]) for part in counters.split("packets ")[1:])
        assert kept >= 6 and lost == 0
        daemon.down()


@contextlib.contextmanager
def counted(host, mask: str, mark: str):
    host.run("nft", "-f", "-", text=MARKS.format(mask, mark))
    try:
        yield
    finally:
        host.run("nft", "delete", "table", "inet", "marks")


def is_taken_by_all(lan, port: int) -> bool:
    return all(asks(lan, SERVERS[family], port) != CLIENTS[family] for family in (4, 6))

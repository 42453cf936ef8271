# SPDX-License-Identifier: GPL-2.0-or-later
"""Routing daemons: how each is told what a node announces, over which links, and what these cost. A function each."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import control
import processes
from namespace import ENVIRONMENT
from place import SERVER6, UPLINK_PROTOCOL, Plan, prefix6

# Two of Babel's that are missed, one after the other, are a neighbour that is gone; of BFD (RFC 5880) and OLSR, three.
_HELLO_S, _BFD_S, _OLSR_HELLO_S = 0.2, 0.2, 0.3
# To BIRD's Babel, three that are missed of 16; by its default, five.
_BIRD_LIMIT = 14
# By babeld's default of 4 a way that was lost counts as worse than a long one for half a minute after it is back.
_SMOOTHING_S = 1
# By olsrd's default, etx_ff, a way that was lost counted as worse than a slow one for more than 20 s after it was back.
_AGING = 0.2
# An answer of a control socket that is whole, and one that is no complaint.
BABELD_ANSWERS = rb"(^|\n)(ok|no.*|bad)\n$", rb"(^|\n)ok\n$"
_BIRD_ANSWERS = rb"(^|\n)\d{4} .*\n$", rb"(^|\n)000[134] .*\n$"
_FRR_ANSWERS = rb"(?s)\0\0\0.$", rb"\0\0\0\0$"
# What a link costs: Babel's default for a wired one, more where it is slower than this.
_COST, _MBITS = 96, 50


@dataclass(frozen=True)
class Node:
    """What a daemon has to know. gateway: its number, or 0. costs: of devices, where not by their rate."""
    place: Plan
    name: str
    directory: Path
    costs: Mapping[str, int] = field(default_factory=dict)

    @property
    def number(self) -> int:
        return self.place.number(self.name)

    @property
    def gateway(self) -> int:
        gateways = self.place.network.gateways
        return gateways.index(self.name) + 1 if self.name in gateways else 0

    def rates(self) -> list[tuple[str, float]]:
        """Devices that lead to other nodes, and Mbit/s."""
        return [(link.device, link.qualities["rate"]) for link in self.place.network.neighbours(self.name)
                if link.device in self.place.devices(self.name)]

    def links(self) -> list[tuple[str, int]]:
        """These devices, and what they cost."""
        return [(device, self.costs.get(device, round(_COST * max(1, _MBITS / rate)))) for device, rate in self.rates()]

    def write(self, suffix: str, lines: list[str]) -> str:
        path = self.directory / f"{self.name}.{suffix}"
        path.write_text("\n".join(lines) + "\n", "ascii")
        return str(path)


def _babeld_interface(device: str, cost: int) -> str:
    return f"interface {device} type tunnel hello-interval {_HELLO_S} update-interval 4 rxcost {cost}"


def babeld(node: Node) -> list[list[str]]:
    """RFC 8966, with source-specific routes (RFC 9079)."""
    lines = [f"state-file {node.directory}/{node.name}.state", "ipv6-subtrees true",
             f"smoothing-half-life {_SMOOTHING_S}",
             f"local-path-readwrite {node.directory}/{node.name}.babeld-ctl",
             *(_babeld_interface(device, cost) for device, cost in node.links())]
    lines += ["redistribute local ip fd60::/16 eq 128", "redistribute local ip fd61::/16 eq 128"]
    if node.gateway:
        lines.append(f"redistribute ip ::/0 eq 0 proto {UPLINK_PROTOCOL} "
                     f"src-prefix {prefix6(node.gateway)}")
    lines.append("redistribute local deny")
    return [["babeld", "-c", node.write("babeld", lines), "-I", f"{node.directory}/{node.name}.pid"]]


def _babeld_metric(node: Node, _run: Path, device: str) -> None:
    """It changes the cost of no interface that it uses."""
    with control.Talk(f"{node.directory}/{node.name}.babeld-ctl", *BABELD_ANSWERS) as talk:
        talk.hear()
        talk.say(f"flush interface {device}\n")
        talk.say(f"{_babeld_interface(device, dict(node.links())[device])}\n")


def _bird(node: Node, lines: list[str]) -> list[list[str]]:
    lines = [f"router id 10.61.0.{node.number};", "protocol device { scan time 1; }", *lines]
    return [["bird", "-f", "-c", node.write("bird", lines), "-s",
             f"{node.directory}/{node.name}.ctl"]]


def _bird_metric(node: Node, _run: Path, _device: str) -> None:
    """Of a node whose configuration has been written again."""
    with control.Talk(f"{node.directory}/{node.name}.ctl", *_BIRD_ANSWERS) as talk:
        talk.hear()
        talk.say("configure\n")


def bird_babel(node: Node) -> list[list[str]]:
    """With source-specific routes, for IPv6 alone."""
    own = [f"route {address}/128 from ::/0 unreachable;" for address in
           [f"fd61::{node.number}", *node.place.addresses(node.name)]]
    if node.gateway:
        own.append(f"route ::/0 from {prefix6(node.gateway)} unreachable;")
    interfaces = [f'interface "{device}" {{ type wired; limit {_BIRD_LIMIT}; rxcost {cost}; '
                  f"hello interval {_HELLO_S * 1000:.0f} ms; update interval 4 s; }};" for device, cost in node.links()]
    protocol = ["protocol static own { ipv6 sadr { table mesh; };", *own, "}",
                "protocol babel { ipv6 sadr { table mesh; import all; export all; };", *interfaces, "}"]
    lines = ["ipv6 sadr table mesh;", *protocol,
             "protocol kernel { ipv6 sadr { table mesh; import none;",
             "export where source != RTS_STATIC; }; }"]
    return _bird(node, lines)


def bird_ospf(node: Node) -> list[list[str]]:
    """OSPFv3 (RFC 5340): a route is for all sources, so gateways translate addresses."""
    own = [f"route fd61::{node.number}/128 unreachable;"]
    if node.gateway:
        own.append("route ::/0 unreachable;")
    interfaces = [f'interface "{device}" {{ type ptp; cost {cost}; hello 1; dead 4; bfd on; }};'
                  for device, cost in node.links()]
    lines = [f'protocol bfd {{ interface "*" {{ interval {_BFD_S * 1000:.0f} ms; multiplier 3; }}; }}',
             "protocol static own { ipv6;", *own, "}",
             "protocol ospf v3 { ipv6 { import all; export where source = RTS_STATIC; }; area 0 {",
             *interfaces, "}; }",
             "protocol kernel { ipv6 { import none; export where source != RTS_STATIC; }; }"]
    return _bird(node, lines)


def frr_ospf(node: Node) -> list[list[str]]:
    """As bird_ospf()."""
    lines = [f"interface {device}\n ipv6 ospf6 area 0.0.0.0\n ipv6 ospf6 network point-to-point\n"
             f" ipv6 ospf6 cost {cost}\n ipv6 ospf6 hello-interval 1\n ipv6 ospf6 dead-interval 4\n"
             " ipv6 ospf6 bfd profile mesh\n!" for device, cost in node.links()]
    lines += [f"bfd\n profile mesh\n  transmit-interval {_BFD_S * 1000:.0f}\n"
              f"  receive-interval {_BFD_S * 1000:.0f}\n!",
              "interface lo\n ipv6 ospf6 area 0.0.0.0\n!",
              f"router ospf6\n ospf6 router-id 10.61.0.{node.number}"]
    if node.gateway:
        lines.append(" default-information originate always")
    config = node.write("frr", lines)
    common = ["-f", config, "-z", "/run/frr/zserv.api", "--vty_socket", "/run/frr"]
    return [[f"/usr/lib/frr/{daemon}", *common, "-i", f"/run/frr/{daemon}.pid"]
            for daemon in ("zebra", "bfdd", "ospf6d")]


def _frr_metric(node: Node, run: Path, device: str) -> None:
    with control.Talk(f"{run}/frr/ospf6d.vty", *_FRR_ANSWERS) as talk:
        for line in ("enable", "configure terminal", f"interface {device}",
                     f"ipv6 ospf6 cost {dict(node.links())[device]}"):
            talk.say(f"{line}\0")


def olsrd(node: Node) -> list[list[str]]:
    """OLSR (RFC 3626) by link quality; routes as bird_ospf()'s. A gateway is left only for one that is four times
    as near, as no connection outlives that."""
    hello = f"HelloInterval {_OLSR_HELLO_S} HelloValidityTime {3 * _OLSR_HELLO_S:.1f}"
    every = " ".join(f"{what}Interval 1.0 {what}ValidityTime 10.0" for what in ("Tc", "Mid", "Hna"))
    lines = ["IpVersion 6", "DebugLevel 0", "UseNiit no", "AllowNoInt yes", "Pollrate 0.05", "LinkQualityFishEye 0",
             'LinkQualityAlgorithm "etx_fpm"', f"LinkQualityAging {_AGING}", "NatThreshold 0.25",
             f"MainIp fd61::{node.number}"]
    if node.gateway:
        lines.append("Hna6 { 0:: 0 }")
    # A link costs the reciprocal of what both ends say, and each multiplies.
    lines += [f'Interface "{device}" {{ IPv6Src fd62::/16 {hello} {every} '
              f"LinkQualityMult default {(_COST / cost) ** 0.5:.3f} }}"
              for device, cost in node.links()]
    return [["olsrd", "-nofork", "-f", node.write("olsrd", lines)]]


def bmx7(node: Node) -> list[list[str]]:
    """Without its tunnels (Linux' ip6_tunnel) a network is announced by one node and a default route by none. So
    the first gateway alone leads to the exit."""
    own = f"{node.directory}/{node.name}"
    words = ["debug=0", "ipVersion=6", "/policyRouting=0", "/tableHnas=254",
             "nodeRsaKey=6", f"/keyPath={own}.bmx7/rsa.der", f"hostname={node.name}",
             f"descSqnPath={own}.bmx7/sqn", "linkWindow=8", "txAvgInterval=250", "ogmInterval=500"]
    for device, rate in node.rates():
        words += [f"dev={device}", f"/rateMax={rate * 1e6:.0f}"]
    networks = [f"fd61::{node.number}", *([SERVER6] if node.gateway == 1 else [])]
    return [["bmx7", *words, *(f"unicastHna={address}/128" for address in networks)]]


@dataclass(frozen=True)
class Daemon:
    """commands: of a node, to be started in this order. source_specific: whether a gateway's default
    route is for its own prefix alone. metric: tells it what the link by a device costs now; of a node whose /run this
    is; None: it cannot be told. link_addresses: whether each end of a link needs one that is not
    link-local. optional: runs where somebody has it; Debian 12 has neither olsrd nor bmx7."""
    commands: Callable[[Node], list[list[str]]]
    version: tuple[str, ...]
    source_specific: bool
    metric: Callable[[Node, Path, str], None] | None = None
    link_addresses: bool = False
    optional: bool = False


DAEMONS = {
    "babeld": Daemon(babeld, ("babeld", "-V"), True, _babeld_metric),
    "bird-babel": Daemon(bird_babel, ("bird", "--version"), True, _bird_metric),
    "bird-ospf": Daemon(bird_ospf, ("bird", "--version"), False, _bird_metric),
    "frr-ospf": Daemon(frr_ospf, ("/usr/lib/frr/zebra", "--version"), False, _frr_metric),
    "olsrd": Daemon(olsrd, ("olsrd", "--version"), False, link_addresses=True, optional=True),
    "bmx7": Daemon(bmx7, ("bmx7", "nodeRsaKey=4", "/keyPath={scratch}/key", "--version"), False, optional=True),
}


def installed(name: str) -> bool:
    return shutil.which(DAEMONS[name].version[0], path=ENVIRONMENT["PATH"]) is not None


def version(name: str) -> str:
    """Failed if it is not there."""
    if not installed(name):
        raise processes.Failed(f"{name} is not installed: expected {DAEMONS[name].version[0]} in PATH")
    # olsrd ends by a signal after that, and bmx7 makes itself a key before.
    with tempfile.TemporaryDirectory() as scratch:
        words = [word.format(scratch=scratch) for word in DAEMONS[name].version]
        done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip()
    if not said:
        raise processes.Failed(f"{name}: {' '.join(DAEMONS[name].version)} says nothing")
    return said.splitlines()[0].partition(" id=")[0].strip(" *")

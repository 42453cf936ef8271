# SPDX-License-Identifier: GPL-2.0-or-later
"""Routing daemons: how each is told what a node announces, and over which links. A function each."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import processes
from namespace import ENVIRONMENT, MountNamespace
from place import SERVER6, UPLINK_PROTOCOL, Place, Plan, prefix6

CONVERGE_S = 90
# Two of these that are missed are a neighbour that is gone; of BFD (RFC 5880), three.
_HELLO_S, _BFD_S = 0.3, 0.2
# By babeld's default of 4 a way that was lost counts as worse than a long one for half a minute after it is back.
_SMOOTHING_S = 1
# By olsrd's default, etx_ff, a way that was lost counted as worse than a slow one for more than 20 s after it was back.
_AGING = 0.2
# FRR's daemons lower their rights. Nobody reads what is said elsewhere than in the file of errors.
_OWN_RUN = 'mkdir -p /run/frr && { chown frr:frr /run/frr 2>/dev/null || true; } && exec "$@" >&2'
# What a link costs: Babel's default for a wired one, more where it is slower than this.
_COST, _MBITS = 96, 50


@dataclass(frozen=True)
class Node:
    """What a daemon has to know. gateway: its number, or 0."""
    place: Plan
    name: str
    directory: Path

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
        return [(device, round(_COST * max(1, _MBITS / rate))) for device, rate in self.rates()]

    def write(self, suffix: str, lines: list[str]) -> str:
        path = self.directory / f"{self.name}.{suffix}"
        path.write_text("\n".join(lines) + "\n", "ascii")
        return str(path)


def babeld(node: Node) -> list[list[str]]:
    """RFC 8966, with source-specific routes (RFC 9079)."""
    lines = [f"state-file {node.directory}/{node.name}.state", "ipv6-subtrees true",
             f"smoothing-half-life {_SMOOTHING_S}",
             f"default type tunnel hello-interval {_HELLO_S} update-interval 4"]
    lines += [f"interface {device} rxcost {cost}" for device, cost in node.links()]
    lines += ["redistribute local ip fd60::/16 eq 128", "redistribute local ip fd61::/16 eq 128"]
    if node.gateway:
        lines.append(f"redistribute ip ::/0 eq 0 proto {UPLINK_PROTOCOL} "
                     f"src-prefix {prefix6(node.gateway)}")
    lines.append("redistribute local deny")
    return [["babeld", "-c", node.write("babeld", lines), "-I", f"{node.directory}/{node.name}.pid"]]


def _bird(node: Node, lines: list[str]) -> list[list[str]]:
    lines = [f"router id 10.61.0.{node.number};", "protocol device { scan time 1; }", *lines]
    return [["bird", "-f", "-c", node.write("bird", lines), "-s",
             f"{node.directory}/{node.name}.ctl"]]


def bird_babel(node: Node) -> list[list[str]]:
    """With source-specific routes, for IPv6 alone."""
    own = [f"route {address}/128 from ::/0 unreachable;" for address in
           [f"fd61::{node.number}", *node.place.addresses(node.name)]]
    if node.gateway:
        own.append(f"route ::/0 from {prefix6(node.gateway)} unreachable;")
    interfaces = [f'interface "{device}" {{ type wired; rxcost {cost}; '
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


def olsrd(node: Node) -> list[list[str]]:
    """OLSR (RFC 3626) by link quality; routes as bird_ospf()'s. A gateway is left only for one that is four times
    as near, as no connection outlives that."""
    hello = f"HelloInterval {_HELLO_S} HelloValidityTime {3 * _HELLO_S:.1f}"
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
    route is for its own prefix alone. link_addresses: whether each end of a link needs one that is not
    link-local. optional: runs where somebody has it; Debian 12 has neither olsrd nor bmx7."""
    commands: Callable[[Node], list[list[str]]]
    version: tuple[str, ...]
    source_specific: bool
    link_addresses: bool = False
    optional: bool = False


DAEMONS = {
    "babeld": Daemon(babeld, ("babeld", "-V"), True),
    "bird-babel": Daemon(bird_babel, ("bird", "--version"), True),
    "bird-ospf": Daemon(bird_ospf, ("bird", "--version"), False),
    "frr-ospf": Daemon(frr_ospf, ("/usr/lib/frr/zebra", "--version"), False),
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


def start(stack: contextlib.ExitStack, place: Place, name: str, directory: Path) -> None:
    """On each node, with a /run of its own."""
    for node in place.network.nodes:
        if DAEMONS[name].link_addresses:
            place.address_links(node)
        mounts = stack.enter_context(contextlib.closing(MountNamespace({}, ["/run"])))
        for command in DAEMONS[name].commands(Node(place, node, directory)):
            process = processes.start(stack, place.spaces[node], "sh", "-c",
                                      _OWN_RUN, "sh", *command, mounts=mounts)
            time.sleep(0.3 if len(place.network.nodes) < 3 else 0.05)
            if process.poll() is not None:
                raise processes.Failed(f"{command[0]} on {node} ended: {processes.errors(process)}")


def has_way(place: Place, node: str, address: str) -> bool:
    """There and back: nobody listens, and says so."""
    with place.spaces[node].socket(socket.AF_INET6) as probe:
        probe.settimeout(1)
        try:
            probe.bind((address, 0))
            probe.connect((SERVER6, 9))
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
    return False


def wait(place: Place, node: str, addresses: list[str]) -> float:
    """Until the node has a way out from each of these, and back. Seconds."""
    began = time.monotonic()
    while not all(has_way(place, node, address) for address in addresses):
        if time.monotonic() > began + CONVERGE_S:
            raise processes.Failed(f"{node} has no way out by each gateway after {CONVERGE_S} s")
        time.sleep(0.1)
    return time.monotonic() - began

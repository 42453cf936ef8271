# SPDX-License-Identifier: GPL-2.0-or-later
"""A network as namespaces: each node with an address of the mesh and one of each gateway's prefix,
as delegated prefixes are (RFC 8043); gateways with a default route for their own prefix only, as
providers drop what comes from elsewhere (BCP 38)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from emulator import EmulatedLink
from namespace import Namespace
from network import INTERNET, Event, Link, Network

SERVER6, SERVER4, WEB4 = "fd99::1", "10.99.0.1", "10.99.0.2"
UPLINK_PROTOCOL = "44"


def prefix6(gateway: int) -> str:
    return f"fd60:0:{gateway}::/48"


class Plan:
    """What is known of a place before it is there. translated: where routes are for all sources, a node
    has its address of the mesh alone, and gateways translate it."""

    def __init__(self, network: Network, translated: bool) -> None:
        self.network = network
        self.translated = translated

    def number(self, node: str) -> int:
        return self.network.nodes.index(node) + 1

    def devices(self, node: str) -> list[str]:
        """Those that lead to other nodes of the mesh."""
        return [link.device for link in self.network.neighbours(node) if INTERNET not in link.ends]

    def addresses(self, node: str) -> list[str]:
        """Those it reaches the internet from."""
        own, count = self.number(node), len(self.network.gateways)
        if self.translated:
            return [f"fd61::{own}"]
        return [f"{prefix6(gateway)[:-3]}{own}" for gateway in range(1, count + 1)]


class Place(Plan):
    """Leaves nothing behind when closed. held: namespaces of nodes that somebody else made, as those of
    pods."""

    def __init__(self, network: Network, translated: bool,
                 held: Mapping[str, Namespace] | None = None) -> None:
        super().__init__(network, translated)
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.enter_context(self._stack)
            self.spaces = {name: self._space((held or {}).get(name))
                           for name in [*network.nodes, INTERNET]}
            self.clients = {proxy: self._space() for proxy in network.proxies}
            self.links = {link.device: self._wire(link) for link in network.links}
            self._address()
            undo.pop_all()

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _space(self, held: Namespace | None = None) -> Namespace:
        space = self._stack.enter_context(contextlib.closing(held or Namespace()))
        for setting in "all", "default":
            space.sysctl(f"ipv4/conf/{setting}/rp_filter", 0)
            space.sysctl(f"ipv6/conf/{setting}/accept_dad", 0)
            space.sysctl(f"ipv6/conf/{setting}/forwarding", 1)
        space.sysctl("ipv4/ip_forward", 1)
        space.sysctl("ipv4/tcp_rmem", "4096 1048576 33554432")
        space.run("ip", "mptcp", "limits", "set", "subflow", "8", "add_addr_accepted", "8")
        return space

    def _wire(self, link: Link) -> EmulatedLink:
        near, far = link.ends
        emulated = EmulatedLink(self.spaces[near], self.spaces[far], link.device, **link.qualities)
        self._stack.callback(emulated.close)
        return emulated

    def address_links(self, node: str) -> None:
        """With a prefix for each link."""
        number = {link.device: index for index, link in enumerate(self.network.links, 1)}
        self.spaces[node].batch("ip", [
            f"addr add fd62:0:0:{number[device]}::{self.number(node)}/64 dev {device} nodad"
            for device in self.devices(node)])

    def _address(self) -> None:
        for node in self.network.nodes:
            own = self.number(node)
            lines = [f"addr replace {address}/128 dev lo nodad"
                     for address in [f"fd61::{own}", *self.addresses(node)]]
            for link in self.network.neighbours(node):
                lines += [f"addr add fe80::{own}/64 dev {link.device} nodad",
                          f"link set {link.device} up"]
            self.spaces[node].batch("ip", lines)
        self._uplinks()
        for proxy, client in self.clients.items():
            own = self.number(proxy)
            self.spaces[proxy].run("ip", "link", "add", "lan", "type", "veth",
                                   "peer", "name", "lan", "netns", client.path)
            self.spaces[proxy].batch("ip", [f"addr add 10.62.{own}.1/24 dev lan", "link set lan up"])
            client.batch("ip", [f"addr add 10.62.{own}.2/24 dev lan", "link set lan up"])

    def _uplinks(self) -> None:
        internet = [f"addr add {address}/32 dev lo" for address in (SERVER4, WEB4)]
        internet.append(f"addr add {SERVER6}/128 dev lo nodad")
        for gateway, name in enumerate(self.network.gateways, 1):
            device = f"{name}-{INTERNET}"
            own = f"{prefix6(gateway)[:-3]}ffff"
            source = "" if self.translated else f"from {prefix6(gateway)}"
            self.spaces[name].batch("ip", [
                f"addr add {own}/128 dev {device} nodad",
                f"route add ::/0 {source} dev {device} proto {UPLINK_PROTOCOL} metric 10"])
            if self.translated:
                self.spaces[name].run("nft", "-f", "-", text=f"""
                    table ip6 gateway {{
                        chain out {{
                            type nat hook postrouting priority srcnat;
                            oifname "{device}" snat to {own}
                        }}
                    }}""")
            internet += [f"link set {device} up", f"route add {prefix6(gateway)} dev {device}"]
        self.spaces[INTERNET].batch("ip", internet)

    def happen(self, event: Event) -> None:
        """What the event does to links; a node that is killed or parted loses all of them."""
        if event.action in ("kill", "part", "revive", "heal"):
            for link in self.network.neighbours(event.target[0]):
                self.links[link.device].set(blackhole="on" if event.action in ("kill", "part") else "off")
            return
        if event.action == "metric":
            return  # that is the routing daemon's
        link = self.links[self.network.link(event.target).device]
        link.set(**{"cut": {"blackhole": "on"}, "mend": {"blackhole": "off"},
                    "unplug": {"carrier": "off"}, "plug": {"carrier": "on"},
                    "change": event.qualities}[event.action])

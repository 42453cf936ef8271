# SPDX-License-Identifier: GPL-2.0-or-later
"""The test bed: a client on a LAN, a router with the two links a and b, and a server with one
address that both links reach, as a rented machine has. Nothing is forwarded, so whatever the client
exchanges with the server went through a proxy on the router."""

from __future__ import annotations

from collections.abc import Mapping

from emulator import EmulatedLink
from namespace import Namespace, Unavailable

CLIENT4, CLIENT6 = "10.77.0.2", "fd77::2"
LAN4, LAN6 = "10.77.0.1", "fd77::1"
LAN_PREFIX4, LAN_PREFIX6 = "10.77.0.0/24", "fd77::/64"
SERVER4, SERVER6 = "10.77.9.1", "fd77:9::1"
# The server's subnet answers for no other address.
NOBODY4, NOBODY6 = "10.77.9.99", "fd77:9::99"

LINKS = "ab"
_QUEUE_MS, _BURST_MS = 50, 10


def near(link: str) -> tuple[str, str]:
    """The router's addresses on a link."""
    number = LINKS.index(link) + 1
    return f"10.77.{number}.1", f"fd77:{number}::1"


def far(link: str) -> tuple[str, str]:
    """The server's addresses on a link."""
    number = LINKS.index(link) + 1
    return f"10.77.{number}.2", f"fd77:{number}::2"


class Topology:
    """Rates are in Mbit/s, each way; None leaves a link unshaped. Links named in emulated are made
    by the emulator, with these settings of it: {"a": {"rate": 50, "rate_up": 5, "delay": 20}}."""

    def __init__(self, rate_a: float | None = None, rate_b: float | None = None,
                 mptcp: bool = True, rate_lan: float | None = None,
                 emulated: Mapping[str, Mapping[str, object]] | None = None) -> None:
        self.mptcp = mptcp
        self.emulated: dict[str, EmulatedLink] = {}
        self.client, self.router, self.server = Namespace(), Namespace(), Namespace()
        for namespace in (self.client, self.router, self.server):
            self._prepare(namespace)
        self._wire(emulated or {})
        for link, rate in ("a", rate_a), ("b", rate_b), ("lan", rate_lan):
            if rate:
                self.shape(link, rate)
        self.use(LINKS)

    def __enter__(self) -> Topology:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for emulated in self.emulated.values():
            emulated.close()
        for namespace in (self.client, self.router, self.server):
            namespace.close()

    def _prepare(self, namespace: Namespace) -> None:
        for setting in "all", "default":
            namespace.sysctl(f"ipv4/conf/{setting}/rp_filter", 0)
            namespace.sysctl(f"ipv6/conf/{setting}/accept_dad", 0)
        # Room for tens of thousands of connections between two addresses, above the ports that somebody listens on by
        # number: for a minute after one has ended nobody can listen where it was.
        namespace.sysctl("ipv4/ip_local_port_range", "10240 65535")
        # A first window beyond 64 KiB makes the kernel's wrong bytes rarer: MPTCP whose second
        # subflow joins in mid-stream (docs/kernel-notes.md).
        namespace.sysctl("ipv4/tcp_rmem", "4096 1048576 33554432")
        try:
            namespace.sysctl("mptcp/enabled", int(self.mptcp))
        except Unavailable:
            if self.mptcp:
                raise Unavailable("this kernel is built without MPTCP (CONFIG_MPTCP)") from None
            return
        if self.mptcp:
            namespace.run("ip", "mptcp", "limits", "set", "subflow", "4",
                          "add_addr_accepted", "4")

    def _wire(self, emulated: Mapping[str, Mapping[str, object]]) -> None:
        # First, so that no link has the same index at both ends: Linux then takes a second to see
        # that it has a carrier, and IPv6 waits for that.
        self.router.run("ip", "link", "add", "name", "lan", "type", "veth",
                        "peer", "name", "lan", "netns", self.client.path)
        devices = self._addresses("lan", LAN4, LAN6)
        server = [f"addr add {SERVER4}/32 dev lo", f"addr add {SERVER6}/128 dev lo nodad"]
        routes = []
        for table, link in enumerate(LINKS, 101):
            self._make_link(link, emulated.get(link))
            devices += self._addresses(link, *near(link))
            server += self._addresses(link, *far(link))
            routes += [f"route add default via {address} dev {link} table {table}"
                       for address in far(link)]
            for family, address in zip(("-4", "-6"), near(link)):
                self.router.run("ip", family, "rule", "add", "from", address, "lookup", str(table))
        self.router.batch("ip", devices)
        self.client.batch("ip", self._addresses("lan", CLIENT4, CLIENT6))
        self.server.batch("ip", server)
        # Last, because a route needs a device whose other end is up.
        self.router.batch("ip", routes)

    def _make_link(self, link: str, emulated: Mapping[str, object] | None) -> None:
        if emulated is not None:
            self.emulated[link] = EmulatedLink(self.router, self.server, link, **emulated)
            return
        self.router.run("ip", "link", "add", "name", link, "type", "veth",
                        "peer", "name", link, "netns", self.server.path)

    @staticmethod
    def _addresses(device: str, address4: str, address6: str) -> list[str]:
        return [f"addr add {address4}/24 dev {device}",
                f"addr add {address6}/64 dev {device} nodad",
                f"link set dev {device} up"]

    def shape(self, link: str, rate: float) -> None:
        """Limits a link, or the "lan", to rate, with a queue like a modem's."""
        if link in self.emulated:
            self.emulated[link].set(rate=rate)
            return
        bytes_per_ms = rate * 125
        burst = max(int(bytes_per_ms * _BURST_MS), 3200)
        limit = max(int(bytes_per_ms * _QUEUE_MS), 16000)
        for end, device in self._shapers(link):
            end.run("tc", "qdisc", "replace", "dev", device, "root", "tbf",
                    "rate", f"{int(rate * 1000)}kbit", "burst", str(burst), "limit", str(limit))

    def _shapers(self, link: str) -> list[tuple[Namespace, str]]:
        return [(self.router, link), (self.client if link == "lan" else self.server, link)]

    def use(self, links: str) -> None:
        """Lets new connections of the router use these links only; they begin on the first."""
        lines = []
        for far_end in far(links[0]):
            lines.append(f"route replace default via {far_end} dev {links[0]}")
        if self.mptcp:
            lines.append("mptcp endpoint flush")
            for link in links:
                lines += [f"mptcp endpoint add {address} dev {link} subflow"
                          for address in near(link)]
        self.router.batch("ip", lines)

    def cut(self, link: str) -> None:
        """From now on the link swallows every packet, and nobody is told."""
        for end in self.router, self.server:
            end.run("nft", "-f", "-", text=f"""
                table netdev cut_{link} {{
                    chain swallow {{
                        type filter hook ingress device {link} priority 0;
                        counter drop;
                    }}
                }}""")

    def swallowed(self, link: str) -> int:
        """Packets, since the link was cut."""
        lists = [end.run("nft", "list", "table", "netdev", f"cut_{link}")
                 for end in (self.router, self.server)]
        return sum(int(text.split("counter packets ")[1].split()[0]) for text in lists)

    def mend(self, link: str) -> None:
        """Whether it was cut or not."""
        for end in self.router, self.server:
            end.run("nft", "-f", "-",
                    text=f"add table netdev cut_{link}\ndelete table netdev cut_{link}\n")

    def link_bytes(self, link: str) -> tuple[int, int]:
        """Received and sent by the router."""
        return self.router.device_bytes(link)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Exits behind one address: a balancer in the server's namespace gives each connection to one of
them by a hash of where it comes from, as kube-proxy, IPVS and most others of layer 4 do."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import hop
from bed import Bed
from daemon import Hawserd
from namespace import Namespace

SHARED, PORT = "10.77.9.50", 1080
JOINS = "mptcp/allow_join_initial_addr_port"


class Exit:
    """One machine behind the balancer. Its own address is not the one that the balancer knows it
    by, as a node's outer address is not its inner one."""

    def __init__(self, bed: Bed, number: int, tokens: Path) -> None:
        self.bed, self.number, self._tokens = bed, number, tokens
        self.inner, self.own = f"10.78.{number}.1", f"10.78.{100 + number}.1"
        self.namespace = Namespace()
        self.daemon: Hawserd | None = None
        name = f"exit{number}"
        bed.server.run("ip", "link", "add", "name", name, "type", "veth",
                       "peer", "name", "up", "netns", self.namespace.path)
        bed.server.batch("ip", [f"addr add 10.78.{number}.2/24 dev {name}",
                                f"link set dev {name} up"])
        self.namespace.batch("ip", [f"addr add {self.inner}/24 dev up",
                                    f"addr add {self.own}/32 dev lo", "link set dev up up",
                                    f"route add default via 10.78.{number}.2"])
        bed.server.run("ip", "route", "add", self.own, "via", self.inner)

    def start(self, *options: str) -> Hawserd:
        self.daemon = Hawserd(
            self.bed, "--serve-exit", f"0.0.0.0:{PORT}", "--tokens", str(self._tokens),
            "--exit-allow", "10.77.9.0/24", *options, listen=False, namespace=self.namespace)
        return self.daemon

    def counter(self, name: str) -> int:
        return self.bed.mptcp_counters(self.namespace).get(name, 0)

    def kill(self) -> None:
        self.daemon.signal(signal.SIGKILL)
        self.daemon.wait()


class Balanced:
    """Three exits, none of which runs yet."""

    def __init__(self, bed: Bed, directory: Path) -> None:
        self.bed, self._directory = bed, directory
        self.tokens = hop.write_tokens(directory / "tokens", hop.Token("home").line())
        bed.server.sysctl("ipv4/ip_forward", 1)
        self.exits = [Exit(bed, number, self.tokens) for number in (1, 2, 3)]
        self.give_to(self.exits)

    def give_to(self, exits: list[Exit]) -> None:
        """New connections, from now on; those that there are stay where they are."""
        places = ", ".join(f"{i} : {exit_.inner}" for i, exit_ in enumerate(exits))
        self.bed.server.run("nft", "-f", "-", text=f"""
            add table ip balancer
            delete table ip balancer
            table ip balancer {{
                chain in {{
                    type nat hook prerouting priority dstnat;
                    ip daddr {SHARED} tcp dport {PORT} dnat to jhash ip saddr . tcp sport \\
                        mod {len(exits)} seed 7 map {{ {places} }}
                }}
            }}""")

    def router(self, *options: str) -> Hawserd:
        config = self._directory / "balanced.conf"
        config.write_text(f"""
            upstream {{ exit-answer = 20 when-no-exit = refuse sticky = no }}
            exit "shared" {{ address = "{SHARED}" port = {PORT} token-file = "{self.tokens}" }}
            """, "ascii")
        return Hawserd(self.bed, "-c", str(config), *options)

    def close(self) -> None:
        for exit_ in self.exits:
            with contextlib.ExitStack() as stack:
                stack.callback(exit_.namespace.close)
                if exit_.daemon:
                    exit_.daemon.finish()

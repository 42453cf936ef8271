# SPDX-License-Identifier: GPL-2.0-or-later
"""Contenders that are two programs: one on the router, one on a host beyond both links, MPTCP in
between, TCP at both ends."""

from __future__ import annotations

from dataclasses import dataclass

import router
from contenders import Contender, hawserd_version
from other_proxies import PEERS, Peer
from bench_site import PROXY_PORT, Door, Forward, Site, Target
from rows import Row
from topology import LAN4, SERVER4


# The others have the host's, and a better one would pass for a better proxy.
_CONGESTION = "--congestion=system"


class Chain(Contender):
    def takes(self, row: Row) -> bool:
        return row.chain


@dataclass(frozen=True)
class OwnChain(Chain):
    @property
    def described(self) -> str:
        return f"hawserd with both links and the exit on the router; hawserd --serve-exit beyond them; {_CONGESTION}"

    def version(self) -> str:
        return hawserd_version()

    def start(self, site: Site) -> Door:
        router.leave_links_alone(site.topology)
        router.start_exit(site.stack, site.topology, site.directory, _CONGESTION)
        router.start_router(site.stack, site.topology, site.directory, "ab", _CONGESTION)
        return Door(proxy=Target(LAN4, PROXY_PORT))


@dataclass(frozen=True)
class Forwarders(Chain):
    """The same program at both ends."""
    peer: Peer

    @property
    def described(self) -> str:
        return f"{self.peer.described}; the same beyond the links"

    def version(self) -> str:
        return self.peer.version()

    def absence(self) -> str | None:
        return self.peer.absence()

    def start(self, site: Site) -> Door:
        there = [Forward(Target(SERVER4, router.EXIT_PORT + number), target)
                 for number, target in enumerate(site.targets)]
        here = [Forward(Target(LAN4, PROXY_PORT + number), entry.listen)
                for number, entry in enumerate(there)]
        for entries, namespace, listens in (there, site.topology.server, True), (here, None, False):
            for entry in entries:
                site.expect(entry.listen, namespace)
            self.peer.serve(site, entries, namespace, listens, not listens)
        return Door(ports={entry.to: mine.listen for entry, mine in zip(there, here)})


@dataclass(frozen=True)
class Pair(Chain):
    """Two programs."""
    here: Peer
    there: Peer

    @property
    def is_given(self) -> bool:
        return self.here.is_given or self.there.is_given

    @property
    def described(self) -> str:
        return f"{self.here.described}; {self.there.described} beyond the links"

    def version(self) -> str:
        return f"{self.here.version()}, {self.there.version()}"

    def absence(self) -> str | None:
        return self.here.absence() or self.there.absence()


class Redirector(Pair):
    """A router's clients know of no proxy: redsocks takes their connections to a SOCKS server."""

    def start(self, site: Site) -> Door:
        there = Target(SERVER4, router.EXIT_PORT)
        here = Target(LAN4, PROXY_PORT)
        site.expect(there, site.topology.server)
        self.there.serve(site, [Forward(there, Target("0.0.0.0", 0))], site.topology.server, True, False)
        site.expect(here)
        self.here.serve(site, [Forward(here, there)], None, False, True)
        ports = ", ".join(str(target.port) for target in site.targets)
        site.topology.router.run("nft", "-f", "-", text=f"""
            table ip bench {{
                chain take {{
                    type nat hook prerouting priority dstnat;
                    iifname lan tcp dport {{ {ports} }} redirect to :{here.port}
                }}
            }}""")
        return Door()


class Shadowsocks(Pair):
    def start(self, site: Site) -> Door:
        there = Target(SERVER4, router.EXIT_PORT)
        site.expect(there, site.topology.server)
        self.there.serve(site, [Forward(there, there)], site.topology.server, True, False)
        door = site.socks_door()
        self.here.serve(site, [Forward(door.proxy, there)], None, False, True)
        return door


def _shadowsocks(program: str, role: str, config: str) -> Peer:
    return Peer(program, program, "{program} -c {config}", config, speaks="config",
                path_variable=f"PEER_{role}", version_words=("--version",))


_REDSOCKS = Peer("redsocks", "redsocks", "{program} -c {config}", """
base {{ log_debug = off; log_info = off; log = stderr; daemon = off; redirector = iptables; }}
redsocks {{ local_ip = {address}; local_port = {port}; ip = {to_address}; port = {to_port};
           type = socks5; }}
""")
_named = {peer.name: peer for peer in PEERS}
CHAINS = [
    OwnChain("hawserd-chain"),
    *(Forwarders(f"{name}-chain", _named[name]) for name in ("haproxy", "nginx", "socat")),
    Redirector("redsocks-microsocks", _REDSOCKS, _named["microsocks"]),
    Shadowsocks("shadowsocks", _shadowsocks("sslocal", "SSLOCAL", """{{
"local_address": "{address}", "local_port": {port}, "server": "{to_address}", "server_port": {to_port},
"method": "aes-128-gcm", "password": "bench", "mptcp": true, "no_delay": true
}}"""), _shadowsocks("ssserver", "SSSERVER", """{{
"server": "{address}", "server_port": {port},
"method": "aes-128-gcm", "password": "bench", "mptcp": true, "no_delay": true
}}""")),
]

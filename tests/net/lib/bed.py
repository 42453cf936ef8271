# SPDX-License-Identifier: GPL-2.0-or-later
"""The test bed with the files that hawserd and its clients find on it."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import peers
from namespace import MountNamespace, Namespace, Unavailable
from patience import PATIENCE
from topology import SERVER4, SERVER6, Topology

HOSTS = f"127.0.0.1 localhost\n::1 localhost\n{SERVER4} server.test\n{SERVER6} server.test\n"
RESOLV_CONF = "nameserver 127.0.0.1\n"


class Bed(Topology):
    """Processes started with its mounts see its own hosts and resolv.conf, an empty /run, and a
    root account that is not locked (sshd looks)."""

    def __init__(self, build: Path, scratch: Path, **settings) -> None:
        self.build, self.scratch = build, scratch
        self._tables = (f"test{number}" for number in itertools.count())
        texts = {"hosts": HOSTS, "resolv.conf": RESOLV_CONF,
                 "shadow": "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n"}
        for name, text in texts.items():
            (scratch / name).write_text(text, "ascii")
        self.mounts = MountNamespace({f"/etc/{name}": str(scratch / name) for name in texts},
                                     empty=["/run", "/var/lib"])
        super().__init__(**settings)
        if self.mptcp:
            self._be_impatient()

    def _be_impatient(self) -> None:
        """An MPTCP connection that has lost its last subflow is given up soon: one that is being
        opened counts, and some go to where nobody answers."""
        for host in self.client, self.router, self.server:
            with contextlib.suppress(Unavailable):  # before 6.6; then it takes a minute
                host.sysctl("mptcp/close_timeout", peers.KEEPALIVE_S)
            # Each doubles the time: 7 s, and 15 in an emulated machine.
            host.sysctl("ipv4/tcp_syn_retries", 2 if PATIENCE == 1 else 3)

    def close(self) -> None:
        super().close()
        self.mounts.close()

    def counters(self, host: Namespace, group: str) -> dict[str, int]:
        """What the kernel counted so far: "TcpExt", "MPTcpExt"."""
        with host.entered(), open("/proc/thread-self/net/netstat", encoding="ascii") as file:
            rows = [line.split()[1:] for line in file if line.startswith(f"{group}:")]
        return {name: int(value) for name, value in zip(*rows)} if rows else {}

    def mptcp_counters(self, host: Namespace) -> dict[str, int]:
        return self.counters(host, "MPTcpExt")

    def syns_again(self, host: Namespace) -> int:
        """How many SYNs a host has sent again, as it does when a second has passed without an answer."""
        return self.counters(host, "TcpExt")["TCPSynRetrans"]

    def endpoints(self) -> dict[str, dict]:
        """The router's MPTCP endpoints, by address."""
        listed = json.loads(self.router.run("ip", "-j", "mptcp", "endpoint"))
        return {endpoint["address"]: endpoint for endpoint in listed}

    def fallback_counts(self) -> tuple[int, int]:
        """How many connections of hawserd's hosts fell back to TCP, and how often these hosts have
        dropped what MPTCP's order has no place for; a fallback has no such order
        (docs/kernel-notes.md)."""
        seen = [self.mptcp_counters(host) for host in (self.router, self.server)]
        return (sum(each.get("MPCapableFallbackSYNACK", 0) for each in seen),
                sum(each.get("DuplicateData", 0) + each.get("NoDSSInWindow", 0) for each in seen))

    @contextlib.contextmanager
    def rules(self, rule: str, host: Namespace | None = None) -> Iterator[None]:
        """Has an nftables rule in force for a while, for what arrives at host, else at the
        server."""
        host = host or self.server
        table = next(self._tables)
        host.run("nft", "-f", "-", text=f"""
            table inet {table} {{
                chain arriving {{
                    type filter hook prerouting priority raw;
                    {rule};
                }}
            }}""")
        try:
            yield
        finally:
            host.run("nft", "delete", "table", "inet", table)

    @contextlib.contextmanager
    def route(self, kind: str, prefix: str) -> Iterator[None]:
        """Has the router refuse a prefix for a while: unreachable, prohibit or throw."""
        self.router.run("ip", "route", "add", kind, prefix)
        try:
            yield
        finally:
            self.router.run("ip", "route", "del", kind, prefix)

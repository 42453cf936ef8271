# SPDX-License-Identifier: GPL-2.0-or-later
"""A LAN that its router forwards, with and without a hawserd that takes its connections."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
from collections.abc import Iterator

import pytest

import peers
from bed import Bed
from daemon import Hawserd
from namespace import Unavailable
from tcx import tcx_programs
from topology import CLIENT4, CLIENT6, LAN4, LAN6, LAN_PREFIX4, LAN_PREFIX6, SERVER4, SERVER6, near
from waiting import until

PORT = 1090
METHODS = ("tproxy", "redirect", "bpf")
SERVERS = {4: SERVER4, 6: SERVER6}
CLIENTS = {4: CLIENT4, 6: CLIENT6}
LISTEN = {
    "tproxy": ("--transparent", f"127.0.0.1:{PORT}", "--transparent", f"[::1]:{PORT}"),
    "redirect": ("--transparent", f"0.0.0.0:{PORT}", "--transparent", f"[::]:{PORT}"),
}
LISTEN["bpf"] = LISTEN["tproxy"]

_TOTAL_RETRANS = slice(100, 104)  # of struct tcp_info
# Of a beat that is valid for 1.5 s and renewed every half one.
_FRESH_MS = 1000


class Lan(Bed):
    """The router forwards; without interception the server sees the clients' own addresses."""

    def __init__(self, *arguments, **settings) -> None:
        super().__init__(*arguments, **settings)
        self.has_bpf = (self.build / "bpf").is_dir()
        self.router.sysctl("ipv4/ip_forward", 1)
        self.router.sysctl("ipv6/conf/all/forwarding", 1)
        self.client.batch("ip", [f"route add default via {LAN4}", f"route add default via {LAN6}"])
        self.server.batch("ip", [f"route add {LAN_PREFIX4} via {near('a')[0]}",
                                 f"route add {LAN_PREFIX6} via {near('a')[1]}"])

    def hawser(self, *arguments: str, control: str = "/nonexistent") -> str:
        """What the CLI prints, run on the router; RuntimeError with its complaint if it fails."""
        return self.router.run("nsenter", f"--mount={self.mounts.path}", "--",
                               str(self.build / "hawser"), "--control", control, *arguments)

    def skip_without(self, method: str) -> None:
        if method == "bpf" and not self.has_bpf:
            pytest.skip("built without BPF")

    @contextlib.contextmanager
    def redirect(self, port: int) -> Iterator[None]:
        """Has somebody else's rule redirect what goes to this port, for a while."""
        self.router.run("nft", "-f", "-", text=f"""
            table inet foreign {{
                chain c {{
                    type nat hook prerouting priority dstnat;
                    tcp dport {port} redirect to :{PORT};
                }}
            }}""")
        try:
            yield
        finally:
            self.router.run("nft", "delete", "table", "inet", "foreign")

    def tcx(self) -> int:
        return sum(len(each or []) for each in tcx_programs(self.router).values())

    def steered(self) -> bool:
        """Whether our program hangs on the LAN's interface, by either way."""
        return self.tcx() > 0 or "hawser_steer" in self.router.run("tc", "filter", "show", "dev",
                                                                   "lan", "ingress")

    def has_tcx(self) -> bool:
        return None not in tcx_programs(self.router).values()

    def require_tcx(self) -> None:
        if not self.has_tcx():
            raise Unavailable("this kernel attaches no programs by tcx")

    def steering(self) -> str:
        """All that decides where packets go on the router, but for what hawserd's heartbeat says."""
        ruleset = self.router.run("nft", "-s", "list", "ruleset")
        return "\n".join([re.sub(r"(set holding {[^}]*)\n\s*elements = {[^}]*}", r"\1", ruleset),
                          self.router.run("tc", "qdisc"), f"{self.tcx()} by tcx",
                          *(self.router.run("ip", family, "rule") for family in ("-4", "-6")),
                          *(self.router.run("ip", family, "route", "show", "table", "all")
                            for family in ("-4", "-6"))])


class Interceptor(Hawserd):
    """A hawserd with transparent listeners, and the rules that bring it connections."""

    def __init__(self, lan: Lan, method: str, *options: str,
                 listeners: tuple[str, ...] | None = None, **settings) -> None:
        lan.skip_without(method)
        self.method = method
        self._syns_again = lan.syns_again(lan.client)
        super().__init__(lan, *(listeners or LISTEN[method]), *options, listen=False, **settings)

    def up(self, *arguments: str) -> None:
        self.bed.skip_without(self.method)
        self.bed.hawser("--lan", "lan", "--method", self.method, *arguments, "intercept", "up",
                        control=self.control)
        if self.method == "redirect":
            self._await_beat("alive")

    def await_holding(self, yes: bool = True) -> None:
        """Until the heartbeat says that first packets may be held, or no more that they may."""
        self._await_beat("holding", yes)

    def _await_beat(self, what: str, yes: bool = True) -> None:
        """A fresh one, so that a hawserd that a busy machine holds up then is not taken for a dead one at once."""
        def is_fresh(text: str) -> bool:
            left = re.findall(r" expires (?:(\d+)s)?(?:(\d+)ms)?", text)
            return "elements" in text and all(1000 * int(s or 0) + int(ms or 0) >= _FRESH_MS for s, ms in left)

        until(lambda: self.bed.router.run("nft", "list", "set", "inet", "hawser", what),
              lambda text: is_fresh(text) if yes else "elements" not in text)

    def down(self) -> None:
        self.bed.hawser("intercept", "down")

    def show(self) -> dict:
        return json.loads(self.bed.hawser("--json", "intercept", "show", control=self.control))

    def relaying(self) -> dict:
        """The only session, once it is connected."""
        return until(self.session, lambda session: session["state"] == "relaying")

    def await_end(self) -> None:
        """Of all sessions."""
        until(self.active, lambda count: count == 0)

    def caught(self) -> int:
        return self.show()["counters"]["caught"]

    def assert_counted(self, **expected: int) -> None:
        """So many connections by each counter, which count their first packets: more where a client had to send one
        again, as on a busy machine."""
        counters = self.show()["counters"]
        more = self.bed.syns_again(self.bed.client) - self._syns_again
        assert all(count <= counters[name] <= count + more for name, count in expected.items()), (counters, more)


def seen_by_server(sock: socket.socket) -> str:
    """For a handler: tells the client whose address the server sees."""
    sock.sendall(sock.getpeername()[0].encode() + b"\n")


def is_reset(lan: Lan, address: str, port: int, mptcp: bool = False) -> bool:
    """Whether a client is answered by nothing but a reset, which may overtake connect()."""
    try:
        with peers.connect(lan.client, address, port, mptcp) as sock:
            sock.recv(1)
            return False
    except ConnectionResetError:
        return True


def asks(lan: Lan, address: str, port: int, mptcp: bool = False) -> str:
    """The address that a server of seen_by_server() sees."""
    with peers.connect(lan.client, address, port, mptcp) as sock, sock.makefile("rb") as answer:
        return answer.readline().decode().strip()


def asks_at_once(lan: Lan, address: str, port: int, tries: int = 1) -> str:
    """As asks(). The client need not send its SYN again, as it does after a second. tries: where hawserd answers it, which
    a busy machine may keep from it for so long."""
    for _ in range(tries):
        with peers.connect(lan.client, address, port) as sock, sock.makefile("rb") as answer:
            seen = answer.readline().decode().strip()
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TOTAL_RETRANS.stop)
            again = int.from_bytes(info[_TOTAL_RETRANS], sys.byteorder)
        if not again:
            return seen
    raise AssertionError(f"the first packet is lost, {again} were sent again")

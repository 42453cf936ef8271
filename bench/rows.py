# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: rows, each a work on a way, and what is expected of `auto` there. Those by which our
own settings are compared; the others are in works.py."""

from __future__ import annotations

from dataclasses import dataclass, field

SUBJECT = "auto"
# Whichever single setting, or other proxy, is best in the row, found afterwards.
BEST_SINGLE, BEST_PEER = "best single setting", "best other proxy"

HIGHER_IS_BETTER = {"rate", "beside"}


@dataclass(frozen=True)
class Bound:
    """The figure of a contender as a multiple of another's, at least or at most limit, whichever is the bad side of
    the figure."""
    figure: str
    of: str
    limit: float
    subject: str = SUBJECT

    @property
    def at_least(self) -> bool:
        return self.figure in HIGHER_IS_BETTER


@dataclass(frozen=True)
class Row:
    """leg: which side of the proxy speaks MPTCP.
    "tcp"   client TCP, server TCP, all over link a; what runs beside it has link a, and it link b
    "near"  the proxy dials MPTCP over both links, as on a router
    "far"   the proxy is dialled with MPTCP over both links, as on an exit
    "both"  as "near", and the client dials it with MPTCP over the LAN
    "chain" a proxy on the router and one on the server, MPTCP over both links in between
    "local" as "tcp", but the client is on the proxy's host and its sockets do not block
    """
    name: str
    title: str
    leg: str
    load: dict[str, object]
    figure: str  # the one that decides which contender is best
    bounds: list[Bound] = field(default_factory=list)
    rate_a: float | None = None
    rate_b: float | None = None
    beside: dict[str, object] | None = None  # a second load, begun first
    stretch: float = 1  # times as long as the others: little is moved, so CPU is measured badly
    settle_s: float = 0  # longer than others before figures count
    sets: tuple[str, ...] = ("tiers",)  # in which it is run without being named
    quota: float | None = None  # of one CPU, for the proxy
    paced: float | None = None  # exchanges are begun at this share of the rate that `auto` reaches
    emulated: dict[str, object] | None = None  # both links are the emulator's, with these settings

    @property
    def mptcp(self) -> bool:
        return self.leg in ("near", "far", "both", "chain")

    @property
    def accepts_mptcp(self) -> bool:
        """The proxy's side of it; of a chain, nobody's."""
        return self.leg in ("far", "both")

    @property
    def dials_mptcp(self) -> bool:
        return self.leg in ("near", "both")

    @property
    def chain(self) -> bool:
        return self.leg == "chain"

    @property
    def local(self) -> bool:
        return self.leg == "local"

    @property
    def exchanges(self) -> bool:
        return self.load["work"] in ("exchange", "churn")

    @property
    def idle(self) -> bool:
        return self.load["work"] == "idle"

    @property
    def all_bounds(self) -> list[Bound]:
        if "tiers" not in self.sets and self.sets:
            return self.bounds
        never_below = 0.95
        limit = never_below if self.figure in HIGHER_IS_BETTER else 1 / never_below
        return [*self.bounds, Bound(self.figure, BEST_SINGLE, limit)]

    @property
    def references(self) -> list[str]:
        """The contenders that the others are shown as multiples of."""
        named = [bound.of for bound in self.bounds if bound.of not in (BEST_SINGLE, BEST_PEER)]
        return list(dict.fromkeys(["direct", *named]))


def exchange(connections: int, size: int = 64, **more: object) -> dict[str, object]:
    return {"work": "exchange", "connections": connections, "request": size, "response": size,
            **more}


_MPTCP_BOUNDS = [Bound("cpu", "direct", 1.4), Bound("cpu", "auto-off", 0.7)]
_READS_MPTCP = {"near": "download", "far": "upload"}
_READS_TCP = {"near": "upload", "far": "download"}
LEGS = {"tcp": "TCP→TCP", "near": "TCP→MPTCP", "far": "MPTCP→TCP", "both": "MPTCP→MPTCP"}


def _mptcp_row(leg: str, rate: int) -> Row:
    return Row(f"mptcp-{leg}-{rate}", f"{LEGS[leg]}, bulk read from MPTCP, 2×{rate} Mbit/s", leg,
               {"work": _READS_MPTCP[leg]}, "cpu", _MPTCP_BOUNDS, rate, rate,
               stretch=3 if rate < 500 else 1)


def _reads_tcp_row(leg: str, rate: int) -> Row:
    return Row(f"tcp-{leg}-{rate}", f"{LEGS[leg]}, bulk read from TCP, 2×{rate} Mbit/s", leg,
               {"work": _READS_TCP[leg]}, "cpu", [], rate, rate, sets=())


def _beside_row(connections: int, rate: int | None) -> Row:
    suffix, where = (f"-{rate}", f"{rate} Mbit/s") if rate else ("", "unshaped")
    return Row(f"beside-{connections}{suffix}",
               f"{connections} × 64 B beside 8 bulk streams, {where}", "tcp",
               exchange(connections), "p99", [Bound("p99", "auto-off", 1.2)], rate,
               beside={"work": "download", "connections": 8})


def _local_row(name: str, title: str, load: dict[str, object]) -> Row:
    return Row(f"local-{name}", f"client on the proxy's host, {title}", "local", load, "rate",
               sets=())


ROWS = [
    Row("bulk", "TCP→TCP, one bulk stream, unshaped", "tcp", {"work": "download"}, "rate",
        [Bound("rate", "direct", 0.85), Bound("rate", BEST_SINGLE, 0.97)]),
    *(_mptcp_row(leg, rate) for rate in (200, 1000, 2000) for leg in ("near", "far")),
    Row("bulk-2000", "TCP→TCP, one bulk stream, 2000 Mbit/s", "tcp", {"work": "download"}, "cpu",
        [Bound("cpu", "direct", 1.4)], 2000),
    Row("chatty", "TCP→TCP, 32 × 64 B, saturated", "tcp", exchange(32), "rate",
        [Bound("rate", "copy", 1), Bound("rate", "splice", 1), Bound("cpu", "copy", 0.85),
         Bound("p99", "copy", 0.6)]),
    # On a shaped link a the proxy is not saturated and its reads are on a tick; the small ones
    # have link b for themselves, so what they wait for is the proxy and not the link's queue.
    *(_beside_row(connections, rate) for rate in (None, 2000) for connections in (1, 32)),
    Row("chatty-16k", "TCP→TCP, 32 × 16 KiB, saturated", "tcp", exchange(32, 16384), "rate",
        sets=()),
    Row("chatty-paced", "TCP→TCP, 32 × 64 B, 10,000 per second", "tcp",
        exchange(32, rate=10000), "cpu", sets=()),
    *(_reads_tcp_row(leg, rate) for rate in (1000, 2000) for leg in ("near", "far")),
    *(_local_row(f"{connections}x{label}", f"{connections} × {title}",
                 exchange(connections, size))
      for label, title, size in (("64", "64 B", 64), ("16k", "16 KiB", 16384))
      for connections in (1, 32)),
    *(_local_row(work, f"bulk {work}, unshaped", {"work": work})
      for work in ("upload", "download")),
]

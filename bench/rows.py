# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared: the contenders, the works, and what is expected of `auto` at each work."""

from __future__ import annotations

from dataclasses import dataclass, field

SUBJECT = "auto"
# Whichever single setting is best in the row, found afterwards.
BEST_SINGLE = "best single setting"

HIGHER_IS_BETTER = {"rate"}


@dataclass(frozen=True)
class Contender:
    """options: of hawserd; None runs without a proxy. Where a build has no --tick, nothing is on a
    tick, so what asks for tick=off can run there all the same, unless it is then the same as
    another contender."""
    name: str
    options: dict[str, str] | None
    single: bool = False
    same_without_tick: str | None = None
    local: bool = False  # with --local-accel; only where the clients are on the proxy's host

    @property
    def proxied(self) -> bool:
        return self.options is not None


def _single(tier: str, tick: str) -> Contender:
    suffix, twin = ("", None) if tick == "off" else ("-tick", tier)
    return Contender(tier + suffix, {"tier": tier, "tick": tick}, True, twin)


CONTENDERS = [
    Contender("direct", None),
    _single("copy", "off"),
    _single("splice", "off"),
    _single("sockmap", "off"),
    _single("copy", "auto"),
    _single("splice", "auto"),
    Contender("auto-off", {"tier": "auto", "tick": "off"}, same_without_tick=SUBJECT),
    Contender(SUBJECT, {"tier": "auto", "tick": "auto"}),
    # The longest tick, also where the round-trip time does not allow it: unshaped paths have next to
    # none, and over the fastest links auto takes shorter ones.
    Contender("auto-4ms", {"tier": "auto", "tick": "4000"}),
    Contender("local-accel", {"tier": "auto", "tick": "auto"}, local=True),
]


@dataclass(frozen=True)
class Bound:
    """The figure of `auto` as a multiple of another contender's, at least or at most limit,
    whichever is the bad side of the figure."""
    figure: str
    of: str
    limit: float

    @property
    def at_least(self) -> bool:
        return self.figure in HIGHER_IS_BETTER


@dataclass(frozen=True)
class Row:
    """leg: which side of the proxy speaks MPTCP.
    "tcp"   client TCP, server TCP, all over link a; what runs beside it has link a, and it link b
    "near"  the proxy dials MPTCP over both links, as on a router
    "far"   the proxy is dialled with MPTCP over both links, as on an exit
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
    extra: bool = False  # only run when asked for

    @property
    def mptcp(self) -> bool:
        return self.leg in ("near", "far")

    @property
    def local(self) -> bool:
        return self.leg == "local"

    @property
    def exchanges(self) -> bool:
        return self.load["work"] == "exchange"

    @property
    def all_bounds(self) -> list[Bound]:
        never_below = 0.95
        limit = never_below if self.figure in HIGHER_IS_BETTER else 1 / never_below
        return [*self.bounds, Bound(self.figure, BEST_SINGLE, limit)]

    @property
    def references(self) -> list[str]:
        """The contenders that the others are shown as multiples of."""
        named = [bound.of for bound in self.bounds if bound.of != BEST_SINGLE]
        return list(dict.fromkeys(["direct", *named]))


def _exchange(connections: int, size: int = 64, **more: object) -> dict[str, object]:
    return {"work": "exchange", "connections": connections, "request": size, "response": size,
            **more}


_MPTCP_BOUNDS = [Bound("cpu", "direct", 1.4), Bound("cpu", "auto-off", 0.7)]
_READS_MPTCP = {"near": "download", "far": "upload"}
_READS_TCP = {"near": "upload", "far": "download"}
_LEGS = {"near": "TCP→MPTCP", "far": "MPTCP→TCP"}


def _mptcp_row(leg: str, rate: int) -> Row:
    return Row(f"mptcp-{leg}-{rate}", f"{_LEGS[leg]}, bulk read from MPTCP, 2×{rate} Mbit/s", leg,
               {"work": _READS_MPTCP[leg]}, "cpu", _MPTCP_BOUNDS, rate, rate,
               stretch=3 if rate < 500 else 1)


def _reads_tcp_row(leg: str, rate: int) -> Row:
    return Row(f"tcp-{leg}-{rate}", f"{_LEGS[leg]}, bulk read from TCP, 2×{rate} Mbit/s", leg,
               {"work": _READS_TCP[leg]}, "cpu", [], rate, rate, extra=True)


def _beside_row(connections: int, rate: int | None) -> Row:
    suffix, where = (f"-{rate}", f"{rate} Mbit/s") if rate else ("", "unshaped")
    return Row(f"beside-{connections}{suffix}",
               f"{connections} × 64 B beside 8 bulk streams, {where}", "tcp",
               _exchange(connections), "p99", [Bound("p99", "auto-off", 1.2)], rate,
               beside={"work": "download", "connections": 8})


def _local_row(name: str, title: str, load: dict[str, object]) -> Row:
    return Row(f"local-{name}", f"client on the proxy's host, {title}", "local", load, "rate",
               extra=True)


ROWS = [
    Row("bulk", "TCP→TCP, one bulk stream, unshaped", "tcp", {"work": "download"}, "rate",
        [Bound("rate", "direct", 0.85), Bound("rate", BEST_SINGLE, 0.97)]),
    *(_mptcp_row(leg, rate) for rate in (200, 1000, 2000) for leg in ("near", "far")),
    Row("bulk-2000", "TCP→TCP, one bulk stream, 2000 Mbit/s", "tcp", {"work": "download"}, "cpu",
        [Bound("cpu", "direct", 1.4)], 2000),
    Row("chatty", "TCP→TCP, 32 × 64 B, saturated", "tcp", _exchange(32), "rate",
        [Bound("rate", "copy", 1), Bound("rate", "splice", 1), Bound("cpu", "copy", 0.85),
         Bound("p99", "copy", 0.6)]),
    # On a shaped link a the proxy is not saturated and its reads are on a tick; the small ones
    # have link b for themselves, so what they wait for is the proxy and not the link's queue.
    *(_beside_row(connections, rate) for rate in (None, 2000) for connections in (1, 32)),
    Row("chatty-16k", "TCP→TCP, 32 × 16 KiB, saturated", "tcp", _exchange(32, 16384), "rate",
        extra=True),
    Row("chatty-paced", "TCP→TCP, 32 × 64 B, 10,000 per second", "tcp",
        _exchange(32, rate=10000), "cpu", extra=True),
    *(_reads_tcp_row(leg, rate) for rate in (1000, 2000) for leg in ("near", "far")),
    *(_local_row(f"{connections}x{label}", f"{connections} × {title}",
                 _exchange(connections, size))
      for label, title, size in (("64", "64 B", 64), ("16k", "16 KiB", 16384))
      for connections in (1, 32)),
    *(_local_row(work, f"bulk {work}, unshaped", {"work": work})
      for work in ("upload", "download")),
]

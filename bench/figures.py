# SPDX-License-Identifier: GPL-2.0-or-later
"""From measurements to figures per contender, their ratios within a round, who is best as far as that can
be told, and the verdict on each bound."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace

from cpu import busy_s
from contenders import Contender
from rows import BEST_PEER, BEST_SINGLE, HIGHER_IS_BETTER, Bound, Row

# The rate is of what the row is about; beside, of the streams next to it; memory, of an idle session, is
# that of user space and of the kernel, less what the kernel has without a proxy: unknown if that was not measured.
NAMES = ["rate", "cpu", "p50", "p99", "p99.9", "beside", "memory", "user", "kernel", "wakeups"]
_PERCENTILES = ["p50", "p99", "p99.9"]
_DIRECT = "direct"
# Medians that differ by less are alike, however little they vary.
_ALIKE = 0.02
# Shares of all CPU time from which on a measurement was disturbed: by other processes, by the
# host, and what the machine at rest gave to neither the spinners nor a process.
_OTHERS, _STEAL, _REST_DIFFERS = 0.05, 0.02, 0.05
_LINK_SHARE = 0.1

Measurements = dict[str, dict]


@dataclass(frozen=True)
class Spread:
    median: float
    lowest: float
    highest: float
    count: int

    @classmethod
    def of(cls, values: list[float]) -> Spread | None:
        if not values:
            return None
        return cls(statistics.median(values), min(values), max(values), len(values))


@dataclass(frozen=True)
class Verdict:
    row: Row
    bound: Bound
    of: str
    spread: Spread | None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        if self.spread is None:
            return None
        if self.bound.at_least:
            return self.spread.median >= self.bound.limit
        return self.spread.median <= self.bound.limit


def _cpu_per_unit(row: Row, measured: dict, idle_at_rest: float) -> float | None:
    """CPU seconds per GB, or milliseconds per 1,000 exchanges; where both are moved, per GB. None where other processes
    had all of the CPU before."""
    if "idle" not in measured or idle_at_rest <= 0:
        return None
    used_s = busy_s(measured["idle"], idle_at_rest, measured["seconds"], measured["cpus"])
    if row.beside:
        gigabytes = measured["beside"]["mbit_per_s"] / 8e3 * measured["seconds"]
        return used_s / gigabytes
    if row.exchanges:
        return used_s / measured["exchanges"] * 1e6
    return used_s / measured["bytes"] * 1e9


def _figures_of(row: Row, measured: dict, idle_at_rest: float) -> dict[str, float]:
    if row.idle:
        return {"user": measured["user_bytes"] / 1024, "kernel": measured["kernel_bytes"] / 1024,
                "wakeups": measured["wakeups_per_s"]}
    figures = {"rate": measured["per_second" if row.exchanges else "mbit_per_s"]}
    cpu = _cpu_per_unit(row, measured, idle_at_rest)
    # Where others used much CPU at rest and little under load, what is left can be less than nothing.
    if cpu and cpu > 0:
        figures["cpu"] = cpu
    if row.exchanges:
        figures |= {name: measured["latency_us"][name] for name in _PERCENTILES}
    if row.beside:
        figures["beside"] = measured["beside"]["mbit_per_s"]
    return figures


def _without_ends(rounds: list[dict[str, dict[str, float]]]) -> None:
    """What the kernel has for the ends of idle sessions is there without a proxy, too."""
    direct = [each[_DIRECT]["kernel"] for each in rounds if _DIRECT in each]
    for each in rounds:
        for figures in each.values():
            kernel = figures.pop("kernel")
            if direct:
                figures["kernel"] = kernel - statistics.median(direct)
                figures["memory"] = figures["user"] + figures["kernel"]


def is_disturbed(measured: dict) -> bool:
    return measured["others"] > _OTHERS or measured["steal"] > _STEAL


class RowFigures:
    """rounds: measurements by contender; one that failed is {"error": text}."""

    def __init__(self, row: Row, rounds: list[Measurements]) -> None:
        self.row = row
        self._attempted = rounds
        self._measurements = [[(name, measured) for name, measured in each.items()
                               if "error" not in measured] for each in rounds]
        self._rest = self._idle_at_rest()
        self.rounds = [{name: _figures_of(row, measured, self._rest) for name, measured in each}
                       for each in self._measurements]
        if row.idle:
            _without_ends(self.rounds)

    def _idle_at_rest(self) -> float:
        """At rest all contenders are alike, and what disturbs only takes: so the best quarter."""
        shares = sorted(measured["idle_at_rest"] for each in self._measurements
                        for _, measured in each if "idle" in measured)
        return shares[len(shares) * 3 // 4] if shares else 1

    def absolute(self, contender: str, figure: str) -> Spread | None:
        return Spread.of([each[contender][figure] for each in self.rounds
                          if figure in each.get(contender, {})])

    def ratio(self, contender: str, of: str, figure: str) -> Spread | None:
        """Of the rounds in which both have the figure."""
        pairs = [(each.get(contender, {}).get(figure, 0), each.get(of, {}).get(figure, 0))
                 for each in self.rounds]
        return Spread.of([value / reference for value, reference in pairs
                          if value > 0 and reference > 0])

    def distribution(self, contender: str) -> list[tuple[float, float]]:
        """Shares of all exchanges, and the µs that they took at most."""
        found = [measured["distribution_us"] for each in self._measurements
                 for name, measured in each if name == contender and "distribution_us" in measured]
        return [(points[0][0], statistics.median(us for _, us in points)) for points in zip(*found)]

    def best(self, figure: str, contenders: list[str]) -> list[str]:
        """The best first, then those that cannot be told from it: in some rounds they are better, or
        the difference is nothing to speak of. Only who has the figure in all rounds takes part."""
        found = {name: spread.median for name in contenders
                 if (spread := self.absolute(name, figure)) and spread.count == len(self.rounds)}
        if not found:
            return []
        choose = max if figure in HIGHER_IS_BETTER else min
        first = choose(found, key=found.__getitem__)
        return [first, *(name for name in found
                         if name != first and self._are_alike(name, first, figure))]

    def _are_alike(self, name: str, other: str, figure: str) -> bool:
        """other: the best. What is less than nothing tells how wrong the figure is, and a ratio of it tells nothing."""
        one, best = self.absolute(name, figure), self.absolute(other, figure)
        if min(one.lowest, best.lowest) <= 0:
            return one.lowest <= -best.lowest
        ratio = self.ratio(name, other, figure)
        return ratio is not None and (abs(ratio.median - 1) < _ALIKE or
                                      ratio.lowest <= 1 <= ratio.highest)

    def measured(self, contender: str) -> int:
        """In how many rounds."""
        return sum(name == contender for each in self._measurements for name, _ in each)

    def failed(self, contender: str) -> int:
        """In how many rounds an attempt failed, whatever became of the next."""
        return sum(bool(each.get(contender, {}).get("errors")) for each in self._attempted)

    def losses(self, contender: str) -> int:
        """Streams whose last bytes were lost, as the other side had ended its own."""
        return sum(load.get("half_closes_lost", 0) for each in self._measurements
                   for name, measured in each if name == contender
                   for load in (measured, measured.get("beside") or {}))

    def disturbed(self, contender: str) -> int:
        """In how many rounds."""
        return sum(is_disturbed(measured) or "idle" not in measured
                   or self._rest - measured["idle_at_rest"] > _REST_DIFFERS
                   for each in self._measurements for name, measured in each if name == contender)

    def one_link_only(self, contender: str) -> int:
        """In how many rounds, of a row that is about more than a link carries."""
        if not self.row.mptcp or self.row.exchanges or self.row.idle:
            return 0
        return sum(measured["second_link_share"] < _LINK_SHARE
                   for each in self._measurements for name, measured in each if name == contender)

    def _noted(self, verdict: Verdict) -> Verdict:
        rounds = max(self.disturbed(verdict.bound.subject), self.disturbed(verdict.of))
        if not rounds or not verdict.spread:
            return verdict
        disturbed = f"{rounds} of {len(self.rounds)} disturbed"
        return replace(verdict, note=", ".join(filter(None, [verdict.note, disturbed])))

    def _against_best(self, bound: Bound, names: list[str], absent: dict[str, str]) -> Verdict:
        ratios = {name: self.ratio(bound.subject, name, bound.figure) for name in names}
        found = {name: spread for name, spread in ratios.items() if spread}
        if not found:
            reason = absent.get(bound.subject) or ("no figures" if any(map(self.measured, names)) else
                                                   f"no {bound.of.removeprefix('best ')} was measured")
            return Verdict(self.row, bound, bound.of, None, reason)
        worst = min if bound.at_least else max
        best = worst(found, key=lambda name: found[name].median)
        return self._noted(Verdict(self.row, bound, best, found[best], bound.of))

    def verdict(self, bound: Bound, contenders: list[Contender], absent: dict[str, str]) -> Verdict:
        """absent: why a contender was not measured."""
        if bound.of == BEST_SINGLE:
            return self._against_best(bound, [each.name for each in contenders if each.single], absent)
        if bound.of == BEST_PEER:
            return self._against_best(bound, [each.name for each in contenders if each.foreign], absent)
        spread = self.ratio(bound.subject, bound.of, bound.figure)
        note = "" if spread else absent.get(bound.of) or absent.get(bound.subject) or "no figures"
        return self._noted(Verdict(self.row, bound, bound.of, spread, note))

# SPDX-License-Identifier: GPL-2.0-or-later
"""From measurements to figures: rate, cpu and p99 per contender, their ratios within a round, and
the verdict on each bound."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace

from cpu import busy_s
from rows import BEST_SINGLE, SUBJECT, Bound, Contender, Row

# The rate is of what the row is about; beside, of the streams next to it.
NAMES = ["rate", "cpu", "p99", "beside"]
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


def _cpu_per_unit(row: Row, measured: dict, idle_at_rest: float) -> float:
    """CPU seconds per GB, or milliseconds per 1,000 exchanges; where both are moved, per GB."""
    used_s = busy_s(measured["idle"], idle_at_rest, measured["seconds"], measured["cpus"])
    if row.beside:
        gigabytes = measured["beside"]["mbit_per_s"] / 8e3 * measured["seconds"]
        return used_s / gigabytes
    if row.exchanges:
        return used_s / measured["exchanges"] * 1e6
    return used_s / measured["bytes"] * 1e9


def _figures_of(row: Row, measured: dict, idle_at_rest: float) -> dict[str, float]:
    figures = {"rate": measured["per_second" if row.exchanges else "mbit_per_s"],
               "cpu": _cpu_per_unit(row, measured, idle_at_rest)}
    if row.exchanges:
        figures["p99"] = measured["latency_us"]["p99"]
    if row.beside:
        figures["beside"] = measured["beside"]["mbit_per_s"]
    return figures


def is_disturbed(measured: dict) -> bool:
    return measured["others"] > _OTHERS or measured["steal"] > _STEAL


class RowFigures:
    """rounds: measurements by contender; one that failed is {"error": text}."""

    def __init__(self, row: Row, rounds: list[Measurements]) -> None:
        self.row = row
        self._measurements = [[(name, measured) for name, measured in each.items()
                               if "error" not in measured] for each in rounds]
        self._rest = self._idle_at_rest()
        self.rounds = [{name: _figures_of(row, measured, self._rest) for name, measured in each}
                       for each in self._measurements]

    def _idle_at_rest(self) -> float:
        """At rest all contenders are alike, and what disturbs only takes: so the best quarter."""
        shares = sorted(measured["idle_at_rest"] for each in self._measurements
                        for _, measured in each)
        return shares[len(shares) * 3 // 4] if shares else 1

    def absolute(self, contender: str, figure: str) -> Spread | None:
        return Spread.of([each[contender][figure] for each in self.rounds
                          if figure in each.get(contender, {})])

    def ratio(self, contender: str, of: str, figure: str) -> Spread | None:
        """Of the rounds in which both have the figure. Where others used much CPU at rest and
        little under load, what is left of the load's can be less than nothing."""
        pairs = [(each.get(contender, {}).get(figure, 0), each.get(of, {}).get(figure, 0))
                 for each in self.rounds]
        return Spread.of([value / reference for value, reference in pairs
                          if value > 0 and reference > 0])

    def disturbed(self, contender: str) -> int:
        """In how many rounds."""
        return sum(is_disturbed(measured)
                   or self._rest - measured["idle_at_rest"] > _REST_DIFFERS
                   for each in self._measurements for name, measured in each if name == contender)

    def one_link_only(self, contender: str) -> int:
        return sum(self.row.mptcp and measured["second_link_share"] < _LINK_SHARE
                   for each in self._measurements for name, measured in each if name == contender)

    def _noted(self, verdict: Verdict) -> Verdict:
        rounds = max(self.disturbed(SUBJECT), self.disturbed(verdict.of))
        if not rounds or not verdict.spread:
            return verdict
        disturbed = f"{rounds} of {len(self.rounds)} disturbed"
        return replace(verdict, note=", ".join(filter(None, [verdict.note, disturbed])))

    def _against_best(self, bound: Bound, singles: list[str]) -> Verdict:
        ratios = {name: self.ratio(SUBJECT, name, bound.figure) for name in singles}
        found = {name: spread for name, spread in ratios.items() if spread}
        if not found:
            return Verdict(self.row, bound, BEST_SINGLE, None, "no single setting was measured")
        worst = min if bound.at_least else max
        best = worst(found, key=lambda name: found[name].median)
        return self._noted(Verdict(self.row, bound, best, found[best], BEST_SINGLE))

    def verdict(self, bound: Bound, contenders: list[Contender], absent: dict[str, str]) -> Verdict:
        """absent: why a contender was not measured."""
        if bound.of == BEST_SINGLE:
            return self._against_best(bound, [each.name for each in contenders if each.single])
        spread = self.ratio(SUBJECT, bound.of, bound.figure)
        note = "" if spread else absent.get(bound.of) or absent.get(SUBJECT) or "no figures"
        return self._noted(Verdict(self.row, bound, bound.of, spread, note))

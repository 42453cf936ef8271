# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a row: interleaved rounds of all its contenders."""

from __future__ import annotations

import argparse
import sys

from contenders import AUTO, Contender
from figures import Measurements, RowFigures, is_disturbed
from output import Outcome
from processes import Failed
from rows import Row
from stage import Stage, Times

# Of each measurement: namespaces, processes; of a chain also links and their probes.
_OVERHEAD_S, _CHAIN_OVERHEAD_S, _IDLE_OVERHEAD_S = 0.7, 3.0, 3.0


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _attempt(stage: Stage, contender: Contender, times: Times) -> dict:
    try:
        return stage.measure(contender, times)
    except Failed as error:
        return {"error": str(error), "others": 1.0, "steal": 0.0}


def _measure(stage: Stage, contender: Contender, times: Times, retries: int) -> dict:
    """Again while it fails or others use the machine; the least disturbed attempt counts."""
    attempts = [_attempt(stage, contender, times)]
    while len(attempts) <= retries and is_disturbed(attempts[-1]):
        attempts.append(_attempt(stage, contender, times))
    best = min(attempts, key=lambda attempt: attempt["others"] + attempt["steal"])
    return {**best, "attempts": len(attempts)}


class Ends:
    """What becomes of half-closes and resets, by the way and the contender; asked once each."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], dict[str, str]] = {}

    def ask(self, stage: Stage, contenders: list[Contender]) -> dict[str, dict[str, str]]:
        for contender in contenders:
            key = stage.row.leg, contender.name
            if key not in self._found and contender.proxied:
                _progress(f"{stage.row.name}: ends, {contender.name}")
                try:
                    self._found[key] = stage.ends(contender)
                except Failed as error:
                    self._found[key] = {"error": str(error)}
        return {name: found for (leg, name), found in self._found.items() if leg == stage.row.leg}


def _round(stage: Stage, contenders: list[Contender], times: Times, number: int, retries: int,
           ) -> Measurements:
    """Begins with another contender each time, so that none always follows the same one."""
    start = number % len(contenders)
    measurements: Measurements = {}
    for contender in contenders[start:] + contenders[:start]:
        _progress(f"{stage.row.name}: round {number + 1}, {contender.name}")
        measurements[contender.name] = _measure(stage, contender, times, retries)
    return measurements


def _failures(rounds: list[Measurements]) -> list[str]:
    return [f"round {number}, {name}: {measured['error']}"
            for number, each in enumerate(rounds, 1) for name, measured in each.items()
            if "error" in measured]


def run_row(row: Row, contenders: list[Contender], args: argparse.Namespace, ends: Ends,
            ) -> tuple[Outcome, list[Measurements]]:
    times = Times(args.idle, args.warm_up + row.settle_s, args.seconds * row.stretch)
    with Stage(row) as stage:
        if row.paced:
            stage.pace(AUTO, times)
        measurements = [_round(stage, contenders, times, number, args.retries)
                        for number in range(args.rounds)]
        found = ends.ask(stage, contenders)
    _progress("")
    return Outcome(RowFigures(row, measurements), contenders, _failures(measurements), found), measurements


def _measurement_s(args: argparse.Namespace, row: Row) -> float:
    overhead_s = _CHAIN_OVERHEAD_S if row.chain else _IDLE_OVERHEAD_S if row.idle else _OVERHEAD_S
    return args.idle + args.warm_up + row.settle_s + args.seconds * row.stretch + overhead_s


def estimate_s(args: argparse.Namespace, by_row: list[tuple[Row, list[Contender]]]) -> float:
    return sum(_measurement_s(args, row) * len(contenders) * args.rounds
               for row, contenders in by_row)

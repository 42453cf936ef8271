# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a row: interleaved rounds of all its contenders."""

from __future__ import annotations

import argparse
import sys

from contenders import AUTO, Contender
from figures import Measurements, RowFigures, is_disturbed
from output import Outcome
from processes import Failed, WrongBytes
from rows import Row
from stage import Stage, Times

# Of each measurement: namespaces, processes; of a chain also links and their probes.
_OVERHEAD_S, _CHAIN_OVERHEAD_S, _IDLE_OVERHEAD_S = 0.7, 3.0, 3.0


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def failed(reason: str, wrong_bytes: bool = False) -> dict:
    """In place of a measurement."""
    return {"error": reason, "errors": [reason], "wrong_bytes": wrong_bytes, "others": 1.0, "steal": 0.0}


def _failed_by(error: Failed, what: str = "") -> dict:
    return failed(f"{what}{error}", isinstance(error, WrongBytes))


def _attempt(stage: Stage, contender: Contender, times: Times) -> tuple[dict, bool]:
    """Also whether it stands, whatever another attempt would find."""
    try:
        measured = stage.measure(contender, times)
        return measured, not is_disturbed(measured)
    except Failed as error:
        return _failed_by(error), isinstance(error, WrongBytes)


def _measure(stage: Stage, contender: Contender, times: Times, retries: int) -> dict:
    """Again while it fails or others use the machine; the least disturbed attempt counts. Of none is forgotten
    that it failed; and wrong bytes are the result, as whoever finds them again has to look for them."""
    attempts = []
    stands = False
    while not stands and len(attempts) <= retries:
        measured, stands = _attempt(stage, contender, times)
        attempts.append(measured)
    counts = attempts[-1] if stands else \
        min(attempts, key=lambda attempt: ("error" in attempt, attempt["others"] + attempt["steal"]))
    errors = [error for attempt in attempts for error in attempt.get("errors", [])]
    return {**counts, "attempts": len(attempts), "errors": errors}


class Ends:
    """What becomes of half-closes and resets, by the way and the contender; asked once each."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], dict] = {}

    def ask(self, stage: Stage, contenders: list[Contender]) -> dict[str, dict]:
        for contender in contenders:
            key = stage.row.leg, contender.name
            if key not in self._found and contender.proxied:
                _progress(f"{stage.row.name}: ends, {contender.name}")
                try:
                    self._found[key] = stage.ends(contender)
                except Failed as error:
                    self._found[key] = _failed_by(error)
        return {name: found for (leg, name), found in self._found.items() if leg == stage.row.leg}


def order(contenders: list[Contender], number: int) -> list[Contender]:
    """Of a round: every other one backwards, and each pair of rounds begins with another contender, so that none
    always follows the same one."""
    start = number // 2 % len(contenders)
    turned = contenders[start:] + contenders[:start]
    return turned[::-1] if number % 2 else turned


def _round(stage: Stage, contenders: list[Contender], times: Times, number: int, retries: int,
           ) -> Measurements:
    measurements: Measurements = {}
    for contender in order(contenders, number):
        _progress(f"{stage.row.name}: round {number + 1}, {contender.name}")
        measurements[contender.name] = _measure(stage, contender, times, retries)
    return measurements


def _failures(rounds: list[Measurements]) -> list[str]:
    return [f"round {number}, {name}: {error}"
            for number, each in enumerate(rounds, 1) for name, measured in each.items()
            for error in measured.get("errors", [])]


def _ends_failures(ends: dict[str, dict]) -> list[str]:
    return [f"ends, {name}: {found['error']}" for name, found in ends.items() if "error" in found]


def _rounds(stage: Stage, contenders: list[Contender], args: argparse.Namespace, times: Times) -> list[Measurements]:
    if stage.row.paced:
        try:
            stage.pace(AUTO, times)
        except Failed as error:
            return [{each.name: _failed_by(error, "no rate to take a share of: ") for each in contenders}]
    return [_round(stage, contenders, times, number, args.retries) for number in range(args.rounds)]


def run_row(row: Row, contenders: list[Contender], args: argparse.Namespace, ends: Ends,
            ) -> tuple[Outcome, list[Measurements]]:
    """Unavailable where the row as a whole cannot be run here."""
    times = Times(args.idle, args.warm_up + row.settle_s, args.seconds * row.stretch)
    with Stage(row) as stage:
        measurements = _rounds(stage, contenders, args, times)
        found = ends.ask(stage, contenders)
    _progress("")
    wrong_bytes = any(each.get("wrong_bytes") for every in (*measurements, found) for each in every.values())
    return Outcome(RowFigures(row, measurements), contenders, _failures(measurements) + _ends_failures(found), found,
                   wrong_bytes), measurements


def _measurement_s(args: argparse.Namespace, row: Row) -> float:
    overhead_s = _CHAIN_OVERHEAD_S if row.chain else _IDLE_OVERHEAD_S if row.idle else _OVERHEAD_S
    return args.idle + args.warm_up + row.settle_s + args.seconds * row.stretch + overhead_s


def estimate_s(args: argparse.Namespace, by_row: list[tuple[Row, list[Contender]]]) -> float:
    return sum(_measurement_s(args, row) * len(contenders) * args.rounds
               for row, contenders in by_row)

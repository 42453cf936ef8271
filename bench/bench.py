#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the ways in which hawserd moves bytes with each other and with no proxy at all, in
interleaved rounds; only ratios within a round count. Needs root; leaves nothing behind."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import paths  # noqa: F401
from figures import NAMES, Measurements, RowFigures, Verdict, is_disturbed
from namespace import Unavailable
from processes import HAWSERD, LOAD, SPIN, Failed
from report import row_text, verdict_text
from rows import CONTENDERS, ROWS, Contender, Row
from stage import Stage, Times

_OVERHEAD_S = 0.6
_SKIPPED = 77


def _refusal(options: dict[str, str]) -> str | None:
    """Why this build does not take the options."""
    arguments = [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run([HAWSERD, "--check", *arguments], capture_output=True, text=True,
                          check=False)
    return None if done.returncode == 0 else done.stderr.strip().removeprefix("error: ")


def _fit(contender: Contender, has_tick: bool) -> tuple[Contender | None, str | None]:
    """The contender as this build can run it, or why it cannot."""
    if not contender.proxied:
        return contender, None
    options = dict(contender.options)
    if not has_tick:
        if contender.same_without_tick:
            return None, f"this build has no --tick, so it would be {contender.same_without_tick}"
        del options["tick"]
    refusal = _refusal(options)
    if refusal:
        return None, refusal
    return replace(contender, options=options, same_without_tick=None), None


def _choose(kind: str, wanted: str | None, known: list, default: list) -> list:
    if wanted is None:
        return default
    names = wanted.split(",")
    unknown = set(names) - {each.name for each in known}
    if unknown:
        sys.exit(f"no such {kind}: {', '.join(sorted(unknown))}; "
                 f"there are: {', '.join(each.name for each in known)}")
    return [each for each in known if each.name in names]


def _fitting(wanted: list[Contender]) -> tuple[list[Contender], dict[str, str]]:
    has_tick = _refusal({"tick": "off"}) is None
    present, absent = [], {each.name: "not chosen" for each in CONTENDERS}
    for contender in wanted:
        fit, reason = _fit(contender, has_tick)
        if fit:
            present.append(fit)
            del absent[contender.name]
        else:
            absent[contender.name] = reason
            print(f"left out: {contender.name}: {reason}")
    return present, absent


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


def _round(stage: Stage, contenders: list[Contender], times: Times, number: int, retries: int,
           ) -> Measurements:
    """Begins with another contender each time, so that none always follows the same one."""
    start = number % len(contenders)
    measurements: Measurements = {}
    for contender in contenders[start:] + contenders[:start]:
        _progress(f"{stage.row.name}: round {number + 1}, {contender.name}")
        measurements[contender.name] = _measure(stage, contender, times, retries)
    return measurements


def _run_row(row: Row, contenders: list[Contender], args: argparse.Namespace,
             ) -> list[Measurements]:
    times = Times(args.idle, args.warm_up, args.seconds * row.stretch)
    with Stage(row) as stage:
        return [_round(stage, contenders, times, number, args.retries)
                for number in range(args.rounds)]


def _failures(rounds: list[Measurements]) -> list[str]:
    return [f"round {number}, {name}: {measured['error']}"
            for number, each in enumerate(rounds, 1) for name, measured in each.items()
            if "error" in measured]


def _estimate_s(args: argparse.Namespace, rows: list[Row], contenders: int) -> float:
    each = args.idle + args.warm_up + _OVERHEAD_S
    return sum(each + args.seconds * row.stretch for row in rows) * contenders * args.rounds


def _verdict_json(verdict: Verdict) -> dict:
    return {"row": verdict.row.name, **asdict(verdict.bound), "of": verdict.of,
            "at_least": verdict.bound.at_least, "reached": verdict.reached,
            "ratio": asdict(verdict.spread) if verdict.spread else None, "note": verdict.note}


def _row_json(figures: RowFigures, measurements: list[Measurements]) -> dict:
    return {"title": figures.row.title, "figures": figures.rounds, "measurements": measurements}


def _machine() -> dict:
    version = subprocess.run([HAWSERD, "--version"], capture_output=True, text=True, check=False)
    return {"kernel": platform.release(), "cpus": len(os.sched_getaffinity(0)),
            "hawserd": version.stdout.strip(), "load": os.getloadavg()[0]}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--warm-up", type=float, default=1, metavar="S", help="before each")
    parser.add_argument("--idle", type=float, default=0.5, metavar="S",
                        help="before that: what the idle machine gives the spinners")
    parser.add_argument("--retries", type=int, default=0, metavar="N",
                        help="of a measurement that fails, or that other processes disturb")
    parser.add_argument("--rows", metavar="A,B", help="; ".join(
        f"{row.name}{' (only when named)' * row.extra}" for row in ROWS))
    parser.add_argument("--contenders", metavar="A,B",
                        help="; ".join(contender.name for contender in CONTENDERS))
    parser.add_argument("--json", metavar="FILE", help="everything that was measured")
    args = parser.parse_args()
    if args.rounds < 1 or args.seconds < 0.2 or args.warm_up < 0 or args.idle < 0.2:
        parser.error("at least 1 round, 0.2 seconds, 0.2 idle")
    return args


def main() -> int:
    args = _parse()
    rows = _choose("row", args.rows, ROWS, [row for row in ROWS if not row.extra])
    wanted = _choose("contender", args.contenders, CONTENDERS, CONTENDERS)
    for tool in HAWSERD, LOAD, SPIN:
        if not os.access(tool, os.X_OK):
            sys.exit(f"{tool} is not built: make bench")
    contenders, absent = _fitting(wanted)
    if not contenders:
        sys.exit("no contender is left")
    machine = _machine()
    print(f"{machine['hawserd']}, Linux {machine['kernel']}, {machine['cpus']} CPUs, "
          f"load {machine['load']:.1f}; {args.rounds} rounds, about "
          f"{_estimate_s(args, rows, len(contenders)) / 60:.0f} min\n"
          "median (lowest–highest); ratios are taken within a round\n", flush=True)
    verdicts, by_row = [], {}
    for row in rows:
        fitting = [each for each in contenders if row.local or not each.local]
        measurements = _run_row(row, fitting, args)
        _progress("")
        figures = RowFigures(row, measurements)
        print(row_text(figures, fitting, _failures(measurements)), flush=True)
        verdicts += [figures.verdict(bound, fitting, absent) for bound in row.all_bounds]
        by_row[row.name] = _row_json(figures, measurements)
    print("expected of auto:")
    print("\n".join(map(verdict_text, verdicts)))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "arguments": vars(args), "figures": NAMES,
                       "absent": absent, "rows": by_row,
                       "verdicts": list(map(_verdict_json, verdicts))}, file, indent=1)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except Unavailable as error:
        print(f"skipped: {error}", file=sys.stderr)
        sys.exit(_SKIPPED)
    except KeyboardInterrupt:
        sys.exit(130)

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares hawserd with other proxies, with its own settings and with no proxy at all, in interleaved
rounds; only ratios within a round count. Needs root; leaves nothing behind but its results."""

from __future__ import annotations

import argparse
import os
import resource
import sys
from fnmatch import fnmatch

import paths  # noqa: F401
import run
from chains import CHAINS
from contenders import AUTO, OWN, Contender
from ending import end_in_order
from figures import Verdict
from namespace import Unavailable
from other_proxies import PEERS
from processes import BUILD, HAWSERD, LOAD, SPIN
from report import LEGEND, row_text, verdict_text
from results import Results
from rows import ROWS, Row
from works import WORKS

_SKIPPED = 77
_NOT_CHOSEN = "not chosen"
ALL_ROWS = [*WORKS, *ROWS]
ALL_CONTENDERS = [*OWN, *PEERS, *CHAINS]
_NEVER_LEFT_OUT = ("direct", AUTO.name, "auto-forward", "hawserd-chain")
# What a set is without options: rounds, seconds, warm-up, idle; and who takes part.
_SETS = {
    "quick": ((3, 1.0, 0.4, 0.3), [*_NEVER_LEFT_OUT, "haproxy", "nginx", "microsocks", "haproxy-chain",
                                   "redsocks-microsocks"]),
    "full": ((3, 1.5, 0.5, 0.3), [*_NEVER_LEFT_OUT, "copy", "sockmap",
                                  *(each.name for each in [*PEERS, *CHAINS])]),
    "packets": ((5, 2.0, 1.0, 0.5), ["direct", "copy", "packets", "past-packets", *(each.name for each in PEERS)]),
    "tiers": ((5, 2.0, 1.0, 0.5), [each.name for each in OWN if "packets" not in each.name]),
}


def _choose(kind: str, wanted: str, known: list) -> list:
    patterns = wanted.split(",")
    for pattern in patterns:
        if not any(fnmatch(each.name, pattern) for each in known):
            sys.exit(f"no such {kind}: {pattern}; there are: {', '.join(each.name for each in known)}")
    return [each for each in known if any(fnmatch(each.name, pattern) for pattern in patterns)]


def _rows(args: argparse.Namespace) -> list[Row]:
    return _choose("row", args.rows, ALL_ROWS) if args.rows else \
        [row for row in ALL_ROWS if args.set in row.sets]


def _wanted(args: argparse.Namespace) -> list[Contender]:
    """Peers whose path is given take part in every comparison with peers."""
    if args.contenders:
        return _choose("contender", args.contenders, ALL_CONTENDERS)
    _, names = _SETS[args.set]
    return [each for each in ALL_CONTENDERS if each.name in names or
            (args.set == "quick" and each.is_given)]


def _present(wanted: list[Contender]) -> tuple[list[Contender], dict[str, str]]:
    present, absent = [], {each.name: _NOT_CHOSEN for each in ALL_CONTENDERS}
    for contender in wanted:
        reason = contender.absence()
        if reason:
            absent[contender.name] = reason
            print(f"left out: {contender.name}: {reason}")
        else:
            present.append(contender)
            del absent[contender.name]
    return present, absent


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=_SETS, default="quick",
                        help="quick, full, packets: with other proxies; tiers: our own settings only")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--warm-up", type=float, metavar="S", help="before each")
    parser.add_argument("--idle", type=float, metavar="S",
                        help="before that: what the idle machine gives the spinners")
    parser.add_argument("--retries", type=int, default=0, metavar="N",
                        help="of a measurement that fails, or that other processes disturb")
    parser.add_argument("--rows", metavar="A,B*",
                        help="also such that are in no set; there are " +
                        ", ".join(row.name for row in ALL_ROWS))
    parser.add_argument("--contenders", metavar="A,B*",
                        help="there are " + ", ".join(each.name for each in ALL_CONTENDERS))
    parser.add_argument("--out", metavar="DIR", help="for results; build/bench/SET if not given")
    args = parser.parse_args()
    for name, standard in zip(("rounds", "seconds", "warm_up", "idle"), _SETS[args.set][0]):
        if getattr(args, name) is None:
            setattr(args, name, standard)
    if args.rounds < 1 or args.seconds < 0.2 or args.warm_up < 0 or args.idle < 0.2:
        parser.error("at least 1 round, 0.2 seconds, 0.2 idle")
    args.out = args.out or os.path.join(BUILD, "bench", args.set)
    return args


def _open_as_many_files_as_allowed() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _run_rows(by_row: list[tuple[Row, list[Contender]]], args: argparse.Namespace, results: Results,
              absent: dict[str, str]) -> list[Verdict]:
    """A row that cannot be run here is skipped. Unavailable if all are."""
    ends, verdicts, reason = run.Ends(), [], ""
    for row, fitting in by_row:
        try:
            outcome, measurements = run.run_row(row, fitting, args, ends)
        except Unavailable as error:
            reason = str(error)
            print(f"{row.name}: skipped: {reason}\n", flush=True)
            results.skip(row, reason)
            continue
        print(row_text(outcome.figures, fitting, outcome.failures, outcome.ends), flush=True)
        found = [outcome.figures.verdict(bound, fitting, absent) for bound in row.all_bounds
                 if absent.get(bound.subject) != _NOT_CHOSEN]
        verdicts += found
        results.add(outcome, measurements, found)
    if results.is_empty:
        raise Unavailable(reason)
    return verdicts


def main() -> int:
    args = _parse()
    rows = _rows(args)
    for tool in HAWSERD, LOAD, SPIN:
        if not os.access(tool, os.X_OK):
            sys.exit(f"{tool} is not built: make bench")
    _open_as_many_files_as_allowed()
    contenders, absent = _present(_wanted(args))
    by_row = [(row, fitting) for row in rows
              if (fitting := [each for each in contenders if each.takes(row)])]
    if not by_row:
        sys.exit("no contender is left")
    results = Results(args, contenders, absent)
    print(f"{results.header()}; {args.rounds} rounds, about {run.estimate_s(args, by_row) / 60:.0f} min\n"
          "median (lowest–highest); ratios are taken within a round; *: the best proxy, and who cannot be "
          f"told from it\nloses: {LEGEND}\n", flush=True)
    verdicts = _run_rows(by_row, args, results, absent)
    if verdicts:
        print("expected:\n" + "\n".join(map(verdict_text, verdicts)))
    print(f"{results.how_each_was_run()}\nresults: {args.out}")
    if results.with_wrong_bytes:
        print(f"bytes were lost, doubled or changed: {', '.join(results.with_wrong_bytes)}", file=sys.stderr)
    return 1 if results.with_wrong_bytes else 0


if __name__ == "__main__":
    end_in_order()
    try:
        sys.exit(main())
    except Unavailable as error:
        print(f"skipped: {error}", file=sys.stderr)
        sys.exit(_SKIPPED)
    except KeyboardInterrupt:
        sys.exit(130)

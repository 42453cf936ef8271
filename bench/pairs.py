#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What hawserd makes of two unequal links: one transfer through router and exit over both links, and
over the better one alone, in interleaved rounds. Needs root; leaves nothing behind. Links are the
emulator's; a link of 50 Mbit/s carries some 47.5 of payload in full packets, the rest is headers."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import paths  # noqa: F401
import processes
import router
from emulator import BINARY as EMULATOR
from ending import end_in_order
from figures import Spread
from namespace import Unavailable
from processes import HAWSER, HAWSERD, LOAD, Failed
from report import absolute_text, ratio_text, table
from topology import LAN4, LINKS, SERVER4, Topology

DIRECTIONS = ("download", "upload")
BOTH, BETTER = "both", "better"
_OF_SUM, _OF_BETTER = 0.85, 0.95
_PORT = 5001
_SKIPPED = 77


@dataclass(frozen=True)
class Pair:
    """a: the settings of the better link. of_sum: the least share of both rates; None: the second
    link is worth little or nothing to one connection, and must not make it slower."""
    name: str
    a: dict[str, object]
    b: dict[str, object]
    of_sum: float | None = _OF_SUM
    settle_s: float = 0  # longer than others before figures count

    @property
    def sum(self) -> float:
        return sum(link["rate"] for link in (self.a, self.b))

    @property
    def title(self) -> str:
        def words(link: dict[str, object]) -> str:
            wanders = f"±{2 * link['jitter']}" if "jitter" in link else ""
            loses = f", loss {link['loss']} %" if "loss" in link else ""
            return f"{link['rate']} Mbit/s at {2 * link['delay']}{wanders} ms{loses}"
        return f"{words(self.a)} + {words(self.b)}"


_GOOD = {"rate": 50, "delay": 10}
PAIRS = [
    Pair("slow", _GOOD, {"rate": 5, "delay": 10}),
    Pair("far", _GOOD, {"rate": 20, "delay": 100}),
    Pair("lossy", _GOOD, {**_GOOD, "loss": 2}),
    # 60 to 100 ms from end to end and back.
    Pair("jittery", _GOOD, {"rate": 30, "delay": 40, "jitter": 10, "loss": 0.5}),
    # 0 to 80 ms. BBR takes the shortest round trip for the path's, and sends too little for all
    # others.
    Pair("wild", _GOOD, {"rate": 30, "delay": 20, "jitter": 20, "loss": 0.5}, None),
    Pair("harmful", _GOOD, {"rate": 5, "delay": 300}, None, settle_s=20),
]


@dataclass
class Measured:
    """Payload in Mbit/s, by contender."""
    rates: dict[str, list[float]] = field(default_factory=lambda: {BOTH: [], BETTER: []})
    failures: list[str] = field(default_factory=list)

    def of_better(self) -> Spread | None:
        return Spread.of([both / better for both, better in zip(*self.rates.values())])


class Run:
    """One measurement, everything started afresh."""

    def __init__(self, topology: Topology, stack: contextlib.ExitStack) -> None:
        self._topology, self._stack = topology, stack
        self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))

    def start(self, contender: str) -> None:
        server = self._topology.server
        self._server = processes.start(self._stack, server, LOAD, "serve", f"--listen={SERVER4}:{_PORT}")
        processes.wait_for(server, SERVER4, _PORT, self._server)
        router.start_exit(self._stack, self._topology, self._directory)
        router.start_router(self._stack, self._topology, self._directory,
                            LINKS if contender == BOTH else LINKS[0])

    def transfer(self, direction: str, settle_s: float, seconds: float) -> float:
        load = processes.start(
            self._stack, self._topology.client, LOAD, "run", f"--to={SERVER4}:{_PORT}",
            f"--proxy={LAN4}:{router.PROXY_PORT}", f"--work={direction}", f"--warm-up={settle_s}",
            f"--seconds={seconds}")
        found = processes.result(load, settle_s + seconds + processes.PATIENCE_S, [self._server])
        return found["mbit_per_s"]


def _measure(pair: Pair, direction: str, contender: str, args: argparse.Namespace) -> float:
    topology = Topology(emulated=dict(zip(LINKS, (pair.a, pair.b))))
    with router.leave_links_alone(topology), contextlib.ExitStack() as stack:
        run = Run(topology, stack)
        run.start(contender)
        return run.transfer(direction, args.settle + pair.settle_s, args.seconds)


def _run(pair: Pair, direction: str, args: argparse.Namespace) -> Measured:
    measured = Measured()
    for number in range(args.rounds):
        order = [BOTH, BETTER] if number % 2 == 0 else [BETTER, BOTH]
        try:
            found = {contender: _measure(pair, direction, contender, args) for contender in order}
        except Failed as error:
            measured.failures.append(f"{pair.name}, {direction}, round {number + 1}: {error}")
            continue
        for contender, rate in found.items():
            measured.rates[contender].append(rate)
    return measured


def _mark(reached: bool) -> str:
    return "reached" if reached else "NOT reached"


def _verdict(pair: Pair, measured: Measured) -> str:
    of_better = measured.of_better()
    if not of_better:
        return "no figures"
    words = [f"{_OF_BETTER} of better {_mark(of_better.median >= _OF_BETTER)}"]
    if pair.of_sum:
        share = Spread.of(measured.rates[BOTH]).median / pair.sum
        words.insert(0, f"{pair.of_sum} of sum {_mark(share >= pair.of_sum)}")
    return ", ".join(words)


def _line(pair: Pair, direction: str, measured: Measured) -> list[str]:
    both, better = (Spread.of(measured.rates[name]) for name in (BOTH, BETTER))
    share = Spread.of([rate / pair.sum for rate in measured.rates[BOTH]])
    return [pair.name, direction, absolute_text(both), absolute_text(better), ratio_text(share),
            ratio_text(measured.of_better()), _verdict(pair, measured)]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", metavar="A,B", default=",".join(pair.name for pair in PAIRS),
                        help="; ".join(f"{pair.name}: {pair.title}" for pair in PAIRS)
                        .replace("%", "%%"))
    parser.add_argument("--directions", metavar="A,B", default=",".join(DIRECTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15, help="of each transfer that count")
    parser.add_argument("--settle", type=float, default=10, metavar="S",
                        help="of each transfer before that; 20 more with links that do harm, as "
                             "a trial takes that long")
    parser.add_argument("--json", metavar="FILE", help="every rate")
    args = parser.parse_args()
    known = {pair.name: pair for pair in PAIRS}
    for kind, words, legal in (("pair", args.pairs, known), ("direction", args.directions,
                                                             DIRECTIONS)):
        for word in words.split(","):
            if word not in legal:
                parser.error(f"no such {kind}: {word}; there are: {', '.join(legal)}")
    if args.rounds < 1 or args.seconds < 0.2 or args.settle < 0:
        parser.error("at least 1 round, 0.2 seconds")
    args.chosen = [known[name] for name in args.pairs.split(",")]
    return args


def main() -> int:
    args = _parse()
    for tool in HAWSERD, HAWSER, LOAD, EMULATOR:
        if not os.access(tool, os.X_OK):
            sys.exit(f"{tool} is not built: make bench-pairs")
    directions = args.directions.split(",")
    lines = [["", "", "both Mbit/s", "better alone", "of the sum", "of better alone", ""]]
    failures, found = [], {}
    for pair in args.chosen:
        print(f"{pair.name}: {pair.title}", flush=True)
        for direction in directions:
            measured = _run(pair, direction, args)
            failures += measured.failures
            found[f"{pair.name} {direction}"] = measured.rates
            lines.append(_line(pair, direction, measured))
            print("  ".join(["", *lines[-1][1:]]), flush=True)
    print(f"\nmedian (lowest–highest) of {args.rounds} rounds; payload\n{table(lines)}")
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n", "ascii")
    for failure in failures:
        print(f"failed: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    end_in_order()
    try:
        sys.exit(main())
    except Unavailable as error:
        print(f"skipped: {error}", file=sys.stderr)
        sys.exit(_SKIPPED)
    except KeyboardInterrupt:
        sys.exit(130)

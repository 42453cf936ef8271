# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run leaves: JSON with all that was measured, TSV, Markdown and plots. Written after each row, so
that a run that is broken off has what it found."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from chains import Chain
from contenders import Contender, hawserd_version
from figures import NAMES, Measurements, Verdict
from output import Outcome, markdown, tsv
from plots import plots
from report import LEGEND
from rows import Row
from stage import CONGESTION


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Processor", "cpu model"):
            return value.strip()
    return platform.machine()


def _congestion() -> str:
    """That of the host, which every new network namespace has."""
    return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text("ascii").strip()


def _machine() -> dict:
    return {"kernel": platform.release(), "cpus": len(os.sched_getaffinity(0)), "cpu": _cpu_model(),
            "hawserd": hawserd_version(), "load": os.getloadavg()[0],
            "congestion": {"chain rows": _congestion(), "other rows": CONGESTION}}


def _verdict_json(verdict: Verdict) -> dict:
    return {**asdict(verdict.bound), "of": verdict.of, "at_least": verdict.bound.at_least,
            "reached": verdict.reached, "note": verdict.note,
            "ratio": asdict(verdict.spread) if verdict.spread else None}


class Results:
    def __init__(self, args: argparse.Namespace, contenders: list[Contender], absent: dict[str, str],
                 ) -> None:
        self._directory = Path(args.out)
        self._contenders = contenders
        self._outcomes: list[Outcome] = []
        self._json = {"machine": _machine(), "command": shlex.join(sys.argv), "arguments": vars(args),
                      "figures": NAMES, "absent": absent, "rows": {}, "skipped": {},
                      "contenders": {each.name: {"version": each.version(), "run": each.described}
                                     for each in contenders}}
        self._directory.mkdir(parents=True, exist_ok=True)

    def header(self) -> str:
        machine = self._json["machine"]
        return f"{machine['hawserd']}, Linux {machine['kernel']}, {machine['cpus']} CPUs " \
               f"({machine['cpu']}), load {machine['load']:.1f}"

    def how_each_was_run(self) -> str:
        lines = [f"  {name}: {', '.join(filter(None, [each['version'], each['run']]))}"
                 for name, each in self._json["contenders"].items()]
        return "how each was run:\n" + "\n".join(lines)

    def add(self, outcome: Outcome, measurements: list[Measurements], verdicts: list[Verdict]) -> None:
        self._outcomes.append(outcome)
        row = outcome.figures.row
        self._json["rows"][row.name] = {
            "title": row.title, "figures": outcome.figures.rounds, "measurements": measurements,
            "ends": outcome.ends, "verdicts": list(map(_verdict_json, verdicts))}
        self._write()

    def skip(self, row: Row, reason: str) -> None:
        self._json["skipped"][row.name] = reason
        self._write()

    @property
    def with_wrong_bytes(self) -> list[str]:
        """Names of rows."""
        return [each.figures.row.name for each in self._outcomes if each.wrong_bytes]

    @property
    def is_empty(self) -> bool:
        return not self._outcomes

    def _write(self) -> None:
        names = [each.name for each in self._contenders]
        files = {"bench.json": json.dumps(self._json, indent=1) + "\n", "bench.tsv": tsv(self._outcomes),
                 "bench.md": self._markdown(names), **plots(self._outcomes, names)}
        for name, text in files.items():
            if text is None:  # an earlier run may have left one
                (self._directory / name).unlink(missing_ok=True)
            else:
                (self._directory / name).write_text(text, "utf-8")

    def _markdown(self, names: list[str]) -> str:
        # Chains are compared with each other and with no proxy.
        groups = [[name for name in names if not self._is_chain(name)],
                  [name for name in names if name == "direct" or self._is_chain(name)]]
        tables = [markdown([each for each in self._outcomes if each.figures.row.chain == chain], group)
                  for chain, group in zip((False, True), groups)
                  if any(each.figures.row.chain == chain for each in self._outcomes)]
        return f"{self.header()}; `{self._json['command']}`\n\n" + f"{chr(10).join(tables)}\n{LEGEND}\n\n" + \
            self.how_each_was_run() + "\n"

    def _is_chain(self, name: str) -> bool:
        return any(each.name == name and isinstance(each, Chain) for each in self._contenders)

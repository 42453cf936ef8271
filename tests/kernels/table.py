# SPDX-License-Identifier: GPL-2.0-or-later
"""What came out of each kernel, as a table, and what went wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

# A machine dies in a test, or has used up its time: then the test may have hung, or not.
_OUTCOMES = ("passed", "skipped", "failed", "died", "cut short")
_SAVED = ("outcomes", "reasons", "features", "times", "seconds")
_SLOWEST = 5


@dataclass
class Results:
    """Of one kernel; the outcome of a test is one of _OUTCOMES."""
    title: str
    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    features: dict[str, str] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)  # of each test, in seconds
    note: str = ""
    seconds: float = 0
    earlier: int = 0  # so many of the outcomes are from an earlier run

    def add(self, test: str, outcome: str, reason: str = "") -> None:
        """A test that fails when it is torn down, after it passed, has failed."""
        if self.outcomes.get(test) != "failed":
            self.outcomes[test] = outcome
            self.reasons[test] = reason

    def save(self, file: Path) -> None:
        new = file.with_suffix(".new")
        new.write_text(json.dumps({name: getattr(self, name) for name in _SAVED}), "utf-8")
        new.rename(file)

    def load(self, file: Path) -> None:
        """What passed when an earlier run saved it there. What was skipped runs again: what it lacked may be there now."""
        if not file.exists():
            return
        for name, value in json.loads(file.read_text("utf-8")).items():
            setattr(self, name, value)
        self.outcomes = {test: outcome for test, outcome in self.outcomes.items()
                         if outcome == "passed"}
        self.earlier = len(self.outcomes)

    def ok(self) -> bool:
        return bool(self.outcomes) and not self.note and all(
            outcome in ("passed", "skipped") for outcome in self.outcomes.values())

    def files(self) -> list[str]:
        return list(dict.fromkeys(map(_file, self.outcomes)))

    def cell(self, file: str) -> str:
        counts: dict[str, int] = {}
        for test, outcome in self.outcomes.items():
            if _file(test) == file:
                counts[outcome] = counts.get(outcome, 0) + 1
        return ", ".join(f"{counts[name]} {name}"
                         for name in _OUTCOMES if name in counts)

    def reasons_of(self, *outcomes: str) -> dict[str, list[str]]:
        """The tests by what was said of them."""
        found: dict[str, list[str]] = {}
        for test, outcome in self.outcomes.items():
            if outcome in outcomes:
                found.setdefault(self.reasons[test].removeprefix("Skipped: "), []).append(test)
        return found


def _file(test: str) -> str:
    return test.partition("::")[0]


def table(columns: list[Results]) -> str:
    """Tests by file; below, what is on, and why the rest is not."""
    files = list(dict.fromkeys(file for column in columns for file in column.files()))
    rows = [["", *(column.title for column in columns)],
            *([file.removeprefix("tests/"), *(column.cell(file) or "not run" for column in columns)]
              for file in files),
            *([name, *(column.features.get(name, "") for column in columns)]
              for name in dict.fromkeys(name for column in columns for name in column.features)),
            ["minutes", *(f"{column.seconds / 60:.1f}" for column in columns)]]
    widths = [max(map(len, cells)) for cells in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                     for row in rows)


def remarks(column: Results) -> str:
    """Why tests were skipped, how others failed, and which took long."""
    lines = []
    for reason, tests in column.reasons_of("skipped").items():
        lines.append(f"{column.title}: skipped {len(tests)} ({tests[0]}…): {reason}")
    for reason, tests in column.reasons_of("failed", "died", "cut short").items():
        outcome = column.outcomes[tests[0]].upper()
        lines.append(f"{column.title}: {outcome} {' '.join(tests)}\n{reason}")
    slowest = sorted(column.times, key=column.times.__getitem__, reverse=True)[:_SLOWEST]
    for test in slowest:
        lines.append(f"{column.title}: {column.times[test]:.0f} s {test}")
    if column.earlier:
        lines.append(f"{column.title}: {column.earlier} ran earlier")
    if column.note:
        lines.append(f"{column.title}: {column.note}")
    return "\n".join(lines)

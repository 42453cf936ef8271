# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures as text."""

from __future__ import annotations

from itertools import compress

from figures import NAMES, RowFigures, Spread, Verdict
from rows import Contender, Row

_UNMEASURED = "–"
_FIGURE_NAMES = {"rate": "rate", "cpu": "CPU", "p99": "p99"}


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def absolute_text(spread: Spread | None) -> str:
    if spread is None:
        return _UNMEASURED
    return f"{_number(spread.median)} ({_number(spread.lowest)}–{_number(spread.highest)})"


def ratio_text(spread: Spread | None) -> str:
    if spread is None:
        return _UNMEASURED
    return f"{spread.median:.2f} ({spread.lowest:.2f}–{spread.highest:.2f})"


def table(lines: list[list[str]]) -> str:
    """Columns as wide as their widest cell, those with figures aligned right."""
    used = [list(compress(line, _used(lines))) for line in lines]
    widths = [max(map(len, column)) for column in zip(*used)]
    return "\n".join("  " + "  ".join([line[0].ljust(widths[0]),
                                       *(cell.rjust(width) for cell, width
                                         in zip(line[1:], widths[1:]))]).rstrip()
                     for line in used)


def _used(lines: list[list[str]]) -> list[bool]:
    """Which columns hold something below their heads."""
    return [any(cell not in ("", _UNMEASURED) for cell in column)
            for column in zip(*lines[1:])]


def _units(row: Row) -> list[str]:
    rate = "exchanges/s" if row.exchanges else "Mbit/s"
    cpu = "CPU ms/1,000" if row.exchanges and not row.beside else "CPU s/GB"
    return [rate, cpu, "p99 µs", "streams Mbit/s"]


def _notes(figures: RowFigures, contender: str) -> str:
    disturbed, single = figures.disturbed(contender), figures.one_link_only(contender)
    notes = []
    if disturbed:
        notes.append(f"{disturbed} of {len(figures.rounds)} disturbed")
    if single:
        notes.append(f"{single} over one link only")
    return ", ".join(notes)


def row_text(figures: RowFigures, contenders: list[Contender], failures: list[str]) -> str:
    row = figures.row
    names = [each.name for each in contenders]
    lines = [["", *_units(row), "note"]]
    for name in names:
        lines.append([name, *(absolute_text(figures.absolute(name, figure)) for figure in NAMES),
                      _notes(figures, name)])
    parts = [f"{row.name}: {row.title}", table(lines)]
    for reference in row.references:
        if reference not in names:
            continue
        lines = [[f"× {reference}", *(unit.split()[0] for unit in _units(row))]]
        for name in names:
            if name != reference:
                lines.append([name, *(ratio_text(figures.ratio(name, reference, figure))
                                      for figure in NAMES)])
        if any(_used(lines)[1:]):
            parts.append(table(lines))
    parts += [f"  failed: {failure}" for failure in failures]
    return "\n".join(parts) + "\n"


def verdict_text(verdict: Verdict) -> str:
    bound = verdict.bound
    word = {True: "reached", False: "not reached", None: "not measured"}[verdict.reached]
    relation = "at least" if bound.at_least else "at most"
    what = f"{verdict.row.name}: {_FIGURE_NAMES[bound.figure]} {relation} {bound.limit:.3g} of "
    note = f" ({verdict.note})" if verdict.note else ""
    value = f": {ratio_text(verdict.spread)}" if verdict.spread else ""
    return f"  {word:12}  {what}{verdict.of}{note}{value}"

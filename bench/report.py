# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures as text."""

from __future__ import annotations

from itertools import compress

from contenders import Contender
from figures import NAMES, RowFigures, Spread, Verdict
from rows import Row

_UNMEASURED = "–"
_FIGURE_NAMES = {"cpu": "CPU"}
_BEST = "*"
# What becomes of an end, its sign in tables, and the words for it.
_LOSSES = {("half_close", "lost"): ("H", "loses what comes after a half-close"),
           ("half_close", "stuck"): ("H!", "sticks after a half-close"),
           ("server_reset", "clean end"): ("S", "makes a server's reset a clean end"),
           ("server_reset", "stuck"): ("S!", "does not pass on a server's reset"),
           ("client_reset", "clean end"): ("C", "makes a client's reset a clean end"),
           ("client_reset", "stuck"): ("C!", "does not pass on a client's reset")}
_UNTOLD = "?"
LEGEND = "; ".join(f"{sign}: {words}" for sign, words in [*_LOSSES.values(), (_UNTOLD, "could not be told")])


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
    return [any(cell.strip() not in ("", _UNMEASURED) for cell in column)
            for column in zip(*lines[1:])]


def units(row: Row) -> dict[str, str]:
    rate = {"exchange": "exchanges/s", "churn": "connections/s"}.get(row.load["work"], "Mbit/s")
    return {"rate": rate, "cpu": "CPU ms/1,000" if row.exchanges and not row.beside else "CPU s/GB",
            "p50": "p50 µs", "p99": "p99 µs", "p99.9": "p99.9 µs", "beside": "streams Mbit/s",
            "memory": "memory KiB/session", "user": "user KiB", "kernel": "kernel KiB",
            "wakeups": "wake-ups/s"}


def loss_signs(ends: dict | None) -> str:
    """"" of one that loses nothing, or was not asked."""
    if "error" in (ends or {}):
        return _UNTOLD
    return " ".join(sign for (end, what), (sign, _) in _LOSSES.items() if (ends or {}).get(end) == what)


def _notes(figures: RowFigures, contender: str) -> str:
    losses = figures.losses(contender)
    return ", ".join([*[f"{losses} streams lost their last bytes"] * bool(losses), *doubts(figures, contender)])


def doubts(figures: RowFigures, contender: str) -> list[str]:
    """What stands beside a figure, so that it is not taken for more than it is."""
    counts = {"failed": figures.failed(contender), "disturbed": figures.disturbed(contender),
              "over one link only": figures.one_link_only(contender)}
    return [f"{count} of {len(figures.rounds)} {what}" for what, count in counts.items() if count]


def proxies(contenders: list[Contender]) -> list[str]:
    return [each.name for each in contenders if each.proxied]


def are_alike(figures: RowFigures, contenders: list[Contender], figure: str) -> bool:
    """Whether nobody can tell apart those that have the figure."""
    measured = [name for name in proxies(contenders) if figures.absolute(name, figure)]
    return len(measured) > 1 and len(figures.best(figure, measured)) == len(measured)


def standing_out(figures: RowFigures, contenders: list[Contender], figure: str) -> list[str]:
    """The best, and who cannot be told from it; nobody where all are alike, or there is but one."""
    rivals = proxies(contenders)
    if len(rivals) < 2 or are_alike(figures, contenders, figure):
        return []
    return figures.best(figure, rivals)


def _marked(figures: RowFigures, contender: str, figure: str, best: list[str]) -> str:
    return absolute_text(figures.absolute(contender, figure)) + (_BEST if contender in best else " ")


def row_text(figures: RowFigures, contenders: list[Contender], failures: list[str],
             ends: dict[str, dict]) -> str:
    """ends: of contenders, what becomes of half-closed connections and resets."""
    row = figures.row
    names = [each.name for each in contenders]
    heads = [units(row)[figure] for figure in NAMES]
    best = {figure: standing_out(figures, contenders, figure) for figure in NAMES}
    lines = [["", *(f"{head} " for head in heads), "loses", "note"]]
    for name in names:
        lines.append([name, *(_marked(figures, name, figure, best[figure]) for figure in NAMES),
                      loss_signs(ends.get(name)), _notes(figures, name)])
    parts = [f"{row.name}: {row.title}", table(lines)]
    if are_alike(figures, contenders, row.figure):
        parts.append(f"  nobody can tell these proxies apart by {units(row)[row.figure]}")
    for reference in row.references:
        if reference not in names:
            continue
        lines = [[f"× {reference}", *(_FIGURE_NAMES.get(figure, figure) for figure in NAMES)]]
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
    what = f"{bound.subject}, {verdict.row.name}: {_FIGURE_NAMES.get(bound.figure, bound.figure)} {relation} {bound.limit:.3g} of "
    note = f" ({verdict.note})" if verdict.note else ""
    value = f": {ratio_text(verdict.spread)}" if verdict.spread else ""
    return f"  {word:12}  {what}{verdict.of}{note}{value}"

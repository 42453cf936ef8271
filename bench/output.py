# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures for other programs and for documents: TSV and Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contenders import Contender
from figures import NAMES, RowFigures
from report import are_alike, doubts, loss_signs, standing_out, units

_HEADS = ["row", "contender", "figure", "unit", "median", "lowest", "highest", "rounds", "of-direct",
          "best", "loses", "failed", "disturbed", "one-link"]
_DIRECT = "direct"


@dataclass(frozen=True)
class Outcome:
    """What is known of a row. ends: by contender. wrong_bytes: whether anybody's were."""
    figures: RowFigures
    contenders: list[Contender]
    failures: list[str]
    ends: dict[str, dict]
    wrong_bytes: bool = False

    def best(self, figure: str) -> list[str]:
        return standing_out(self.figures, self.contenders, figure)


def _number(value: float) -> str:
    return f"{value:.6g}"


def _tsv_line(outcome: Outcome, name: str, figure: str) -> list[str] | None:
    figures = outcome.figures
    spread = figures.absolute(name, figure)
    if not spread:
        return None
    of_direct = figures.ratio(name, _DIRECT, figure)
    best = outcome.best(figure)
    return [figures.row.name, name, figure, units(figures.row)[figure], _number(spread.median),
            _number(spread.lowest), _number(spread.highest), str(spread.count),
            _number(of_direct.median) if of_direct else "",
            "best" if best[:1] == [name] else "as good" if name in best else "",
            *_tail(outcome, name)]


def _tail(outcome: Outcome, name: str) -> list[str]:
    """What is said of a contender and no figure: what it loses, and of how many rounds there is doubt."""
    figures = outcome.figures
    counts = figures.failed(name), figures.disturbed(name), figures.one_link_only(name)
    return [loss_signs(outcome.ends.get(name)), *map(str, counts)]


def tsv(outcomes: Iterable[Outcome]) -> str:
    lines = [_HEADS]
    for outcome in outcomes:
        for contender in outcome.contenders:
            found = [_tsv_line(outcome, contender.name, figure) for figure in NAMES]
            lines += [line for line in found if line]
            if not any(found):
                lines.append([outcome.figures.row.name, contender.name, *[""] * 5, "0", "", "",
                              *_tail(outcome, contender.name)])
    return "".join("\t".join(line) + "\n" for line in lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _cell(outcome: Outcome, name: str) -> str:
    figure = outcome.figures.row.figure
    spread = outcome.figures.absolute(name, figure)
    if spread:
        text = _short(spread.median)
        bold = f"**{text}**" if name in outcome.best(figure) else text
        return " ".join([bold, *_in_brackets(outcome.figures, name, spread.count)])
    if name not in [each.name for each in outcome.contenders]:
        return ""
    return "–" if outcome.figures.measured(name) else "failed"


def _in_brackets(figures: RowFigures, name: str, rounds: int) -> list[str]:
    """rounds: that have the figure."""
    missing = [f"{rounds} of {len(figures.rounds)}"] if rounds < len(figures.rounds) else []
    found = missing + doubts(figures, name)
    return [f"({', '.join(found)})"] if found else []


def _losses(outcomes: list[Outcome], name: str) -> str:
    """By any leg."""
    signs = [sign for outcome in outcomes for sign in loss_signs(outcome.ends.get(name)).split()]
    return " ".join(dict.fromkeys(signs))


def markdown(outcomes: list[Outcome], names: list[str]) -> str:
    """A line for each row, by the figure that decides; the best, and who cannot be told from it, stand
    out."""
    lines = [["", "figure", *names], ["---"] * (2 + len(names))]
    for outcome in outcomes:
        row = outcome.figures.row
        alike = " (nobody can tell them apart)" if are_alike(outcome.figures, outcome.contenders, row.figure) else ""
        lines.append([row.title + alike, units(row)[row.figure],
                      *(_cell(outcome, name) for name in names)])
    lines.append(["loses", "", *(_losses(outcomes, name) for name in names)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)

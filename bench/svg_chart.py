# SPDX-License-Identifier: GPL-2.0-or-later
"""Charts as SVG: axes, lines, points with their spread. Knows nothing of what is shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 460, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 16, 34, 46
_TICKS = 5
# Told apart also by who does not see all colours, and by their marks.
_COLOURS = ["#0b6fb8", "#d1495b", "#2e8b57", "#b8860b", "#7b52ab", "#444444", "#00a0a0", "#c05010",
            "#909090", "#a03080", "#5a7d2a", "#303090"]
_MARKS = ["circle", "square", "diamond", "up"]


@dataclass(frozen=True)
class Point:
    """A value, and how far it varied; by default not at all."""
    x: float
    y: float
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Axis:
    """ticks: values and their words; None: chosen. transform: where a value lies."""
    title: str
    logarithmic: bool = False
    ticks: list[tuple[float, str]] | None = None
    transform: Callable[[float], float] | None = None
    from_zero: bool = False

    def at(self, value: float) -> float:
        if self.transform:
            return self.transform(value)
        return math.log10(value) if self.logarithmic else value


@dataclass
class Chart:
    """series: points by name; a name has the same colour in all charts that are drawn with names."""
    title: str
    x: Axis
    y: Axis
    series: dict[str, list[Point]] = field(default_factory=dict)
    lines: bool = True


def _words(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}"


def _step(span: float) -> float:
    """A round number such that some ticks are that far apart."""
    rough = (span or 1) / _TICKS
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _choose_ticks(axis: Axis, lowest: float, highest: float) -> list[tuple[float, str]]:
    if axis.ticks is not None:
        return axis.ticks
    if axis.logarithmic:
        decades = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)
        fine = (1, 2, 5) if len(decades) <= 4 else (1,)
        found = [factor * 10.0 ** decade for decade in decades for factor in fine]
        return [(value, _words(value)) for value in found if lowest <= value <= highest]
    step = _step(highest - lowest)
    first = math.ceil(lowest / step)
    return [(number * step, _words(round(number * step, 10)))
            for number in range(first, math.floor(highest / step) + 1)]


class _Scale:
    """From values to places between two edges."""

    def __init__(self, axis: Axis, values: list[float], edges: tuple[float, float]) -> None:
        low, high = min(values), max(values)
        if axis.ticks:
            low, high = min(low, axis.ticks[0][0]), max(high, axis.ticks[-1][0])
        if axis.from_zero:
            low = 0
        if axis.logarithmic:
            low, high = low / 1.1, high * 1.1
        elif not axis.transform:
            high += (high - low or abs(high) or 1) * 0.06
        self._axis, self._edges = axis, edges
        self._low, self._high = axis.at(low), axis.at(high)
        self.ticks = _choose_ticks(axis, low, high)

    def __call__(self, value: float) -> float:
        share = (self._axis.at(value) - self._low) / (self._high - self._low or 1)
        return self._edges[0] + share * (self._edges[1] - self._edges[0])


def _text(x: float, y: float, words: str, anchor: str = "middle", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def _mark(kind: str, x: float, y: float, colour: str) -> str:
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    shape = {"square": [(-4, -4), (4, -4), (4, 4), (-4, 4)],
             "diamond": [(0, -5), (5, 0), (0, 5), (-5, 0)],
             "up": [(0, -5), (5, 4), (-5, 4)]}[kind]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shape)
    return f'<polygon points="{points}" fill="{colour}"/>'


def _axes(chart: Chart, x: _Scale, y: _Scale) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    grid, parts = 'stroke="#e2e2e2"', [_text(_WIDTH / 2, 18, chart.title, more='font-weight="bold"')]
    for value, words in x.ticks:
        parts += [_line(x(value), _TOP, x(value), bottom, grid), _text(x(value), bottom + 15, words)]
    for value, words in y.ticks:
        parts += [_line(_LEFT, y(value), right, y(value), grid),
                  _text(_LEFT - 6, y(value) + 4, words, "end")]
    frame = f'<rect x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{bottom - _TOP}" ' \
            'fill="none" stroke="#888"/>'
    return [*parts, frame, _text((_LEFT + right) / 2, _HEIGHT - 10, chart.x.title),
            _text(0, 0, chart.y.title,
                  more=f'transform="translate(14 {(_TOP + bottom) / 2:.0f}) rotate(-90)"')]


def _series(points: list[Point], x: _Scale, y: _Scale, colour: str, mark: str, lines: bool,
            ) -> list[str]:
    parts, faint = [], f'stroke="{colour}" stroke-opacity="0.5"'
    if lines and len(points) > 1:
        way = " ".join(f"{x(point.x):.1f},{y(point.y):.1f}" for point in points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    for point in points:
        if point.x_range:
            parts.append(_line(x(point.x_range[0]), y(point.y), x(point.x_range[1]), y(point.y), faint))
        if point.y_range:
            parts.append(_line(x(point.x), y(point.y_range[0]), x(point.x), y(point.y_range[1]), faint))
        if not lines or len(points) < 8:
            parts.append(_mark(mark, x(point.x), y(point.y), colour))
    return parts


def _values(chart: Chart, which: str) -> list[float]:
    points = [point for series in chart.series.values() for point in series]
    ranges = [getattr(point, f"{which}_range") or () for point in points]
    return [getattr(point, which) for point in points] + [value for each in ranges for value in each]


def _draw(chart: Chart, names: list[str]) -> list[str]:
    x = _Scale(chart.x, _values(chart, "x"), (_LEFT, _WIDTH - _RIGHT))
    y = _Scale(chart.y, _values(chart, "y"), (_HEIGHT - _BOTTOM, _TOP))
    parts = _axes(chart, x, y)
    for name, points in chart.series.items():
        number = names.index(name)
        parts += _series(points, x, y, _COLOURS[number % len(_COLOURS)], _MARKS[number % len(_MARKS)],
                         chart.lines)
    return parts


def _legend(names: list[str], width: int) -> tuple[list[str], int]:
    """Its parts, and how high it is."""
    each, parts = 130, []
    columns = max(1, (width - 20) // each)
    for number, name in enumerate(names):
        x, y = 20 + number % columns * each, 14 + number // columns * 18
        parts += [_mark(_MARKS[number % len(_MARKS)], x, y, _COLOURS[number % len(_COLOURS)]),
                  _text(x + 10, y + 4, name, "start")]
    return parts, 18 * math.ceil(len(names) / columns) + 10


def svg(charts: list[Chart], names: list[str], columns: int = 2) -> str:
    """All charts that have points, side by side, and one legend of the names."""
    shown = [chart for chart in charts if any(chart.series.values())]
    columns = max(1, min(columns, len(shown)))
    width = columns * _WIDTH
    parts, top = _legend(names, width)
    for number, chart in enumerate(shown):
        place = f"translate({number % columns * _WIDTH} {top + number // columns * _HEIGHT})"
        parts += [f'<g transform="{place}">', *_draw(chart, names), "</g>"]
    height = top + math.ceil(len(shown) / columns) * _HEIGHT
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" ' \
           f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n"

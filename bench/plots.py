# SPDX-License-Identifier: GPL-2.0-or-later
"""What is drawn of a run: throughput against CPU, how long exchanges take, throughput against sessions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from figures import Spread
from output import Outcome
from report import units
from svg_chart import Axis, Chart, Point, svg

# Of exchanges; each tick is ten times as rare.
_QUANTILES = [(0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")]
_SESSIONS = re.compile(r"(?P<kind>down|up|both|talk)-(?P<count>\d+)(?P<rest>(?:x\w+)?(?:-near|-far|-both)?)$")


def _range(spread: Spread) -> tuple[float, float]:
    return spread.lowest, spread.highest


def _against_cpu(outcome: Outcome) -> Chart:
    row, series = outcome.figures.row, {}
    for contender in outcome.contenders:
        rate, cpu = (outcome.figures.absolute(contender.name, name) for name in ("rate", "cpu"))
        if rate and cpu:
            series[contender.name] = [Point(cpu.median, rate.median, _range(cpu), _range(rate))]
    return Chart(row.name, Axis(units(row)["cpu"], from_zero=True),
                 Axis(units(row)["rate"], from_zero=True), series, lines=False)


def _distribution(outcome: Outcome) -> Chart:
    series = {}
    for contender in outcome.contenders:
        points = [Point(us, share) for share, us in outcome.figures.distribution(contender.name)
                  if share < 1 and us > 0]
        if points:
            series[contender.name] = points
    return Chart(outcome.figures.row.name, Axis("µs", logarithmic=True),
                 Axis("exchanges that took at most", ticks=_QUANTILES,
                      transform=lambda share: -math.log10(1 - min(share, 0.99999))), series)


def _sessions_axis(counts: list[float]) -> Axis:
    return Axis("sessions (N)", logarithmic=True, ticks=[(count, str(count)) for count in counts])


def _by_sessions(outcomes: list[Outcome]) -> list[Chart]:
    charts: dict[str, Chart] = {}
    for outcome in outcomes:
        row = outcome.figures.row
        found = _SESSIONS.match(row.name)
        if not found:
            continue
        title = f"{found['kind']}-N{found['rest']}"
        chart = charts.setdefault(title, Chart(title, _sessions_axis([]),
                                               Axis(units(row)["rate"], from_zero=True)))
        for contender in outcome.contenders:
            spread = outcome.figures.absolute(contender.name, "rate")
            if spread:
                chart.series.setdefault(contender.name, []).append(
                    Point(int(found["count"]), spread.median, None, _range(spread)))
    for chart in charts.values():
        for points in chart.series.values():
            points.sort(key=lambda point: point.x)
        chart.x = _sessions_axis(sorted({point.x for points in chart.series.values() for point in points}))
    return [chart for chart in charts.values()
            if max((len(points) for points in chart.series.values()), default=0) > 1]


def _with_rate(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes
            if not outcome.figures.row.idle and not outcome.figures.row.paced]


def plots(outcomes: list[Outcome], names: list[str]) -> dict[str, str | None]:
    """SVG by file name; None without points."""
    charts = {"throughput-cpu": [_against_cpu(outcome) for outcome in _with_rate(outcomes)],
              "latency": [_distribution(outcome) for outcome in outcomes
                          if outcome.figures.row.exchanges],
              "sessions": _by_sessions(outcomes)}
    return {f"{name}.svg": svg(found, names) if any(chart.series for chart in found) else None
            for name, found in charts.items()}

# SPDX-License-Identifier: GPL-2.0-or-later
"""A download over time, as SVG: what came, what each gateway carried, and when something happened."""

from __future__ import annotations

from html import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 900, 300, 50, 40, 40
COLOURS = ["#0b6e4f", "#c05621", "#2b6cb0", "#805ad5", "#b83280"]

# Mbit/s at seconds.
Curve = list[tuple[float, float]]


def draw(title: str, curves: dict[str, Curve], events: list[tuple[float, str]]) -> str:
    end_s = max(x for curve in curves.values() for x, _ in curve)
    most = max(max(y for curve in curves.values() for _, y in curve), 1) * 1.1
    wide, high = WIDTH - LEFT - 10, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> str:
        return f"{LEFT + x / end_s * wide:.1f},{TOP + high - y / most * high:.1f}"

    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             'font-family="sans-serif" font-size="11">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             f'<text x="{LEFT}" y="14" font-size="13">{escape(title)}</text>']
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if most / step <= 8)
    for value in range(0, int(most) + 1, step):
        _, y = place(0, value).split(",")
        lines += [f'<path d="M{LEFT} {y}H{LEFT + wide}" stroke="#ddd"/>',
                  f'<text x="{LEFT - 6}" y="{float(y) + 4}" text-anchor="end">{value}</text>']
    for second in range(0, int(end_s) + 1, 5 if end_s < 60 else 10):
        x, _ = place(second, 0).split(",")
        lines.append(f'<text x="{x}" y="{TOP + high + 16}" text-anchor="middle">{second}</text>')
    lines.append(f'<text x="{LEFT + wide}" y="{HEIGHT - 6}" text-anchor="end">seconds; Mbit/s</text>')
    for at, what in events:
        x, _ = place(at, 0).split(",")
        lines += [f'<path d="M{x} {TOP}V{TOP + high}" stroke="#999" stroke-dasharray="3 3"/>',
                  f'<text x="{float(x) + 3}" y="{TOP + 10}" fill="#555">{escape(what)}</text>']
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(place(x, y) for x, y in curve)
        lines += [f'<polyline points="{points}" fill="none" stroke="{colour}" '
                  f'stroke-width="{2 if number == 0 else 1}"/>',
                  f'<text x="{LEFT + 8 + 130 * number}" y="{TOP - 8}" fill="{colour}">'
                  f'{escape(name)}</text>']
    return "\n".join([*lines, "</svg>", ""])

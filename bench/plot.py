"""Curves as one SVG: small panels, logarithmic in both directions, readable on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from bench.measure import SCALE, Curve
from bench.report import number, short

WIDTH, HEIGHT, COLUMNS = 280, 190, 3
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 34, 34
LEGEND = 34
SERIES = ("llmgenie", "stock TinyDB", "sqlite3", "append + fdatasync")
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #57606a }
.title { font-weight: 600; fill: #1f2328 }
.frame { stroke: #d0d7de; fill: none }
.grid { stroke: #d0d7de; stroke-width: .5 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.s0 { stroke: #0969da; fill: #0969da } .s1 { stroke: #bc4c00; fill: #bc4c00 }
.s2 { stroke: #1a7f37; fill: #1a7f37 } .s3 { stroke: #8250df; fill: #8250df; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 } .title { fill: #f0f6fc } .frame, .grid { stroke: #3d444d }
.s0 { stroke: #4493f8; fill: #4493f8 } .s1 { stroke: #f0883e; fill: #f0883e }
.s2 { stroke: #3fb950; fill: #3fb950 } .s3 { stroke: #ab7df8; fill: #ab7df8 }
}
.line { fill: none }
"""


def svg(curves: Sequence[Curve]) -> str:
    """All curves, a panel for each of what is done by what grows."""
    panels = list(dict.fromkeys((curve.along, curve.panel) for curve in curves))
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = WIDTH * COLUMNS, HEIGHT * rows + LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>Time by the number of tasks and by the length of the log</title>",
        f"<style>{STYLE}</style>",
        *_legend(),
    ]
    for place, (along, panel) in enumerate(panels):
        some = [curve for curve in curves if (curve.along, curve.panel) == (along, panel)]
        x, y = place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT + LEGEND
        parts += [f'<g transform="translate({x} {y})">', *_panel(f"{panel}, by {along}", some), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> Iterator[str]:
    for index, name in enumerate(SERIES):
        x = LEFT + index * 150
        yield f'<line class="line s{index}" x1="{x}" y1="18" x2="{x + 24}" y2="18"/>'
        yield f'<text x="{x + 30}" y="22">{escape(name)}</text>'


def _panel(title: str, curves: Sequence[Curve]) -> Iterator[str]:
    sizes = [size for curve in curves for size, _ in curve.points]
    seconds = [value / SCALE[curve.unit] for curve in curves for _, value in curve.points if value > 0]
    first, last = math.log10(min(sizes)), math.log10(max(sizes))
    floor, ceiling = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    ceiling = max(ceiling, floor + 2)

    def x(size: float) -> float:
        return LEFT + (math.log10(size) - first) / max(last - first, 1e-9) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (ceiling - math.log10(value)) / (ceiling - floor) * (HEIGHT - TOP - BOTTOM)

    yield f'<text class="title" x="{LEFT}" y="{TOP - 10}">{escape(title)}</text>'
    for power in range(floor, ceiling + 1):
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(10.0**power):.1f}" y2="{y(10.0**power):.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{y(10.0**power) + 4:.1f}" text-anchor="end">{_duration(10.0**power)}</text>'
    for size in sorted(set(sizes)):
        yield f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{short(size)}</text>'
    yield (
        f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"/>'
    )
    for curve in curves:
        style = f"s{SERIES.index(curve.name)}"
        points = [(x(size), y(value / SCALE[curve.unit])) for size, value in curve.points if value > 0]
        told = "; ".join(f"{short(size)}: {number(value)} {curve.unit}" for size, value in curve.points)
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        yield f'<polyline class="line {style}" points="{path}"><title>{escape(f"{curve.name}: {told}")}</title></polyline>'
        yield from (f'<circle class="{style}" cx="{px:.1f}" cy="{py:.1f}" r="2.5"/>' for px, py in points)


def _duration(seconds: float) -> str:
    for unit in ("s", "ms", "μs"):
        if seconds * SCALE[unit] >= 0.999:
            return f"{seconds * SCALE[unit]:,.0f} {unit}"
    return f"{seconds * 1e9:,.0f} ns"

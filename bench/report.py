"""What was measured as text, as JSON, and as the Markdown tables of README and docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.measure import Curve, Found, Row, Spread

TIMES, DASH = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"
MARK = {"": "", "kept": "kept", "close": "**close**", "over": "**over**"}


def head(facts: Mapping[str, Any]) -> str:
    """On what was measured, in one line."""
    libraries = ", ".join(f"{name} {version}" for name, version in facts["libraries"].items())
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['system']}, load {facts['load'][0]}; "
        f"Python {facts['python']}, {libraries}; commit {facts['commit']}"
    )


def data(facts: Mapping[str, Any], found: Mapping[str, Found], *, quick: bool) -> dict[str, Any]:
    """Everything, as JSON: {"machine", "quick", "rows": {part: […]}, "curves": […]}."""
    return {
        "machine": dict(facts),
        "quick": quick,
        "rows": {part: [one.data() for one in some if isinstance(one, Row)] for part, some in found.items()},
        "curves": [one.data() for some in found.values() for one in some if isinstance(one, Curve)],
    }


def text(part: str, found: Found, seconds: float) -> str:
    """One part as a table for a terminal."""
    lines = [f"\n{part} ({seconds:.0f} s)"]
    for one in found:
        if isinstance(one, Curve):
            points = "  ".join(f"{short(size)}: {number(value)}" for size, value in one.points)
            lines.append(f"  {one.panel}, {one.name}, {one.unit} by {one.along}:  {points}")
            continue
        spread = f"{number(one.value.median)} {one.unit}".strip()
        beside = f"{_ratio(one.ratio)} x {one.beside}" if one.ratio else ""
        allowed = f"{_budget(one)}: {one.verdict}" if one.verdict else ""
        lines.append(f"  {one.name:<58} {spread:>11} {_range(one.value):>15}  {beside:<46} {allowed}".rstrip())
    return "\n".join(lines)


def markdown(facts: Mapping[str, Any], found: Mapping[str, Found]) -> str:
    """The short table of the README, then every table of docs/performance.md."""
    rows = [one for some in found.values() for one in some if isinstance(one, Row)]
    lines = ["<!-- README.md -->", "", *_short(rows), "", "<!-- docs/performance.md -->", "", f"{head(facts)}."]
    for part, some in found.items():
        lines += ["", f"### {part}", "", *_long([one for one in some if isinstance(one, Row)])]
        lines += _curves([one for one in some if isinstance(one, Curve)])
    return "\n".join(lines)


def _short(rows: list[Row]) -> Iterator[str]:
    yield from ("| what | measured | beside | budget |", "|---|---|---|---|")
    for row in rows:
        if not row.short:
            continue
        ratio = f"{number(row.ratio.median)} {TIMES} {row.beside}" if row.ratio else ""
        budget = f"{_budget(row)} {MARK[row.verdict] if row.verdict != 'kept' else ''}".strip()
        yield f"| {row.name} | {number(row.value.median)} {row.unit} | {ratio} | {budget} |".replace("  ", " ")


def _long(rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    yield from (f"| what | median | p5 {DASH} p95 | ratio | beside | budget | |", "|---|---|---|---|---|---|---|")
    for row in rows:
        cells = (
            row.name,
            f"{number(row.value.median)} {row.unit}".strip(),
            _range(row.value),
            _ratio(row.ratio) if row.ratio else "",
            f"{row.beside}, {number(row.baseline.median)} {row.unit}" if row.baseline else "",
            _budget(row),
            MARK[row.verdict],
        )
        yield f"| {' | '.join(cells)} |"


def _curves(curves: list[Curve]) -> Iterator[str]:
    for along in dict.fromkeys(curve.along for curve in curves):
        some = [curve for curve in curves if curve.along == along]
        sizes = [size for size, _ in some[0].points]
        yield from ("", f"| by {along} | | {' | '.join(map(short, sizes))} |", f"|---|---|{'---|' * len(sizes)}")
        for curve in some:
            values = " | ".join(f"{number(value)} {curve.unit}" for _, value in curve.points)
            yield f"| {curve.panel} | {curve.name} | {values} |"


def _budget(row: Row) -> str:
    if row.budget is None:
        return ""
    return f"≤ {number(row.budget)} {TIMES}" if row.bounds == "ratio" else f"≤ {number(row.budget)} {row.unit}".strip()


def _ratio(ratio: Spread) -> str:
    if ratio.low == ratio.high:
        return number(ratio.median)
    return f"{number(ratio.median)} ({number(ratio.low)} {DASH} {number(ratio.high)})"


def _range(spread: Spread) -> str:
    return "" if spread.low == spread.high else f"{number(spread.low)} {DASH} {number(spread.high)}"


def number(value: float) -> str:
    """A number as people read it: two or three digits that count, thousands with commas."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def short(size: int) -> str:
    """A size of a project: 10, 1k, 100k, 1M."""
    for limit, unit in ((1_000_000, "M"), (1_000, "k")):
        if size >= limit and size % limit == 0:
            return f"{size // limit}{unit}"
    return str(size)

"""The measurements run, and tell what they measured in the shape that they promise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.measure import Curve, Effort, Row, Spread, against, alone, interleaved
from bench.report import data, number, text

ROOT = Path(__file__).parent.parent
PARTS = ("decisions", "storage", "load", "growth")
"""Those that take few seconds, and use every way to measure that there is."""


def test_a_quick_run_measures_every_row_and_writes_json_a_picture_and_the_tables(tmp_path: Path) -> None:
    where = {"LLMGENIE_BENCH_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    words = ["--quick", "--markdown", "--json", str(tmp_path / "found.json"), "--svg", str(tmp_path / "growth.svg")]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *PARTS, *words],
        cwd=tmp_path,
        env={**os.environ, **where},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["quick"] is True
    assert {"cpu", "cores", "python", "libraries", "commit"} <= found["machine"].keys()
    assert list(found["rows"]) == list(PARTS)
    for rows in found["rows"].values():
        assert rows
        for row in rows:
            assert row["value"]["p5"] <= row["value"]["median"] <= row["value"]["p95"]
            assert ("ratio" in row) <= ("baseline" in row)
            assert row.get("verdict") in (None, "kept", "close", "over")
    assert {curve["along"] for curve in found["curves"]} == {"tasks", "log lines"}
    assert all(value > 0 for curve in found["curves"] for _, value in curve["points"])
    picture = ET.fromstring((tmp_path / "growth.svg").read_text(encoding="utf-8"))
    lines = picture.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == len(found["curves"])
    readme, _, page = done.stdout.partition("<!-- docs/performance.md -->")
    assert readme.count("\n| ") > len(PARTS)
    assert [line[4:] for line in page.splitlines() if line.startswith("### ")] == list(PARTS)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".bench-")] == []


def test_sides_are_taken_in_turns_and_each_begins_as_often() -> None:
    seen: list[str] = []

    def sampler(name: str) -> float:
        seen.append(name)
        return float(len(seen))

    taken = interleaved({"a": lambda: sampler("a"), "b": lambda: sampler("b")}, 4, warm=2)
    assert "".join(seen) == "abbaabbaabba"
    assert taken == {"a": [5.0, 8.0, 9.0, 12.0], "b": [6.0, 7.0, 10.0, 11.0]}


@pytest.mark.parametrize(
    ("mine", "theirs", "budget", "verdict"),
    [
        ([2.0] * 9, [1.0] * 9, 2.0, "kept"),
        ([2.1] * 9, [1.0] * 9, 2.0, "over"),
        ([1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0], [1.0] * 9, 2.0, "close"),
        ([9.0] * 9, [1.0] * 9, None, ""),
    ],
)
def test_a_verdict_is_over_only_when_the_whole_interval_is(
    mine: list[float], theirs: list[float], budget: float | None, verdict: str
) -> None:
    assert against("row", mine, "other", theirs, "ms", budget=budget).verdict == verdict


def test_numbers_are_in_their_unit_and_told_as_people_read_them() -> None:
    row = alone("row", [0.001, 0.002, 0.003], "ms", budget=1.5)
    assert (row.value, row.verdict) == (Spread(2.0, 1.0, 3.0, 3), "close")
    assert [number(value) for value in (0.123, 12.34, 1234.5, 7.0)] == ["0.12", "12.3", "1,234", "7"]
    curve = Curve("write", "llmgenie", "ms", "tasks", ((10, 1.0), (1000, 2.5)))
    assert "10: 1  1k: 2.50" in text("part", [row, curve], 1.0)
    assert data({}, {"part": [row, curve]}, quick=False)["curves"] == [
        {"panel": "write", "name": "llmgenie", "unit": "ms", "along": "tasks", "points": [[10, 1.0], [1000, 2.5]]}
    ]
    assert (Effort(quick=True).of(9, 1), Effort().of(9, 1)) == (1, 9)
    assert Row("row", "B", Spread.of([1.0])).verdict == ""

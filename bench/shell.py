"""How well and how fast shell commands are read: `python -m bench shell`.

The corpus is `tests/shell/corpus.txt`. A miss is a command of which something was neither reported nor covered by an
opaque part that touches something; a false alarm is something reported for a command that does nothing of the kind.
`held_out` is the part that was not looked at while the reader was written.
"""

from __future__ import annotations

import importlib
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from llmgenie_mcp.shell import LIMIT, read_command

MEDIAN, IMPORT, HOSTILE = 60.0, 45.0, 200.0
_TEXTS = (
    "a;" * (LIMIT // 2),
    "a|" * (LIMIT // 2),
    "$(" * (LIMIT // 2),
    "`" * LIMIT,
    "git push " + "x " * (LIMIT // 2 - 8),
)


def rows(repeat: int = 7) -> list[dict[str, Any]]:
    """The measurements: name, value, unit, budget and whether it is kept."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    corpus = importlib.import_module("shell_corpus")
    entries = corpus.entries()
    found = {entry: [corpus.noted(operation) for operation in read_command(entry.command)] for entry in entries}
    measured: list[dict[str, Any]] = []
    for part in ("tuning", "held_out"):
        those = [entry for entry in entries if entry.part == part]
        exact = sum(found[entry] == list(entry.operations) for entry in those)
        measured += [
            _row(f"{part}, {len(those)} commands: exact", exact, ""),
            _row(f"{part}: misses", sum(corpus.missed(entry, found[entry]) for entry in those), "", 0),
            _row(f"{part}: false alarms", sum(corpus.false_alarm(entry, found[entry]) for entry in those), "", 0),
        ]
    times = [_best(entry.command, repeat) for entry in entries]
    return [
        *measured,
        _row("a command, median", statistics.median(times), "μs", MEDIAN),
        _row("a command, slowest", max(times), "μs"),
        _row(
            f"hostile texts of {LIMIT // 1024} KB, slowest",
            max(_best(text, 3) for text in _TEXTS) / 1000,
            "ms",
            HOSTILE,
        ),
        _row("import and first command", statistics.median(_cold() for _ in range(repeat)), "ms", IMPORT),
    ]


def _row(name: str, value: float, unit: str, budget: float | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 1),
        "unit": unit,
        "baseline": None,
        "ratio": None,
        "budget": budget,
        "ok": budget is None or value <= budget,
    }


def _best(command: str, repeat: int) -> float:
    times: list[float] = []
    for _ in range(repeat):
        start = time.perf_counter()
        read_command(command)
        times.append((time.perf_counter() - start) * 1e6)
    return min(times)


def _cold() -> float:
    code = (
        "import time; s = time.perf_counter(); from llmgenie_mcp.shell import read_command; read_command('git push');"
        "print((time.perf_counter() - s) * 1e3)"
    )
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

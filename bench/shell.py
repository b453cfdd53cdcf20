"""How well and how fast shell commands are read: `python -m bench shell`.

The corpus is `tests/shell/corpus.txt`. A miss is a command of which something was neither reported nor covered by an
opaque part that touches something; a false alarm is something reported for a command that does nothing of the kind.
`held_out` is the part that was not looked at while the reader was written.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from pathlib import Path

from bench.measure import Effort, Found, Row, Seconds, Spread, alone
from bench.servers import environment
from llmgenie_mcp.shell import LIMIT, read_command

MEDIAN, IMPORT, HOSTILE = 60.0, 45.0, 200.0


def _words(size: int) -> str:
    """As many different words as `size` characters hold."""
    return " ".join(f"{number:x}" for number in range(size // 2))[:size].rpartition(" ")[0]


_TEXTS = (
    "a;" * (LIMIT // 2),
    "a|" * (LIMIT // 2),
    "$(" * (LIMIT // 2),
    "`" * LIMIT,
    "git push " + "x " * (LIMIT // 2 - 8),
    "git push origin " + _words(LIMIT - 16),
    "mv " + _words(LIMIT - 3),
)


def measure(effort: Effort) -> Found:
    """How many commands of the corpus are read exactly, and how fast."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    corpus = importlib.import_module("shell_corpus")
    entries = corpus.entries()
    found = {entry: [corpus.noted(operation) for operation in read_command(entry.command)] for entry in entries}
    rows: Found = []
    for part in ("tuning", "held_out"):
        those = [entry for entry in entries if entry.part == part]
        exact = sum(found[entry] == list(entry.operations) for entry in those)
        rows += [
            _count(f"{part}: of {len(those)} commands not read exactly", len(those) - exact),
            _count(f"{part}: misses", sum(corpus.missed(entry, found[entry]) for entry in those), 0),
            _count(f"{part}: false alarms", sum(corpus.false_alarm(entry, found[entry]) for entry in those), 0),
        ]
    times = [_best(entry.command, effort.of(7, 1)) for entry in entries]
    return [
        *rows,
        alone("a shell command read", times, "μs", budget=MEDIAN, short=True),
        alone("a shell command read: the slowest", [max(times)], "ms", short=True),
        alone(
            f"hostile texts of {LIMIT // 1024} KiB: the slowest",
            [max(_best(text, effort.of(3, 1)) for text in _TEXTS)],
            "ms",
            budget=HOSTILE,
        ),
        alone("import and first command", [_cold() for _ in range(effort.of(7, 1))], "ms", budget=IMPORT),
    ]


def _count(name: str, number: int, budget: float | None = None) -> Row:
    return Row(name, "", Spread.of([number]), budget=budget, bounds="value")


def _best(command: str, repeat: int) -> Seconds:
    times: list[Seconds] = []
    for _ in range(repeat):
        start = time.perf_counter()
        read_command(command)
        times.append(time.perf_counter() - start)
    return min(times)


def _cold() -> Seconds:
    code = (
        "import time; s = time.perf_counter(); from llmgenie_mcp.shell import read_command; read_command('git push');"
        "print((time.perf_counter() - s) * 1e3)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    return float(done.stdout) / 1e3

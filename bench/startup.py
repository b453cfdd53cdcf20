"""Whole processes: the command line beside `python -c pass`, with compiled bytecode on both sides."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROUNDS = 15
COMMANDS = {
    "llmgenie --help": ["-m", "llmgenie_mcp", "--help"],
    "llmgenie task list": ["-m", "llmgenie_mcp", "task", "list"],
    "llmgenie state": ["-m", "llmgenie_mcp", "state"],
}


def rows() -> list[dict[str, Any]]:
    """One row per command: {name, value, unit, baseline, ratio}; runs of both sides alternate."""
    with tempfile.TemporaryDirectory(prefix="llmgenie-bench-") as folder:
        project = Path(folder) / "project"
        subprocess.run(["git", "init", "-q", str(project)], check=True)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment |= {
            "LLMGENIE_STATE_DIR": str(Path(folder) / "state"),
            "LLMGENIE_PROJECT": str(project),
            "PYTHONPYCACHEPREFIX": str(Path(folder) / "bytecode"),
            "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
        }
        return [_compare(name, arguments, environment) for name, arguments in COMMANDS.items()]


def _compare(name: str, arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    ours, bare = [], []
    for number in range(ROUNDS + 1):
        timed = _run(arguments, environment), _run(["-c", "pass"], environment)
        if number:
            ours.append(timed[0])
            bare.append(timed[1])
    value, baseline = statistics.median(ours), statistics.median(bare)
    return {
        "name": name,
        "value": round(value, 1),
        "unit": "ms",
        "baseline": f"python -c pass ({baseline:.1f} ms)",
        "ratio": round(value / baseline, 1),
    }


def _run(arguments: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    for row in rows():
        print(row)

"""The Engine in process: an act and a question, on an empty project and on a full one, beside append + fdatasync."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmgenie_mcp.engine import Engine

Row = dict[str, Any]
FULL_TASKS = 10_000


def median_ms(work: Callable[[], object], rounds: int) -> float:
    """Median wall time of `work`, in milliseconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def rows() -> list[Row]:
    """One row per measurement: {name, value, unit, baseline, ratio}."""
    with tempfile.TemporaryDirectory(prefix="llmgenie-bench-") as folder:
        os.environ["LLMGENIE_STATE_DIR"] = str(Path(folder) / "state")
        project = Path(folder) / "project"
        subprocess.run(["git", "init", "-q", str(project)], check=True)
        return _measure(project)


def _measure(project: Path) -> list[Row]:
    descriptor = os.open(project / "baseline", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def append() -> None:
        os.write(descriptor, b"x" * 700)
        os.fdatasync(descriptor)

    with Engine.open(project) as engine:

        def create() -> None:
            engine.run_action("create_task", {"title": "measured"})

        create()
        baseline, empty = median_ms(append, 300), median_ms(create, 300)
        result = [
            _row("append + fdatasync, 700 bytes", baseline, baseline),
            _row("run_action create_task, empty project", empty, baseline),
            _row("workflow_state", median_ms(engine.workflow_state, 200), baseline),
            _row("available_actions", median_ms(engine.available_actions, 30), baseline),
            _row(
                "enforce merge into main",
                median_ms(lambda: engine.enforce(None, "merge", {"branch": "main"}), 50),
                baseline,
            ),
        ]
        with engine.storage.begin() as tx:
            for number in range(FULL_TASKS):
                tx.put(
                    "tasks",
                    f"OLD-{number}",
                    {"title": "filler", "status": "done", "priority": "low", "dependencies": []},
                )
            tx.commit({"type": "bench.filled"})
        again, full = median_ms(append, 300), median_ms(create, 300)
        result.append(_row(f"run_action create_task, {FULL_TASKS:,} tasks", full, again))
        result.append({"name": "full project / empty project", "value": round(full / empty, 2), "unit": "x"})
    os.close(descriptor)
    return result


def _row(name: str, value: float, baseline: float) -> Row:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": "ms",
        "baseline": "append + fdatasync",
        "ratio": round(value / baseline, 2),
    }


if __name__ == "__main__":
    for row in rows():
        print(row)

"""Calls of warm servers over stdio, beside an echo tool on the same SDK: `python -m bench calls`.

A write is beside echo + 2 (append + fdatasync) on the same disk, summed round by round. The full project has 10,000
tasks and 100,000 log lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pydantic_core

from bench.filling import Filling, place, repository
from bench.measure import Effort, Found, Row, Sampler, Spread, against, alone, appending, interleaved
from bench.servers import Server

READ_BUDGET, WRITE_BUDGET, GROWTH = 1.25, 1.0, 1.3
ANSWER = 10_000
"""Bytes of the longest answer."""
FULL = 10_000, 100_000
"""Tasks and log lines of the full project."""

Call = tuple[str, Mapping[str, Any]]
READS: dict[str, Call] = {
    "get_available_actions": ("get_available_actions", {}),
    "get_workflow_state": ("get_workflow_state", {}),
    "get_policy": ("get_policy", {"policy_name": "branch_protection"}),
    "get_context_data, one task": ("get_context_data", {"key": "tasks/TSK-1"}),
    "get_context_data, a list of tasks": ("get_context_data", {"key": "tasks"}),
    "enforce_policy, a file to write": (
        "enforce_policy",
        {"policy": None, "action": "file.write", "params": {"path": "src/parser.py"}},
    ),
}
WRITES: dict[str, Call] = {
    "update_context, a note": ("update_context", {"key": "notes/bench", "value": {"seen": 1}}),
    "run_action log_entry": ("run_action", {"action": "log_entry", "params": {"text": "bench"}}),
    "run_action create_task": ("run_action", {"action": "create_task", "params": {"title": "One more"}}),
}
SHOWN = ("get_available_actions", "get_workflow_state", "get_context_data, a list of tasks", "run_action create_task")
LONG: dict[str, Call] = {
    "all tasks": ("get_context_data", {"key": "tasks"}),
    "all tasks that match": ("get_context_data", {"key": "tasks", "query": "plan"}),
    "the log": ("get_context_data", {"key": "meta-log"}),
    "what may be done and what not": ("get_available_actions", {"include_blocked": True}),
    "a policy": ("get_policy", {"policy_name": "security"}),
}


def measure(effort: Effort) -> Found:
    """Reads and writes on a small project, the same on a full one, and the size of answers."""
    with place() as folder, ExitStack() as open_servers:
        for name, (tasks, lines) in {"small": (20, 20), "full": FULL if not effort.quick else (200, 400)}.items():
            filling = Filling(repository(folder / name))
            filling.tasks(tasks)
            filling.lines(lines)
            filling.finish()
        small, full = (open_servers.enter_context(Server.ours(folder / name)) for name in ("small", "full"))
        echo = open_servers.enter_context(Server.echo())
        taken = interleaved(_sides(echo, small, full, folder), effort.of(400, 5), warm=effort.of(20, 1))
        return [*_baselines(taken), *_beside_echo(taken), *_full(taken), _longest(full)]


def _sides(echo: Server, small: Server, full: Server, folder: Path) -> dict[str, Sampler]:
    sides: dict[str, Sampler] = {
        "echo": echo.calling("echo", {"text": "hello"}),
        "echo async": echo.calling("echo_async", {"text": "hello"}),
        "append": appending(folder / "appended"),
        "append again": appending(folder / "appended"),
    }
    for name, (tool, arguments) in {**READS, **WRITES}.items():
        sides[name] = small.calling(tool, arguments)
        sides[f"full: {name}"] = full.calling(tool, arguments)
    return sides


def _baselines(taken: Mapping[str, list[float]]) -> Found:
    return [
        alone("echo tool", taken["echo"], "ms"),
        alone("echo tool without a worker thread", taken["echo async"], "ms"),
        alone("append of 700 bytes + fdatasync", taken["append"], "ms"),
    ]


def _beside_echo(taken: Mapping[str, list[float]]) -> Found:
    appends = zip(taken["echo"], taken["append"], taken["append again"], strict=True)
    durable = [sum(one) for one in appends]
    return [
        *(
            against(name, taken[name], "echo", taken["echo"], "ms", budget=READ_BUDGET, short=name in SHOWN)
            for name in READS
        ),
        *(
            against(name, taken[name], "echo + 2 appends", durable, "ms", budget=WRITE_BUDGET, short=name in SHOWN)
            for name in WRITES
        ),
    ]


def _full(taken: Mapping[str, list[float]]) -> Found:
    return [
        against(
            f"{name}, full project",
            taken[f"full: {name}"],
            "small project",
            taken[name],
            "ms",
            budget=GROWTH if name in WRITES else None,
            short=name == "run_action create_task",
        )
        for name in (*READS, *WRITES)
    ]


def _longest(full: Server) -> Row:
    sizes = {name: len(pydantic_core.to_json(full.tool(*call))) for name, call in LONG.items()}
    name = max(sizes, key=lambda one: sizes[one])
    size = Spread.of([sizes[name]])
    return Row(f"longest answer, full project ({name})", "B", size, budget=ANSWER, bounds="value", short=True)

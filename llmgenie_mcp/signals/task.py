"""The task that is asked about, and what it depends on."""

from __future__ import annotations

from typing import Any

from llmgenie_mcp.engine.situation import Reader, Situation
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.plugins import signal


@signal(
    "task",
    {
        "id": "The task's id, such as TSK-3.",
        "status": "Its state in the workflow `task`.",
        "priority": "critical, high, medium or low.",
        "assignee": "Who has it; null for nobody.",
        "labels": "Its labels, as a list.",
        "open_dependencies": "Ids of the tasks it depends on that are not done, as a list.",
    },
    outside=False,
)
def read(field: str, situation: Situation) -> Any:
    """One fact about the task that the action moves, else about the session's task; unknown when there is none."""
    move = situation.move
    id_ = move.id if move and move.workflow == "task" else (situation.session or {}).get("task")
    task = situation.reader.get("tasks", id_) if id_ else None
    if task is None:
        return UNKNOWN
    if field == "open_dependencies":
        return [other for other in task["dependencies"] if is_open(situation.reader, other)]
    return task.get(field)


def is_open(reader: Reader, id_: str) -> bool:
    """Whether the task `id_` still has to be done."""
    task = reader.get("tasks", id_)
    return task is not None and task["status"] not in ("done", "cancelled")

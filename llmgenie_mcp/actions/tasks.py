"""Tasks: made, changed, claimed, completed; their status moves by the workflow `task`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import Field

from llmgenie_mcp.actions._open import claimed, completed, ready_tasks, task_of
from llmgenie_mcp.contextdata import fitting, matcher, task_order
from llmgenie_mcp.engine.situation import ActionContext, Reader, Situation
from llmgenie_mcp.errors import BadParams, UnknownName
from llmgenie_mcp.plugins import Move, Params, action, actions, given
from llmgenie_mcp.records import Document, Id, Priority, Refusal, Task, Text, Title, now
from llmgenie_mcp.storage import Holds

FEW = 30
"""So many tasks are listed unless more are asked for."""
SHOWN = ("id", "title", "status", "priority", "assignee", "dependencies", "version")


class CreateTask(Params):
    """Parameters of create_task."""

    title: Title = Field(description="What has to be done, in one line.")
    description: Text = Field(default="", description="What it means and when it is done.")
    priority: Priority = Field(default="medium", description="How urgent it is.")
    dependencies: list[Id] = Field(default=[], max_length=100, description="Ids of tasks to be done before.")
    labels: list[Title] = Field(default=[], max_length=30, description="Free words.")
    roadmap_item: Id | None = Field(default=None, description="The roadmap item it belongs to, such as RMI-1.")


class UpdateTask(Params):
    """Parameters of update_task."""

    elsewhere: ClassVar[dict[str, str]] = {"status": "it moves with claim_task, complete_task and move_task"}

    id: Id = Field(description="The task, such as TSK-12.")
    title: Title | None = Field(default=None, description="New title.")
    description: Text | None = Field(default=None, description="New description.")
    priority: Priority | None = Field(default=None, description="New priority.")
    dependencies: list[Id] | None = Field(
        default=None, max_length=100, description="All ids of tasks to be done before."
    )
    labels: list[Title] | None = Field(default=None, max_length=30, description="All labels.")
    assignee: Title | None = Field(default=None, description="Who has it.")
    roadmap_item: Id | None = Field(default=None, description="The roadmap item it belongs to.")
    expected_version: int | None = Field(default=None, ge=0, description="Refuse when the task has another version.")


class ClaimTask(Params):
    """Parameters of claim_task."""

    id: Id | None = Field(default=None, description="The task; the most urgent one that is ready when left out.")


class CompleteTask(Params):
    """Parameters of complete_task."""

    id: Id | None = Field(default=None, description="The task; the session's own when left out.")
    summary: Text = Field(default="", description="What was done and how it was checked.")


class MoveTask(Params):
    """Parameters of move_task."""

    id: Id = Field(description="The task, such as TSK-12.")
    trigger: Title = Field(description="block, unblock, release, cancel or reopen, as the workflow `task` says.")
    comment: Text = Field(default="", description="Why; it is kept in the log.")


class ListTasks(Params):
    """Parameters of list_tasks."""

    query: str | None = Field(default=None, max_length=200, description="Words, or field:value such as status:todo.")
    ready: bool = Field(default=False, description="Only tasks that may be claimed now.")
    limit: int = Field(default=FEW, ge=1, le=500, description="At most so many.")


@action(
    "create_task",
    params=CreateTask,
    example={"title": "Write the parser", "priority": "high", "dependencies": ["TSK-1"]},
)
def create_task(ctx: ActionContext, params: CreateTask) -> Document:
    """Create a task; returns its id."""
    task = Task(id=ctx.write.next_id("TSK"), status=ctx.situation.workflows["task"].initial, **params.model_dump())
    _check_links(ctx.situation.reader, task.id, task.dependencies, task.roadmap_item)
    document = ctx.write.put("tasks", task.id, task.model_dump())
    return {"id": task.id, "task": _short(document)}


@action("update_task", params=UpdateTask, example={"id": "TSK-1", "priority": "critical"})
def update_task(ctx: ActionContext, params: UpdateTask) -> Document:
    """Change fields of a task; its status moves with claim_task, complete_task and move_task."""
    task = task_of(ctx.situation.reader, params.id)
    changes = params.model_dump(exclude_unset=True, exclude={"id", "expected_version"})
    nulls = [name for name, value in changes.items() if value is None and name not in ("assignee", "roadmap_item")]
    if nulls:
        raise BadParams(f"{', '.join(nulls)} cannot be null.", "Leave out what shall stay as it is.")
    _check_links(ctx.situation.reader, params.id, changes.get("dependencies", ()), changes.get("roadmap_item"))
    document = ctx.write.put(
        "tasks", params.id, {**task, **changes, "updated_at": now()}, expected_version=params.expected_version
    )
    return {"id": params.id, "task": _short(document)}


@action("claim_task", params=ClaimTask, move=claimed, example={"id": "TSK-1"})
def claim_task(ctx: ActionContext, _params: ClaimTask) -> Document:
    """Take a task, or the most urgent one that is ready; no two agents get the same."""
    situation = ctx.situation
    task = task_of(situation.reader, _moved(situation))
    session = situation.session
    task |= {"assignee": situation.actor.id, "session": session["id"] if session else None}
    document = ctx.write.put("tasks", task["id"], task)
    if session:
        situation.session = ctx.write.put(
            "sessions", session["id"], {**session, "task": task["id"], "updated_at": now()}
        )
    return {"id": task["id"], "task": {**_short(document), "description": document["description"]}}


@action(
    "complete_task",
    params=CompleteTask,
    move=completed,
    example={"id": "TSK-1", "summary": "Wrote the parser; the tests pass."},
)
def complete_task(ctx: ActionContext, params: CompleteTask) -> Document:
    """Mark a task as done, with a summary; refused while what it depends on is open."""
    task = task_of(ctx.situation.reader, _moved(ctx.situation))
    document = ctx.write.put("tasks", task["id"], {**task, "summary": params.summary, "completed_at": now()})
    freed = [t["id"] for t in ready_tasks(ctx.situation, {"dependencies": Holds(task["id"])})]
    return {"id": task["id"], "task": _short(document), "now_ready": freed}


@given
def _other(situation: Situation, params: MoveTask) -> Move | Refusal:
    task_of(situation.reader, params.id)
    if (own := f"{params.trigger}_task") in actions():
        fix = {"action": own, "params": {"id": params.id}}
        return Refusal(
            "no_transition", f"task.{params.trigger}", f"{params.trigger} has an action of its own: {own}.", fix=fix
        )
    return Move("task", params.trigger, params.id)


@action(
    "move_task",
    params=MoveTask,
    move=_other,
    example={"id": "TSK-1", "trigger": "block", "comment": "Waits for the new schema."},
)
def move_task(ctx: ActionContext, params: MoveTask) -> Document:
    """Move a task by any other trigger of its workflow: block, unblock, release, cancel, reopen."""
    if params.comment:
        ctx.notes.append(params.comment)
    task = task_of(ctx.situation.reader, params.id)
    if task["status"] == ctx.situation.workflows["task"].initial:
        task = ctx.write.put("tasks", params.id, {**task, "assignee": None, "session": None})
    return {"id": params.id, "task": _short(task)}


@action("list_tasks", params=ListTasks, changes=False, everywhere=True, example={"ready": True})
def list_tasks(ctx: ActionContext, params: ListTasks) -> Document:
    """List tasks, the most urgent first."""
    matches = matcher(params.query)
    tasks = ready_tasks(ctx.situation) if params.ready else sorted(ctx.situation.reader.all("tasks"), key=task_order)
    found = [task for task in tasks if matches(task)]
    shown = [_short(task) for task in found[: params.limit]]
    return {"tasks": shown if params.limit > FEW else fitting(shown), "total": len(found)}


def _moved(situation: Situation) -> str:
    if situation.move is None:
        raise BadParams("Which task?", "Name it as `id`.")
    return situation.move.id


def _check_links(reader: Reader, id_: str, dependencies: Iterable[str], roadmap_item: str | None) -> None:
    """What a task names must exist, and no task may wait for itself."""
    for other in dependencies:
        if other != id_:
            task_of(reader, other)
        if way := _way(reader, other, id_):
            raise BadParams(
                f"{id_} would wait for itself: {' → '.join([id_, *way])}.",
                "Leave out one of these dependencies.",
                cycle=[id_, *way],
            )
    if roadmap_item is not None and reader.get("roadmap", roadmap_item) is None:
        raise UnknownName("roadmap item", roadmap_item, [item["id"] for item in reader.all("roadmap")])


def _way(reader: Reader, start: str, goal: str) -> list[str] | None:
    """The dependencies that lead from `start` to `goal`; None when none do."""
    stack, seen = [(start, [start])], {start}
    while stack:
        id_, way = stack.pop()
        if id_ == goal:
            return way
        for other in (reader.get("tasks", id_) or {}).get("dependencies", ()):
            if other not in seen:
                seen.add(other)
                stack.append((other, [*way, other]))
    return None


def _short(task: Mapping[str, Any]) -> Document:
    return {name: task[name] for name in SHOWN if task.get(name) not in (None, [], "")}

"""When actions are open that look at more than states. Light to import, so that asking what is open takes little time."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

from llmgenie_mcp.actions._configured import unconfigured
from llmgenie_mcp.contextdata import task_order
from llmgenie_mcp.engine.moves import find_move
from llmgenie_mcp.engine.situation import Reader, Situation
from llmgenie_mcp.errors import BadParams, UnknownName
from llmgenie_mcp.outcome import PRIORITIES, Document, Refusal
from llmgenie_mcp.plugins import Move
from llmgenie_mcp.signals.task import is_open

if TYPE_CHECKING:
    from llmgenie_mcp.actions.command import RunCommand
    from llmgenie_mcp.actions.git import Merge
    from llmgenie_mcp.actions.tasks import ClaimTask, CompleteTask


def claimed(situation: Situation, params: ClaimTask | None) -> Move | Refusal:
    """The `move` of claim_task."""
    if params is not None and params.id is not None:
        task_of(situation.reader, params.id)
        return Move("task", "claim", params.id)
    ready = _most_urgent(situation)
    if ready:
        return Move("task", "claim", ready["id"])
    initial = situation.workflows["task"].initial
    if waiting := [task["id"] for task in islice(situation.reader.each("tasks", {"status": initial}), 10)]:
        wait = "waits for what it depends" if len(waiting) == 1 else "wait for what they depend"
        why = f"{', '.join(waiting)} {wait} on; complete or cancel that first."
        return Refusal("nothing_ready", f"task.{initial}.claim", why)
    fix = {"action": "create_task", "params": {"title": "…"}}
    return Refusal("nothing_ready", f"task.{initial}.claim", f"There is no task in {initial}.", fix=fix)


def completed(situation: Situation, params: CompleteTask | None) -> Move | Refusal | None:
    """The `move` of complete_task."""
    id_, states = (situation.session or {}).get("task"), situation.workflows["task"].states_with("complete")
    if params is not None:
        id_ = params.id or id_
    elif id_ is None or task_of(situation.reader, id_)["status"] not in states:
        if any(situation.reader.count("tasks", {"status": state}) for state in states):
            return None  # it depends on which one is named
        fix = {"action": "create_task", "params": {"title": "…"}}
        return Refusal("no_transition", "task.complete", "There is no open task.", fix=fix)
    if id_ is None:
        raise BadParams("Which task? This session has none.", "Name it as `id`.")
    task_of(situation.reader, id_)
    return Move("task", "complete", id_)


def ready_tasks(situation: Situation, where: Mapping[str, object] | None = None) -> list[Document]:
    """Tasks in the initial state whose dependencies are all done, the most urgent first; only those that fit `where`."""
    reader, initial = situation.reader, situation.workflows["task"].initial
    candidates = sorted(reader.all("tasks", {"status": initial, **(where or {})}), key=task_order)
    return [task for task in candidates if _is_ready(reader, task)]


def task_of(reader: Reader, id_: str) -> Document:
    """The task. Raises UnknownName."""
    task = reader.get("tasks", id_)
    if task is None:
        raise UnknownName("task", id_, [t["id"] for t in reader.all("tasks")])
    return task


def review(situation: Situation, params: Merge | None) -> Move | Refusal | None:
    """The `move` of merge."""
    if params is None:
        return find_move(situation, "merge", None)
    return find_move(situation, "merge", params.instance, subject=source_of(situation, params))


def source_of(situation: Situation, params: Merge) -> str | None:
    """The branch to be merged; None when HEAD is detached and none is named."""
    if params.source is not None:
        return params.source
    branch = situation.fact("git.branch")
    return branch if isinstance(branch, str) else None


def tests_ready(situation: Situation, _params: object) -> Refusal | None:
    """The `ready` of run_tests."""
    return _unready(situation, "test")


def command_ready(situation: Situation, params: RunCommand | None) -> Refusal | None:
    """The `ready` of run_command."""
    commands = situation.settings.commands
    if params is None:
        return _unready(situation, next(iter(commands), "NAME"))
    if commands and params.name not in commands:
        raise UnknownName("command", params.name, commands)
    if params.name == "publish":
        message = "`publish` is what a release runs when it is approved and tagged."
        return Refusal("not_open_here", "settings.commands.publish", message, fix={"action": "publish", "params": {}})
    return _unready(situation, params.name)


def publishable(situation: Situation, _params: object) -> Refusal | None:
    """The `ready` of publish, which runs a command where the settings have one of that name."""
    return _unready(situation, "publish") if "publish" in situation.settings.commands else None


def _unready(situation: Situation, name: str) -> Refusal | None:
    """Why the command `name` may not run, if so: it is not in the settings, or nobody trusted them."""
    return unconfigured(situation, "commands", name, "command", "{argv: [program, argument]}")


def _is_ready(reader: Reader, task: Document) -> bool:
    return not any(is_open(reader, other) for other in task["dependencies"])


def _most_urgent(situation: Situation) -> Document | None:
    """The first of the tasks that are ready: by priority, then by when they were made. It looks at no more than it must."""
    reader, initial = situation.reader, situation.workflows["task"].initial
    for priority in PRIORITIES:
        for task in reader.each("tasks", {"status": initial, "priority": priority}):
            if _is_ready(reader, task):
                return task
    return None

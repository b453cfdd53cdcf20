"""Shrimp Task Manager: `shrimp_data/tasks.json`, or `<DATA_DIR>/<project>/tasks.json`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmgenie_mcp.errors import counted
from llmgenie_mcp.importers._items import Format, Found, Item, Reference, Sign, listed, words
from llmgenie_mcp.importers._json import Json, read_json
from llmgenie_mcp.importers._shapes import left_over, most_have, not_an_object, twice_written, value_of
from llmgenie_mcp.importers._tree import Tree

PATHS = ("shrimp_data/tasks.json", "shrimp_data/*/tasks.json", "tasks.json")
_TAKEN = (
    *(
        "id",
        "name",
        "description",
        "notes",
        "status",
        "dependencies",
        "createdAt",
        "updatedAt",
        "completedAt",
        "summary",
    ),
    *("analysisResult", "implementationGuide", "verificationCriteria"),
)


def _find(tree: Tree) -> Iterator[Sign]:
    for name in tree.files(*PATHS):
        value = value_of(tree, name)
        tasks = value.get("tasks") if isinstance(value, dict) else None
        if most_have(tasks, "id", "name", "status"):
            yield Sign(name, f"it holds {counted(len(tasks or ()), 'task')} with id, name and status")
        elif tasks == []:
            yield Sign(name, "it holds an empty list of tasks", sure="shrimp" in str(tree.root / name))


def _read(tree: Tree, sign: Sign) -> Iterator[Found]:
    read = read_json(tree, sign.path)
    yield from twice_written(read)
    for number, task in enumerate(read.value["tasks"]):
        if isinstance(task, dict):
            yield _task(read, task, number)
        else:
            yield not_an_object(read.place("tasks", number), "task")


def _task(read: Json, task: dict[str, Any], number: int) -> Item:
    fields: dict[str, Any] = {
        "title": words(task.get("name")),
        "description": words(task.get("description")),
        "summary": words(task.get("summary")),
    }
    for ours, theirs in (("created_at", "createdAt"), ("updated_at", "updatedAt"), ("completed_at", "completedAt")):
        if task.get(theirs):
            fields[ours] = task[theirs]
    sections = {
        "Implementation guide": words(task.get("implementationGuide")),
        "Verification criteria": words(task.get("verificationCriteria")),
        "Analysis": words(task.get("analysisResult")),
        "Notes": words(task.get("notes")),
    }
    way = ("tasks", number)
    item = Item(
        words(task.get("id")), read.place(*way), fields, status=words(task.get("status")) or None, sections=sections
    )
    item.foreign = left_over(task, *_TAKEN)
    for index, to in enumerate(listed(task.get("dependencies"))):
        key = words(to.get("taskId")) if isinstance(to, dict) else words(to)
        item.waits_for.append(Reference(key, read.place(*way, "dependencies", index)))
    return item


FORMAT = Format(
    "shrimp",
    "Shrimp Task Manager",
    'shrimp_data/tasks.json: {"tasks": [{"id": "…", "name": …, "status": "pending", "dependencies": [{"taskId": …}]}]}',
    _find,
    _read,
    worldwide=True,
)

"""Task Master: `.taskmaster/tasks/tasks.json`, with tags, and the older `tasks/tasks.json` without.

Fields as in files of https://github.com/eyaltoledano/claude-task-master: ids are numbers or text, a subtask's id is local to
its task (`5.2` in full), dependencies name either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmgenie_mcp.exchange import MARK
from llmgenie_mcp.importers._items import Format, Found, Item, Reference, Sign, listed, words
from llmgenie_mcp.importers._json import Json, read_json
from llmgenie_mcp.importers._shapes import entries, left_over, most_have, not_an_object, twice_written, value_of
from llmgenie_mcp.importers._tree import Tree

PATHS = (".taskmaster/tasks/tasks.json", "tasks/tasks.json", "tasks.json")
MASTER = "master"
_TAKEN = (
    "id",
    "title",
    "description",
    "details",
    "testStrategy",
    "status",
    "priority",
    "dependencies",
    "subtasks",
    "updatedAt",
)


def _find(tree: Tree) -> Iterator[Sign]:
    for name in tree.files(*PATHS):
        tags = _tags(value_of(tree, name))
        tasks = [task for _, listed_tasks in tags for task in listed_tasks]
        if any(most_have(found, "id", "title") and _numbered(found) for _, found in tags):
            yield Sign(
                name, f"it holds {len(tasks)} numbered tasks with titles, in {len(tags)} tag{'s' * (len(tags) != 1)}"
            )
        elif tags and not tasks:
            yield Sign(name, "it holds an empty list of tasks", sure=".taskmaster" in str(tree.root / name))


def _tags(value: Any) -> list[tuple[str, list[Any]]]:
    """The tasks by tag; a file without tags is one of the tag `master`."""
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("tasks"), list):
        return [(MASTER, value["tasks"])]
    return [
        (tag, part["tasks"])
        for tag, part in value.items()
        if isinstance(part, dict) and isinstance(part.get("tasks"), list)
    ]


def _numbered(tasks: list[Any]) -> bool:
    ids = [task.get("id") for task in entries(tasks)]
    return sum(isinstance(id_, int) or (isinstance(id_, str) and id_.isdecimal()) for id_ in ids) * 2 > len(ids)


def _read(tree: Tree, sign: Sign) -> Iterator[Found]:
    read = read_json(tree, sign.path)
    yield from twice_written(read)
    value = read.value
    tags = _tags(value)
    for tag, tasks in tags:
        way: tuple[str | int, ...] = ("tasks",) if value.get("tasks") is tasks else (tag, "tasks")
        whole = {words(task.get("id")) for task in entries(tasks)}
        for number, task in enumerate(tasks):
            if isinstance(task, dict):
                yield from _task(read, task, tag, (*way, number), whole, several=len(tags) > 1)
            else:
                yield not_an_object(read.place(*way, number), "task")
    about = {tag: _about(value[tag]) for tag, _ in tags if isinstance(value.get(tag), dict)}
    rest = {**left_over(value, "tasks", *about), **{tag: more for tag, more in about.items() if more}}
    if rest:
        fields = {"value": rest}
        yield Item("metadata", read.place(), fields, table="notes", wanted="taskmaster/metadata")


def _about(tag: dict[str, Any]) -> dict[str, Any]:
    """What is said of a tag beside its tasks; nothing of what an export of llmgenie said."""
    about = left_over(tag, "tasks")
    metadata = about.get("metadata")
    if isinstance(metadata, dict) and metadata.get("exporter") == MARK:
        del about["metadata"]
    return about


def _task(
    read: Json, task: dict[str, Any], tag: str, way: tuple[str | int, ...], whole: set[str], *, several: bool
) -> Iterator[Found]:
    number = words(task.get("id"))
    key = f"{tag}:{number}" if tag != MASTER else number
    item = _item(read, task, key, way)
    item.wanted = f"TSK-{number}" if number.isdecimal() else number
    if several and tag != MASTER:
        item.fields["labels"] = [tag]
    if several:
        item.foreign["tag"] = tag
    prefix = f"{tag}:" if tag != MASTER else ""
    subtasks = listed(task.get("subtasks"))
    local = {words(part.get("id")) for part in entries(subtasks)}
    item.waits_for = [
        Reference(f"{prefix}{words(to)}", read.place(*way, "dependencies", index))
        for index, to in enumerate(listed(task.get("dependencies")))
    ]
    yield item
    for index, part in enumerate(subtasks):
        place = read.place(*way, "subtasks", index)
        if not isinstance(part, dict):
            yield not_an_object(place, "subtask")
            continue
        own = words(part.get("id")).rpartition(".")[2]
        sub = _item(read, part, f"{key}.{own}", (*way, "subtasks", index))
        sub.parent = Reference(key, place)
        if "labels" in item.fields:
            sub.fields["labels"] = item.fields["labels"]
        if "tag" in item.foreign:
            sub.foreign["tag"] = tag
        for at, to in enumerate(listed(part.get("dependencies"))):
            said = words(to)
            # As Task Master reads it: a number is a subtask beside this one, a text without a dot is a task.
            mine = said not in whole if isinstance(to, str) else said in local or said not in whole
            target = f"{key}.{said}" if "." not in said and mine else f"{prefix}{said}"
            sub.waits_for.append(Reference(target, read.place(*way, "subtasks", index, "dependencies", at)))
        yield sub


def _item(read: Json, task: dict[str, Any], key: str, way: tuple[str | int, ...]) -> Item:
    fields: dict[str, Any] = {"title": task.get("title"), "description": words(task.get("description"))}
    if task.get("priority") not in (None, ""):
        fields["priority"] = task["priority"]
    if task.get("updatedAt"):
        fields["updated_at"] = task["updatedAt"]
    sections = {"Details": words(task.get("details")), "Test strategy": words(task.get("testStrategy"))}
    foreign = {"id": task.get("id"), **left_over(task, *_TAKEN)}
    status = words(task.get("status")) or None
    return Item(key, read.place(*way), fields, status=status, sections=sections, foreign=foreign)


FORMAT = Format(
    "taskmaster",
    "Task Master",
    '.taskmaster/tasks/tasks.json or tasks/tasks.json: {"TAG": {"tasks": [{"id": 1, "title": …}]}}, or {"tasks": […]}',
    _find,
    _read,
)

"""The layout of llmgenie before it was a server: `data/tasks.json`, `ideas.json`, `insights.json`, and logs.

Free statuses, many optional fields, texts in Russian. Logs of sessions and epics are
JSON, JSON Lines, or text with times in brackets; they come in as notes, insights as lessons, epics as roadmap items.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmgenie_mcp.importers._items import Format, Found, Item, Place, Reference, Sign, listed, problem, words
from llmgenie_mcp.importers._json import Json, read_json
from llmgenie_mcp.importers._logs import LINE, read_log
from llmgenie_mcp.importers._shapes import entries, left_over, most_have, not_an_object, twice_written, value_of
from llmgenie_mcp.importers._tree import Tree, Unreadable

KINDS = ("tasks", "ideas", "insights")
_LOGS = ("sessions/**/*", "session_logs/**/*", "epic_logs/**/*", "logs/meta*", "meta_log*", "meta-log*")
_ENDS = (".json", ".jsonl", ".log", ".txt")
_DEPENDENCIES = ("dependencies", "depends_on", "blocked_by", "prerequisites")
_PARTS = ("subtasks", "tasks")
_TAKEN = (
    *(
        "id",
        "title",
        "name",
        "description",
        "status",
        "state",
        "priority",
        "tags",
        "labels",
        "assignee",
        "owner",
        "epic",
    ),
    *(
        "created",
        "created_at",
        "date",
        "updated",
        "updated_at",
        "completed",
        "completed_at",
        "outcome",
        "result",
        "summary",
    ),
    *(*_DEPENDENCIES, *_PARTS),
)


def _find(tree: Tree) -> Iterator[Sign]:
    if tree.is_file:
        name = tree.path.name
        if kinds := _kinds(tree, name):
            yield Sign(name, f"it holds {' and '.join(kinds)} with ids of words")
        elif name.endswith((".log", ".txt")) and _bracketed(tree, name):
            yield Sign(name, "its lines begin with times in brackets")
        elif _log_like(value_of(tree, name)):
            yield Sign(name, "it is the log of a session")
        return
    for folder in ("data/", ""):
        found = [kind for name in KINDS for kind in _kinds_in(tree, f"{folder}{name}.json")]
        if found:
            yield Sign(folder.rstrip("/") or ".", f"{folder}*.json hold {' and '.join(found)} with ids of words")
            return


def _kinds_in(tree: Tree, name: str) -> list[str]:
    return _kinds(tree, name) if tree.files(name) else []


def _kinds(tree: Tree, name: str) -> list[str]:
    value = value_of(tree, name)
    if not isinstance(value, dict) or "llmgenie" in value:
        return []
    return [kind for kind in KINDS if _ours(value.get(kind), kind)]


def _ours(found: Any, kind: str) -> bool:
    if not (most_have(found, "id", "title") if kind != "insights" else most_have(found, "id")):
        return False
    numbers = sum(words(entry.get("id")).isdecimal() for entry in entries(found))
    return numbers * 2 < len(found)


def _log_like(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return any(most_have(value.get(name), "timestamp", "event") for name in ("log", "actions", "events"))


def _bracketed(tree: Tree, name: str) -> bool:
    try:
        lines = [line for line in tree.text(name).text.split("\n")[:50] if line.strip()]
    except Unreadable:
        return False
    count = sum(LINE.match(line) is not None for line in lines)
    return count > 0 if "log" in name.casefold() else count * 2 > len(lines)


def _read(tree: Tree, sign: Sign) -> Iterator[Found]:
    goals: dict[str, Item] = {}
    if tree.is_file:
        yield from _file(tree, sign.path, goals)
        yield from goals.values()
        return
    folder = "" if sign.path == "." else f"{sign.path}/"
    for kind in KINDS:
        for name in tree.files(f"{folder}{kind}.json"):
            yield from _file(tree, name, goals)
    yield from goals.values()
    seen: set[str] = set()
    for base in dict.fromkeys((folder, "")):
        for name in tree.files(*(f"{base}{pattern}" for pattern in _LOGS)):
            if name.endswith(_ENDS) and name not in seen:
                seen.add(name)
                yield from read_log(tree, name)


def _file(tree: Tree, name: str, goals: dict[str, Item]) -> Iterator[Found]:
    if name.endswith((".log", ".txt", ".jsonl")):
        yield from read_log(tree, name)
        return
    try:
        read = read_json(tree, name)
    except Unreadable as error:
        yield problem(Place(error.file, error.line, error.column), error.message, error.hint or "The rest came in.")
        return
    if _log_like(read.value):
        yield from read_log(tree, name)
        return
    yield from twice_written(read)
    if not isinstance(read.value, dict):
        yield not_an_object(read.place(), "file of this layout")
        return
    for kind in KINDS:
        for number, entry in enumerate(listed(read.value.get(kind))):
            if not isinstance(entry, dict):
                yield not_an_object(read.place(kind, number), kind[:-1])
                continue
            yield from _entry(read, entry, kind, (kind, number), goals)


def _entry(
    read: Json, entry: dict[str, Any], kind: str, way: tuple[str | int, ...], goals: dict[str, Item]
) -> Iterator[Found]:
    place = read.place(*way)
    key = words(entry.get("id")) or f"{kind}: {words(entry.get('title')) or way[-1]}"[:100]
    if kind == "insights":
        yield _insight(entry, key, place)
        return
    epic = words(entry.get("epic"))
    if kind == "ideas":
        if epic and key.upper().startswith("EPIC"):
            goals[epic] = _goal(epic, place, entry)
        yield Item(key, place, {"value": entry}, table="notes", wanted=f"ideas/{key}")
        return
    if epic and epic not in goals:
        goals[epic] = _goal(epic, place, {})
    yield from _task(read, entry, key, way, None)


def _goal(epic: str, place: Place, entry: dict[str, Any]) -> Item:
    fields: dict[str, Any] = {"title": words(entry.get("title")) or epic}
    if entry.get("description"):
        fields["description"] = words(entry["description"])
    return Item(epic, place, fields, table="roadmap")


def _task(
    read: Json, entry: dict[str, Any], key: str, way: tuple[str | int, ...], parent: Reference | None
) -> Iterator[Item]:
    def first(*names: str) -> Any:
        return next((entry[name] for name in names if entry.get(name) not in (None, "", [])), None)

    fields: dict[str, Any] = {
        "title": words(first("title", "name")) or key,
        "description": _text(entry.get("description")),
        "labels": listed(first("tags", "labels")),
        "assignee": words(first("assignee", "owner")) or None,
        "summary": words(first("outcome", "result", "summary")),
    }
    named = (
        ("priority", ("priority",)),
        ("created_at", ("created", "created_at", "date")),
        ("updated_at", ("updated", "updated_at")),
        ("completed_at", ("completed", "completed_at")),
    )
    for ours, theirs in named:
        if (said := first(*theirs)) is not None and not isinstance(said, bool):
            fields[ours] = said
    status = first("status", "state")
    said = words(status.get("name") or status) if isinstance(status, dict) else words(status)
    item = Item(key, read.place(*way), fields, status=said or None, wanted=key if entry.get("id") else None)
    item.parent, item.foreign = parent, left_over(entry, *_TAKEN)
    if words(entry.get("epic")):
        item.goal = Reference(words(entry["epic"]), read.place(*way, "epic"))
    for name in _DEPENDENCIES:
        for index, to in enumerate(listed(entry.get(name))):
            place = read.place(*way, name, index)
            item.waits_for += [Reference(one, place) for one in _named(to)]
    yield item
    for name in _PARTS:
        for number, part in enumerate(listed(entry.get(name))):
            below = (*way, name, number)
            if isinstance(part, str):
                part = {"title": part}  # noqa: PLW2901 - a part may be no more than its title
            if isinstance(part, dict):
                own = words(part.get("id")) or f"{key}/{number + 1}"
                yield from _task(read, part, own, below, Reference(key, read.place(*below)))


def _named(to: Any) -> list[str]:
    """The ids that a dependency names: one, several in one text, or that of an object."""
    if isinstance(to, dict):
        return [words(to.get("id") or to.get("task") or to)]
    return [one for one in re.split(r"[,;]\s*", words(to).strip()) if one]


def _text(said: Any) -> str:
    """A text, or the lines of one."""
    if isinstance(said, list) and all(isinstance(line, str) for line in said):
        return "\n".join(said)
    return words(said)


def _insight(entry: dict[str, Any], key: str, place: Place) -> Item:
    text = "\n\n".join(words(entry[name]) for name in ("description", "summary", "text") if entry.get(name))
    title = words(entry.get("title")) or re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0] or key
    if entry.get("impact"):
        text = f"{text}\n\n{words(entry['impact'])}".strip()
    fields: dict[str, Any] = {
        "title": title if len(title) <= 200 else f"{title[:199]}…",
        "text": text,
        "tags": [words(tag) for tag in listed(entry.get("tags"))],
        "session": None,
    }
    if entry.get("date") or entry.get("created"):
        fields["created_at"] = entry.get("date") or entry.get("created")
    foreign = left_over(entry, "title", "description", "summary", "text", "tags", "date", "created")
    return Item(key, place, fields, table="lessons", wanted=key, foreign=foreign)


FORMAT = Format(
    "former",
    "llmgenie before it was a server",
    'data/tasks.json, ideas.json, insights.json: {"tasks": [{"id": "TSK-001", "title": …}]}; logs of sessions and epics',
    _find,
    _read,
)

"""llmgenie's own export as JSON: everything in one document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmgenie_mcp.errors import counted
from llmgenie_mcp.exchange import FOREIGN, IMPORTED, MARK
from llmgenie_mcp.importers._items import Format, Found, Item, Place, Reference, Sign, change, listed, problem, words
from llmgenie_mcp.importers._json import read_json
from llmgenie_mcp.importers._shapes import not_an_object, twice_written, value_of
from llmgenie_mcp.importers._tree import Tree

TABLES = ("sessions", "roadmap", "tasks", "notes", "lessons", "comments", "links")
STAYING = ("instances", "opinions")
"""What is exported for people and tools, and does not come in: it would open what has to be earned here."""
_LINKED = ("dependencies", "links", "parent", "roadmap_item", "session", "task", "status")
_POINTING = {"tasks": _LINKED, "sessions": _LINKED, "lessons": ("session",), "comments": ("task",), "links": ("task",)}


def _find(tree: Tree) -> Iterator[Sign]:
    for name in tree.files("*.json", ".llmgenie/*.json", "backup/*.json") if not tree.is_file else tree.files():
        value = value_of(tree, name) if tree.is_file or _begins(tree, name) else None
        if isinstance(value, dict) and isinstance(value.get(MARK), dict) and "export" in value[MARK]:
            yield Sign(name, "it says that llmgenie exported it")


def _begins(tree: Tree, name: str) -> bool:
    """Whether a file of a folder may be an export: others are not read as a whole just to be found something else."""
    try:
        with (tree.root / name).open("rb") as file:
            return f'"{MARK}"'.encode() in file.read(200)
    except OSError:
        return False


def _read(tree: Tree, sign: Sign) -> Iterator[Found]:
    read = read_json(tree, sign.path)
    yield from twice_written(read)
    for table in TABLES:
        for number, document in enumerate(listed(read.value.get(table))):
            place = read.place(table, number)
            if not isinstance(document, dict):
                yield not_an_object(place, "document")
            elif not isinstance(document.get("id"), str) or not document["id"]:
                yield problem(place, "This document has no id.", "It was left out.")
            else:
                yield from own_item(document, table, place)
    if opinions := listed(read.value.get("opinions")):
        told = counted(len(opinions), "opinion")
        yield change(read.place("opinions"), f"{told} of models not taken over.", "They may open a review: ask anew.")
    if instances := listed(read.value.get("instances")):
        hint = "What runs is bound to its branch and to approvals: start it anew."
        yield change(read.place("instances"), f"{counted(len(instances), 'running workflow')} not taken over.", hint)
    known = {MARK, *STAYING, *TABLES}
    for name in read.value:
        if name not in known:
            yield problem(read.place(name), f"{name[:60]!r} is nothing that llmgenie exports.", "It was left out.")


def own_item(document: dict[str, Any], table: str, place: Place) -> Iterator[Found]:
    """A document as llmgenie keeps it, as an item; what points to others becomes references."""
    left = {
        "id",
        "version",
        IMPORTED,
        *_POINTING.get(table, ()),
    }
    fields = {name: value for name, value in document.items() if name not in left}
    if FOREIGN in fields and not isinstance(fields[FOREIGN], dict):
        yield problem(place, f"{FOREIGN} of {document['id'][:80]} is no object.", "It was left out.")
        del fields[FOREIGN]
    item = Item(document["id"], place, fields, table=table, wanted=document["id"])
    if table == "lessons":
        fields["session"] = None
    if document.get("session"):
        item.session = Reference(words(document["session"]), place)
    if table == "sessions":
        item.status = words(document.get("status"))  # a session that is here goes on as it is
        fields.pop("instance", None)
        item.parent = Reference(words(document["task"]), place) if document.get("task") else None
    elif table in ("comments", "links"):
        item.parent = Reference(words(document.get("task")), place)
        if table == "comments":
            fields["text"], fields["author"] = words(fields.get("text")), words(fields.get("author")) or "unknown"
    elif table == "tasks":
        fields |= {name: empty for name, empty in (("links", []), ("parent", None)) if document.get(name, 0) == empty}
        item.status = words(document.get("status")) or None
        item.waits_for = [Reference(words(to), place) for to in listed(document.get("dependencies"))]
        item.parent = Reference(words(document["parent"]), place) if document.get("parent") else None
        item.goal = Reference(words(document["roadmap_item"]), place) if document.get("roadmap_item") else None
        for link in listed(document.get("links")):
            if isinstance(link, dict) and link.get("task"):
                item.links.append((words(link.get("type")), Reference(words(link["task"]), place)))
    yield item


FORMAT = Format(
    "json",
    "llmgenie's export as JSON",
    'a JSON file that begins with {"llmgenie": {"export": 1, …',
    _find,
    _read,
    own=True,
)

"""Logs of sessions and epics in the former layout: JSON, JSON Lines, or text with times in brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmgenie_mcp.importers._items import Found, Item, Place, problem
from llmgenie_mcp.importers._json import Json, json_lines, read_json
from llmgenie_mcp.importers._shapes import twice_written
from llmgenie_mcp.importers._tree import Text, Tree, Unreadable

LINE = re.compile(r"[ \t]*(?:[-*] )?\[(\d{4}-\d\d-\d\d[^\]\n]{0,30})\][ \t]*(.*)")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def read_log(tree: Tree, name: str) -> Iterator[Found]:
    """The log as a note, the lines of a text as a note for each month."""
    try:
        if name.endswith(".json"):
            read = read_json(tree, name)
            yield from twice_written(read)
            yield _note(name, read.place(), read.value)
        elif name.endswith(".jsonl"):
            yield from _lines(tree.text(name))
        else:
            yield from _months(tree.text(name))
    except Unreadable as error:
        yield problem(Place(error.file, error.line, error.column), error.message, error.hint or "The rest came in.")


def _lines(text: Text) -> Iterator[Found]:
    values: list[Any] = []
    for line in json_lines(text):
        if isinstance(line, Json):
            yield from twice_written(line)
            values.append(line.value)
        else:
            yield problem(line[0], line[1], "This line was left out.")
    if values:
        yield _note(text.name, Place(text.name), values)


def _months(text: Text) -> Iterator[Found]:
    months: dict[str, list[dict[str, str]]] = {}
    places: dict[str, Place] = {}
    entry: dict[str, str] | None = None
    for number, line in enumerate(text.text.split("\n"), 1):
        match = LINE.match(line)
        if match is not None:
            entry = {"at": match[1].strip(), "text": match[2].rstrip()}
            months.setdefault(match[1][:7], []).append(entry)
            places.setdefault(match[1][:7], Place(text.name, number))
        elif line.strip() and entry is not None:
            entry["text"] += f"\n{line.rstrip()}"
        elif line.strip():
            entry = {"at": "", "text": line.rstrip()}
            months.setdefault("undated", []).append(entry)
            places.setdefault("undated", Place(text.name, number))
    for month, found in months.items():
        yield _note(f"{text.name}#{month}", places[month], found)


def _note(name: str, place: Place, value: Any) -> Item:
    """A note under the name of its file, below `logs`."""
    path, _, month = name.partition("#")
    stem = re.sub(r"\.(jsonl?|log|txt)$", "", path)
    parts = [_UNFIT.sub("-", part).strip("-._") for part in stem.split("/") if part != "data"]
    slug = "/".join(filter(None, [*parts, month]))
    return Item(f"log:{name}", place, {"value": value}, table="notes", wanted=f"logs/{slug}"[:100].rstrip("/-._"))

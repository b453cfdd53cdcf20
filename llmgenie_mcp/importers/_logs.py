"""Logs of sessions and epics in the former layout: JSON, JSON Lines, or text with times in brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmgenie_mcp.importers._items import Found, Item, Place, problem
from llmgenie_mcp.importers._json import Json, json_lines, read_json
from llmgenie_mcp.importers._shapes import twice_written
from llmgenie_mcp.importers._tree import Text, Tree, Unreadable

LINE = re.compile(
    r"[ \t]*(?:[-*] )?\[((?:\d{4}-\d\d-\d\d|\d\d?\.\d\d?\.\d{4})[^\]\n]{0,30}|\d\d?:\d\d(?::\d\d)?)\][ \t]*(.*)"
)
"""A time in brackets: `[2025-05-31 23:50]`, `[31.05.2025 23:50]`, or `[23:50]` below a heading with the day."""
_MARKS = r"[#=*\-:\s]*"
_DAY = re.compile(
    rf"{_MARKS}(?:(\d{{4}})-(\d\d)-(\d\d)|(\d\d?)\.(\d\d?)\.(\d{{4}}))(?!\d){_MARKS}(\([^()]*\)|\w*){_MARKS}"
)
"""A heading that names a day, with at most a word more, such as that of the week."""
_MONTH = re.compile(r"(\d{4})-(\d\d)|\d\d?\.(\d\d?)\.(\d{4})")
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
    day = ""
    for number, line in enumerate(text.text.split("\n"), 1):
        match = LINE.match(line)
        if match is not None:
            at = match[1].strip()
            at = f"{day} {at}".strip() if ":" in at[:3] else at
            entry = {"at": at, "text": match[2].rstrip()}
            month = _month(at)
        elif (head := _DAY.fullmatch(line)) is not None:
            year, month, number_of_day = (head[1], head[2], head[3]) if head[1] else (head[6], head[5], head[4])
            day = f"{year}-{int(month):02}-{int(number_of_day):02}"
            entry = None
            if not head[7]:  # it says no more than what stands with each entry below
                continue
            entry, month = {"at": day, "text": line.strip()}, day[:7]
        elif line.strip() and entry is not None:
            entry["text"] += f"\n{line.rstrip()}"
            continue
        elif line.strip():
            entry, month = {"at": day, "text": line.rstrip()}, day[:7] or "undated"
        else:
            continue
        months.setdefault(month, []).append(entry)
        places.setdefault(month, Place(text.name, number))
    for month, found in months.items():
        yield _note(f"{text.name}#{month}", places[month], found)


def _month(at: str) -> str:
    """The month of a time, `2025-05`; `undated` when it names no day."""
    found = _MONTH.match(at)
    if found is None:
        return "undated"
    return f"{found[1]}-{found[2]}" if found[1] else f"{found[4]}-{int(found[3]):02}"


def _note(name: str, place: Place, value: Any) -> Item:
    """A note under the name of its file, below `logs`."""
    path, _, month = name.partition("#")
    stem = re.sub(r"\.(jsonl?|log|txt)$", "", path)
    parts = [_UNFIT.sub("-", part).strip("-._") for part in stem.split("/") if part != "data"]
    slug = "/".join(filter(None, [*parts, month]))
    below = name.removeprefix("data/")  # the same, whether the folder is named or that above
    return Item(f"log:{below}", place, {"value": value}, table="notes", wanted=f"logs/{slug}"[:100].rstrip("/-._"))

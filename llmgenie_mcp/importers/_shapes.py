"""Looking at JSON files: what is there, and what its entries hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmgenie_mcp.importers._items import Place, Remark, problem
from llmgenie_mcp.importers._json import Json, read_json
from llmgenie_mcp.importers._tree import Tree, Unreadable


def value_of(tree: Tree, name: str) -> Any:
    """The value of a JSON file; None when it is none."""
    try:
        return read_json(tree, name).value
    except Unreadable:
        return None


def entries(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none when it is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def most_have(value: Any, *names: str) -> bool:
    """Whether more than half of the entries of a list are objects that have all these fields."""
    found = entries(value)
    fitting = sum(all(name in entry for name in names) for entry in found)
    return bool(found) and fitting * 2 > len(value)


def twice_written(read: Json) -> Iterator[Remark]:
    """A problem for each key that an object has twice."""
    for place, key in read.twice():
        yield problem(place, f"The key {key[:60]!r} is there twice in one object: only the last one was read.")


def not_an_object(place: Place, what: str) -> Remark:
    """A problem: an entry of a list is no object."""
    return problem(place, f"This is no {what}: an object is expected.", "It was left out.")


def left_over(entry: dict[str, Any], *taken: str) -> dict[str, Any]:
    """The fields that were not taken, the empty ones left out."""
    return {name: value for name, value in entry.items() if name not in taken and value not in (None, "", [], {})}

"""JSON with places: read at the speed of the standard library, and looked through again only for what must be pointed at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from llmgenie_mcp.importers._items import Place
from llmgenie_mcp.importers._tree import Text, Tree, Unreadable

Way: TypeAlias = tuple[str | int, ...]
DEEPEST = 300
_BLANK = re.compile(r"[ \t\n\r]*")
_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_LINE = re.compile(r"[^\n]+")
_SKIP = json.JSONDecoder()


class Json:
    """A JSON text with its value.

    Attributes:
        value: what it says.
        text: the text; `offset` is where in it the JSON begins.
    """

    def __init__(self, text: Text, value: Any, twice: bool, offset: int = 0) -> None:
        self.text, self.value, self._twice, self._offset = text, value, twice, offset
        self._starts: dict[int, dict[str | int, int]] = {}

    def place(self, *way: str | int) -> Place:
        """Where the value at the end of a way of keys and indexes stands; as far as the way can be followed."""
        at = self._offset
        for part in way:
            if at not in self._starts:  # of equal keys the last one counts
                self._starts[at] = {key: start for key, _, start in _parts(self.text.text, at)}
            if part not in self._starts[at]:
                break
            at = self._starts[at][part]
        return Place(*self.text.at(_BLANK.match(self.text.text, at).end()))  # type: ignore[union-attr]

    def twice(self) -> Iterator[tuple[Place, str]]:
        """Keys that an object has twice: all but the last are lost on whoever reads it."""
        if self._twice:
            yield from self._twice_below(self._offset)

    def _twice_below(self, at: int) -> Iterator[tuple[Place, str]]:
        stack = [at]
        while stack:
            seen: set[str | int] = set()
            for key, where, start in _parts(self.text.text, stack.pop()):
                if key in seen:
                    yield Place(*self.text.at(where)), str(key)
                seen.add(key)
                stack.append(start)


def _parts(text: str, at: int) -> Iterator[tuple[str | int, int, int]]:
    at = _after(text, at)
    opening = text[at : at + 1]
    if opening not in ("{", "["):
        return
    at, number = _after(text, at + 1), 0
    while text[at : at + 1] not in ("}", "]", ""):
        key: str | int = number
        where = at
        if opening == "{":
            key, at = _SKIP.raw_decode(text, at)
            at = _after(text, _after(text, at) + 1)
        yield key, where, at
        _, at = _SKIP.raw_decode(text, at)
        at = _after(text, at)
        if text[at : at + 1] == ",":
            at = _after(text, at + 1)
        number += 1


def _after(text: str, at: int) -> int:
    return _BLANK.match(text, at).end()  # type: ignore[union-attr]  # matches nothing at least


def parse(text: Text) -> Json:
    """JSON text. Raises Unreadable, with the place of the fault."""
    twice = False

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        made = dict(found)
        twice = twice or len(made) != len(found)
        return made

    try:
        value = json.loads(text.text, object_pairs_hook=pairs, parse_constant=_constant)
    except json.JSONDecodeError as error:
        if not text.text.strip():
            raise text.unreadable(0, "This file is empty.", "Let the tool write it anew.") from None
        if text.text[error.pos : error.pos + 1] == "\0":
            hint = "The file is damaged: get it anew from the tool, or from git."
            raise text.unreadable(error.pos, "There is a NUL byte, as in no JSON.", hint) from None
        if error.pos >= len(text.text.rstrip()):
            hint = "It ends in the middle: get it anew from the tool, or from git."
            raise text.unreadable(error.pos, f"This is not JSON: {error.msg}.", hint) from None
        raise text.unreadable(error.pos, f"This is not JSON: {error.msg}.") from None
    except RecursionError:
        raise text.unreadable(0, "This is nested too deep.") from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise text.unreadable(0, f"This JSON cannot be read: {error}.") from None
    if _too_deep(value):
        raise text.unreadable(0, f"This is nested deeper than {DEEPEST}.")
    if _ESCAPED_HALF.search(text.text):
        value = _whole(value)
    return Json(text, value, twice)


def _too_deep(value: Any) -> bool:
    """Whether it is nested beyond what can be looked through."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            part
            for one in level
            if isinstance(one, dict | list)
            for part in (one.values() if isinstance(one, dict) else one)
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True


def _whole(value: Any) -> Any:
    """A value in which halves of surrogate pairs, which no UTF-8 can hold, are marked as lost."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(part) for part in value]
    if isinstance(value, dict):
        return {_HALF.sub("\ufffd", key): _whole(part) for key, part in value.items()}
    return value


def read_json(tree: Tree, name: str) -> Json:
    """The JSON of a file. Raises Unreadable, UsageError."""
    found: Json = tree.once(name, parse)
    return found


def json_lines(text: Text) -> Iterator[Json | tuple[Place, str]]:
    """Each line of a JSON Lines text that is not blank: its JSON, or where and why it is none."""
    for found in _LINE.finditer(text.text):  # str.splitlines would also split inside of texts
        if found[0].strip():
            yield _line(text, found[0], found.start())


def _line(text: Text, line: str, at: int) -> Json | tuple[Place, str]:
    try:
        one = parse(Text(text.name, line))
    except Unreadable as error:
        return Place(*text.at(at + error.column - 1)), error.message
    return Json(text, one.value, one._twice, at)  # noqa: SLF001 - its own kind


def _constant(name: str) -> str:
    """NaN and Infinity are not JSON, but are written by some: kept as the words they are."""
    return name

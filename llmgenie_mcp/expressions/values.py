"""Facts as expressions see them: looking them up, and showing them to people.

A fact is a JSON value below a dotted name. What nobody knows is `UNKNOWN`, which is not null: null is a known nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final, TypeAlias

from llmgenie_mcp.errors import shorten

SHOWN = 80


class Unknown(Enum):
    """The type of `UNKNOWN`, the third truth value. It has no truth of its own: `bool(UNKNOWN)` raises TypeError."""

    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        raise TypeError("UNKNOWN is neither true nor false; compare with `is True`, `is False` or `is UNKNOWN`")

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown.UNKNOWN
Truth: TypeAlias = bool | Unknown


class Excerpt(str):
    """A text that stands for a value too long to be shown."""

    __slots__ = ()


def lookup(facts: Any, parts: tuple[str, ...]) -> Any:
    """The value below a dotted name given as its parts; UNKNOWN where any part is missing or is not a mapping."""
    value = facts
    for part in parts:
        if type(value) is not dict and not isinstance(value, Mapping):
            return UNKNOWN
        value = value.get(part, UNKNOWN)
    return value


def kind(value: object) -> str:
    """What a value is, in the words that messages use."""
    if value is None:
        return "null"
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "a text"),
        ((list, tuple, set, frozenset), "a list"),
        (Mapping, "a mapping"),
        (Unknown, "unknown"),
    )
    return next((name for types, name in names if isinstance(value, types)), f"a {type(value).__name__}")


def show(value: object, limit: int = SHOWN) -> str:
    """A value as an expression would write it, in at most `limit` characters and without visiting more than those."""
    # The common cases first: this is most of the cost of a refusal.
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is str and len(value) < limit - 1 and value.isascii() and value.isprintable():
        return repr(value)
    return _show(value, limit)[0]


def brief(value: Any, limit: int = SHOWN) -> Any:
    """A JSON-compatible copy of a value, or an `Excerpt` where it would be longer than `limit`; UNKNOWN stays."""
    if value is None or value is UNKNOWN or isinstance(value, (bool, Excerpt)):
        return value
    if isinstance(value, str):
        return value if len(value) <= limit and value.isascii() else shorten(str(value), limit)
    if type(value) is list and _is_short(value, limit):
        return value.copy()
    text, whole = _show(value, limit)
    return _copy(value) if whole and _is_json(value) else Excerpt(text)


def plain_text(value: object, limit: int = SHOWN) -> str:
    """A value as part of a sentence: texts without quotes and line breaks, lists with commas, unknown as `?`."""
    if value is UNKNOWN:
        return "?"
    if isinstance(value, str):
        text = str(value)[:limit] if len(value) <= limit else str(value)[: limit - 1] + "…"
        return text if text.isprintable() else shorten(repr(text)[1:-1], limit)
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value[:limit]):
        return shorten(", ".join(plain_text(item, limit) for item in value[:limit]), limit)
    return show(value, limit)


def _is_short(value: list[Any], limit: int) -> bool:
    """Whether a list of plain texts is certainly shown within `limit`."""
    if len(value) * 4 > limit or not all(type(item) is str and item.isascii() for item in value):
        return False
    return sum(map(len, value)) + 4 * len(value) <= limit and "".join(value).isprintable()


def _show(value: object, limit: int) -> tuple[str, bool]:
    pieces: list[str] = []
    length = 0
    for piece in _pieces(value, limit):
        pieces.append(piece)
        length += len(piece)
        if length > limit:
            return shorten("".join(pieces), limit), False
    return "".join(pieces), True


def _pieces(value: object, limit: int) -> Iterator[str]:
    if value is None or isinstance(value, (bool, Unknown)):
        yield "null" if value is None else "unknown" if value is UNKNOWN else str(value).lower()
    elif isinstance(value, Excerpt):
        yield str(value)
    elif isinstance(value, str):
        # The quotes and the ellipsis count too, so that a text one character too long ends in a quote.
        yield str.__repr__(value if len(value) <= limit else value[: limit - 3] + "…")
    elif isinstance(value, int):
        # Python refuses to write integers of more than 4,300 digits.
        yield int.__repr__(value) if value.bit_length() <= 256 else f"an integer of {value.bit_length()} bits"
    elif isinstance(value, float):
        yield float.__repr__(value)
    elif isinstance(value, Mapping):
        yield "{"
        for number, (key, item) in enumerate(value.items()):
            yield ", " if number else ""
            yield from _pieces(key, limit)
            yield ": "
            yield from _pieces(item, limit)
        yield "}"
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield "["
        for number, item in enumerate(value):
            yield ", " if number else ""
            yield from _pieces(item, limit)
        yield "]"
    else:
        # Not JSON: its own __repr__ is foreign code and may hold anything.
        yield f"<{type(value).__name__}>"


def _is_json(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_json(item) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (bool, str)) or (isinstance(value, int) and value.bit_length() <= 256)


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, (list, tuple)) else value

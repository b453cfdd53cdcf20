"""JSON values: checking what comes in, copying what goes out, writing compactly.

A document of the store is made of `dict` (text keys), `list`, `str`, `int`, `float`, `bool` and `None`, nothing else,
so that what is in memory equals what a reader of the file gets.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from llmgenie_mcp.errors import BadParams, shorten
from llmgenie_mcp.frozen import dataclass

MAX_DEPTH = 64
MAX_INTEGER_BITS = 1024

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
encode = _encoder.encode
"""A checked value as compact JSON text; never contains a line break."""


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def decode(text: str) -> Any:
    """JSON text as a value.

    Raises:
        ValueError: the text is not JSON (NaN and Infinity are not), or is nested too deep for the interpreter.
    """
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


class _UnfitError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path = ""


def checked(value: object, where: str) -> Any:
    """A deep copy of `value` in plain JSON types (tuples become lists, text and number subclasses their plain type).

    Args:
        value: what a caller handed in.
        where: how to name `value` in the message, for example `document`.

    Raises:
        BadParams: a part of it is not JSON: another type, NaN or infinity, a lone surrogate, a key that is not text,
            an integer over 1,024 bits, or nested over 64 deep. `problems` names the part.
    """
    try:
        return _checked(value, 1)
    except _UnfitError as unfit:
        place = where + unfit.path
        raise BadParams(
            f"{shorten(place)}: {unfit.message}",
            "Only JSON can be stored: text, finite numbers, true, false, null, lists, and objects with text keys.",
            problems=[{"where": place, "message": unfit.message}],
        ) from None


def _checked(value: object, depth: int) -> object:
    # The common types first, by their exact type: asking an abstract class takes longer than the rest of the work.
    kind = type(value)
    if kind is str:
        return _text(value)  # type: ignore[arg-type]
    if value is None or kind is bool:
        return value
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if depth > MAX_DEPTH:
        raise _UnfitError(f"nested over {MAX_DEPTH} deep")
    if kind is dict:
        return _fields(value, depth)  # type: ignore[arg-type]
    if isinstance(value, (list, tuple)):
        return _items(value, depth)
    if isinstance(value, Mapping):
        return _fields(value, depth)
    raise _UnfitError(f"{type(value).__name__} is not a JSON type")


def _fields(value: Mapping[object, object], depth: int) -> dict[str, object]:
    fields: dict[str, object] = {}
    for key, item in value.items():
        try:
            if not isinstance(key, str):
                raise _UnfitError(f"a key must be text, not {type(key).__name__}")
            fields[_text(key)] = _checked(item, depth + 1)
        except _UnfitError as unfit:
            unfit.path = f".{shorten(key, 40)}{unfit.path}"
            raise
    return fields


def _items(value: Sequence[object], depth: int) -> list[object]:
    items: list[object] = []
    for index, item in enumerate(value):
        try:
            items.append(_checked(item, depth + 1))
        except _UnfitError as unfit:
            unfit.path = f"[{index}]{unfit.path}"
            raise
    return items


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise _UnfitError("the text has a lone surrogate, which UTF-8 cannot hold") from None
    return value if type(value) is str else str.__str__(value)


def _number(value: float) -> int | float:
    if isinstance(value, int):
        if value.bit_length() > MAX_INTEGER_BITS:
            raise _UnfitError(f"an integer over {MAX_INTEGER_BITS} bits")
        return int(value)
    if not math.isfinite(value):
        raise _UnfitError(f"{value} is not a JSON number")
    return float(value)


def copied(value: Any) -> Any:
    """A deep copy of a checked value."""
    kind = type(value)
    if kind is dict:
        copy = value.copy()  # most parts of a document need no more than this
        for key, item in value.items():
            if type(item) in _CONTAINERS:
                copy[key] = copied(item)
        return copy
    if kind is list:
        return [copied(item) if type(item) in _CONTAINERS else item for item in value]
    return value


_CONTAINERS = frozenset((dict, list))


@dataclass(frozen=True, slots=True)
class Holds:
    """As a value of `where`: the field is a list that has this text in it."""

    item: str


def equal(stored: object, wanted: object) -> bool:
    """Whether two JSON values are the same; true and 1 are not (in Python they are). See also `Holds`."""
    if isinstance(wanted, Holds):
        return isinstance(stored, list) and wanted.item in stored
    return stored == wanted and isinstance(stored, bool) is isinstance(wanted, bool)


def fits(document: Mapping[str, Any], where: Mapping[str, object] | None) -> bool:
    """Whether every field of `where` is in the document with an equal value; a missing field equals nothing."""
    if not where:
        return True
    return all(name in document and equal(document[name], wanted) for name, wanted in where.items())

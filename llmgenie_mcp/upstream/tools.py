"""One tool of another server: what it is said to do, its parameters, and by what one sees that it has changed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.upstream.text import clean, hidden_in

Document: TypeAlias = dict[str, Any]
NAME = re.compile(r"[A-Za-z0-9_./-]{1,128}")
"""What a tool may be called (MCP, SEP-986)."""
PARTS = ("description", "parameters", "annotations")
"""What must stay as it was when a person accepted the tool."""
DESCRIPTION, PARAMETER, TITLE = 1000, 300, 100
"""Characters of a text that are kept."""
SCHEMA_BYTES, SCHEMA_DEPTH = 64_000, 24
"""A tool whose parameters take more to describe is left out."""
_PROSE = {"description": PARAMETER, "title": TITLE, "$comment": 0}
"""Keywords whose value is text for readers: it is cut, and means nothing to a validator."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as another server listed it.

    Attributes:
        name: the server's own for it.
        description: what it is said to do, cleaned.
        schema: JSON Schema of its parameters, its texts cleaned.
        read_only, destructive: what its annotations say. Without any it is neither read-only nor harmless (MCP).
        hidden: characters that its texts held and people do not see.
        marks: SHA-256 of each of `PARTS` as the server gave it.
    """

    name: str
    description: str
    schema: Document
    read_only: bool
    destructive: bool
    hidden: int
    marks: Mapping[str, str]

    def to_dict(self) -> Document:
        """As it is kept on disk."""
        return asdict(self)

    def changed(self, marks: Mapping[str, str]) -> list[str]:
        """Which of `PARTS` differ from those with these marks."""
        return [part for part in PARTS if self.marks[part] != marks.get(part)]


class Unusable(Exception):
    """A tool that cannot be taken over; the text says why."""


def tool_of(raw: Mapping[str, Any]) -> Tool:
    """A tool from what a server listed, in the words of MCP: name, description, inputSchema, annotations.

    Raises:
        Unusable: it cannot be called by an action.
    """
    name, schema = raw.get("name"), raw.get("inputSchema")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Unusable(f"{shorten(clean(str(name), 200))!r} is no name of a tool.")
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        raise Unusable(f"The parameters of {name} are no JSON Schema of an object.")
    given = raw.get("annotations")
    hints = given if isinstance(given, Mapping) else {}
    description = raw.get("description") or raw.get("title") or hints.get("title") or ""
    text = description if isinstance(description, str) else ""
    if len(_json(schema)) > SCHEMA_BYTES or _depth(schema) > SCHEMA_DEPTH:
        raise Unusable(f"The parameters of {name} take more than {SCHEMA_BYTES:,} bytes, or {SCHEMA_DEPTH} levels.")
    prose = list(_prose(schema))
    if any(hidden_in(word) for word in _words(schema)):
        raise Unusable(f"Names or values of the parameters of {name} hold characters that nobody sees.")
    read_only = hints.get("readOnlyHint") is True
    return Tool(
        name=name,
        description=clean(text, DESCRIPTION),
        schema=_cleaned(schema),
        read_only=read_only,
        destructive=not read_only and hints.get("destructiveHint") is not False,
        hidden=hidden_in(text) + sum(hidden_in(word) for word in prose),
        marks={part: _mark(value) for part, value in zip(PARTS, (description, schema, given), strict=True)},
    )


def read_tool(kept: Mapping[str, Any]) -> Tool:
    """A tool from `to_dict`. Raises KeyError, TypeError."""
    return Tool(**{name: kept[name] for name in Tool.__slots__})


def tools_of(listed: list[Any]) -> tuple[list[Tool], list[str]]:
    """The usable ones of what a server listed, each name once, and what is wrong with the others."""
    found: dict[str, Tool] = {}
    problems: list[str] = []
    for raw in listed:
        try:
            tool = tool_of(raw if isinstance(raw, Mapping) else {})
        except Unusable as error:
            problems.append(str(error))
            continue
        if tool.name in found:
            problems.append(f"{tool.name} is listed twice; the first one counts.")
        found.setdefault(tool.name, tool)
    return list(found.values()), problems


def _cleaned(schema: Any, *, named: bool = False) -> Any:
    """A schema with its prose cleaned; `named`: the keys are names of parameters, not keywords."""
    if isinstance(schema, Mapping):
        made = {}
        for key, part in schema.items():
            if named or key not in _PROSE or not isinstance(part, str):
                made[key] = _cleaned(part, named=not named and key in ("properties", "$defs", "definitions"))
            elif text := clean(part, _PROSE[key]) if _PROSE[key] else "":
                made[key] = text
        return made
    return [_cleaned(part) for part in schema] if isinstance(schema, list) else schema


def _prose(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, part in schema.items():
            if key in _PROSE and isinstance(part, str):
                yield part
            else:
                yield from _prose(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _prose(part)


def _words(schema: Any) -> Iterator[str]:
    """Every key and text of a schema that is not prose."""
    if isinstance(schema, Mapping):
        for key, part in schema.items():
            yield str(key)
            if key not in _PROSE or not isinstance(part, str):
                yield from _words(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _words(part)
    elif isinstance(schema, str):
        yield schema


def _depth(schema: Any) -> int:
    deepest, stack = 0, [(schema, 1)]
    while stack and deepest <= SCHEMA_DEPTH:
        part, level = stack.pop()
        deepest = max(deepest, level)
        children = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
        stack.extend((child, level + 1) for child in children)
    return deepest


def _mark(value: Any) -> str:
    return hashlib.sha256(_json(value)).hexdigest()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str).encode()

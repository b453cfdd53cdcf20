"""Markdown of the reference: tables, code blocks, and a JSON Schema as a table of its fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "`{}`",
}


def page(title: str, about: str, parts: Iterable[str]) -> str:
    """A whole page, marked as generated."""
    mark = "<!-- Made by `llmgenie reference pages --write docs/reference`; change what it is made from instead. -->"
    text = "\n".join([mark, f"# {title}\n", f"{about}\n", *parts])
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table; "" when there are no rows."""
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    names = list(head)
    return "\n".join([f"| {' | '.join(names)} |", f"|{'---|' * len(names)}", *lines, ""]) if lines else ""


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def code(text: str, language: str = "text") -> str:
    """A block of code."""
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


def compact(value: object) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def fields(schema: Schema) -> str:
    """The properties of an object as a table: name, type, default, meaning; "" when it has none."""
    whole = schema.get("$defs", {})
    required = set(schema.get("required", ()))
    return table(
        ("field", "type", "default", "meaning"),
        (
            (f"`{name}`", kind(info, whole), _default(info, name in required), _meaning(info, whole))
            for name, info in schema.get("properties", {}).items()
            if name != "$schema"
        ),
    )


def _meaning(info: Schema, whole: Schema) -> str:
    """Its own description, else the first line of its model's."""
    model = whole.get(str(info.get("$ref", "")).rpartition("/")[2], {})
    return str(info.get("description") or model.get("description", "")).split("\n\n")[0]


def kind(info: Schema, whole: Schema) -> str:
    """The type of a property in a few words, with its limits; models that have a section of their own are linked."""
    options = [option for option in info.get("anyOf", info.get("oneOf", [info])) if option.get("type") != "null"]
    said = list(dict.fromkeys(" ".join(_words({**option, **_limits_of(info)}, whole)) for option in options))
    return " or ".join(said) or "any"


def _limits_of(info: Schema) -> dict[str, Any]:
    return {name: info[name] for name in _LIMITS if name in info}


def _words(info: Schema, whole: Schema) -> Iterator[str]:
    if "$ref" in info:
        name = str(info["$ref"]).rpartition("/")[2]
        found = whole.get(name, {})
        yield f"[{name}](#{name.lower()})" if "properties" in found else kind(found, whole) if found else name
        return
    if "const" in info or "enum" in info:
        yield ", ".join(f"`{compact(value)}`" for value in info.get("enum", [info.get("const")]))
        return
    match info.get("type"):
        case "array":
            yield f"list of {kind(info.get('items', {}), whole)}"
        case "object":
            values = [*info.get("patternProperties", {}).values(), info.get("additionalProperties")]
            inner = next((value for value in values if isinstance(value, dict)), None)
            yield f"mapping of names to {kind(inner, whole)}" if inner else "mapping"
        case str(name):
            yield {"string": "text", "boolean": "true or false", "integer": "whole number"}.get(name, name)
        case _:
            yield "any"
    limits = [text.format(info[name]) for name, text in _LIMITS.items() if name in info]
    if limits:
        yield f"({', '.join(limits)})"


def _default(info: Schema, required: bool) -> str:
    if required:
        return "required"
    default = info.get("default")
    return "" if default in (None, {}, []) else f"`{compact(default)}`"

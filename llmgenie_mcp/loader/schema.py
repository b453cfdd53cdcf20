"""JSON Schema 2020-12 of the definition models, and what a schema says about a mistake in a file.

The models are the one source: schemas are generated from them for editors, and the words of an error (what is allowed
at that place, an example) are looked up in the generated schema.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.secret import WRITTEN

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FORMAT_VERSION = 1
IN_WORDS = {
    r"^[a-z][a-z0-9_]*$": "lower-case letters, digits and _, beginning with a letter",
    r"^[a-z][a-z0-9-]*$": "lower-case letters, digits and -, beginning with a letter",
    r"^[a-z][a-z0-9_-]*$": "lower-case letters, digits, _ and -, beginning with a letter",
    r"^(\*|[a-z][a-z0-9_]*)([.*][a-z0-9_*]+)*\*?$": "words of lower-case letters, digits and _, joined by dots; * stands for any",
    r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$": "words of lower-case letters, digits and _, joined by dots",
    r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$": "letters, digits, _ . / and -, beginning with a letter, a digit or _",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "the name of a variable: letters, digits and _, not beginning with a digit",
    r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$": "the name of a distribution: letters, digits, . _ and - between them",
    r"^[A-Za-z0-9.!+*]+$": "a version such as 1.0.2; * stands for any characters",
    r"^[^/\s]+/[^/\s]+$": "two names with one / between them, without spaces",
    r"^[^,]+$": "text without commas",
    r"^\S+$": "text without spaces",
}
SECRET = frozenset({"env", "file", "keyring"})
"""The keys under which a secret is told. What else stands in such a place may be the secret itself, and is not repeated."""
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_WRONG_TYPE = re.compile(
    r"(string|int|float|bool|list|tuple|set|frozen_set|dict|mapping|model|model_attributes)_(type|parsing|from_float)"
)


class _Generator(GenerateJsonSchema):
    """Without a title for every property: editors show the description."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def dict_schema(self, schema: Any) -> Any:
        """Keys that do not match their pattern are refused; pydantic writes the pattern alone."""
        made = super().dict_schema(schema)
        return {**made, "additionalProperties": False} if "patternProperties" in made else made


def kind_of(model: type[BaseModel]) -> str:
    """What a file that holds `model` is called: `scenario` for ScenarioFile."""
    return model.__name__.removesuffix("File").lower()


@cache
def schema_for(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a file that holds `model`, with a stable versioned `$id`. Do not change the result: it is kept."""
    kind = kind_of(model)
    made = model.model_json_schema(schema_generator=_Generator)
    properties = {
        "$schema": {"type": "string", "description": "Where this schema is, for editors; llmgenie does not read it."},
        **made.pop("properties", {}),
    }
    made.pop("title", None)
    return {
        "$schema": DIALECT,
        "$id": f"urn:llmgenie:schema:{kind}:{FORMAT_VERSION}",
        "title": f"llmgenie {kind}",
        "description": made.pop("description", ""),
        **made,
        "properties": properties,
    }


def places(schema: Mapping[str, Any], path: Iterable[str | int]) -> list[dict[str, Any]]:
    """The parts of `schema` that may describe what stands at `path`; more than one where there are alternatives."""
    here = list(_alternatives(schema, dict(schema)))
    for part in path:
        here = [found for place in here for below in _below(place, part) for found in _alternatives(schema, below)]
    return here


def _alternatives(root: Mapping[str, Any], node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in node:
        named = root["$defs"][node["$ref"].rpartition("/")[2]]
        yield from _alternatives(root, {**named, **{k: v for k, v in node.items() if k != "$ref"}})
        return
    said: dict[str, Any] = {name: node[name] for name in ("description", "examples") if name in node}
    for choice in (options := node.get("anyOf") or node.get("oneOf") or []):
        yield from _alternatives(root, {**said, **choice})
    if not options:
        yield node


def _below(place: Mapping[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    if isinstance(part, int):
        below = place.get("items")
    else:
        others = [*place.get("patternProperties", {}).values(), place.get("additionalProperties")]
        below = place.get("properties", {}).get(part, others[0])
    if isinstance(below, dict):
        yield below


def nearest(name: str, known: Iterable[str], *, say: str = "Known") -> str:
    """A hint that offers what was probably meant, or else what there is."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"{say}: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}." if names else ""


def explain(
    schema: Mapping[str, Any], error: Mapping[str, Any], path: tuple[str | int, ...], written: str
) -> tuple[str, str]:
    """A pydantic error in words: (message, hint).

    Args:
        schema: of the whole file.
        error: one item of `ValidationError.errors()`.
        path: the part of its `loc` that exists in the file.
        written: what stands there in the file, for a scalar.
    """
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    here = places(schema, path)
    if isinstance(value, str | int | float) and _is_secret(here):
        several = "Write a list of them. " if any(place.get("type") == "array" for place in here) else ""
        return "Expected where the secret lies, not the secret itself", f"{WRITTEN} {several}".strip()
    if kind == "missing":
        return "Field required", _about(places(schema, (*path, error["loc"][-1])))
    if kind == "extra_forbidden":
        name = str(path[-1])
        return f"Unknown key {shorten(name)!r}", _allowed_keys(name, places(schema, path[:-1]))
    if kind in ("literal_error", "enum"):
        choices = [str(c) for place in here for c in place.get("enum", [place["const"]] if "const" in place else [])]
        return f"Expected {_listed(choices)}, got {_got(value)}", f"{_near(value, choices)}{_about(here)}".strip()
    if kind == "string_pattern_mismatch":
        rule = IN_WORDS.get(context["pattern"], f"what matches {context['pattern']}")
        if _is_secret(places(schema, path[:-1])):
            return "This is not accepted here", f"Allowed: {rule}. Not the secret itself."
        return (
            f"{shorten(str(value))!r} is not accepted here",
            f"Allowed: {rule}.{_slug(str(value), context['pattern'])}",
        )
    if _WRONG_TYPE.fullmatch(kind):
        if path[-1:] in (("argv",), ("command",)) and isinstance(value, str) and value:
            written = f"[{', '.join(shorten(value).split())}]"
        return f"Expected {_expected(here)}, got {_got(value)}", _type_hint(here, value, written)
    message = str(error["msg"]).removeprefix("Value error, ").replace(" after validation", "").removesuffix(".")
    message = re.sub(r"^(Input|String|List|Tuple|Dictionary) should", "Must", message)
    if kind.startswith(("greater_than", "less_than")):
        message += f", not {shorten(value)}"
    if kind in ("too_short", "string_too_short") and context.get("min_length") == 1:
        message = "Must not be empty" if kind == "string_too_short" else "Must have at least one item"
    return message, str(context.get("hint", "")) or _about(here) or _about(places(schema, path[:-1]))


def _is_secret(here: list[dict[str, Any]]) -> bool:
    """Whether a secret is told here, or a list of secrets."""
    inner = [place.get("items", place) for place in here]
    return any(
        set(place.get("properties", ())) == SECRET or place.get("$ref", "").endswith("/Secret") for place in inner
    )


def _near(value: Any, choices: list[str]) -> str:
    """What was probably meant, as the beginning of a hint; `Get` is near GET."""
    if not isinstance(value, str):
        return ""
    lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(value.lower(), lower, n=1, cutoff=0.6)
    return f"Did you mean {lower[near[0]]}? " if near else ""


def _about(here: list[dict[str, Any]]) -> str:
    """The description of a place, and an example."""
    text = next((place["description"] for place in here if place.get("description")), "")
    example = next(filter(None, map(_example, here)), "")
    return f"{text} Example: {example}".strip() if example else text


def _example(place: Mapping[str, Any]) -> str:
    if place.get("examples"):
        return _inline(place["examples"][0])
    if place.get("default") and "enum" not in place:
        return _inline(place["default"])
    if place.get("type") == "object":
        known = place.get("properties", {"key": {}})
        keys = place.get("required") or [*known][:1]
        return f"{{{', '.join(f'{key}: {_short(known.get(key, {}))}' for key in keys)}}}"
    return {"integer": str(place.get("minimum", 1)), "number": "1.5", "boolean": "true", "array": "[…]"}.get(
        place.get("type", ""), ""
    )


def _short(place: Mapping[str, Any]) -> str:
    """The example of a value in a mapping, where it has one."""
    return _inline(place["examples"][0]) if place.get("examples") else "…"


def _allowed_keys(name: str, parents: list[dict[str, Any]]) -> str:
    known = sorted({key for place in parents for key in place.get("properties", {})} - {"$schema"})
    if name in ("true", "True") and "on" in known:
        return "It was probably `on`: a tool that reads YAML 1.1 rewrote it. Write on: again."
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"{f'Did you mean {near[0]}? ' if near else ''}Allowed here: {', '.join(known)}."


def _listed(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _expected(here: list[dict[str, Any]]) -> str:
    words = [_TYPES[place["type"]] for place in here if place.get("type") in _TYPES]
    return _listed(list(dict.fromkeys(words))) or "another value"


def _got(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {shorten(value)!r}" if value else "empty text"
    if isinstance(value, bool) or value is None:
        return "nothing" if value is None else str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a list" if isinstance(value, list) else "a mapping"


def _type_hint(here: list[dict[str, Any]], value: Any, written: str) -> str:
    """What to write in place of a value of another type; `written` is how it stands in the file."""
    types = {place.get("type") for place in here}
    if value is None:
        return "Write a value after the colon, or remove the key."
    if "string" in types and isinstance(value, bool | int | float):
        return f'Put it in quotes: "{written}".'
    if "boolean" in types and isinstance(value, str):
        return "YAML 1.2 knows only true and false, without quotes."
    texts = any(place.get("items", {}).get("type") == "string" for place in here)
    if texts and isinstance(value, str):
        return f"Write a list: {written}" if written.startswith("[") else f"Write a list: [{shorten(value)}]"
    return _about(here)


def _inline(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_inline(item)}' for key, item in value.items())}}}"
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _slug(text: str, pattern: str) -> str:
    made = re.sub(r"[^a-z0-9]+", "-" if "0-9-]" in pattern else "_", text.lower()).strip("_-")
    return f" Such as {made}." if made != text and re.fullmatch(pattern, made) else ""

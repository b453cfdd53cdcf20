"""A question of another server, as a person is going to see it: framed, plain, flat, and never for a secret.

What a form may hold is said by the protocol (https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation):
one object of texts, numbers, yes-or-no and choices. It also says that servers must not ask for secrets by a form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from llmgenie_mcp.engine.asking import Question
from llmgenie_mcp.upstream.text import clean

TEXT, LINES, TITLE, ABOUT = 1_000, 12, 80, 300
"""Characters and lines of a message, characters of a field's title and of its description."""
FIELDS, CHOICES = 20, 50
"""Fields of a form and choices of a field, at most."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
SECRET = re.compile(
    r"pass[ _-]?(?:word|wd|phrase|code)s?\b|\bpwd\b|\bsecrets?\b|\b(?:api|access|private|secret|ssh)[ _-]?keys?\b"
    r"|tokens?\b|\bcredentials?\b|\b(?:one[ _-]?time|2fa|mfa|otp|security|verification)[ _-]?(?:code|pin)?\b"
    r"|\bpin\b|\bcvv\b|card[ _-]?number",
    re.IGNORECASE,
)
_PARTS = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_BOUNDS = {
    "string": ("minLength", "maxLength"),
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
    "array": ("minItems", "maxItems"),
}
_FORMATS = ("email", "uri", "date", "date-time")


class Unfit(ValueError):
    """It is not put to a person; the text says why."""


def question(server: str, message: str, schema: Mapping[str, Any]) -> Question:
    """The question as it is put.

    Args:
        server: what the settings call the server.
        message: its words.
        schema: its form.

    Raises:
        Unfit: it asks for a secret, or for more than a form can hold.
    """
    form = _form(schema)
    if found := next(filter(None, map(_secret, (message, *_words(form)))), None):
        raise Unfit(f"It asks for what looks like a secret ({found}), and nothing here asks people for one.")
    lines = clean(message, TEXT).split("\n")
    said = "\n".join(f"> {line}" for line in lines[:LINES]) + ("\n> …" if len(lines) > LINES else "")
    text = (
        f"The MCP server {server} asks (llmgenie does not):\n{said}\n"
        f"Your answer goes to {server} alone. It approves nothing in llmgenie. Give no password and no token."
    )
    return Question(server, text, form)


def _form(schema: Mapping[str, Any]) -> dict[str, Any]:
    fields = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(fields, Mapping):
        raise Unfit("Its form is no object of fields.")
    if len(fields) > FIELDS:
        raise Unfit(f"Its form has {len(fields)} fields; at most {FIELDS} are asked for.")
    form = {name: _field(name, field) for name, field in fields.items()}
    required = schema.get("required")
    needed = [name for name in required if name in form] if isinstance(required, list) else []
    return {"type": "object", "properties": form, **({"required": needed} if needed else {})}


def _field(name: Any, field: Any) -> dict[str, Any]:
    if not isinstance(name, str) or not NAME.fullmatch(name) or not isinstance(field, Mapping):
        raise Unfit("Its form has a field whose name is none.")
    kind = field.get("type")
    if kind not in ("string", "number", "integer", "boolean", "array"):
        raise Unfit(f"Its form is not flat: {name} is no text, number, choice, or yes or no.")
    made: dict[str, Any] = {"type": kind}
    for part, most in (("title", TITLE), ("description", ABOUT)):
        if isinstance(said := field.get(part), str) and said:
            made[part] = clean(" ".join(said.split()), most)
    made |= {bound: field[bound] for bound in _BOUNDS.get(kind, ()) if type(field.get(bound)) in (int, float)}
    if kind == "string" and field.get("format") in _FORMATS:
        made["format"] = field["format"]
    if kind == "array":
        items = field.get("items")
        choices = _choices(name, items, "anyOf") if isinstance(items, Mapping) else {}
        if not choices:
            raise Unfit(f"Its form is not flat: {name} is a list of no choices.")
        made["items"] = choices if "anyOf" in choices else {"type": "string", **choices}
    elif kind == "string":
        made |= _choices(name, field, "oneOf")
    default = field.get("default")
    if isinstance(default, str | bool | int | float) or (kind == "array" and _are_texts(default)):
        made["default"] = clean(default, ABOUT) if isinstance(default, str) else default
    return made


def _choices(name: str, field: Mapping[str, Any], titled: str) -> dict[str, Any]:
    """What may be chosen: `enum`, perhaps with names, or titled constants."""
    plain, options, names = field.get("enum"), field.get(titled), field.get("enumNames")
    if plain is not None:
        _check_choices(name, plain)
        named = isinstance(names, list) and len(names) == len(plain) and _are_texts(names)
        shown = {"enumNames": [clean(one, TITLE) for one in names or ()]} if named else {}
        return {"enum": list(plain), **shown}
    if options is None:
        return {}
    if not isinstance(options, list) or not all(isinstance(one, Mapping) for one in options):
        raise Unfit(f"The choices of {name} are none.")
    _check_choices(name, [one.get("const") for one in options])
    return {
        titled: [{"const": one["const"], "title": clean(str(one.get("title", one["const"])), TITLE)} for one in options]
    }


def _check_choices(name: str, choices: Any) -> None:
    if not isinstance(choices, list) or not choices or len(choices) > CHOICES or not _are_texts(choices):
        raise Unfit(f"The choices of {name} are no texts, none, or more than {CHOICES}.")
    if any(len(one) > ABOUT or clean(one, ABOUT) != one for one in choices):
        raise Unfit(f"The choices of {name} are too long, or hold what people do not see.")


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _words(form: Mapping[str, Any]) -> Iterator[str]:
    for name, field in form["properties"].items():
        yield _PARTS.sub(" ", name)
        yield from (field[part] for part in ("title", "description") if part in field)


def _secret(text: str) -> str:
    """The word by which a text asks for a secret; "" when it does not."""
    found = SECRET.search(text)
    return found[0].lower() if found else ""

"""Answers that fit a JSON Schema: asked for, read, checked, and asked for once more with what was wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from llmgenie_mcp import api
from llmgenie_mcp.errors import BadParams, shorten
from llmgenie_mcp.models import Asker
from llmgenie_mcp.models.question import Question, Said

FORBIDDEN = ("$ref", "$dynamicRef", "$recursiveRef", "pattern", "patternProperties")
"""Words of a schema that could make checking go on for ever, or look elsewhere."""
REPEATED = 8000
"""Characters of an answer that are shown to the model again."""
_NAMED = ("properties", "$defs", "definitions", "dependentSchemas", "dependentRequired")
_VALUES = ("enum", "const", "default", "examples", "required")
_ORDER = (
    "Answer with one JSON value that fits this JSON Schema, and with nothing else: no text around it, no code fence.\n"
)


class Unfit(Exception):
    """A model's answers did not fit.

    Attributes:
        said: the last one.
        problem: what is wrong with it.
    """

    def __init__(self, said: Said, problem: str) -> None:
        super().__init__(problem)
        self.said, self.problem = said, problem


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises BadParams when `schema` is no JSON Schema, or holds what is not possible here."""
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path)
        said = f"{f'{where}: ' if where else ''}{shorten(error.message, 300)}"
        raise BadParams(f"schema is no JSON Schema: {said}.", "Give one of draft 2020-12.") from None
    if odd := next((word for word in _words(schema) if word in FORBIDDEN), None):
        hint = f"Write it out without {', '.join(FORBIDDEN)}; describe patterns in `description`."
        raise BadParams(f"schema holds {odd!r}, which is not possible here.", hint)


def ask(asker: Asker, question: Question) -> tuple[Any, Said]:
    """Ask for an answer that fits `question.schema`; returns it as a JSON value, and as it was said.

    Args:
        asker: whom.
        question: with a schema that was checked.

    Raises:
        Unfit: neither the first nor the second answer fits, or there was no room for the whole. Unanswered, ActionError.
    """
    schema = dict(question.schema or {})
    order = _ORDER + json.dumps(schema, ensure_ascii=False)
    first, *rest = question.messages
    if first["role"] == "system":
        messages = ({**first, "content": f"{first['content']}\n\n{order}"}, *rest)
    else:
        messages = ({"role": "system", "content": order}, *question.messages)
    said = asker.ask(replace(question, messages=messages))
    value, problem = read(said.text, schema)
    if problem is None:
        return value, said
    if said.finish == "length":
        raise Unfit(said, f"it ended at max_tokens ({question.max_tokens}), before it was whole")
    again = f"That did not fit: {problem}. Answer again: the whole JSON value, corrected, and nothing else."
    mended = (
        *messages,
        {"role": "assistant", "content": shorten(said.text, REPEATED)},
        {"role": "user", "content": again},
    )
    said = asker.ask(replace(question, messages=mended))
    value, problem = read(said.text, schema)
    if problem is not None:
        raise Unfit(said, problem)
    return value, said


def read(text: str, schema: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The JSON value in an answer, and what is wrong with it, or None.

    What models put around it all the same is taken off: thoughts in `<think>`, a code fence.
    """
    import jsonschema
    import referencing

    plain = text.strip()
    if plain.startswith("<think>"):
        plain = plain.partition("</think>")[2].strip()
    if plain.startswith("```") and plain.endswith("```") and "\n" in plain:
        plain = plain.partition("\n")[2].removesuffix("```").strip()
    try:
        value = api.parsed(plain)
    except ValueError as error:
        return None, f"it is no JSON ({shorten(error, 120)})" if plain else "it is empty"
    checks = jsonschema.Draft202012Validator(schema, registry=referencing.Registry())
    try:
        problem = jsonschema.exceptions.best_match(checks.iter_errors(value))
    except RecursionError:
        return None, "it is nested too deep"
    if problem is None:
        return value, None
    where = "/".join(str(part) for part in problem.absolute_path)
    return None, f"{f'{shorten(where)}: ' if where else ''}{shorten(problem.message, 300)}"


def _words(schema: Any, named: bool = False) -> Iterator[str]:
    """The keywords of a schema and of those inside it."""
    if isinstance(schema, list):
        for part in schema:
            yield from _words(part)
    elif isinstance(schema, Mapping):
        for key, part in schema.items():
            if named:
                yield from _words(part)
                continue
            yield key
            if key not in _VALUES:
                yield from _words(part, named=key in _NAMED)

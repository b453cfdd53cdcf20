"""What a model is asked, what it said, and why it said nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Any

from llmgenie_mcp import api
from llmgenie_mcp.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """One request to a model.

    Attributes:
        messages: {role, content} each, oldest first; both protocols write them so.
        max_tokens: of the answer.
        schema: JSON Schema that the answer shall fit; None: it is text.
    """

    messages: tuple[Mapping[str, str], ...]
    max_tokens: int
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said.

    Attributes:
        text: all of it.
        finish: why it ended: stop, length (of `max_tokens`), filtered, unknown.
        tokens_in, tokens_out: of the prompt and the answer, as the endpoint counts them; None: it does not say.
        model: what the endpoint says answered.
    """

    text: str
    finish: str
    tokens_in: int | None
    tokens_out: int | None
    model: str


@dataclass(eq=False)
class Unanswered(api.Unanswered):
    """A model did not answer.

    Attributes:
        said: the endpoint's own words, or the beginning of an answer that broke off.
    """

    _: KW_ONLY
    said: str = ""

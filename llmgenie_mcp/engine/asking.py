"""A question that somebody else's program asks a person while an action runs, and what came of it. It approves nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from llmgenie_mcp.frozen import dataclass

if TYPE_CHECKING:
    from concurrent.futures import Future


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is put to a person as a form.

    Attributes:
        asker: who asks, as the settings call it.
        text: what is asked, as the person reads it: it says who asks, and that llmgenie does not.
        form: JSON Schema of the answer: an object of plain fields.
    """

    asker: str
    text: str
    form: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    Attributes:
        action: accept; decline: a person said no, or nobody could be asked; cancel: the dialogue was closed.
        content: the fields of the form, when it was accepted.
        why: why nobody was asked; "" when a person was.
    """

    action: Literal["accept", "decline", "cancel"]
    content: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


Ask: TypeAlias = Callable[[Question], "Future[Answer]"]
"""Puts a question to the person behind a caller; called from any thread. Cancelling what it returns takes it back."""

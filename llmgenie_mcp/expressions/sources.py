"""Field types of models: the text of a condition, and a text with {dotted.names} in it. Apart, because they need pydantic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from llmgenie_mcp.errors import ExpressionError
from llmgenie_mcp.expressions import Expression, message_names, templates
from llmgenie_mcp.expressions.grammar import MAX_SOURCE
from llmgenie_mcp.expressions.mistake import mistake


def _check_with(read: Callable[[str], object]) -> Callable[[str], str]:
    """A pydantic validator whose error keeps the offset, from which a loader finds line and column."""

    def check(source: str) -> str:
        try:
            read(source)
        except ExpressionError as error:
            context = {"message": error.message, "offset": error.offset, "hint": error.hint}
            raise PydanticCustomError("expression", "{message}", context) from None
        return source

    return check


def check_params(params: dict[str, Any], *below: str) -> None:
    """Refuse parameters of an action in which a text is no template.

    Args:
        params: they.
        below: where they stand in what is validated.

    Raises:
        PydanticCustomError: with the place of the text.
    """
    for loc, text in templates(params):
        try:
            message_names(text)
        except ExpressionError as error:
            raise mistake(error.message, error.hint, *below, *loc, offset=error.offset) from None


def not_empty(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """For AfterValidator: pydantic's own min_length, for tuples, also complains when it is the items that are wrong."""
    if not items:
        raise PydanticCustomError("too_short", "Must have at least one item", {"min_length": 1})
    return items


ExpressionSource: TypeAlias = Annotated[
    str, AfterValidator(_check_with(Expression.parse)), Field(json_schema_extra={"maxLength": MAX_SOURCE})
]
MessageSource: TypeAlias = Annotated[str, AfterValidator(_check_with(message_names))]

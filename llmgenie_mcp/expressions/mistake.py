"""What a model says of values that do not go together, and where it lies. Apart, because it needs pydantic."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

KEY = "[key]"
"""As the last part of a place: the key itself rather than its value."""


def mistake(message: str, hint: str, *below: str | int, offset: int | None = None) -> PydanticCustomError:
    """The error that a validator raises, from which a loader makes file, line and column.

    Args:
        message: what is wrong, without a full stop.
        hint: what to write instead.
        below: keys and indices from what is validated down to what is wrong; what is not there is skipped. A last part
            `[key]` means the key.
        offset: a character within the text there.
    """
    context = {"message": message, "hint": hint, "below": below}
    return PydanticCustomError("mistake", "{message}", context if offset is None else {**context, "offset": offset})

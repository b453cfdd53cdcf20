"""An answer as it is put together from what comes, whatever comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.models.question import Said, Unanswered

TOKEN_CHARACTERS = 32
"""No token has more characters for long: an answer with more than this times `max_tokens` is a flood."""
SHOWN = 2000
"""Characters of the end of an answer that is still coming, for who waits."""
MOST = 10**9
"""More tokens than this nobody counted."""


@dataclass(slots=True)
class Gathering:
    """What was said so far.

    Attributes:
        max_tokens: that were asked for.
        tell: called as tell(characters, end of the text).
        finish: why it ended, in the endpoint's own word; None: it has not.
        tokens_in, tokens_out, model: as of `Said`.
    """

    max_tokens: int
    tell: Callable[[int, str], None]
    finish: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    model: str = ""
    _parts: list[str] = field(default_factory=list)
    _end: str = ""
    _size: int = 0

    def add(self, text: Any) -> None:
        """A further piece; what is no text is none. Raises Unanswered: it is more than was asked for."""
        if not isinstance(text, str) or not text:
            return
        self._parts.append(text)
        self._size += len(text)
        if self._size > self.max_tokens * TOKEN_CHARACTERS:
            message = (
                f"It does not stop: {self._size:,} characters came, and {self.max_tokens:,} tokens were asked for."
            )
            raise Unanswered(message, "Its endpoint does not heed limits: a person should look at it.")
        self._end = (self._end + text)[-SHOWN:]
        self.tell(self._size, _tidy(self._end))

    @property
    def text(self) -> str:
        """All of it, as text that can be kept: halves of a character that came apart are joined, NUL is left out."""
        return _tidy("".join(self._parts))

    def said(self, words: Mapping[str, str], clean: Callable[[str], str]) -> Said:
        """The answer.

        Args:
            words: the endpoint's words for why it ended, and ours.
            clean: takes secrets out of a text.
        """
        finish = words.get(self.finish or "", "unknown")
        return Said(clean(self.text), finish, self.tokens_in, self.tokens_out, clean(_tidy(self.model)))


def _tidy(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "")


def at(value: Any, *way: str | int) -> Any:
    """What lies at a path in a JSON value; None where there is nothing of that kind."""
    for step in way:
        if isinstance(step, str) and isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def count(value: Any) -> int | None:
    """A number of tokens; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else None

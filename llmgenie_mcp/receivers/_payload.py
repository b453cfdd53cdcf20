"""Bodies of webhooks: read strictly, and looked into without trusting their shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any, NoReturn

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.plugins import BadRequest

LONGEST = 1000
"""Characters kept of a text."""


def read(body: bytes | str) -> dict[str, Any]:
    """A body as a JSON object.

    Raises:
        BadRequest: not UTF-8, not JSON, no object, nested too deep, or a name twice in one object.
    """
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_not_finite)
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8.") from None
    except RecursionError:
        raise BadRequest("The body is nested too deep.") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except ValueError:
        raise BadRequest("The body has a number with too many digits.") from None
    if not isinstance(value, dict):
        raise BadRequest("The body is not a JSON object.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # readers disagree on which counts: RFC 8259, section 4
        raise BadRequest("The body has a name twice in one object.")
    return found


def _not_finite(name: str) -> NoReturn:
    raise BadRequest(f"The body has {name}, which is no JSON number.")


@dataclass(frozen=True, slots=True)
class Payload:
    """An object in a body. What is missing, null or of another type reads as empty.

    Attributes:
        value: its members.
    """

    value: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.value)

    def part(self, *path: str) -> Payload:
        """The object below it; an empty one when there is none."""
        value: Any = self.value
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return Payload(value) if isinstance(value, Mapping) else Payload()

    def need(self, name: str) -> Payload:
        """The object below it. Raises BadRequest when there is none."""
        if found := self.part(name):
            return found
        raise BadRequest(f"The body has no object {shorten(name)}.")

    def text(self, name: str) -> str:
        """A text, cut; "" when there is none."""
        value = self.value.get(name)
        return value[:LONGEST] if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """A whole number."""
        value = self.value.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, name: str) -> bool:
        """Whether it is true."""
        return self.value.get(name) is True

    def parts(self, name: str) -> list[Payload]:
        """The objects in a list."""
        value = self.value.get(name)
        return [Payload(item) for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def ref(name: str) -> tuple[str, str]:
    """A full git reference as (branch, tag): one of them is "", or both."""
    branch, tag = name.removeprefix("refs/heads/"), name.removeprefix("refs/tags/")
    return ("" if branch == name else branch), ("" if tag == name else tag)


def commit(hash_: str) -> str:
    """A commit's hash; "" for the one of zeros, which stands for none."""
    return hash_ if hash_.strip("0") else ""

"""The action `hello`, and what policies may ask about the guestbook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from llmgenie_mcp.plugins import Params, action, signal

BOOK = "guestbook.txt"


class Hello(Params):
    """Parameters of hello."""

    name: str = Field(default="world", max_length=100, description="Who is greeted.")


def resource(_situation: Any, params: Hello) -> dict[str, Any]:
    """What policies see as `resource.…`."""
    return {"type": "greeting", "id": params.name}


@action("hello", params=Hello, everywhere=True, resource=resource)
def hello(ctx: Any, params: Hello) -> dict[str, Any]:
    """Greet somebody, and write it into the guestbook."""
    text = f"Hello, {params.name}!"
    book = ctx.situation.project.root / BOOK
    ctx.deliver("guestbook", "greetings", {"path": str(book), "text": text})
    return {"text": text}


@signal("guestbook", {"lines": "How many lines the guestbook has; a number."})
def guestbook(_field: str, situation: Any) -> int:
    """Facts about the guestbook."""
    book = Path(situation.project.root) / BOOK
    return len(book.read_text(encoding="utf-8").splitlines()) if book.exists() else 0

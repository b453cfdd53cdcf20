"""Which session a host's conversation works in.

Sessions are named by ids, and a hook is not told any: it sees the calls that the conversation makes to llmgenie, and they
name one. A conversation that named none belongs to the session that is open in its checkout.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from llmgenie_mcp.hosts import HookEvent, ToolCall
from llmgenie_mcp.outcome import Document, now
from llmgenie_mcp.storage import Storage

TABLE = "conversations"
OURS = "llmgenie"
_STARTED = re.compile(r"\bSES-\d{1,12}\b")
_SAFE = re.compile(r"[^\w.:@-]")


def key(event: HookEvent) -> str | None:
    """Id of the conversation's document; None when the host names none."""
    return _SAFE.sub("_", f"{event.host}:{event.conversation}")[:150] if event.conversation else None


def session_of(storage: Storage, event: HookEvent, checkout: Path) -> str | None:
    """The session that `event` belongs to: the one its conversation named, else the one open in the checkout.

    Of several open in one checkout it is the one last written to; a paused one counts when none is active.
    """
    own = key(event)
    document = storage.get(TABLE, own) if own else None
    named = storage.get("sessions", document["session"]) if document and document.get("session") else None
    if named is not None and named["status"] != "finished":
        return str(named["id"])
    for status in ("active", "paused"):
        here = [
            session
            for session in storage.query("sessions", {"status": status}).items
            if session.get("worktree") in (None, str(checkout))
        ]
        if here:
            return str(max(here, key=lambda session: str(session["updated_at"]))["id"])
    return None


def is_ours(call: ToolCall) -> bool:
    """Whether a call goes to llmgenie's own server, which enforces by itself."""
    return call.kind == "mcp" and OURS in (call.server, *call.server.split("_"), *call.server.split("-"))


def named_session(event: HookEvent) -> str | None:
    """The session that a call to llmgenie names, or that it was just given."""
    for call in event.calls:
        if not is_ours(call):
            continue
        if event.kind == "after" and call.arguments.get("action") in ("start_session", "resume_session"):
            found = _STARTED.search(str(event.result)[:20_000])
            if found:
                return found[0]
        said = call.arguments.get("session")
        if isinstance(said, str) and _STARTED.fullmatch(said):
            return said
    return None


def bind(storage: Storage, event: HookEvent, **fields: Any) -> None:
    """Remember what is known of the conversation; nothing is written when nothing is new. Raises StorageError."""
    own = key(event)
    if own is None:
        return
    known: Document = storage.get(TABLE, own) or {}
    if all(known.get(name) == value for name, value in fields.items()):
        return
    with storage.begin() as tx:
        held = tx.get(TABLE, own) or {"id": own, "host": event.host, "created_at": now()}
        tx.put(TABLE, own, {**held, **fields, "updated_at": now()})
        told = {"conversation": own, **fields}
        tx.commit({"type": "conversation.bound", "actor": {"kind": "agent", "id": event.host}, **told})

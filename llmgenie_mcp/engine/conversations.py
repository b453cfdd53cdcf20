"""Which session a host's conversation works in.

Sessions are named by ids, and a hook is not told any: it sees the calls that the conversation makes to llmgenie, and they
name one. A conversation that named none belongs to the session that is open in its checkout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgenie_mcp.engine import ring
from llmgenie_mcp.hosts import HookEvent, ToolCall
from llmgenie_mcp.outcome import Document, now
from llmgenie_mcp.storage import Storage

TABLE = "conversations"
KEPT = 1000
"""So many are remembered; the oldest go first. One that went belongs to the session that is open in its checkout."""
OURS = "llmgenie"
TOOLS = frozenset(
    {"get_available_actions", "get_workflow_state", "get_policy", "get_context_data"}
    | {"run_action", "update_context", "trigger_event", "enforce_policy"}
)
"""The tools of llmgenie's own server; another server's tool is not taken for one of them by the server's name alone."""
_SESSION = re.compile(r"SES-\d{1,12}")
_STARTED = re.compile(r"session\W{1,16}id\W{1,12}(SES-\d{1,12})\b")
"""In a result: `session: {"id": "SES-1"`, as text or quoted once or twice. A refusal names sessions too, in other forms."""
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
            if session.get("worktree") in (None, str(checkout), str(checkout.resolve()))
        ]
        if here:
            newest_first = reversed(here)  # of two written to in the same millisecond the one started last counts
            return str(max(newest_first, key=lambda session: str(session["updated_at"]))["id"])
    return None


def is_ours(call: ToolCall) -> bool:
    """Whether a call goes to llmgenie's own server, which enforces by itself; Cursor tells the tool alone."""
    if call.kind != "mcp" or call.tool not in TOOLS:
        return False
    return not call.server or OURS in re.split(r"[\W_]+", call.server.lower())


def named_session(event: HookEvent) -> str | None:
    """The session that a call to llmgenie names, or that it was just given."""
    for call in event.calls:
        if not is_ours(call):
            continue
        action, params = call.arguments.get("action"), call.arguments.get("params")
        if event.kind == "after" and action == "start_session":
            found = _STARTED.search(str(event.result)[:20_000])
            if found:
                return found[1]
        resumed = params.get("session") if action == "resume_session" and isinstance(params, Mapping) else None
        for said in (resumed, call.arguments.get("session")):
            if isinstance(said, str) and _SESSION.fullmatch(said):
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
        ring.keep(tx, TABLE, own, {**held, **fields, "updated_at": now()}, KEPT)
        told = {"conversation": own, **fields}
        tx.commit({"type": "conversation.bound", "actor": {"kind": "agent", "id": event.host}, **told})

"""Lines of the meta-log, and events, as they are written. Light to import: the hook writes lines too."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from llmgenie_mcp import outbox, redact
from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.outcome import Document, Event, now


def event(situation: Situation, type: str, subject: str | None, data: Mapping[str, Any]) -> Event:  # noqa: A002
    """A new event of this project."""
    actor = f"{situation.actor.kind}:{situation.actor.id}"
    return Event(type, f"llmgenie/{situation.project.name}", str(uuid.uuid4()), now(), subject, data, actor)


def entry(kind: str, name: str, ctx: ActionContext, params: Document, **more: Any) -> Document:
    """The line of the meta-log for one act; secrets are taken out, and all but notes is cut to what a log needs.

    It may share its parts with what it is made of: the store copies what it is given.
    """
    situation = ctx.situation
    parts = {"params": params, "notes": ctx.notes, "events": [made.to_dict() for made in ctx.events], **more}
    told = {name: part for name, part in parts.items() if part not in _NOTHING}
    line: Document = {
        "type": kind,
        "actor": {"kind": situation.actor.kind, "id": situation.actor.id},
        "session": (situation.session or {}).get("id"),
        "mode": situation.mode,
        "action": name,
        **{name: part if redact.is_plain(part) else _KEPT.get(name, _kept)(part) for name, part in told.items()},
    }
    return {k: v for k, v in line.items() if v not in _NOTHING}


def commit(ctx: ActionContext, line: Document, seq: int) -> int:
    """Commit a line together with what it leads to (`outbox`); returns its number.

    Args:
        ctx: with an open transaction.
        line: as `entry` made it.
        seq: the number it will have; nobody else writes while the transaction is open.
    """
    source = f"llmgenie/{ctx.situation.project.name}"
    outbox.fill(ctx.write, line, ctx.routes, source=source, seq=seq, cause=ctx.cause, deliveries=ctx.deliveries)
    if ctx.cause is not None and ctx.cause.item is not None and line["type"] not in outbox.BEGINNINGS:
        outbox.settle(ctx.write, ctx.cause, ended=line["type"] in ("action.denied", "action.failed"))
    return ctx.write.commit(line)


def _kept(value: Any) -> Any:
    return redact.cut(redact.redact(value))


def _kept_events(events: list[Document]) -> list[Document]:
    return [{**redact.redact(made), "data": _kept(made["data"])} for made in events]


_NOTHING: tuple[object, ...] = (None, [], {})
_KEPT: dict[str, Callable[[Any], Any]] = {"notes": redact.redact, "events": _kept_events}
"""What of a line is kept otherwise than the rest."""

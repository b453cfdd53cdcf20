"""Items of the outbox after they were put there: done, tried in vain, given up, tried anew, dropped. Each is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from llmgenie_mcp import outbox, redact
from llmgenie_mcp.config import Deliveries
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.outbox import TABLE, Cause, Routes
from llmgenie_mcp.outcome import Actor, Document, now
from llmgenie_mcp.project import Project
from llmgenie_mcp.storage import Storage, Transaction

SYSTEM = {"kind": "system", "id": "llmgenie"}
LONGEST_WAIT = 86_400.0
"""Seconds: what a destination asks for with Retry-After is heeded up to a day."""


def commit(tx: Transaction, line: Document, routes: Routes, project: Project, seq: int) -> int:
    """Commit a line that no situation belongs to, together with what it leads to."""
    outbox.fill(tx, line, routes, source=f"llmgenie/{project.name}", seq=seq)
    return tx.commit(line)


def done(storage: Storage, id_: str, detail: Mapping[str, Any]) -> None:
    """It was delivered: off the outbox, onto the log."""
    with storage.begin() as tx:
        if (item := tx.get(TABLE, id_)) is not None:
            tx.delete(TABLE, id_)
            tx.commit(_line("delivery.completed", item, detail=_kept(detail)))


def advance(storage: Storage, cause: Cause) -> None:
    """A step of a rule was done that wrote nothing itself; the next is due."""
    with storage.begin() as tx:
        outbox.settle(tx, cause)
        tx.commit({"type": "delivery.advanced", "actor": SYSTEM, "item": cause.item, "cause": cause.to_dict()})


def failed(
    storage: Storage,
    id_: str,
    error: str,
    bounds: Deliveries,
    *,
    retry_after: float | None = None,
    final: bool = False,
    most: int | None = None,
) -> None:
    """An attempt failed: when it is tried again, or that it is given up.

    Args:
        storage: the store.
        id_: of the item.
        error: why, for people.
        bounds: of the settings.
        retry_after: seconds, as the destination said.
        final: it is of no use to try again.
        most: it is given up after so many in a row that failed for a reason which another time will not mend, though the
            settings allow more; None: this was no such failure.
    """
    with storage.begin() as tx:
        item = tx.get(TABLE, id_)
        if item is None:
            return
        attempts = item["attempts"] + 1
        before = item.pop("refused", 0)
        refused = before + 1 if most else 0
        item |= {"attempts": attempts, "error": redact.redact(error)[:500], "updated_at": now(), "next_at": None}
        if refused:
            item["refused"] = refused
        if final or attempts >= bounds.attempts or (most is not None and refused >= most):
            item["status"] = "dead"
            forgotten = _forget_oldest(tx, item["destination"])
            tx.put(TABLE, id_, item)
            tx.commit(_line("delivery.given_up", item, forgotten=forgotten))
            return
        wait = outbox.delay(attempts, bounds.first_delay, bounds.longest_delay)
        if retry_after is not None:
            wait = max(wait, min(retry_after, LONGEST_WAIT))
        item["next_at"] = (datetime.now(UTC) + timedelta(seconds=wait)).isoformat().replace("+00:00", "Z")
        tx.put(TABLE, id_, item)
        tx.commit(_line("delivery.failed", item, next_at=item["next_at"]))


def _forget_oldest(tx: Transaction, destination: str) -> str | None:
    """Make room among those that were given up; returns the id of the one that is kept no longer, if there is one."""
    dead = {"destination": destination, "status": "dead"}
    if tx.count(TABLE, dead) < outbox.WAITING:
        return None
    oldest = str(next(iter(tx.each(TABLE, dead)))["id"])
    tx.delete(TABLE, oldest)
    return oldest


def replay(storage: Storage, ids: Sequence[str] | None, actor: Actor) -> list[str]:
    """Make items that were given up pending again; None: all of them. Raises UnknownName."""
    with storage.begin() as tx:
        chosen = (
            tx.query(TABLE, {"status": "dead"}) if ids is None else [_present(tx, id_) for id_ in dict.fromkeys(ids)]
        )
        dead = [item for item in chosen if item["status"] == "dead"]
        for item in dead:
            fresh = {"status": "pending", "attempts": 0, "refused": 0, "next_at": None, "error": None}
            tx.put(TABLE, item["id"], {**item, **fresh, "updated_at": now()})
        if dead:
            _commit_all(tx, "outbox.replayed", dead, actor)
    return [item["id"] for item in dead]


def retry(storage: Storage, ids: Sequence[str], actor: Actor) -> list[str]:
    """Have items tried now: those that wait for their next attempt, and anew those given up. Raises UnknownName."""
    with storage.begin() as tx:
        chosen = [_present(tx, id_) for id_ in dict.fromkeys(ids)]
        for item in chosen:
            fresh = {"status": "pending", "next_at": None, "updated_at": now()}
            anew = {"attempts": 0, "refused": 0, "error": None} if item["status"] == "dead" else {}
            tx.put(TABLE, item["id"], {**item, **fresh, **anew})
        if chosen:
            _commit_all(tx, "outbox.retried", chosen, actor)
    return [item["id"] for item in chosen]


def skip(storage: Storage, ids: Sequence[str], actor: Actor) -> list[str]:
    """Give items up now, so that those behind them go on; they are kept, and may be replayed. Raises UnknownName."""
    with storage.begin() as tx:
        chosen = [item for id_ in dict.fromkeys(ids) if (item := _present(tx, id_))["status"] == "pending"]
        for item in chosen:
            error = f"A person skipped it. {item['error'] or ''}".rstrip()
            tx.put(TABLE, item["id"], {**item, "status": "dead", "next_at": None, "error": error, "updated_at": now()})
        if chosen:
            _commit_all(tx, "outbox.skipped", chosen, actor)
    return [item["id"] for item in chosen]


def drop(storage: Storage, ids: Sequence[str], actor: Actor) -> list[str]:
    """Take items off without delivering them. Raises UnknownName."""
    with storage.begin() as tx:
        chosen = [_present(tx, id_) for id_ in dict.fromkeys(ids)]
        for item in chosen:
            tx.delete(TABLE, item["id"])
        if chosen:
            _commit_all(tx, "outbox.dropped", chosen, actor)
    return [item["id"] for item in chosen]


def _present(tx: Transaction, id_: str) -> Document:
    item = tx.get(TABLE, id_)
    if item is None:
        raise UnknownName("item of the outbox", id_, [item["id"] for item in tx.query(TABLE)])
    return item


def _commit_all(tx: Transaction, kind: str, items: Sequence[Document], actor: Actor) -> None:
    told = [{"item": item["id"], **_brief(item)} for item in items[:50]]
    tx.commit({"type": kind, "actor": {"kind": actor.kind, "id": actor.id}, "count": len(items), "items": told})


def _line(kind: str, item: Document, **more: Any) -> Document:
    told = {
        "item": item["id"],
        **_brief(item),
        "why": item["error"] if kind != "delivery.completed" else None,
        **more,
    }
    line = {"type": kind, "actor": SYSTEM, "cause": {"chain": item["chain"], "event": (item["event"] or {}).get("id")}}
    return line | {name: value for name, value in told.items() if value not in (None, {}, [])}


def _brief(item: Document) -> Document:
    event = item["event"] or {}
    return {
        "destination": item["destination"],
        "message": item["message"],
        "event": event.get("type"),
        "attempts": item["attempts"],
    }


def _kept(value: Any) -> Any:
    return redact.cut(redact.redact(dict(value)))

"""Idempotency keys: a repeated request gets the first answer instead of acting again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from llmgenie_mcp.engine import ring
from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.records import Actor, Document, Outcome, Refusal, now
from llmgenie_mcp.storage import Transaction

TABLE = "idempotency"
KEPT = 1000
"""So many keys are remembered; the oldest go first."""


def remember(
    tx: Transaction, key: str | None, outcome: Outcome, params: Mapping[str, Any], session: str | None, actor: Actor
) -> None:
    """Keep the answer for a repeated request with the same key."""
    if key is None:
        return
    whose = {"session": session, "actor": f"{actor.kind}:{actor.id}"}
    kept = {"action": outcome.action, "digest": digest(outcome.action, params), **whose, "at": now()}
    ring.keep(tx, TABLE, key, {**kept, "outcome": outcome.to_dict()}, KEPT)


def recall(
    tx: Transaction, key: str | None, action: str, params: Mapping[str, Any], session: str | None, actor: Actor
) -> Outcome | None:
    """The remembered answer; None when the key is new.

    Raises:
        BadParams: the key was used for something else.
    """
    known = tx.get(TABLE, key) if key is not None else None
    if known is None:
        return None
    is_own = known.get("actor", f"{actor.kind}:{actor.id}") == f"{actor.kind}:{actor.id}"
    if not is_own or known["digest"] != digest(action, params) or known["session"] != session:
        other = "with other parameters" if known["session"] == session else "in another session"
        if known["action"] != action:
            other = f"and not for {action}"
        other = other if is_own else "by somebody else"
        raise BadParams(
            f"The idempotency key {key!r} was used for {known['action']} {other}.",
            "Use a new key for a new request; repeat a key only with the same action and parameters.",
        )
    return dataclasses.replace(outcome_of(known["outcome"]), replayed=True)


def outcome_of(document: Document) -> Outcome:
    """An Outcome from its `to_dict`."""
    fields = dict(document)
    reasons = tuple(
        Refusal(**{**reason, "trace": tuple(reason.get("trace", ()))}) for reason in fields.pop("reasons", ())
    )
    actions = tuple(fields.pop("actions", ()))
    return Outcome(**fields, reasons=reasons, actions=actions)


def digest(action: str, params: Mapping[str, Any]) -> str:
    """SHA-256 over an action and its parameters."""
    text = json.dumps([action, params], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

"""What the Engine answers, and who asks: frozen dataclasses, made often and never parsed. Light to import: hooks need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from llmgenie_mcp.frozen import dataclass

Document: TypeAlias = dict[str, Any]
ActorKind: TypeAlias = Literal["agent", "human", "system"]
Priority: TypeAlias = Literal["critical", "high", "medium", "low"]
PRIORITIES: tuple[Priority, ...] = ("critical", "high", "medium", "low")
CI = "ci"
"""The action of a run that a CI system did."""
CI_FINISHED = "ci.finished"
"""The event by which a CI system tells of it."""


def now() -> str:
    """The present time as the store writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `human` is only ever said by a face that saw a person (a terminal, the client's own dialogue)."""

    kind: ActorKind = "agent"
    id: str = "agent"


@dataclass(frozen=True, slots=True)
class Event:
    """An immutable fact, with CloudEvents 1.0 attribute names; `actor` (`kind:id`) is an extension attribute."""

    type: str
    source: str
    id: str
    time: str
    subject: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    actor: str = ""

    def to_dict(self) -> Document:
        """The event as stored in the meta-log."""
        return {
            "specversion": "1.0",
            "type": self.type,
            "source": self.source,
            "id": self.id,
            "time": self.time,
            "subject": self.subject,
            "actor": self.actor,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why something may not be done now.

    Attributes:
        code: stable name of the kind: not_open_here, no_transition, guard_failed, approval_required, wrong_role,
            rule_matched, fact_unknown, rule_erred, not_trusted, not_configured, too_many,
            ambiguous, already_open, nothing_ready.
        rule: what refused, such as `review.draft.submit` or `branch_protection/no-direct-push`.
        message: why, with what to do, written for the agent.
        values: the facts it was decided on.
        fix: an action that would help: {action, params, message}; None when a person must act.
        trace: one line per clause of the condition.
        next: who can, and what to do, where a policy refuses and no action helps.
    """

    code: str
    rule: str
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)
    fix: Mapping[str, Any] | None = None
    trace: tuple[str, ...] = ()
    next: str = ""

    def to_dict(self) -> Document:
        """Compact JSON: empty parts are left out."""
        full = {
            "code": self.code,
            "rule": self.rule,
            "message": self.message,
            "values": dict(self.values),
            "fix": dict(self.fix) if self.fix else None,
            "next": self.next,
            "trace": list(self.trace),
        }
        return {k: v for k, v in full.items() if v not in (None, "", [], {}) or k in ("code", "rule", "message")}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of `Engine.run_action`.

    Attributes:
        status: ok; denied (refused, nothing changed); failed (allowed and ran, but could not do its work);
            running (the same idempotency key is being worked on).
        action: the action's name.
        result: what the action returned.
        reasons: why it was denied, the most important first.
        error: for `failed`: {code, message, hint}.
        state: the instance that moved: {instance, workflow, from, to}.
        actions: names of the actions open now.
        seq: the line of the meta-log that records it.
        session: the session it ran in.
        replayed: True when an earlier answer was returned for the same idempotency key.
    """

    status: Literal["ok", "denied", "failed", "running"]
    action: str
    result: Document = field(default_factory=dict)
    reasons: tuple[Refusal, ...] = ()
    error: Document | None = None
    state: Document | None = None
    actions: tuple[str, ...] = ()
    seq: int | None = None
    session: str | None = None
    replayed: bool = False

    @property
    def ok(self) -> bool:
        """Whether the action did its work."""
        return self.status == "ok"

    def to_dict(self) -> Document:
        """JSON for the faces: empty parts are left out."""
        full: Document = {
            "status": self.status,
            "action": self.action,
            "result": self.result,
            "reasons": [reason.to_dict() for reason in self.reasons],
            "error": self.error,
            "state": self.state,
            "actions": list(self.actions),
            "seq": self.seq,
            "session": self.session,
            "replayed": self.replayed or None,
        }
        return {k: v for k, v in full.items() if v not in (None, [], {}) or k == "status"}

"""What the store keeps and what the Engine answers.

Stored records are pydantic models (checked when they come from outside), answers are frozen dataclasses
(made often, never parsed). Times are UTC, RFC 3339, as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Document: TypeAlias = dict[str, Any]
ActorKind: TypeAlias = Literal["agent", "human", "system"]
Priority: TypeAlias = Literal["critical", "high", "medium", "low"]
PRIORITIES: tuple[Priority, ...] = ("critical", "high", "medium", "low")

Title = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=20_000)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]


def now() -> str:
    """The present time as the store writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `human` is only ever said by a face that saw a person (a terminal, the client's own dialogue)."""

    kind: ActorKind = "agent"
    id: str = "agent"


class Record(BaseModel):
    """Base of stored records: unknown fields are kept, so that a newer version's data survives an older one."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    id: Id = Field(description="Unique in its table, such as TSK-12.")
    version: int = Field(default=0, description="Raised by every write; hand it back as expected_version.")
    created_at: str = Field(default_factory=now, description="UTC, RFC 3339.")
    updated_at: str = Field(default_factory=now, description="UTC, RFC 3339.")


class Task(Record):
    """A piece of work; its status is a state of the workflow `task`."""

    title: Title
    description: Text = ""
    status: str = "todo"
    priority: Priority = "medium"
    dependencies: list[Id] = Field(default=[], description="Ids of tasks that must be done before.")
    labels: list[Title] = []
    assignee: str | None = None
    session: str | None = Field(default=None, description="The session that claimed it.")
    roadmap_item: str | None = None
    summary: Text = Field(default="", description="What was done, written when completing it.")


class RoadmapItem(Record):
    """A goal; its progress is counted from the tasks that name it."""

    title: Title
    description: Text = ""
    status: Literal["planned", "active", "done", "dropped"] = "planned"
    target: str = Field(default="", max_length=100, description="A date or version, as the team writes it.")


class Session(Record):
    """A span of work, named by an explicit id and never by a connection."""

    status: Literal["active", "paused", "finished"] = "active"
    actor: str = "agent"
    role: str = "developer"
    mode: str = "discuss"
    task: str | None = None
    epic: str | None = None
    branch: str | None = None
    worktree: str | None = None
    instance: str | None = Field(default=None, description="The workflow instance it works on.")
    summary: Text = ""
    finished_at: str | None = None


class Instance(Record):
    """One running workflow."""

    workflow: str
    workflow_version: int = 1
    state: str
    subject: str
    session: str | None = None
    created_by: str = "agent"
    history: list[Document] = Field(default=[], description="The last 50 transitions: at, trigger, from, to, actor.")


class Approval(Record):
    """A question to a person and the answer. Only `Engine.decide_approval` writes the answer."""

    status: Literal["pending", "granted", "declined", "used"] = "pending"
    action: str
    params: Document = {}
    instance: str | None = None
    commit: str | None = Field(
        default=None, description="HEAD when it was asked; the answer holds for this commit only."
    )
    requested_by: str = "agent"
    session: str | None = None
    question: str = ""
    decided_by: str | None = None
    decided_at: str | None = None
    channel: str | None = Field(default=None, description="How the person answered: elicitation or terminal.")
    comment: Text = Field(default="", description="What the agent wants the person to know.")
    reply: Text = Field(default="", description="What the person added to the answer.")


class Run(Record):
    """One run of a slow action: a command, the tests."""

    action: str
    command: str | None = None
    status: Literal["running", "passed", "failed", "timeout", "cancelled", "interrupted"] = "running"
    session: str | None = None
    pid: int | None = None
    host: str | None = None
    process_started: float | None = None
    commit: str | None = Field(default=None, description="HEAD at the start, when nothing was uncommitted.")
    exit_code: int | None = None
    seconds: float | None = None
    output: str = Field(default="", description="The end of what it printed.")


@dataclass(frozen=True, slots=True)
class Event:
    """An immutable fact, with CloudEvents 1.0 attribute names."""

    type: str
    source: str
    id: str
    time: str
    subject: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> Document:
        """The event as stored in the meta-log."""
        return {
            "specversion": "1.0",
            "type": self.type,
            "source": self.source,
            "id": self.id,
            "time": self.time,
            "subject": self.subject,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why something may not be done now.

    Attributes:
        code: stable name of the kind: not_open_here, no_transition, guard_failed, approval_required, wrong_role,
            rule_matched, fact_unknown, rule_erred, not_trusted, not_configured, session_closed.
        rule: what refused, such as `review.draft.submit` or `branch_protection/no-direct-push`.
        message: why, with what to do, written for the agent.
        values: the facts it was decided on.
        fix: an action that would help: {action, params, message}; None when a person must act.
        trace: one line per clause of the condition.
    """

    code: str
    rule: str
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)
    fix: Mapping[str, Any] | None = None
    trace: tuple[str, ...] = ()

    def to_dict(self) -> Document:
        """Compact JSON: empty parts are left out."""
        full = {
            "code": self.code,
            "rule": self.rule,
            "message": self.message,
            "values": dict(self.values),
            "fix": dict(self.fix) if self.fix else None,
            "trace": list(self.trace),
        }
        return {k: v for k, v in full.items() if v not in (None, [], {})}


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

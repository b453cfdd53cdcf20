"""What the store keeps: pydantic models, checked when they come from outside. Times are UTC, RFC 3339, as text.

What the Engine answers (`outcome.py`) is named here too, so that one import gives both.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from llmgenie_mcp.outcome import (
    PRIORITIES,
    Actor,
    ActorKind,
    Document,
    Event,
    Outcome,
    Priority,
    Refusal,
    now,
)

Title = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=20_000)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]


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


__all__ = [
    "PRIORITIES",
    "Actor",
    "ActorKind",
    "Approval",
    "Document",
    "Event",
    "Id",
    "Instance",
    "Outcome",
    "Priority",
    "Record",
    "Refusal",
    "RoadmapItem",
    "Run",
    "Session",
    "Task",
    "Text",
    "Title",
    "now",
]

"""What REST takes and answers, as pydantic models: they check requests and are the schemas of /openapi.json.

Answers are the Engine's own JSON. `Outcome` is documented by its dataclass (`outcome.py`); what stands here leaves room for
members that come later.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from llmgenie_mcp.outcome import Document

Session: TypeAlias = Annotated[
    str | None, Field(max_length=200, description="The caller's session, from start_session.")
]
Key: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]


class Asked(BaseModel):
    """A request's body: what it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class ActionAsked(Asked):
    """Run an action."""

    action: str = Field(description="Its name.", examples=["create_task"])
    params: dict[str, Any] = Field(default={}, description="Its own parameters.", examples=[{"title": "Log in"}])
    session: Session = None
    idempotency_key: Key | None = Field(
        default=None, description="A repeated request of the same key is not run twice; or the header Idempotency-Key."
    )


class WriteAsked(Asked):
    """Write context data."""

    value: Any = Field(description="The note, or an object with the fields to change.")
    expected_version: int | None = Field(
        default=None,
        ge=0,
        le=2**53,
        description="The version that was read, 0: it must be new; or the header If-Match.",
    )
    session: Session = None


class EventAsked(Asked):
    """Tell of something that happened."""

    event: str = Field(description="Dotted name.", examples=["ci.finished"])
    params: dict[str, Any] = Field(default={}, description="Its data; `instance` or `branch` narrow what is moved.")
    session: Session = None


class EnforceAsked(Asked):
    """Ask what the policies say."""

    policy: str | None = Field(default=None, description="One policy; null: all that apply.")
    action: str = Field(description="An action, or an operation such as git.push.", examples=["merge"])
    params: dict[str, Any] | None = Field(
        default=None, description="Its parameters; null: in general.", examples=[{"branch": "main"}]
    )
    session: Session = None


class ApprovalAsked(Asked):
    """A person's answer."""

    granted: bool = Field(strict=True, description="Yes or no.")
    comment: str = Field(default="", max_length=2000, description="Kept with the answer.")


class EvaluationAsked(BaseModel):
    """AuthZEN's access evaluation request; members that mean nothing here are passed over."""

    subject: Document = Field(default={}, description="Who; `session` in its properties is the caller's session.")
    action: Document = Field(description="`name`, and `properties`: its parameters.", examples=[{"name": "merge"}])
    resource: Document = Field(default={}, description="Its `properties` are parameters too.")
    context: Document = Field(default={}, description="Passed over.")


class Answer(BaseModel):
    """An answer; later versions may add members."""

    model_config = ConfigDict(extra="allow")


class OpenAction(Answer):
    """An action that may be done now."""

    name: str
    description: str = ""
    params: str = Field(default="", description="In short: `title, description?, priority?=medium`.")
    leads_to: str = Field(default="", description="The step of a workflow that goes with it.")
    schema_: Document = Field(default={}, alias="schema", description="JSON Schema of the parameters, with a query.")


class Actions(Answer):
    """What may be done now."""

    context: str
    mode: str
    session: str | None = None
    actions: list[OpenAction]
    more: int = Field(default=0, description="So many are left out.")
    blocked: list[Document] = Field(default=[], description="What may not be done, with reasons.")


class State(Answer):
    """Where things stand."""

    project: Document
    mode: str
    session: Document | None = None
    instances: list[Document] = []
    approvals_pending: list[Document] = []
    tasks: dict[str, int] = {}
    workflows: list[str]
    policies: list[str]
    trusted: bool


class Policy(Answer):
    """A policy with its rules and origin."""

    name: str
    level: str
    origin: str


class Policies(Answer):
    """Every policy in short."""

    policies: list[Policy]


class ContextDocument(Answer):
    """One document."""

    key: str
    value: Any


class ContextList(Answer):
    """A page of a list, each document in short."""

    key: str
    items: list[Document]
    total: int
    cursor: str | None = Field(default=None, description="For what follows; null at the end.")


class EventReceived(Answer):
    """What came of an event."""

    event: Document
    moved: list[Document]
    refused: list[Document]
    seq: int


class Decision(Answer):
    """What the policies say."""

    effect: Literal["allow", "ask", "deny"]
    allowed: bool
    applicable: bool
    reasons: list[Document] = []
    obligations: list[Any] = []
    policies: list[str] = []


class Evaluation(Answer):
    """AuthZEN's access evaluation response."""

    decision: bool
    context: Document


class Enforcement(Answer):
    """Which policies are in force, and where."""

    policies: list[Document]
    installed: list[str]
    points: Document
    trusted: bool
    notes: list[str]


class Problem(Answer):
    """Problem details (RFC 9457)."""

    type: str = Field(description="urn:llmgenie:error:CODE")
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""

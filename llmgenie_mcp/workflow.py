"""What a workflow definition is: states, transitions, guards, effects.

The vocabulary follows XState and SCXML (`initial`, `states`, `on`, `target`, `final`), guards follow the
`expression` + `message` pair of Kubernetes admission policies. Models are frozen: a definition never changes
after loading. Whether a definition makes sense as a whole is said by `llmgenie_mcp.loader.structure`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from llmgenie_mcp.chart import Chart, Place
from llmgenie_mcp.expressions import Expression
from llmgenie_mcp.expressions.fix import Fix
from llmgenie_mcp.expressions.mistake import KEY, mistake
from llmgenie_mcp.expressions.sources import ExpressionSource, MessageSource

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
TriggerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=60)]
SubjectKind = Literal["branch", "task", "version", "session", "project", "text"]


class Definition(BaseModel):
    """Base of everything that is read from a definition file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, ignored_types=(cached_property,))


class Guard(Definition):
    """A condition of a transition. All guards of a transition must hold; an unknown fact does not hold."""

    expression: ExpressionSource = Field(
        description="Condition in the expression language.",
        examples=["tests.last.passed and tests.last.commit == git.head"],
    )
    message: MessageSource = Field(
        description="What to do to pass; shown when the guard does not hold. `{dotted.names}` are filled in.",
        min_length=1,
    )
    fix: Fix | None = Field(default=None, description="An action that would help.")

    @cached_property
    def condition(self) -> Expression:
        """The compiled expression."""
        return Expression.parse(self.expression)


class Effect(Definition):
    """What a transition does besides changing state; exactly one key."""

    log: MessageSource | None = Field(
        default=None, description="A line for the meta-log; `{dotted.names}` are filled in."
    )
    emit: TriggerName | None = Field(
        default=None, description="The type of an event to emit, such as `review.requested`."
    )

    @model_validator(mode="after")
    def _one(self) -> Effect:
        if (self.log is None) == (self.emit is None):
            said = "`log` and `emit` are given together" if self.log is not None else "Nothing says what it does"
            hint = "Give exactly one of `log` (a line for the meta-log) and `emit` (the type of an event): one effect each."
            raise mistake(said, hint, "emit", KEY)
        return self


def _short_form(value: object) -> object:
    """`reject: draft` is short for `reject: {target: draft}`."""
    return {"target": value} if isinstance(value, str) else value


class Transition(Definition):
    """One way out of a state."""

    target: Name = Field(description="The state it leads to.")
    description: str = Field(default="", description="What taking it means, for people and models.")
    guards: list[Guard] = Field(default=[], description="Conditions that must all hold.")
    effects: list[Effect] = Field(default=[], description="What else happens when it is taken.")
    approval: Literal["human"] | None = Field(
        default=None, description="`human`: only a person may take it; an agent asks with request_approval."
    )
    roles: list[Name] = Field(default=[], description="Roles of the session that may take it; empty: any.")
    metadata: dict[str, Any] = Field(default={}, description="Free keys for your own tools.")


TransitionOrTarget = Annotated[Transition, BeforeValidator(_short_form, json_schema_input_type=Transition | Name)]


class State(Definition, Place):
    """One state: what may be done in it and where it leads."""

    description: str = Field(default="", description="What it means to be here, for people and models.")
    actions: list[str] | None = Field(
        default=None,
        description="Names or globs of the actions open here; leave out to open all, [] to open none.",
        examples=[["create_task", "run_tests", "list_*"]],
    )
    on: dict[TriggerName, TransitionOrTarget] = Field(default={}, description="Triggers and where they lead.")
    final: bool = Field(default=False, description="An instance that reaches it has ended.")
    metadata: dict[str, Any] = Field(default={}, description="Free keys for your own tools.")


def _places(workflow: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The transitions of a workflow as plain data, by trigger: those of the whole, then those of each state."""
    yield workflow["on"]
    yield from (state["on"] for state in workflow["states"].values())


class Workflow(Definition, Chart[Transition]):
    """A named, versioned state machine about one kind of subject."""

    name: Name = Field(description="Unique among workflows; the file is named after it.")
    version: int = Field(default=1, ge=1, description="Raise it when states or triggers change meaning.")
    description: str = Field(default="", description="One sentence: what goes from where to where.")
    subject: SubjectKind = Field(default="text", description="What an instance is about.")
    initial: Name = Field(description="The state in which an instance starts.")
    on: dict[TriggerName, TransitionOrTarget] = Field(
        default={}, description="Triggers that work in every state that is not final, unless the state has its own."
    )
    states: dict[Name, State] = Field(
        description="All states by name.",
        min_length=1,
        examples=[{"draft": {"on": {"submit": "done"}}, "done": {"final": True}}],
    )
    metadata: dict[str, Any] = Field(default={}, description="Free keys for your own tools.")

    @cached_property
    def emitted(self) -> frozenset[str]:
        """Types of the events that its transitions emit."""
        effects = (effect for _, _, transition in self.edges() for effect in transition.effects)
        return frozenset(effect.emit for effect in effects if effect.emit)

    @cached_property
    def asking(self) -> frozenset[str]:
        """The triggers that need a person somewhere."""
        return frozenset(trigger for _, trigger, transition in self.edges() if transition.approval)

    def no_looser_than(self, other: Workflow) -> Workflow:
        """The same workflow, whose triggers ask for what they ask for anywhere in `other`: a person, guards, a role."""
        plain = self.model_dump()
        theirs = other.model_dump()
        asked = [pair for place in _places(theirs) for pair in place.items()]
        for transitions in _places(plain):
            for trigger, transition in transitions.items():
                for _, same in (pair for pair in asked if pair[0] == trigger):
                    transition["approval"] = transition["approval"] or same["approval"]
                    transition["guards"] += [guard for guard in same["guards"] if guard not in transition["guards"]]
                    if roles := same["roles"]:
                        transition["roles"] = [role for role in transition["roles"] if role in roles] or roles
        return Workflow.model_validate(plain)

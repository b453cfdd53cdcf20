"""What a scenario file is: what somebody wants to do in a given situation, and what the policies must say to it.

The words are Gherkin's (given, when, then). A file holds a shared `given` and a list of scenarios, like the
`policy test` fixtures of Kyverno and the test files of Open Policy Agent: data, so that whoever writes a policy can
write what it is to do without programming. Whether the names in a file exist is said by
`llmgenie_mcp.loader.scenarios`; `llmgenie_mcp.engine.scenarios` asks the policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from llmgenie_mcp.expressions.mistake import KEY, mistake
from llmgenie_mcp.rules import Effect

Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
RuleName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^/\s]+/[^/\s]+$", max_length=150)]
ASKED = ("operation", "action", "command", "tool")
"""What `when` may be about; exactly one of them."""


class Part(BaseModel):
    """Base of a scenario file and its parts: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, ignored_types=(cached_property,))


class GivenSession(Part):
    """The session in which it is asked."""

    id: Name = Field(default="SES-1", description="Its id.")
    status: Literal["active", "paused", "finished"] = Field(default="active", description="Whether it goes on.")
    task: Name | None = Field(default=None, description="The task worked on; left out: none.", examples=["TSK-1"])
    branch: Name | None = Field(default=None, description="The branch it was started on; left out: none.")


class GivenInstance(Part):
    """The running workflow that it is about, such as a review."""

    id: Name = Field(description="Its id.", examples=["REV-1"])
    workflow: Name = Field(description="Name of its workflow.", examples=["review"])
    state: Name = Field(description="The state it is in.", examples=["in_review"])
    subject: str = Field(default="", description="What it is about: a branch, a version …")
    created_by: Name | None = Field(default=None, description="Id of who started it; left out: nobody.")


class GivenActor(Part):
    """Who asks."""

    kind: Literal["agent", "human", "system"] = Field(default="agent", description="What asks.")
    id: Name = Field(default="agent", description="Its name.", examples=["cursor"])


def _short_actor(value: object) -> object:
    """`actor: human` is short for `actor: {kind: human, id: human}`."""
    return {"kind": value, "id": value} if isinstance(value, str) else value


ActorOrKind: TypeAlias = Annotated[
    GivenActor,
    BeforeValidator(_short_actor, json_schema_input_type=GivenActor | Literal["agent", "human", "system"]),
]


class Given(Part):
    """The situation. What is left out is as in a project where nothing has happened yet; other facts are unknown."""

    mode: Name | None = Field(
        default=None, description="The mode in force; left out: the initial one of the workflow `modes`."
    )
    session: GivenSession | None = Field(
        default=None, description="The session; {} is an active one without a task; left out or null: none."
    )
    role: Name | None = Field(
        default=None, description="Role in the session; left out: developer. Without a session there is none."
    )
    actor: ActorOrKind = Field(default=GivenActor(), description="Who asks: agent (when left out), human or system.")
    instance: GivenInstance | None = Field(
        default=None, description="The workflow instance concerned; left out or null: none."
    )
    facts: dict[Name, dict[Name, JsonValue]] = Field(
        default={},
        description="Facts by root. What is left out is unknown, which counts against what is asked, but for: "
        "approval.granted is false, approval.by and approval.id are null, tests.last.passed is false, the rest of "
        "tests.last is null. Null is a known value: git.branch null is a detached HEAD.",
        examples=[{"git": {"branch": "feature/x"}}],
    )

    def over(self, base: Given) -> Given:
        """This situation with what it leaves out taken from `base`; mappings are merged, lists replaced."""
        return Given.model_validate(merged(base.model_dump(exclude_unset=True), self.model_dump(exclude_unset=True)))


class When(Part):
    """What is asked: exactly one of operation, action, command and tool."""

    operation: Name | None = Field(default=None, description="What an agent does by itself.", examples=["git.push"])
    action: Name | None = Field(default=None, description="An action or a workflow's trigger.", examples=["merge"])
    command: Annotated[str, StringConstraints(min_length=1, max_length=65536)] | None = Field(
        default=None,
        description="A shell command. Each operation found in it is asked for, and `shell` for the whole; the strictest "
        "answer counts. Branches that it does not name come from git.branch and git.upstream of `given.facts`; "
        "no repository is asked, so that a name is a branch unless it says refs/tags/, and there are no aliases.",
        examples=["git push origin main"],
    )
    tool: Annotated[str, StringConstraints(pattern=r"^[^/\s]+/[^/\s]+$", max_length=200)] | None = Field(
        default=None,
        description="A tool of an MCP server, as server/tool; `params` are its arguments.",
        examples=["github/merge_pull_request"],
    )
    params: dict[str, JsonValue] | None = Field(
        default=None,
        description="Parameters. Of an operation, null is a value that cannot be known. Left out for an action: it is asked "
        "about in general, and everything about them is unknown.",
        examples=[{"branch": "main"}],
    )

    @model_validator(mode="after")
    def _one(self) -> When:
        named = [name for name in ASKED if getattr(self, name) is not None]
        if len(named) != 1:
            message = f"Asks for {' and '.join(named)} at once" if named else "Nothing is asked"
            raise mistake(message, f"Write exactly one of: {', '.join(ASKED)}.", *named[1:2], KEY)
        if self.command is not None and self.params is not None:
            raise mistake("A command takes no params", "They are in the command; remove `params`.", "params", KEY)
        return self


class Then(Part):
    """What the policies must say."""

    decision: Effect = Field(description="allow, ask (a person must agree) or deny.")
    rule: RuleName | None = Field(
        default=None,
        description="A rule that must be among those that matched, as policy/rule.",
        examples=["branch_protection/no-direct-push"],
    )
    rules: tuple[RuleName, ...] | None = Field(
        default=None, description="All the rules that must have matched, in any order; [] for none."
    )
    audit: tuple[RuleName, ...] | None = Field(
        default=None,
        description="All the rules of policies of level audit that would have stood against it; [] for none.",
    )
    message: str | None = Field(
        default=None, description="Text that must be in the message of the rule, or of one that matched."
    )
    fix: Name | None = Field(
        default=None,
        description="The action that the rule, or one that matched, must offer.",
        examples=["start_review"],
    )

    @model_validator(mode="after")
    def _rule_once(self) -> Then:
        if self.rule is not None and self.rules is not None:
            hint = "`rules` lists all of them; remove `rule`."
            raise mistake("`rule` and `rules` are given together", hint, "rule", KEY)
        return self


class Case(Part):
    """One scenario."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="A sentence that is true when it passes; unique in the file.",
        examples=["an agent does not push to main"],
    )
    given: Given = Field(default=Given(), description="The situation, over that of the file.")
    when: When = Field(description="What is asked.")
    then: Then = Field(description="What the policies must say.")


class ScenarioFile(Part):
    """Scenarios that share a situation; `llmgenie policy test` runs them."""

    policy: Name | None = Field(
        default=None, description="The one policy that is asked; left out: all that are in force."
    )
    description: str = Field(default="", description="One sentence: what is looked at here.")
    given: Given = Field(default=Given(), description="The situation of all scenarios.")
    scenarios: list[Case] = Field(
        min_length=1,
        description="What is asked, and what must be said to it.",
        examples=[[{"name": "a merge waits", "when": {"action": "merge"}, "then": {"decision": "deny"}}]],
    )

    @model_validator(mode="after")
    def _names_once(self) -> ScenarioFile:
        seen: set[str] = set()
        for index, case in enumerate(self.scenarios):
            if case.name in seen:
                hint = "Say in the name how they differ."
                raise mistake(f"There are two scenarios {case.name!r}", hint, "scenarios", index, "name")
            seen.add(case.name)
        return self


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `over` has in its place; mappings are merged at every depth, other values replaced."""
    found = dict(base)
    for key, value in over.items():
        below = found.get(key)
        found[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return found

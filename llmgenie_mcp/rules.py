"""What a policy is: rules that deny, ask or allow, where they apply, and the way out of a refusal.

The shape follows Cedar (effect, condition, reason apart from code) and Kubernetes admission policies (a condition with
its message). Models are frozen: a definition never changes after loading.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from llmgenie_mcp.expressions import (
    Expression,
    Problem,
    Vocabulary,
    facts_read,
    message_names,
    templates,
)
from llmgenie_mcp.expressions.fix import Fix
from llmgenie_mcp.expressions.mistake import mistake
from llmgenie_mcp.expressions.patterns import covers
from llmgenie_mcp.expressions.sources import ExpressionSource, MessageSource, not_empty

Effect: TypeAlias = Literal["deny", "ask", "allow"]
Level: TypeAlias = Literal["always_on", "situational", "audit"]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
RuleId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=60)]
Pattern: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]

ALWAYS = "true"


Patterns: TypeAlias = Annotated[
    tuple[Pattern, ...], AfterValidator(not_empty), Field(json_schema_extra={"minItems": 1})
]


class Part(BaseModel):
    """Base of a policy and its parts: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Rule(Part):
    """One condition and what it leads to. Deny goes over ask, ask over allow, in whatever order they stand."""

    id: RuleId = Field(description="Unique within the policy; shown with every refusal.", examples=["no-direct-push"])
    effect: Effect = Field(
        description="deny: refuse. ask: a person must agree. allow: noted, with its obligations; lifts no other rule."
    )
    when: ExpressionSource = Field(
        default=ALWAYS,
        description="Condition in the expression language; left out: always. An unknown fact makes deny and ask match.",
        examples=["resource.branch in params.protected and not approval.granted"],
    )
    reason: MessageSource = Field(
        default="",
        description="Why, and what to do instead; `{dotted.names}` are filled in. Needed for deny and ask.",
        examples=["{resource.branch} is protected: push a branch and open a review."],
    )
    fix: Fix | None = Field(default=None, description="An action that would help.")
    obligations: tuple[str | dict[str, JsonValue], ...] = Field(
        default=(), description="What must be done along with the decision, such as `log` or {notify: security}."
    )

    @model_validator(mode="after")
    def _check_reason(self) -> Rule:
        if self.effect != "allow" and not self.reason.strip():
            hint = "Write what the agent should do instead: it reads this and nothing else."
            raise mistake("A refusal needs a reason", hint, "reason")
        return self

    @property
    def condition(self) -> Expression:
        """`when`, parsed; remembered by `Expression.parse`."""
        return Expression.parse(self.when)

    @property
    def unconditional(self) -> bool:
        """Whether it matches always."""
        return self.condition.normal.lower() == ALWAYS

    def messages(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Its templates, each with the keys that lead to it."""
        yield ("reason",), self.reason
        if self.fix is not None:
            yield ("fix", "message"), self.fix.message
            yield from templates(self.fix.params, ("fix", "params"))

    def names(self) -> frozenset[str]:
        """The dotted names that its condition and messages read, without the policy's own `params.…`."""
        return facts_read(self.condition, (text for _, text in self.messages()))


class AppliesTo(Part):
    """Where a policy applies. In patterns `*` stands for any characters, `?` for one, `[abc]` for one of a set."""

    actions: Patterns = Field(
        default=("*",),
        description="Names or patterns of actions and agent operations.",
        examples=[["merge", "git.*"]],
    )
    modes: Patterns = Field(default=("*",), description="Names or patterns of modes; `*` is every mode and none.")

    def covers(self, action: str, mode: str | None) -> bool:
        """Whether it applies to `action` in `mode`; None is outside any mode, where only `*` applies."""
        return covers(self.actions, self.modes, action, mode)


class Policy(Part):
    """Rules about actions, and where they apply."""

    name: Name = Field(description="Unique among policies; the file is named after it.")
    version: int = Field(default=1, ge=1, description="Raise it when rules change meaning.")
    description: str = Field(default="", description="One sentence: what it protects.")
    level: Level = Field(
        description="always_on: in force wherever it applies. situational: in force only in the situations that "
        "applies_to names. audit: never refuses; what it would have refused is logged."
    )
    applies_to: AppliesTo = Field(
        default=AppliesTo.model_construct(), description="Actions and modes; left out: all of them."
    )
    params: dict[Name, JsonValue] = Field(
        default={},
        description="Values that rules read as `params.<key>`, so that a project can change them without the rules.",
        examples=[{"protected": ["main", "develop"]}],
    )
    rules: Annotated[tuple[Rule, ...], AfterValidator(not_empty)] = Field(
        json_schema_extra={"minItems": 1},
        examples=[[{"id": "no-direct-push", "effect": "deny", "reason": "Push a branch and open a review."}]],
        description="All of them are evaluated; deny over ask over allow.",
    )
    metadata: dict[str, JsonValue] = Field(default={}, description="Free keys for your own tools.")

    @model_validator(mode="after")
    def _check_ids(self) -> Policy:
        seen: set[str] = set()
        for index, rule in enumerate(self.rules):
            if rule.id in seen:
                hint = "Every refusal names its rule; give each its own id."
                raise mistake(f"There are two rules {rule.id!r}", hint, "rules", index, "id")
            seen.add(rule.id)
        return self

    def names(self) -> frozenset[str]:
        """The dotted names that conditions and messages read, without the policy's own `params.…`."""
        return frozenset().union(*(rule.names() for rule in self.rules))


class Adjustment(Part):
    """What a project changes of a policy that it leaves as it is otherwise."""

    params: dict[Name, JsonValue] = Field(
        default={},
        description="Values in place of the policy's own params.",
        examples=[{"protected": ["main", "develop"]}],
    )
    add: dict[Name, tuple[JsonValue, ...]] = Field(
        default={},
        description="What is added to params that are lists.",
        examples=[{"secret_files": ["config/production.yml"]}],
    )


def check_policy(policy: Policy, vocabulary: Vocabulary) -> list[Problem]:
    """What is certainly a mistake in a policy that reads well.

    Args:
        policy: a valid policy.
        vocabulary: the facts there are; `params.…` is added from the policy itself.

    Returns:
        Undeclared names in conditions and messages, rules that cannot matter, a situational policy for every situation.
    """
    known = vocabulary.narrowed("params", policy.params)
    problems: list[Problem] = []
    for index, rule in enumerate(policy.rules):
        loc: tuple[str | int, ...] = ("rules", index)
        problems += [
            Problem((*loc, "when"), message, hint, offset) for offset, message, hint in known.check(rule.condition)
        ]
        for place, text in rule.messages():
            found = known.check_names(message_names(text))
            problems += [Problem((*loc, *place), message, hint, offset) for offset, message, hint in found]
        problems += _idle(policy, index)
    if policy.level == "situational" and policy.applies_to == AppliesTo():
        hint = "Name actions or modes, or make it always_on."
        problems.append(Problem(("applies_to",), "A situational policy needs a situation.", hint))
    return problems


def _idle(policy: Policy, index: int) -> Iterator[Problem]:
    """Why a rule cannot matter: deny goes over ask and allow wherever it stands, so an equal deny makes them idle."""
    rule = policy.rules[index]
    for number, other in enumerate(policy.rules):
        if number == index:
            continue
        same = other.condition.normal == rule.condition.normal
        if other.effect == "deny" and other.unconditional and (number < index or rule.effect != "deny"):
            message = f"Rule {rule.id!r} can never matter: {other.id!r} denies always."
        elif same and number < index and other.effect == rule.effect:
            message = f"Rule {rule.id!r} repeats {other.id!r}: same effect, same condition."
        elif same and other.effect == "deny" and rule.effect != "deny":
            message = f"Rule {rule.id!r} can never matter: {other.id!r} denies under the same condition."
        else:
            continue
        yield Problem(("rules", index, "id"), message, "Remove one of the two, or make their conditions differ.")
        return


__all__ = ["Adjustment", "AppliesTo", "Effect", "Fix", "Level", "Policy", "Rule", "check_policy"]

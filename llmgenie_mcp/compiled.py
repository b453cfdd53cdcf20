"""Policies as plain data, ready to decide without pydantic and without a YAML parser: what a hook reads when no server runs.

The file lies in the user's state folder, outside every project, and counts only while nothing behind it has changed:
the definitions of the project, the record of trust, the packaged policies, what is installed, and llmgenie itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from llmgenie_mcp import kept
from llmgenie_mcp.expressions import Expression, facts_read, templates
from llmgenie_mcp.expressions.patterns import covers
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.kept import mark_of, place
from llmgenie_mcp.policy import PolicySet

if TYPE_CHECKING:
    from llmgenie_mcp.outbox import Routes
    from llmgenie_mcp.rules import Policy


@dataclass(frozen=True)
class Fix:
    """As `rules.Fix`."""

    action: str
    params: dict[str, Any]
    message: str


@dataclass(frozen=True)
class Rule:
    """As `rules.Rule`, as far as deciding needs it."""

    id: str
    effect: str
    when: str
    reason: str
    fix: Fix | None
    obligations: tuple[Any, ...]

    @property
    def condition(self) -> Expression:
        """`when`, parsed; remembered by `Expression.parse`."""
        return Expression.parse(self.when)

    def names(self) -> frozenset[str]:
        """The dotted names that its condition and messages read, without the policy's own `params.…`."""
        texts = [self.reason]
        if self.fix is not None:
            texts += [self.fix.message, *(text for _, text in templates(self.fix.params, ()))]
        return facts_read(self.condition, texts)


@dataclass(frozen=True)
class AppliesTo:
    """As `rules.AppliesTo`."""

    actions: tuple[str, ...]
    modes: tuple[str, ...]

    def covers(self, action: str, mode: str | None) -> bool:
        """Whether it applies to `action` in `mode`; None is outside any mode, where only `*` applies."""
        return covers(self.actions, self.modes, action, mode)


@dataclass(frozen=True)
class CompiledPolicy:
    """As `rules.Policy`, as far as deciding needs it."""

    name: str
    level: str
    applies_to: AppliesTo
    params: dict[str, Any]
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Compiled:
    """What a hook needs of a project's definitions.

    Attributes:
        policies: in force, as plain data.
        initial_mode: the mode of a project that no session has set one for.
        trusted: whether a person accepted the project's own definitions.
        broken: why the project's own definitions could not be read; empty when they could.
        waiting: who waits for which events, as plain data.
        closed: whether what is broken may hold a critical policy, so that nothing that changes anything may pass.
        plugged: the folders in which plug-ins have policies.
    """

    policies: tuple[dict[str, Any], ...]
    initial_mode: str
    trusted: bool
    broken: str = ""
    closed: bool = False
    waiting: tuple[dict[str, Any], ...] = ()
    plugged: tuple[str, ...] = ()

    @cached_property
    def routes(self) -> Routes:
        """Who waits for which events."""
        from llmgenie_mcp.outbox import Route

        return tuple(Route(**{**route, "patterns": tuple(route["patterns"])}) for route in self.waiting)

    @cached_property
    def policy_set(self) -> PolicySet:
        """The policies, ready to decide."""
        return policy_set(self.policies)


def compile_policies(policies: Iterable[Policy]) -> tuple[dict[str, Any], ...]:
    """The policies as JSON."""
    return tuple(policy.model_dump(mode="json") for policy in policies)


def policy_set(policies: Iterable[dict[str, Any]]) -> PolicySet:
    """What `compile_policies` made, ready to decide."""
    return PolicySet(cast("Iterable[Policy]", map(_policy, policies)))


def read(store: Path) -> Compiled | None:
    """What was kept for `store`; None when there is nothing, or something behind it has changed."""
    try:
        data = json.loads(place(store).read_bytes())
        if data.pop("mark") == mark_of(store, data["plugged"]):
            lists = ("policies", "waiting", "plugged")
            return Compiled(**{**data, **{name: tuple(data[name]) for name in lists}})
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        pass
    return None


def write(store: Path, compiled: Compiled, mark: object) -> None:
    """Keep it for the next hook; a state folder that cannot be written only costs the next hook its time.

    Args:
        store: the project's.
        compiled: what is kept.
        mark: `mark_of` from before the definitions were read: a change meanwhile must not go unnoticed.
    """
    kept.write(
        place(store), {"mark": mark, **{name: getattr(compiled, name) for name in compiled.__dataclass_fields__}}
    )


def _policy(data: dict[str, Any]) -> CompiledPolicy:
    return CompiledPolicy(
        data["name"],
        data["level"],
        AppliesTo(tuple(data["applies_to"]["actions"]), tuple(data["applies_to"]["modes"])),
        data["params"],
        tuple(
            Rule(
                rule["id"],
                rule["effect"],
                rule["when"],
                rule["reason"],
                Fix(**rule["fix"]) if rule["fix"] else None,
                tuple(rule["obligations"]),
            )
            for rule in data["rules"]
        ),
    )


__all__ = [
    "AppliesTo",
    "Compiled",
    "CompiledPolicy",
    "Fix",
    "Rule",
    "compile_policies",
    "mark_of",
    "place",
    "policy_set",
    "read",
    "write",
]

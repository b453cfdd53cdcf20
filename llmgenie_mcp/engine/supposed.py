"""The policies are asked in a situation that is only supposed: what a scenario gives is known, and nothing else.

Neither store nor repository is read. The policies alone are asked; whether a workflow's state opens an action is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from llmgenie_mcp import validation
from llmgenie_mcp.config import Settings
from llmgenie_mcp.engine import tooluse
from llmgenie_mcp.engine.definitions import Definitions
from llmgenie_mcp.engine.resources import resource_of
from llmgenie_mcp.engine.situation import BUILT_IN, Situation, World, request_of
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.operations import READING, Operation
from llmgenie_mcp.outcome import Actor, Document
from llmgenie_mcp.plugins import Action
from llmgenie_mcp.policy import Decision
from llmgenie_mcp.project import STORE, Project
from llmgenie_mcp.rules import Effect
from llmgenie_mcp.scenarios import Given, When, merged

ROOT = Path("/scenario/project")
"""Where a supposed project lies; there is no such folder, so that no link in it leads anywhere."""
ROLE = "developer"
NOTHING_YET: Mapping[str, Mapping[str, Any]] = {
    "approval": {"granted": False, "by": None, "id": None},
    "tests": {"last": {"passed": False, "commit": None, "at": None, "run": None}},
}
"""What the signals answer in a project where nothing has happened yet."""
_STRICTNESS: tuple[Effect, ...] = ("allow", "ask", "deny")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the policies said to one operation or action; `params` are those asked with, None where it was in general."""

    name: str
    params: Mapping[str, Any] | None
    decision: Decision

    def to_dict(self) -> Document:
        """As JSON."""
        return {"name": self.name, "params": self.params, **self.decision.to_dict()}


class _Empty:
    """A reader of a store without documents."""

    def get(self, table: str, id: str) -> Document | None:  # noqa: A002, ARG002
        return None

    def all(self, table: str, where: Mapping[str, object] | None = None) -> list[Document]:  # noqa: ARG002
        return []

    def each(self, *_asked: object, **_more: object) -> Iterator[Document]:
        return iter(())

    def count(self, table: str, where: Mapping[str, object] | None = None) -> int:  # noqa: ARG002
        return 0


@dataclass(slots=True)
class Supposed(Situation):
    """A situation that knows the facts it was given, and no store, folder or repository."""

    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """A folder that does not exist."""
        return self.project.root

    def fact(self, name: str) -> Any:
        """The value of one dotted name as given; UNKNOWN when it was not."""
        if name.partition(".")[0] in BUILT_IN:
            return Situation.fact(self, name)  # super() does not find its class in a dataclass with slots
        value: Any = self.given
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return UNKNOWN
            value = value[part]
        return value


def ask(definitions: Definitions, given: Given, when: When, only: str | None = None) -> tuple[Answer, ...]:
    """What the policies say to `when` in the situation `given`: an answer for each operation it comes to.

    Args:
        definitions: of the project.
        given: the situation.
        when: what is asked.
        only: name of one policy to ask instead of all.
    """
    policies = definitions.policies
    if when.action is not None:
        situation = suppose(definitions, given)
        _take_action(situation, definitions.actions[when.action], when.params)
        return (Answer(when.action, when.params, policies.decide(request_of(policies, situation), only=only)),)
    answers = []
    for operation in _operations(when, given):
        situation = suppose(definitions, given)
        _take_operation(situation, operation)
        decision = policies.decide(request_of(policies, situation), only=only)
        answers.append(Answer(operation.name, operation.params, decision))
    return tuple(answers)


def suppose(definitions: Definitions, given: Given) -> Supposed:
    """The situation that `given` describes."""
    mode = given.mode or definitions.workflows["modes"].initial
    session = None
    if given.session is not None:
        session = {**given.session.model_dump(), "role": given.role or ROLE, "mode": mode}
    return Supposed(
        Project(ROOT, ROOT / STORE, "a scenario"),
        Settings(),
        _Empty(),
        Actor(given.actor.kind, given.actor.id),
        session,
        mode,
        World(),
        definitions.workflows,
        definitions.trusted,
        instance=given.instance.model_dump() if given.instance else None,
        given=merged(NOTHING_YET, given.facts),
    )


def strictest(effects: Iterable[Effect]) -> Effect:
    """The effect that counts where several are given; allow where none is."""
    return max(effects, key=_STRICTNESS.index, default="allow")


def _take_action(situation: Situation, offer: Action, params: Mapping[str, Any] | None) -> None:
    situation.action, situation.changes, situation.destructive = offer.name, offer.changes, offer.destructive
    if params is None:
        return
    args = validation.check(offer, params, None)[1]
    situation.params = args.model_dump(mode="json")
    if offer.resource:
        situation.resource = offer.resource(situation, args)


def _take_operation(situation: Situation, operation: Operation) -> None:
    name, params = operation.name, operation.params
    situation.action, situation.changes, situation.params = name, name not in READING, params
    resource = resource_of(situation, name, params)
    if not params.get("branch") and not _is_inside(operation.folder):
        resource.pop("branch", None)  # `git.branch` is that of the project; of another checkout nothing is known
    situation.resource = resource


def _is_inside(folder: str | None) -> bool:
    return folder is not None and not folder.startswith(("/", "~", ".."))


def _operations(when: When, given: Given) -> Iterator[Operation]:
    """All that is asked for."""
    if when.operation is not None:
        yield Operation(when.operation, when.params or {})
    elif when.tool is not None:
        server, _, tool = when.tool.partition("/")
        yield from tooluse.of_server(server, tool, when.params or {}, lambda push: [_resolved(push, given)])
    else:
        yield from tooluse.of_command(when.command or "", None, lambda push: [_resolved(push, given)])


def _resolved(operation: Operation, given: Given) -> Operation:
    """A push whose destination git would look up goes to the upstream given, else to the same name.

    That is what git does by default (`push.default=simple`) wherever it pushes at all.
    """
    params = dict(operation.params)
    unresolved = params.pop("unresolved", None)
    if unresolved is None:
        return operation
    facts = given.facts.get("git", {})
    upstream = facts.get("upstream")
    if unresolved == "default" and isinstance(upstream, str):
        params["branch"] = upstream.partition("/")[2]
    else:
        params["branch"] = facts.get("branch") if unresolved in {"default", "HEAD"} else None
    return replace(operation, params=params)

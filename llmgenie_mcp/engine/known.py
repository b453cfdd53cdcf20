"""What is open, and what policies say, told by definitions as plain data: the Engine's judge, without pydantic.

An action is kept with the names of the functions that say whether it is open; they are imported when they are asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from llmgenie_mcp import validation
from llmgenie_mcp.compiled import compile_policies, policy_set
from llmgenie_mcp.engine import judge, overview
from llmgenie_mcp.engine.situation import Situation, StoreReader, World, situation_in
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.operations import OPERATIONS
from llmgenie_mcp.outcome import Actor, Document
from llmgenie_mcp.plugins import Action

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llmgenie_mcp.config import Settings
    from llmgenie_mcp.engine.definitions import Definitions
    from llmgenie_mcp.engine.flow import Flow
    from llmgenie_mcp.engine.judge import Judgement
    from llmgenie_mcp.policy import Decision, PolicySet
    from llmgenie_mcp.project import Project
    from llmgenie_mcp.storage import Storage

PACKAGE = __name__.partition(".")[0]
NAMED = ("commands", "calls", "ci", "models", "notifications", "trackers", "upstreams")
"""Parts of the settings of which an action may need that they name something."""
ASKED = ("name", "description", "changes", "everywhere", "destructive", "group", "needs", "usage")
"""What is kept of an action, beside what says whether it is open."""


class Unkept(Exception):
    """Something says whether an action is open that has no name by which it could be found again."""


def plain(definitions: Definitions) -> Document | None:
    """What `known` needs beside the workflows, as JSON; None when one of them can only be judged by itself.

    Those of a group are judged when they are searched for, which is not done here: only that they are there is kept.
    """
    if any(_is_foreign(action.run) for action in definitions.actions.values()):
        return None  # somebody else's code may change without a mark, and then says something else
    try:
        offers = [
            {"name": action.name, "group": action.group}
            if action.group
            else {
                **{name: value for name in ASKED if (value := getattr(action, name)) or name == "changes"},
                "ready": _name_of(action.ready),
                "move": _name_of(action.move),
            }
            for action in definitions.actions.values()
        ]
    except Unkept:
        return None
    names = {part: [*getattr(definitions.settings, part)] for part in NAMED}
    return {"policies": compile_policies(definitions.policies), "offers": offers, "names": names}


def known(workflows: Mapping[str, Flow], judged: Document, trusted: bool) -> Known:
    """What `plain` made `judged` of.

    Raises:
        TypeError, KeyError, ValueError, AttributeError: it made it of nothing.
    """
    actions = {offer["name"]: _action(offer) for offer in judged["offers"]}
    names = {part: tuple(judged["names"][part]) for part in NAMED}
    return Known(workflows, policy_set(judged["policies"]), actions, names, trusted)


@dataclass(frozen=True)
class Known:
    """Definitions that can say what is open.

    Attributes:
        workflows: by name.
        policies: in force.
        actions: by name; they can be judged and told, and not run.
        names: of the settings, by part.
        trusted: whether a person accepted the project's own definitions.
    """

    workflows: Mapping[str, Flow]
    policies: PolicySet
    actions: Mapping[str, Action]
    names: Mapping[str, Sequence[str]]
    trusted: bool

    def available(
        self, project: Project, storage: Storage, context: str | None, session: str | None, blocked: bool, limit: int
    ) -> Document:
        """As `Engine.available_actions` without a query, for an agent."""
        situation = self._situation(project, storage, session, Actor())
        label = overview.place(situation, context)
        return overview.available(cast("Definitions", self), situation, label, blocked, None, limit)

    def can_decide(self, action: str, params: Mapping[str, Any] | None) -> bool:
        """Whether `decide` knows enough of it.

        It does not of parameters that an action's model checks, of a command to be read, and of one of a group.
        """
        if action in self.actions:
            return not params and not self.actions[action].group
        return action in OPERATIONS and not (action == "shell" and params)

    def decide(
        self,
        project: Project,
        storage: Storage,
        only: str | None,
        action: str,
        params: Mapping[str, Any] | None,
        session: str | None,
        actor: Actor,
    ) -> Decision:
        """As `Engine.enforce`, for what it `can_decide`."""
        situation = self._situation(project, storage, session, actor)
        return overview.decide(cast("Definitions", self), situation, only, action, params)

    def judge(
        self, offer: Action, situation: Situation, args: BaseModel | None, *, every_reason: bool = True
    ) -> Judgement:
        """As `Definitions.judge`, for `args` None."""
        situation.params = None
        return judge.judge(cast("Any", self.catalog), self.policies, offer, situation, args, every_reason=every_reason)

    def _situation(self, project: Project, storage: Storage, session: str | None, actor: Actor) -> Situation:
        if session is not None:
            validation.check_name(session, "session")
        return situation_in(
            project,
            StoreReader(storage),
            session,
            actor,
            World(),
            settings=cast("Settings", _Settings(project.store, self.names)),
            workflows=cast("Any", self.workflows),
            trusted=self.trusted,
            initial_mode=self.workflows["modes"].initial,
        )

    @cached_property
    def catalog(self) -> _Catalog:
        """The workflows as a judge looks them up."""
        return _Catalog({name: _Entry(flow) for name, flow in self.workflows.items()})


class _Entry(NamedTuple):
    value: Flow


class _Catalog(NamedTuple):
    workflows: Mapping[str, _Entry]


class _Usage:
    """Stands for the parameters of an action: only how they are told is known."""

    def __init__(self, line: str) -> None:
        self.line = line

    def usage_line(self) -> str:
        """See `plugins.Action.usage`."""
        return self.line


class _Settings:
    """What settings name, without what they say of it; for anything else the file is read.

    Args:
        store: the project's.
        names: by part.
    """

    def __init__(self, store: Path, names: Mapping[str, Sequence[str]]) -> None:
        self._store = store
        for part, known in names.items():
            setattr(self, part, _Names(known, partial(self._part, part)))

    @cached_property
    def _read(self) -> Settings:
        from llmgenie_mcp.loader.settings import load_settings

        return load_settings(self._store)

    def _part(self, part: str) -> Any:
        return getattr(self._read, part)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._read, name)


class _Names(Mapping[str, Any]):
    """A part of the settings, read when more than a name is asked for."""

    def __init__(self, names: Sequence[str], read: Callable[[], Mapping[str, Any]]) -> None:
        self._names = dict.fromkeys(names)
        self._part = read

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> Any:
        return self._part()[name]


def _action(offer: Document) -> Action:
    told = {name: offer[name] for name in ASKED if name in offer and name != "usage"}
    ready, move = (_function(offer[name]) if offer.get(name) else None for name in ("ready", "move"))
    params = cast("type[BaseModel]", _Usage(offer.get("usage", "")))
    return Action(**{"description": "", **told}, params=params, run=_not_run, ready=ready, move=move)


def _not_run(_ctx: Any, _params: Any) -> Document:
    raise RuntimeError("what is known of an action is not enough to run it")


def _name_of(function: Callable[..., Any] | None) -> list[Any] | None:
    """How a `ready` or `move` is found again: its module, name, and the values it holds; None when it is not asked.

    Raises:
        Unkept: it cannot be.
    """
    if function is None or getattr(function, "given", False):
        return None
    kind = type(function) if is_dataclass(function) else function
    module, name = kind.__module__, kind.__qualname__
    if _is_foreign(kind) or getattr(sys.modules[module], name, None) is not kind:
        raise Unkept(name)
    return [module, name, asdict(function) if is_dataclass(function) and not isinstance(function, type) else None]


def _is_foreign(function: Any) -> bool:
    return str(function.__module__).partition(".")[0] != PACKAGE


def _function(named: list[Any]) -> Callable[[Any, Any], Any]:
    """What `_name_of` described, imported when it is called."""
    module, name, values = named
    if module.partition(".")[0] != PACKAGE:
        raise ValueError(f"{module} is not ours")

    def asked(situation: Any, params: Any) -> Any:
        found = getattr(import_module(module), name)
        return (found if values is None else found(**values))(situation, params)

    return asked

"""What is known at the moment something is asked: who, where, about what, and the facts that guards and rules may use.

Facts are read only when a name asks for them. Facts from outside the store (git, files) are kept in a `World`, so that
they are read once, before the lock is taken, and every judgement of one request sees the same ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llmgenie_mcp import plugins, redact
from llmgenie_mcp.engine.asking import Ask
from llmgenie_mcp.engine.standing import (
    ENGINE_WORKFLOWS,
    PROJECT_MODE,
    StoreReader,
    open_instances,
    session_and_mode,
)
from llmgenie_mcp.expressions import UNKNOWN, Vocabulary
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Actor, Document, Event, Outcome
from llmgenie_mcp.plugins import Move
from llmgenie_mcp.policy import PolicyRequest, PolicySet
from llmgenie_mcp.project import Project
from llmgenie_mcp.storage import Transaction

if TYPE_CHECKING:
    from llmgenie_mcp.config import Settings
    from llmgenie_mcp.outbox import Cause, Delivery, Routes
    from llmgenie_mcp.workflow import Workflow

BUILT_IN = {
    "subject": ("kind", "id", "role"),
    "action": ("name", "changes", "destructive", "secrets"),
    "resource": (
        "type", "id", "branch", "source", "remote", "force", "no_verify",
        "path", "outside_project", "command", "version", "url", "tag", "delete", "amend", "hard", "message",
        "task_missing", "secrets", "secret_paths", "what", "why", "touches", "server", "tool", "method",
        "reviewed", "first", "holds_llmgenie", "read_only", "destructive",
    ),
    "context": ("mode", "project"),
    "session": ("id", "open", "status", "mode", "role", "task", "branch"),
    "instance": ("id", "workflow", "state", "subject", "created_by"),
}  # fmt: skip
"""Names that every request answers, by root; `action.params` has whatever the action takes."""


class Reader(Protocol):
    """Read access to documents, inside a transaction or outside."""

    def get(self, table: str, id: str) -> Document | None:  # noqa: A002
        """The document, or None."""

    def all(self, table: str, where: Mapping[str, object] | None = None) -> list[Document]:
        """Documents whose fields equal those of `where`, in the order they were first put."""

    def each(
        self, table: str, where: Mapping[str, object] | None = None, *, newest_first: bool = False
    ) -> Iterator[Document]:
        """As `all`, or the other way round, one after the other: who stops early pays for no more."""

    def count(self, table: str, where: Mapping[str, object] | None = None) -> int:
        """How many there are."""


@dataclass(frozen=True, slots=True)
class TransactionReader:
    """Reads inside a transaction, its own writes included."""

    tx: Transaction

    def get(self, table: str, id: str) -> Document | None:  # noqa: A002
        """The document, or None."""
        return self.tx.get(table, id)

    def all(self, table: str, where: Mapping[str, object] | None = None) -> list[Document]:
        """Documents whose fields equal those of `where`."""
        return self.tx.query(table, where)

    def each(
        self, table: str, where: Mapping[str, object] | None = None, *, newest_first: bool = False
    ) -> Iterator[Document]:
        """As `all`, or the other way round, one after the other."""
        return self.tx.each(table, where, newest_first=newest_first)

    def count(self, table: str, where: Mapping[str, object] | None = None) -> int:
        """How many there are."""
        return self.tx.count(table, where)


def own_triggers(workflows: Mapping[str, Workflow]) -> frozenset[str]:
    """Triggers that are asked for by their own name."""
    return frozenset().union(*(flow.triggers for name, flow in workflows.items() if name not in ENGINE_WORKFLOWS))


@dataclass(slots=True)
class World:
    """Facts from outside the store, each read once per request."""

    known: dict[tuple[str, str], Any] = field(default_factory=dict)

    def once(self, root: str, name: str, read: Callable[[], Any]) -> Any:
        """The fact, read now if it was not before."""
        if (root, name) not in self.known:
            self.known[root, name] = read()
        return self.known[root, name]


@dataclass(slots=True)
class Situation:
    """One request, with everything that may be asked about it.

    Attributes:
        project: where.
        known_settings: the project's; None when they are not loaded yet. Read `settings`.
        reader: the documents.
        actor: who asks.
        session: the session's document, or None outside any session.
        mode: the mode in force.
        action, changes, destructive: what is asked for.
        params: its parameters; None while only availability is asked (then everything about them is unknown).
        resource: what it is about, as policies see it.
        move: the transition that goes with it.
        instance: the document of the instance concerned: that of `move`, else the session's.
        workflows: the definitions in force.
        trusted: whether a person accepted the project's own definitions.
        judge: what the Engine would say to an action by name, as `judge(situation, action, params)`; changes the situation.
        place: the checkout an operation is about, where that is another than the session's.
    """

    project: Project
    known_settings: Settings | None
    reader: Reader
    actor: Actor
    session: Document | None
    mode: str
    world: World
    workflows: Mapping[str, Workflow]
    trusted: bool
    action: str = ""
    changes: bool = True
    destructive: bool = False
    params: Mapping[str, Any] | None = None
    resource: Mapping[str, Any] = field(default_factory=dict)
    move: Move | None = None
    instance: Document | None = None
    judge: Callable[[Situation, str, Mapping[str, Any]], Any] | None = None
    place: Path | None = None
    _secrets: tuple[Any, list[str]] | None = field(default=None, init=False, repr=False)
    _told: tuple[Document | None, dict[str, Any]] | None = field(default=None, init=False, repr=False)

    @property
    def settings(self) -> Settings:
        """The project's settings; a hook loads them only when a fact needs them."""
        if self.known_settings is None:
            from llmgenie_mcp.loader.settings import load_settings

            self.known_settings = load_settings(self.project.store)
        return self.known_settings

    @property
    def folder(self) -> Path:
        """Where the work happens: `place`, else the session's worktree while it exists, else the project's folder."""
        if self.place is not None:
            return self.place
        worktree = (self.session or {}).get("worktree")
        return Path(worktree) if worktree and Path(worktree).is_dir() else self.project.root

    @property
    def workflow(self) -> Workflow | None:
        """What the instance concerned runs by; None when there is none, or its definition was taken away."""
        return self.workflows.get(self.instance["workflow"]) if self.instance else None

    @property
    def role(self) -> str | None:
        """The session's role; None outside any session."""
        return self.session.get("role") if self.session else None

    def fact(self, name: str) -> Any:
        """The value of one dotted name, such as `git.branch`; UNKNOWN when it cannot be known."""
        root, _, rest = name.partition(".")
        if root in BUILT_IN:
            value: Any = self.built_in().get(root)
            for part in rest.split("."):
                if not isinstance(value, Mapping) or part not in value:
                    return UNKNOWN
                value = value[part]
            return value
        signal = plugins.signal_of(root)
        if signal is None:
            return UNKNOWN
        if signal.outside:
            return self.world.once(self._key(root, rest), rest, lambda: signal.read(rest, self))
        return signal.read(rest, self)

    def facts(self, names: Iterable[str]) -> dict[str, Any]:
        """The facts behind `names`, as the nested mapping that expressions read; unknown ones are left out."""
        found: dict[str, Any] = dict(self.built_in())
        for name in names:
            root, _, rest = name.partition(".")
            if root in BUILT_IN or root == "params" or not rest:
                continue
            value = self.fact(name)
            if value is UNKNOWN:
                continue
            place = found.setdefault(root, {})
            *way, last = rest.split(".")
            for part in way:
                place = place.setdefault(part, {})
            place[last] = value
        return found

    def _key(self, root: str, field: str) -> str:
        """Under which a fact is kept: what it is about belongs to it."""
        where = f"{root}@{self.place or (self.session or {}).get('worktree', '')}"
        if root == "git" and not field.startswith("subject_"):
            return where
        return f"{where}@{(self.instance or {}).get('id', '')}@{self.resource.get('source', '')}"

    def session_facts(self) -> Mapping[str, Any]:
        """Made once for each session document: every action of a list asks for them."""
        session = self.session
        if self._told is None or self._told[0] is not session:
            told: dict[str, Any] = {"id": None, "open": False, "status": None}
            if session is not None:
                told = {**{k: session.get(k) for k in BUILT_IN["session"]}, "open": session["status"] == "active"}
            self._told = (session, told)
        return self._told[1]

    def built_in(self) -> dict[str, Any]:
        """The facts that need no looking up."""
        action: dict[str, Any] = {"name": self.action, "changes": self.changes, "destructive": self.destructive}
        if self._secrets is None or self._secrets[0] is not self.params:
            self._secrets = (self.params, redact.find(self.params))
        action["secrets"] = self._secrets[1]
        if self.params is not None:
            action["params"] = self.params
        known: dict[str, Any] = {
            "subject": {"kind": self.actor.kind, "id": self.actor.id, "role": self.role},
            "action": action,
            "resource": self.resource,
            "context": {"mode": self.mode, "project": self.project.name},
            "session": self.session_facts(),
        }
        if self.instance is not None:
            known["instance"] = {k: self.instance.get(k) for k in BUILT_IN["instance"]}
        return known


def situation_in(
    project: Project,
    reader: Reader,
    session: str | None,
    actor: Actor,
    world: World,
    *,
    settings: Settings | None,
    workflows: Mapping[str, Workflow],
    trusted: bool,
    initial_mode: str,
    judge: Callable[[Situation, str, Mapping[str, Any]], Any] | None = None,
) -> Situation:
    """What is known when `actor` asks something in `session`; the mode is the session's, else the project's.

    Raises:
        UnknownName: there is no such session.
    """
    document, mode = session_and_mode(reader, session, initial_mode)
    return Situation(project, settings, reader, actor, document, mode, world, workflows, trusted, judge=judge)


@dataclass(slots=True)
class ActionContext:
    """What a running action gets.

    Attributes:
        situation: who asks what, and the facts.
        tx: the open transaction; None while a slow action runs outside the lock.
        events: events to be committed with the action's end; use `emit`.
        deliveries: what is to be delivered once the action's end is committed; use `deliver`.
        kept: documents of a slow action that are written with its end, unless it fails; use `keep`.
        run: fields for the action's Run record (slow actions only).
        routes: who waits for which events.
        cause: why the engine acts by itself; None when somebody asked.
        run_id: of the Run record (slow actions only); set before the start to go on with a run that broke off.
        act: runs another action as this caller, in this session: `Engine.run_action` but for `session` and `actor`.
        cancel: set when the caller gave up; a slow action stops what it started.
        prepared: what the action's `prepare` returned.
        ask: puts a question of somebody else's program to the person behind the caller; None: there is none.
    """

    situation: Situation
    tx: Transaction | None = None
    events: list[Event] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    kept: list[tuple[str, str, Document]] = field(default_factory=list)
    run: Document = field(default_factory=dict)
    cancel: threading.Event = field(default_factory=threading.Event)
    report: Callable[[float, float | None, str], None] | None = None
    routes: Routes = ()
    cause: Cause | None = None
    run_id: str | None = None
    act: Callable[..., Outcome] | None = None
    prepared: Any = None
    ask: Ask | None = None

    @property
    def write(self) -> Transaction:
        """The open transaction, for actions that are not slow."""
        if self.tx is None:
            raise RuntimeError("a slow action has no transaction while it runs")
        return self.tx

    def deliver(self, kind: str, name: str, payload: Document, *, lane: str = "") -> None:
        """Have a sink deliver something after the action's end: `kind` and `name` say where, see `outbox.Delivery`."""
        from llmgenie_mcp.outbox import Delivery  # most of what is asked leads to none

        self.deliveries.append(Delivery(kind, name, payload, lane))

    def keep(self, table: str, prefix: str, document: Document) -> None:
        """Have a document written, when a slow action has done its work, under the next id of `prefix`.

        The result names it then: {"kept": ["opinions/OPN-1"]}.
        """
        self.kept.append((table, prefix, document))

    def progress(self, done: float, total: float | None, message: str) -> None:
        """Tell the caller how far it is; may be called from any thread."""
        if self.report is None:
            return
        try:
            self.report(done, total, message)
        except Exception:
            import logging

            logging.getLogger(__name__).exception("progress could not be told")
            self.report = None  # who does not listen is not told again; the work goes on


def request_of(policies: PolicySet, situation: Situation) -> PolicyRequest:
    """What the policies are asked about `situation`, with the facts that their rules mention."""
    facts = situation.facts(policies.names(situation.action, situation.mode))
    return PolicyRequest(
        subject=facts.pop("subject"),
        action=situation.action,
        params=situation.params,
        resource=facts.pop("resource"),
        context=facts.pop("context"),
        facts=facts,
    )


def vocabulary(off: Collection[str] = ()) -> Vocabulary:
    """Every name that guards and rules may use; `off` are plug-ins that have no say."""
    names = {f"{root}.{name}" for root, fields in BUILT_IN.items() for name in fields} | {"action.params.*"}
    for root, signal in plugins.signals().items():
        if plugins.origin("signals", root) not in off:
            names |= {f"{root}.{name}" for name in signal.fields}
    return Vocabulary(names)


__all__ = ["ENGINE_WORKFLOWS", "PROJECT_MODE", "StoreReader", "open_instances"]

"""The Engine: the one API that every face calls.

Synchronous and thread-safe: faces call it from threads. `run_action`, read from top to bottom, is the whole flow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel

from llmgenie_mcp import contextdata, marks, validation
from llmgenie_mcp.engine import answers, approvals, events, judge, oversight, overview, replay, runs
from llmgenie_mcp.engine.acting import Act
from llmgenie_mcp.engine.definitions import Definitions, load
from llmgenie_mcp.engine.guard import Guard
from llmgenie_mcp.engine.open_guard import guard_of
from llmgenie_mcp.engine.situation import ActionContext, Situation, StoreReader, TransactionReader, World, own_triggers
from llmgenie_mcp.engine.watcher import Callback, Watcher
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.loader.catalog import Catalog
from llmgenie_mcp.operations import OPERATIONS
from llmgenie_mcp.plugins import Action
from llmgenie_mcp.policy import Decision
from llmgenie_mcp.project import Project, resolve
from llmgenie_mcp.records import Actor, Document, Outcome
from llmgenie_mcp.storage import Storage, open_storage

Progress = Callable[[float, float | None, str], None]
AGENT = Actor()


class Engine:
    """A project's workflow, policies and memory.

    Use `Engine.open(folder)` as a context manager. Answers are JSON-compatible data; a refusal is an `Outcome` or a
    `Decision`, never an exception; every exception is an `LlmgenieError`.

    Attributes:
        project: the project as resolved.
        storage: its store.
    """

    def __init__(self, project: Project, storage: Storage) -> None:
        self.project = project
        self.storage = storage
        self._definitions: Definitions | None = None
        self._lock = threading.Lock()
        self._watcher = Watcher(storage)

    @classmethod
    def open(
        cls,
        project: str | Path | Project | None = None,
        *,
        store: str | None = None,
        read_only: bool = False,
    ) -> Self:
        """Open a project; nothing is written before the first act.

        Args:
            project: its folder; None looks at `LLMGENIE_PROJECT` and the current folder (`project.resolve`).
            store: storage URL instead of the project's `.llmgenie` folder, such as `memory:`.
            read_only: never write.

        Raises:
            ProjectError, DefinitionError (the settings), StorageError.
        """
        from llmgenie_mcp.loader.settings import load_settings

        found = project if isinstance(project, Project) else resolve(project)
        settings = load_settings(found.store)
        storage = open_storage(
            store or found.store,
            durability=settings.durability,
            lock_timeout=settings.lock_timeout,
            read_only=read_only,
        )
        engine = cls(found, storage)
        if not storage.read_only:
            runs.settle_orphans(storage)
        return engine

    def close(self) -> None:
        """Stop watching and release the store. May be called twice."""
        self._watcher.stop()
        self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what is defined ---------------------------------------------------------------------------------------------

    @property
    def definitions(self) -> Definitions:
        """What is in force now; loaded again when a file behind it changed."""
        with self._lock:
            known = self._definitions
            if known is None or known.mark != marks.definitions(self.project.store):
                self._definitions = known = load(self.project)
            return known

    @property
    def catalog(self) -> Catalog:
        """Workflows and policies with their origin."""
        return self.definitions.catalog

    def policy(self, name: str) -> Document:
        """A policy with its rules and origin. Raises UnknownName."""
        return overview.policy(self.definitions, name)

    def policies(self) -> list[Document]:
        """Name, level, origin and description of every policy."""
        return overview.policies(self.definitions)

    def enforcement_status(self) -> Document:
        """Which policies are in force, and what keeps enforcement from being complete."""
        return answers.enforcement(self.definitions, self._warnings(), self.project.store)

    def action_schema(self, name: str) -> Document:
        """JSON Schema of an action's parameters. Raises UnknownName."""
        return self.definitions.action(name).params.model_json_schema()

    # -- what is -----------------------------------------------------------------------------------------------------

    def available_actions(
        self,
        context: str | None = None,
        session: str | None = None,
        include_blocked: bool = False,
        query: str | None = None,
        limit: int = 50,
    ) -> Document:
        """What may be done.

        Args:
            context: a mode, a workflow, `workflow/state` or an instance id; None for where the caller is now.
            session: the caller's session id.
            include_blocked: also list what may not be done, with the reasons.
            query: words to search names and descriptions for; the best come first, with their schema.
            limit: at most this many.

        Raises:
            UnknownName: no such context or session.
        """
        situation = self._now(session)
        label = overview.place(situation, context)
        return overview.available(self.definitions, situation, label, include_blocked, query, limit)

    def workflow_state(self, session: str | None = None) -> Document:
        """Where things stand: project, mode, session, open instances with their next triggers, pending approvals.

        Raises:
            UnknownName: no such session.
        """
        situation = self._now(session)
        return overview.state(self.definitions, situation, self._warnings())

    def context_data(self, key: str, query: str | None = None, limit: int = 50, cursor: str | None = None) -> Document:
        """Documents by key; see `contextdata.read`."""
        self.storage.refresh()
        return contextdata.read(self.storage, key, query, limit, cursor)

    def complete_key(self, prefix: str) -> list[str]:
        """Context keys that start with `prefix`, at most 100."""
        self.storage.refresh()
        return contextdata.complete(self.storage, prefix)

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Call `callback(line)` from another thread after every commit, by whichever process; returns what ends it."""
        return self._watcher.subscribe(callback)

    # -- what is done ------------------------------------------------------------------------------------------------

    def run_action(
        self,
        action: str,
        params: Mapping[str, Any] | None = None,
        *,
        session: str | None = None,
        actor: Actor = AGENT,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> Outcome:
        """Run an action, if workflow and policies allow it.

        Args:
            action: its name.
            params: its parameters.
            session: the session it belongs to.
            actor: who acts; faces say `human` only when they saw a person.
            idempotency_key: repeating a request with the same key returns the first answer instead of acting again.
            progress: called as progress(done, total, message) by slow actions, from any thread.
            cancel: set it to stop a slow action.

        Raises:
            UnknownName, BadParams, DefinitionError, StorageError. A refusal is an Outcome.
        """
        definitions = self.definitions
        offer = definitions.action(action)
        asked, args = validation.check(offer, params, idempotency_key)
        world = World()
        ctx = ActionContext(self._look_outside(definitions, offer, args, session, actor, world), report=progress)
        ctx.cancel = cancel or ctx.cancel
        if not offer.changes:
            return self._read(definitions, offer, args, ctx)
        act = Act(
            offer,
            asked,
            args,
            ctx,
            session,
            idempotency_key,
            self.storage,
            definitions.open_actions,
            self._watcher.wake,
        )
        if idempotency_key is not None:
            runs.settle_orphans(self.storage)  # else a run whose process died elsewhere would be running for ever
        with self.storage.begin() as tx:
            if (known := replay.recall(tx, idempotency_key, action, asked, session)) is not None:
                return known
            ctx.tx = tx
            ctx.situation = definitions.situation(self.project, TransactionReader(tx), session, actor, world)
            judgement = definitions.judge(offer, ctx.situation, args)
            if not judgement.allowed:
                return act.refuse(judgement)
            if not offer.slow:
                return act.do(judgement.step)
            run = act.start()
        return act.do_slowly(run, judgement.step)

    def update_context(
        self,
        key: str,
        value: Any,
        *,
        expected_version: int | None = None,
        session: str | None = None,
        actor: Actor = AGENT,
    ) -> Outcome:
        """Write context data: `notes/NAME` (any JSON), `tasks/ID` and `roadmap/ID` (the fields to change).

        Raises:
            NotWritable: the key is the engine's own. Conflict: `expected_version` is not the stored one.
        """
        action, params = contextdata.writer(key, value)
        if expected_version is not None:
            params["expected_version"] = expected_version
        return self.run_action(action, params, session=session, actor=actor)

    def trigger_event(
        self, event: str, params: Mapping[str, Any] | None = None, *, session: str | None = None, actor: Actor = AGENT
    ) -> Document:
        """Record an event and move the open instances whose state waits for it.

        Args:
            event: dotted name, such as `ci.finished`.
            params: the event's data; `instance` or `branch` in it narrow what is moved.

        Returns:
            {"event", "moved": [{instance, workflow, from, to}], "refused": [{instance, reasons}], "seq"}

        Raises:
            BadParams: the name or the data is not usable.
        """
        name, data = validation.check_event(event, params)
        definitions, world = self.definitions, World()
        self.storage.refresh()
        before = definitions.situation(self.project, StoreReader(self.storage), session, actor, world)
        list(events.judged(definitions, before, name, data))  # reads what is outside the store before the lock is taken
        with self.storage.begin() as tx:
            situation = definitions.situation(self.project, TransactionReader(tx), session, actor, world)
            answer = events.receive(definitions, ActionContext(situation, tx), name, data)
        self._watcher.wake()
        return answer

    def enforce(
        self,
        policy: str | None,
        action: str,
        params: Mapping[str, Any] | None = None,
        *,
        session: str | None = None,
        actor: Actor = AGENT,
    ) -> Decision:
        """What the policies say to an action or operation, without doing it.

        Args:
            policy: one policy's name; None for all that apply.
            action: an action, or an operation such as `git.push` (`operations.OPERATIONS`); a `shell` command is read.
            params: its parameters; leave out to ask in general (what is then unknown counts against it).

        Raises:
            UnknownName: no such policy, action or operation. BadParams.
        """
        definitions = self.definitions
        situation = self._now(session, actor)
        if validation.check_name(action, "action") not in definitions.actions and action not in OPERATIONS:
            raise UnknownName("action or operation", action, [*definitions.actions, *OPERATIONS])
        if action == "shell" and params and isinstance(command := params.get("command"), str):
            return oversight.decision_on(self.guard(), command, actor=actor, session=session, only=policy)
        return overview.decide(definitions, situation, policy, action, params)

    def decide_approval(
        self,
        approval_id: str,
        granted: bool,
        *,
        person: str,
        channel: Literal["elicitation", "terminal"],
        comment: str = "",
    ) -> Outcome:
        """Record a person's answer; when it was about a workflow's own trigger, take that step in the person's name.

        Only faces that saw a person call it; no tool given to an agent does.

        Args:
            approval_id: such as APR-1.
            granted: yes or no.
            person: who answered.
            channel: how.
            comment: what the person added.

        Raises:
            UnknownName: no such approval. UsageError: it was answered before.
        """
        own = own_triggers(self.definitions.workflows)
        with self.storage.begin() as tx:
            approval = approvals.answer(
                tx, approval_id, granted, person=person, channel=channel, comment=comment, store=self.project.store
            )
        self._watcher.wake()
        shown = {k: approval.get(k) for k in ("id", "status", "action", "instance", "decided_by", "reply")}
        offer = self.definitions.actions.get(approval["action"])
        if not granted or offer is None or offer.slow or offer.name not in own:
            return Outcome("ok", approval["action"], {"approval": shown}, session=approval.get("session"))
        params = {**approval["params"], **({"instance": approval["instance"]} if approval.get("instance") else {})}
        outcome = self.run_action(
            approval["action"], params, session=approval.get("session"), actor=Actor("human", person)
        )
        return replace(outcome, result={**outcome.result, "approval": shown})

    def guard(self) -> Guard:
        """What decides about operations past llmgenie's own actions, by the definitions as they are now."""
        return guard_of(self.project, self.storage, lambda: self.definitions, self._watcher.wake)

    def open_actions(self, session: str | None = None) -> tuple[str, ...]:
        """Names of the actions that the present states open; guards and policies are looked at when one is run."""
        return self.definitions.open_actions(self._now(session))

    # -- how -----------------------------------------------------------------------------------------------------------

    def _now(self, session: str | None, actor: Actor = AGENT) -> Situation:
        """The situation as of what was committed last."""
        self.storage.refresh()
        return self.definitions.situation(self.project, StoreReader(self.storage), session, actor, World())

    def _look_outside(
        self, definitions: Definitions, offer: Action, args: BaseModel, session: str | None, actor: Actor, world: World
    ) -> Situation:
        """Judge once without the lock, so that whatever must be read outside the store is read before it is taken."""
        self.storage.refresh()
        situation = definitions.situation(self.project, StoreReader(self.storage), session, actor, world)
        if offer.move or offer.resource or offer.ready or offer.slow:
            definitions.judge(offer, situation, args)
        if offer.slow:
            situation.facts(runs.LOOKED_AT)
        return situation

    def _read(self, definitions: Definitions, offer: Action, args: BaseModel, ctx: ActionContext) -> Outcome:
        judgement = definitions.judge(offer, ctx.situation, args)
        opened, session = definitions.open_actions(ctx.situation), (ctx.situation.session or {}).get("id")
        if not judgement.allowed:
            return Outcome("denied", offer.name, reasons=judgement.refusals, actions=opened, session=session)
        return Outcome("ok", offer.name, offer.run(ctx, args), actions=opened, session=session)

    def _warnings(self) -> list[str]:
        return [*getattr(self.storage, "warnings", [])]


__all__ = ["AGENT", "Actor", "Decision", "Engine", "Outcome", "judge"]

"""The Engine: the one API that every face calls.

Synchronous and thread-safe: faces call it from threads. `run_action`, read from top to bottom, is the whole flow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel

from llmgenie_mcp import contextdata, validation
from llmgenie_mcp.engine import approvals, deliveries, events, oversight, overview, receipts, replay, runs
from llmgenie_mcp.engine.acting import Act
from llmgenie_mcp.engine.asking import Ask
from llmgenie_mcp.engine.definitions import Definitions
from llmgenie_mcp.engine.guard import Guard
from llmgenie_mcp.engine.open_guard import guard_of
from llmgenie_mcp.engine.part import Part, kept_alone
from llmgenie_mcp.engine.questions import AGENT, Questions
from llmgenie_mcp.engine.situation import ActionContext, Situation, StoreReader, TransactionReader, World, own_triggers
from llmgenie_mcp.engine.telemetry import observed
from llmgenie_mcp.engine.trusting import notice
from llmgenie_mcp.engine.watcher import Callback, Watcher
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.operations import OPERATIONS
from llmgenie_mcp.outbox import Cause
from llmgenie_mcp.plugins import Action
from llmgenie_mcp.policy import Decision
from llmgenie_mcp.project import Project, resolve
from llmgenie_mcp.records import Actor, Document, Outcome
from llmgenie_mcp.storage import Storage, open_storage

Progress = Callable[[float, float | None, str], None]


class Engine(Questions):
    """A project's workflow, policies and memory.

    Use `Engine.open(folder)` as a context manager. Answers are JSON-compatible data; a refusal is an `Outcome` or a
    `Decision`, never an exception; every exception is an `LlmgenieError`.

    Attributes:
        project: the project as resolved.
        storage: its store.
    """

    def __init__(self, project: Project, storage: Storage) -> None:
        super().__init__(project, storage)
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

    def subscribe(self, callback: Callback, *, waits_for: str | None = None) -> Callable[[], None]:
        """Call `callback(line)` from another thread after every commit, by whichever process; returns what ends it.

        `waits_for` names the table whose changes are waited for: what does not touch it may come half a second later.
        """
        return self._watcher.subscribe(callback, waits_for=waits_for)

    def wake(self, touched: Collection[str] | None = None) -> None:
        """Tell subscribers now of what this process has committed past the Engine's own methods; see `Watcher.wake`."""
        self._watcher.wake(touched)

    # -- what is done ------------------------------------------------------------------------------------------------

    @observed
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
        cause: Cause | None = None,
        part: Part | None = None,
        ask: Ask | None = None,
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
            cause: why the engine acts by itself.
            part: of what other action it is a step.
            ask: puts questions of other servers to the person behind the caller; see `engine.asking`.

        Raises:
            UnknownName, BadParams, DefinitionError, StorageError. A refusal is an Outcome.
        """
        definitions = self.definitions if part is None else part.within(self.definitions)
        offer = definitions.action(action)
        asked, args = validation.check(offer, params, idempotency_key)
        world = World()
        ctx = ActionContext(self._look_outside(definitions, offer, args, session, actor, world), report=progress)
        ctx.cancel, ctx.routes, ctx.cause = cancel or ctx.cancel, definitions.routes, cause
        ctx.act, ctx.ask = partial(self.run_action, session=session, actor=actor, ask=ask), ask
        ctx.prepared = offer.prepare(ctx, args) if offer.prepare else None
        if not offer.changes:
            return self._read(definitions, offer, args, ctx, part)
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
            part.keep if part else None,
        )
        notice(self.storage, self.project, definitions)
        if idempotency_key is not None or offer.begin is not None:
            runs.settle_orphans(self.storage)  # else a run whose process died elsewhere would be running for ever
        with self.storage.begin() as tx:
            if (known := replay.recall(tx, idempotency_key, action, asked, session, actor)) is not None:
                if (run_id := runs.broken_off(tx, offer, known)) is None:
                    self.storage.secure()
                    return known
                ctx.run_id = run_id
            ctx.tx = tx
            ctx.situation = definitions.situation(self.project, TransactionReader(tx), session, actor, world)
            judgement = definitions.judge(offer, ctx.situation, args)
            if not judgement.allowed:
                return act.refuse(judgement)
            if not offer.slow:
                return act.do(judgement.step)
            run = act.start()
        return act.do_slowly(run, judgement.step)

    @observed
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

    @observed
    def trigger_event(
        self,
        event: str,
        params: Mapping[str, Any] | None = None,
        *,
        session: str | None = None,
        actor: Actor = AGENT,
        cause: Cause | None = None,
        receipt: tuple[str, ...] = (),
    ) -> Document:
        """Record an event, move the open instances whose state waits for it, and note what rules and webhooks it leads to.

        Args:
            event: dotted name, such as `ci.finished`.
            params: the event's data; `instance` or `branch` in it narrow what is moved.
            session, actor: as for `run_action`.
            cause: why the engine acts by itself.
            receipt: what tells this event from any other; when one of them was seen before, nothing is done.

        Returns:
            {"event", "moved": [{instance, workflow, from, to}], "refused": [{instance, reasons}], "seq", "deliveries": [id],
            "stopped": [{rule, bound, message}]}; {"duplicate": True} for one seen before.

        Raises:
            BadParams: the name or the data is not usable, or the name is that of an event of llmgenie's own.
        """
        name, data = validation.check_event(event, params)
        definitions, world = self.definitions, World()
        events.check_told(definitions, name, actor)
        self.storage.refresh()
        notice(self.storage, self.project, definitions)
        before = definitions.situation(self.project, StoreReader(self.storage), session, actor, world)
        list(events.judged(definitions, before, name, data))  # reads what is outside the store before the lock is taken
        with self.storage.begin() as tx:
            if receipts.seen(tx, receipt):
                self.storage.secure()
                return {"duplicate": True}
            receipts.remember(tx, receipt)
            situation = definitions.situation(self.project, TransactionReader(tx), session, actor, world)
            ctx = ActionContext(situation, tx, routes=definitions.routes, cause=cause)
            answer = events.receive(definitions, ctx, name, data, self.storage.last_seq() + 1)
        self._watcher.wake()
        return answer

    @observed
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
        situation = self._now(session, actor, definitions=definitions)
        if validation.check_name(action, "action") not in definitions.actions and action not in OPERATIONS:
            raise UnknownName("action or operation", action, [*definitions.actions, *OPERATIONS])
        if action == "shell" and params and isinstance(command := params.get("command"), str):
            return oversight.decision_on(self.guard(), command, actor=actor, session=session, only=policy)
        return overview.decide(definitions, situation, policy, action, params)

    @observed
    def decide_approval(
        self,
        approval_id: str,
        granted: bool,
        *,
        person: str,
        channel: Literal["elicitation", "terminal", "rest"],
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
            told = {"person": person, "channel": channel, "comment": comment}
            approval, line = approvals.answer(tx, approval_id, granted, **told, store=self.project.store)
            deliveries.commit(tx, line, self.definitions.routes, self.project, self.storage.last_seq() + 1)
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

    def replay_deliveries(self, ids: Sequence[str] | None = None, *, actor: Actor = AGENT) -> list[str]:
        """Have deliveries that were given up tried again, from the first attempt; None: all of them. Returns their ids.

        Raises:
            UnknownName: no such item of the outbox.
        """
        return self._woken(deliveries.replay(self.storage, ids, actor))

    def retry_deliveries(self, ids: Sequence[str], *, actor: Actor = AGENT) -> list[str]:
        """Have deliveries tried now, whether they wait for their next attempt or were given up. Returns their ids.

        Raises:
            UnknownName: no such item of the outbox.
        """
        return self._woken(deliveries.retry(self.storage, ids, actor))

    def skip_deliveries(self, ids: Sequence[str], *, actor: Actor = AGENT) -> list[str]:
        """Give up deliveries that wait, so that what stands behind them goes on. Returns the ids of those that waited.

        Raises:
            UnknownName: no such item of the outbox.
        """
        return self._woken(deliveries.skip(self.storage, ids, actor))

    def drop_deliveries(self, ids: Sequence[str], *, actor: Actor = AGENT) -> list[str]:
        """Take items off the outbox without delivering them; the log keeps what they were. Returns their ids.

        Raises:
            UnknownName: no such item of the outbox.
        """
        return self._woken(deliveries.drop(self.storage, ids, actor))

    def guard(self) -> Guard:
        """What decides about operations past llmgenie's own actions, by the definitions as they are now."""
        return guard_of(self.project, self.storage, lambda: self.definitions, self._watcher.wake)

    # -- how -----------------------------------------------------------------------------------------------------------

    def _woken(self, changed: list[str]) -> list[str]:
        """Have whoever delivers look at once; what was changed."""
        self._watcher.wake()
        return changed

    def _run(self, action: str, params: Document, *, actor: Actor) -> Outcome:
        return self.run_action(action, params, actor=actor)

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

    def _read(
        self, definitions: Definitions, offer: Action, args: BaseModel, ctx: ActionContext, part: Part | None
    ) -> Outcome:
        judgement = definitions.judge(offer, ctx.situation, args)
        opened, session = definitions.open_actions(ctx.situation), (ctx.situation.session or {}).get("id")
        if not judgement.allowed:
            return Outcome("denied", offer.name, reasons=judgement.refusals, actions=opened, session=session)
        outcome = Outcome("ok", offer.name, offer.run(ctx, args), actions=opened, session=session)
        if part is not None:
            with self.storage.begin() as tx:
                kept_alone(part, tx, outcome, asdict(ctx.situation.actor))
        return outcome


__all__ = ["AGENT", "Actor", "Decision", "Engine", "Outcome"]

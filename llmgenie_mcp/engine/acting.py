"""One act, from the judgement on: refuse it, or do it, and write what happened as one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from llmgenie_mcp.engine import ledger, replay, runs
from llmgenie_mcp.engine.judge import Judgement
from llmgenie_mcp.engine.lines import commit, entry
from llmgenie_mcp.engine.situation import ActionContext, Situation, StoreReader, TransactionReader, World
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.machine import Step, effect_names
from llmgenie_mcp.plugins import Action
from llmgenie_mcp.records import Document, Outcome
from llmgenie_mcp.storage import Storage, Transaction


@dataclass(slots=True)
class Act:
    """One request to run an action.

    Attributes:
        offer: the action.
        asked, args: its parameters as given and as its model.
        ctx: what the action gets; `tx` is set while a transaction is open.
        session: id of the session it was asked in, or None.
        key: the idempotency key, or None.
        storage: the store.
        open_actions: names of the actions that a situation's states open.
        committed: called after every commit, with the tables it changed where they are known.
        keep: called as keep(tx, outcome) in the transaction of the end, or None; see `part.Part`.
    """

    offer: Action
    asked: Document
    args: BaseModel
    ctx: ActionContext
    session: str | None
    key: str | None
    storage: Storage
    open_actions: Callable[[Situation], tuple[str, ...]]
    committed: Callable[..., None]
    keep: Callable[[Transaction, Outcome], None] | None = None

    def refuse(self, judgement: Judgement) -> Outcome:
        """A refusal changes nothing but the log."""
        line = entry("action.denied", self.offer.name, self.ctx, self.asked, reasons=ledger.refusal_line(judgement))
        return self._commit(Outcome("denied", self.offer.name, reasons=judgement.refusals), line)

    def do(self, step: Step | None) -> Outcome:
        """Take the step, run the action, commit both."""
        state = ledger.take(self.ctx, step) if step else None
        result = self.offer.run(self.ctx, self.args)
        return self._end(Outcome("ok", self.offer.name, result, state=state))

    def start(self) -> Document:
        """Commit that a slow action starts; returns its Run."""
        if self.offer.begin is not None:
            self.offer.begin(self.ctx, self.args)
        return runs.start(self.ctx, self.offer, self.asked, self.key, self.storage.last_seq() + 1)

    def do_slowly(self, run: Document, step: Step | None) -> Outcome:
        """Run outside the lock, then commit the end; the step is taken if nobody moved the instance meanwhile."""
        ctx, situation = self.ctx, self.ctx.situation
        self.committed()
        ctx.tx, situation.reader = None, StoreReader(self.storage)
        result, error = runs.outside(ctx, self.offer, self.args)
        situation.world = World()
        situation.facts([*runs.LOOKED_AT, *(effect_names(step.transition) if step else ())])
        with self.storage.begin() as tx:
            ctx.tx, situation.reader = tx, TransactionReader(tx)
            return self._end(runs.end(ctx, run, result, error, step), run=run["id"])

    def _end(self, outcome: Outcome, **more: Any) -> Outcome:
        kind = "action.completed" if outcome.ok else "action.failed"
        told = {"result": outcome.result, "state": outcome.state, "error": outcome.error}
        line = entry(kind, outcome.action, self.ctx, self.asked, idempotency_key=self.key, **told, **more)
        return self._commit(outcome, line, self.key)

    def _commit(self, outcome: Outcome, line: Document, key: str | None = None) -> Outcome:
        situation = self.ctx.situation
        session = situation.session["id"] if situation.session else None
        seq = self.storage.last_seq() + 1  # this transaction is alone, so its line is the next
        outcome = replace(outcome, actions=self.open_actions(situation), session=session, seq=seq)
        replay.remember(self.ctx.write, key, outcome, self.asked, self.session, situation.actor)
        if self.keep is not None:
            self.keep(self.ctx.write, outcome)
        commit(self.ctx, line, seq)
        self.committed(self.ctx.write.touched())
        return outcome

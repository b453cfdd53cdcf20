"""A declared action while it runs: one step after the other, each an action of its own, and a record of those done.

What came of a step is written into the sequence's Run in the transaction of the step's own end. So a step that is done is
known to be done, also after `kill -9`, and one that was not is done again when the sequence goes on.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from llmgenie_mcp import redact
from llmgenie_mcp.declared import ALONE, ActionFile, Step, fill
from llmgenie_mcp.engine.part import Part, part_of
from llmgenie_mcp.engine.situation import ActionContext, World
from llmgenie_mcp.errors import ActionError, ExpressionError, LlmgenieError, UsageError, shorten
from llmgenie_mcp.outbox import Cause
from llmgenie_mcp.records import Document, Outcome, now
from llmgenie_mcp.storage import Transaction

DEPTH = 8
"""Declared actions that may run inside each other."""
EACH, ALL = 8_000, 64_000
"""Bytes that are kept of what one step answers, and of what all of them do."""
SHOWN = 6_000
"""Bytes of the answer of the whole, about: of each step a share, and 600 at most."""
OVER = ("ok", "skipped")


class Deadline(threading.Event):
    """Set when its parent is, or when time is up."""

    def __init__(self, parent: threading.Event, seconds: float) -> None:
        super().__init__()
        self.parent, self.ends = parent, time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        """Whether time is up."""
        return time.monotonic() >= self.ends

    def is_set(self) -> bool:
        """Whether to stop."""
        return self.parent.is_set() or self.passed

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for that, at most `timeout` seconds."""
        left = max(0.0, self.ends - time.monotonic())
        self.parent.wait(left if timeout is None else min(left, timeout))
        return self.is_set()


class Sequence:
    """One run of a declared action.

    Args:
        file: the declaration.
        ctx: of the run; its `run["steps"]` are those that were done before.
        params: as given, defaults filled in.
    """

    def __init__(self, file: ActionFile, ctx: ActionContext, params: Document) -> None:
        self.file, self.ctx, self.params = file, ctx, params
        self.stop = Deadline(ctx.cancel, file.timeout)
        self.began = time.monotonic()
        self.done: dict[str, Document] = {entry["id"]: entry for entry in ctx.run["steps"]}

    def run(self) -> Document:
        """Do what is left to do.

        Raises:
            ActionError: a step failed or was refused, time is up, or somebody cancelled it; `result` says how far it came.
        """
        runs = self.ctx.cause.runs if self.ctx.cause else ()
        if len(runs) >= DEPTH:
            message = f"{self.file.name} would be the {len(runs) + 1}th action inside another; {DEPTH} are the bound."
            raise ActionError(message, "Flatten what the actions are made of.")
        try:
            for step in self.file.plan:
                self._step(step)
        finally:
            self.ctx.run["steps"] = list(self.done.values())
        return self._answer()

    def _step(self, step: Step) -> None:
        known = self.done.get(step.id)
        if known is not None and (known["status"] in OVER or known.get("passed_over")):
            return
        if self.stop.is_set():
            raise self._stopped(step)
        try:
            if self.file.steps and not self._due(step):
                self._enter(step, {"status": "skipped"})
                return
            entry = self._tried(step)
        except ExpressionError as error:
            entry = self._enter(step, {"status": "failed", "error": f"when: {error.message}"})
        if entry["status"] == "ok":
            return
        if self.stop.is_set():
            raise self._stopped(step)
        if step.on_failure == "stop":
            raise self._failed(step, entry)
        entry["passed_over"] = True

    def _due(self, step: Step) -> bool:
        """Whether its condition holds; what is not known is no."""
        situation = self.ctx.situation
        situation.world = World()  # the steps before may have changed what is outside the store
        names = [name for name in step.condition.names if name.partition(".")[0] not in ("params", "steps")]
        return step.condition.test({**situation.facts(names), **self._facts()}) is True

    def _facts(self) -> Document:
        steps = {
            id_: {k: entry[k] for k in ("status", "error", "result") if k in entry} for id_, entry in self.done.items()
        }
        return {"params": self.params, "steps": steps}

    def _tried(self, step: Step) -> Document:
        """Do it, as often as it may be tried; what came of it last."""
        attempts = step.retry.attempts if step.retry else 1
        entry: Document = {}
        for attempt in range(1, attempts + 1):
            entry = self._once(step, attempt)
            if entry["status"] != "failed" or entry.get("final") or self.stop.is_set() or attempt == attempts:
                break
            if step.retry and self.stop.wait(step.retry.delay):
                break
        return entry

    def _once(self, step: Step, attempt: int) -> Document:
        """Do it once, as an action of its own."""
        self._tell(step, "")

        def keep(tx: Transaction, outcome: Outcome) -> None:
            self._enter(step, came_of(outcome, self._room()), attempt)
            run = tx.get("runs", str(self.ctx.run_id))
            if run is not None:
                tx.put("runs", run["id"], {**run, "steps": list(self.done.values()), "updated_at": now()})

        outer = self.ctx.cause or Cause((), "")
        cause = Cause(outer.chain, outer.event, runs=(*outer.runs, str(self.ctx.run_id)), part=step.id)
        self.done.pop(step.id, None)
        try:
            action, params, part = self._asked(step, keep)
            if self.ctx.act is None:
                raise RuntimeError("an action that runs others was not run by the engine")
            outcome = self.ctx.act(
                action,
                params,
                cancel=self.stop,
                cause=cause,
                part=part,
                progress=lambda _done, _total, message: self._tell(step, message),
            )
        except LlmgenieError as error:
            final = isinstance(error, UsageError)
            came = {"status": "failed", "error": redact.redact(f"{error.message} {error.hint}".strip())[:1000]}
            return self._enter(step, {**came, **({"final": True} if final else {})}, attempt)
        # What only reads, and is refused, writes nothing.
        return self.done.get(step.id) or self._enter(step, came_of(outcome, self._room()), attempt)

    def _asked(self, step: Step, keep: Any) -> tuple[str, Document, Part]:
        """The action that a step runs, with its parameters."""
        params = fill(step.params, self._facts())
        if step.action is not None:
            return step.action, params, Part(keep)
        name, part = part_of(self.file, step, keep)
        return step.does, {"name": name, "params": params}, part

    def _room(self) -> int:
        """Bytes that may be kept of the next answer."""
        used = sum(len(json.dumps(entry["result"])) for entry in self.done.values() if "result" in entry)
        return min(EACH, max(0, ALL - used))

    def _enter(self, step: Step, came: Document, attempt: int = 1) -> Document:
        entry: Document = {"id": step.id, "action": step.does, **came}
        if attempt > 1:
            entry["attempts"] = attempt
        self.done[step.id] = entry
        return entry

    def _tell(self, step: Step, message: str) -> None:
        plan = self.file.plan
        number = [each.id for each in plan].index(step.id) + 1
        where = f"{self.file.name}: {step.id} ({number} of {len(plan)})" if self.file.steps else self.file.name
        self.ctx.progress(time.monotonic() - self.began, None, f"{where}: {message}" if message else where)

    def _answer(self) -> Document:
        if not self.file.steps:
            return self._alone()
        share = min(600, max(60, SHOWN // max(1, len(self.done)) - 80))
        shown = []
        for entry in self.done.values():
            told: Document = {
                name: entry[name] for name in ("id", "action", "status", "run", "attempts") if name in entry
            }
            more = {name: entry[name] for name in ("error", "reasons", "result", "left_out") if name in entry}
            shown.append({**told, **redact.cut(more, whole=share)})
        return {"steps": shown}

    def _alone(self) -> Document:
        """The only step's answer is that of the whole."""
        entry = self.done.get(ALONE, {})
        left_out = {"left_out": entry["left_out"]} if "left_out" in entry else {}
        return {**entry.get("result", {}), **left_out}

    def _failed(self, step: Step, entry: Mapping[str, Any]) -> ActionError:
        verb = "was refused" if entry["status"] == "denied" else "failed"
        what = f"The step {step.id} of {self.file.name}" if self.file.steps else f"{step.does} in {self.file.name}"
        hint = f"Mend the cause; {self._way_on()}" if self.file.steps else "Mend the cause, then run it again."
        more = {"reasons": entry["reasons"]} if "reasons" in entry and not self.file.steps else {}
        return ActionError(
            f"{what} {verb}: {shorten(entry.get('error', ''), 600)}", hint, result={**self._answer(), **more}
        )

    def _stopped(self, step: Step) -> ActionError:
        if self.ctx.cancel.is_set():
            return ActionError(f"{self.file.name} was cancelled at {step.id}.", self._way_on(), result=self._answer())
        self.ctx.run["status"] = "timeout"
        message = f"{self.file.name} was stopped after its {self.file.timeout:g} s, at {step.id}."
        return ActionError(message, f"Raise its timeout, or make it faster; {self._way_on()}", result=self._answer())

    def _way_on(self) -> str:
        return f'run_action {self.file.name} {{"resume": "{self.ctx.run_id}"}} goes on at the step where it stopped.'


def came_of(outcome: Outcome, room: int) -> Document:
    """What is kept of an outcome, without secrets and of bounded size."""
    found: Document = {"status": outcome.status}
    if outcome.reasons:
        found["error"] = "; ".join(f"{reason.rule}: {reason.message}" for reason in outcome.reasons[:5])[:1000]
        found["reasons"] = [redact.cut(reason.to_dict(), whole=500) for reason in outcome.reasons[:3]]
    elif outcome.error is not None:
        found["error"] = str(outcome.error["message"])[:1000]
    result, left_out = bounded(outcome.result, room)
    if (run := result.pop("run", None)) is not None:
        found["run"] = run
    found |= {"result": result} if result else {}
    found |= {"left_out": left_out} if left_out else {}
    kept: Document = redact.redact(found)
    return kept


def bounded(result: Mapping[str, Any], limit: int) -> tuple[Document, list[str]]:
    """The fields of a result that fit into `limit` bytes as JSON, the smallest first, and the names of the others.

    What does not fit is left out whole: half of a value would be taken for all of it by the step that uses it.
    """
    sizes = {
        name: len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) for name, value in result.items()
    }
    kept, used = set(), 0
    for name in sorted(sizes, key=lambda name: sizes[name]):
        used += sizes[name] + len(name.encode("utf-8", "replace")) + 6
        if used > limit:
            break
        kept.add(name)
    left = [f"{shorten(name, 60)} ({sizes[name]:,} bytes)" for name in result if name not in kept]
    return {name: value for name, value in result.items() if name in kept}, left[:20]

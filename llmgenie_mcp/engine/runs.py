"""Slow actions: their record from "started" to the end, also when the process that ran them is gone."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgenie_mcp.engine import ledger, made, oldruns, replay
from llmgenie_mcp.engine.judge import state_of
from llmgenie_mcp.engine.lines import commit, entry
from llmgenie_mcp.engine.situation import ActionContext
from llmgenie_mcp.errors import ActionError, LlmgenieError, shorten
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.machine import Step
from llmgenie_mcp.outcome import CI
from llmgenie_mcp.plugins import Action, Move
from llmgenie_mcp.records import Document, Outcome, Run, now
from llmgenie_mcp.storage import Storage, Transaction

log = logging.getLogger(__name__)

LOOKED_AT = ("git.head", "git.branch", "git.clean")
"""Facts from outside that the records of a slow action mention; read before the lock is taken."""

INTERRUPTED = {
    "code": "interrupted",
    "message": "The process that ran it ended before it was done.",
    "hint": "Look at what it left, then run it again with a new idempotency key.",
}


def start(ctx: ActionContext, offer: Action, asked: Document, key: str | None, seq: int) -> Document:
    """Commit that a slow action starts or goes on (`ctx.run_id`), as line `seq`; returns its Run document."""
    tx, situation = ctx.write, ctx.situation
    before = tx.get("runs", ctx.run_id) if ctx.run_id else None
    head = situation.fact("git.head") if situation.fact("git.clean") is True else None
    run = Run(
        id=before["id"] if before else tx.next_id("RUN"),
        created_at=before["created_at"] if before else now(),
        action=offer.name,
        session=(situation.session or {}).get("id"),
        pid=os.getpid(),
        host=platform.node(),
        process_started=process_start(os.getpid()),
        commit=None if head is UNKNOWN else head,
    )
    ctx.run_id = run.id
    if before is None:
        oldruns.forget(tx, run.id)
    document = tx.put("runs", run.id, {**run.model_dump(), "idempotency_key": key, **ctx.run})
    replay.remember(tx, key, Outcome("running", offer.name, {"run": run.id}), asked, run.session, situation.actor)
    commit(ctx, entry("action.started", offer.name, ctx, asked, run=run.id, idempotency_key=key), seq)
    return document


def outside(ctx: ActionContext, offer: Action, args: Any) -> tuple[Document, LlmgenieError | None]:
    """Run a slow action without any lock; returns its result, and the error if it could not do its work."""
    try:
        return offer.run(ctx, args), None
    except LlmgenieError as error:
        return {}, error
    except Exception as error:
        log.exception("action %s broke off", offer.name)
        return {}, ActionError(
            f"{offer.name} broke off: {type(error).__name__}: {error}", "This is a fault; see the server's log."
        )


def end(ctx: ActionContext, run: Document, result: Document, error: LlmgenieError | None, step: Step | None) -> Outcome:
    """Write the end of a slow action: its Run, and the step that goes with it."""
    name = run["action"]
    status = "passed" if error is None else "cancelled" if ctx.cancel.is_set() else "failed"
    ended = {**run, "status": status, **ctx.run, "updated_at": now()}
    if status == "passed" and "made" in ended:
        ended["seal"] = made.seal(ended)
    ctx.write.put("runs", run["id"], ended)
    result = {**result, "run": run["id"]}
    if error is not None:
        shown = error.to_dict()
        return Outcome("failed", name, {**result, **_result(shown)}, error=shown)
    if ctx.kept:
        result["kept"] = [_keep(ctx, *each) for each in ctx.kept]
    if step is None:
        return Outcome("ok", name, result)
    if state_of(ctx.situation, Move(step.workflow, step.trigger, step.instance)) != step.source:
        moved = ActionError(
            f"{name} was done, but {step.instance} is no longer {step.source}: somebody moved it meanwhile.",
            "Read get_workflow_state and bring the instance to the state that fits.",
        )
        return Outcome("failed", name, result, error=moved.to_dict())
    return Outcome("ok", name, result, state=ledger.take(ctx, step))


CI_STATUS = {"passed": "passed", "failed": "failed", "cancelled": "cancelled"}


def record_ci(ctx: ActionContext, data: Mapping[str, Any]) -> None:
    """Keep what a CI system said of a commit, as a run beside those of `run_tests`.

    What an agent says is not kept, nor what ran in a fork, whose owner says what its CI does.

    Args:
        ctx: with an open transaction.
        data: of an event `ci.finished`: status, commit, name.
    """
    status, commit = CI_STATUS.get(str(data.get("status"))), data.get("commit")
    if (
        ctx.situation.actor.kind == "agent"
        or data.get("fork")
        or status is None
        or not isinstance(commit, str)
        or not commit
    ):
        return
    name = shorten(str(data.get("name") or "ci"))
    run = Run.model_validate(
        {"id": ctx.write.next_id("RUN"), "action": CI, "command": name, "status": status, "commit": commit}
    )
    oldruns.forget(ctx.write, run.id)
    ctx.write.put("runs", run.id, run.model_dump())


def settle_orphans(storage: Storage) -> list[str]:
    """Close the records of runs whose process is gone; returns their ids. Writes nothing when there are none."""
    if not any(is_orphan(run) for run in storage.query("runs", {"status": "running"}).items):
        return []
    settled = []
    with storage.begin() as tx:
        for run in tx.query("runs", {"status": "running"}):
            if is_orphan(run):
                _settle(tx, run)
                settled.append(run["id"])
        if settled:
            tx.commit({"type": "action.interrupted", "actor": {"kind": "system", "id": "llmgenie"}, "runs": settled})
    return settled


def resumption(run: Mapping[str, Any]) -> str:
    """How to go on with a run that has steps, for whoever reads an error."""
    return f'run_action {run["action"]} {{"resume": "{run["id"]}"}} goes on at the step where it stopped.'


def broken_off(tx: Transaction, offer: Action, known: Outcome) -> str | None:
    """The run that a repeated request goes on with instead of getting its first answer; None: it gets that answer."""
    if offer.begin is None or (known.error or {}).get("code") != INTERRUPTED["code"]:
        return None
    run = tx.get("runs", str(known.result.get("run")))
    return run["id"] if run is not None and run["status"] == "interrupted" and "steps" in run else None


def is_orphan(run: Mapping[str, Any]) -> bool:
    """Whether the process that started this run on this machine is gone."""
    if run.get("status") != "running" or run.get("host") != platform.node() or not run.get("pid"):
        return False
    started = process_start(run["pid"])
    return started is None or (run.get("process_started") is not None and started != run["process_started"])


def process_start(pid: int) -> float | None:
    """When a process started, in clock ticks since boot (proc(5)); 0.0 where that is not told; None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if stat[0] == "Z" else float(stat[19])
    except (OSError, IndexError, ValueError):
        if Path("/proc/self").exists():
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return 0.0


def _settle(tx: Transaction, run: Document) -> None:
    tx.put("runs", run["id"], {**run, "status": "interrupted", "updated_at": now()})
    key = run.get("idempotency_key")
    if key and (known := tx.get(replay.TABLE, key)):
        hint = resumption(run) if "steps" in run else INTERRUPTED["hint"]
        outcome = Outcome("failed", run["action"], {"run": run["id"]}, error={**INTERRUPTED, "hint": hint})
        tx.put(replay.TABLE, key, {**known, "outcome": outcome.to_dict()})


def _keep(ctx: ActionContext, table: str, prefix: str, document: Document) -> str:
    id_ = ctx.write.next_id(prefix)
    ctx.write.put(table, id_, {"id": id_, **document, "created_at": now(), "updated_at": now()})
    return f"{table}/{id_}"


def _result(shown: Document) -> Document:
    """What an action that failed still has to tell (`details["result"]`) belongs to the result, not to the error."""
    result = shown.pop("result", {})
    return result if isinstance(result, dict) else {}

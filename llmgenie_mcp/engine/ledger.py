"""What a judged action writes: the transition it takes, and its effects."""

from __future__ import annotations

from llmgenie_mcp.engine.judge import Judgement
from llmgenie_mcp.engine.lines import event
from llmgenie_mcp.engine.situation import PROJECT_MODE, ActionContext, Situation
from llmgenie_mcp.errors import UsageError
from llmgenie_mcp.expressions import format_message
from llmgenie_mcp.machine import Step, effect_names
from llmgenie_mcp.records import Document, Instance, now
from llmgenie_mcp.storage import Transaction
from llmgenie_mcp.workflow import Workflow

HISTORY = 50


def take(ctx: ActionContext, step: Step) -> Document:
    """Take the step: write the new state and run the transition's effects. Returns {instance, workflow, from, to}."""
    tx, situation = ctx.write, ctx.situation
    moved = {"instance": step.instance, "workflow": step.workflow, "from": step.source, "to": step.target}
    if step.workflow == "modes":
        _switch(tx, situation, step)
    elif step.workflow == "task":
        task = _present(tx.get("tasks", step.instance))
        tx.put("tasks", step.instance, {**task, "status": step.target, "updated_at": now()})
    else:
        _move_instance(tx, situation, step)
    facts = situation.facts(effect_names(step.transition))
    for effect in step.transition.effects:
        if effect.log is not None:
            ctx.notes.append(format_message(effect.log, facts))
        if effect.emit is not None:
            ctx.events.append(event(situation, effect.emit, step.instance, moved))
    return moved


def refusal_line(judgement: Judgement) -> list[Document]:
    """Refusals as the log keeps them: what refused and why."""
    return [
        {"code": r.code, "rule": r.rule, "message": r.message, "values": dict(r.values)} for r in judgement.refusals
    ]


def _switch(tx: Transaction, situation: Situation, step: Step) -> None:
    if situation.session is not None:
        session = {**_present(tx.get("sessions", situation.session["id"])), "mode": step.target, "updated_at": now()}
        situation.session = tx.put("sessions", session["id"], session)
    else:
        known = tx.get("instances", PROJECT_MODE)
        fresh = Instance(
            id=PROJECT_MODE, workflow="modes", state=step.target, subject=situation.project.name
        ).model_dump()
        tx.put("instances", PROJECT_MODE, {**(known or fresh), "state": step.target, "updated_at": now()})
    situation.mode = step.target


def _move_instance(tx: Transaction, situation: Situation, step: Step) -> None:
    document = _present(tx.get("instances", step.instance))
    passed = {
        "at": now(),
        "trigger": step.trigger,
        "from": step.source,
        "to": step.target,
        "actor": f"{situation.actor.kind}:{situation.actor.id}",
    }
    history = [*document.get("history", []), passed][-HISTORY:]
    document |= {"state": step.target, "history": history, "updated_at": now()}
    situation.instance = tx.put("instances", step.instance, document)
    flow = situation.workflows[step.workflow]
    _void(tx, flow, step)
    if flow.states[step.target].final:
        for session in tx.query("sessions", {"instance": step.instance}):
            written = tx.put("sessions", session["id"], {**session, "instance": None})
            if situation.session and situation.session["id"] == session["id"]:
                situation.session = written


def _void(tx: Transaction, flow: Workflow, step: Step) -> None:
    """Where a question is open again, the answers of before do not count."""
    asking = {trigger for trigger, transition in flow.transitions(step.target).items() if transition.approval}
    for approval in tx.query("approvals", {"instance": step.instance, "status": "granted"}):
        if approval["action"] in asking:
            tx.put("approvals", approval["id"], {**approval, "status": "used", "updated_at": now()})


def _present(document: Document | None) -> Document:
    if document is None:
        raise UsageError("What was to be moved is gone.", "Read the state again: get_workflow_state.")
    return document

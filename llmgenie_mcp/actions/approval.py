"""Asking a person. The answer never comes through a tool given to the agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from llmgenie_mcp.engine import approvals
from llmgenie_mcp.engine.resources import resource_of
from llmgenie_mcp.engine.situation import ActionContext, Situation, open_instances, own_triggers
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.operations import OPERATIONS
from llmgenie_mcp.plugins import Params, action, given
from llmgenie_mcp.records import Approval, Document, Refusal, Text, Title
from llmgenie_mcp.workflow import Transition

NOT_A_PERSONS = (
    "guard_failed",
    "no_transition",
    "wrong_role",
    "not_trusted",
    "not_configured",
    "ambiguous",
)
"""Refusals that a person's yes would not lift: asking would be in vain."""


class RequestApproval(Params):
    """Parameters of request_approval."""

    action: Title | None = Field(
        default=None, description="The action or operation that needs a person; the instance's own when left out."
    )
    params: dict[str, Any] = Field(default={}, description="Its parameters.")
    instance: str | None = Field(
        default=None, max_length=100, description="Id such as REV-1; the session's own when left out."
    )
    comment: Text = Field(default="", description="What the person should know.")


@given
def _worth_asking(situation: Situation, params: RequestApproval) -> Refusal | None:
    situation.instance = _instance(situation, params)
    name = params.action or _own_question(situation, situation.instance)
    if name is None:
        return Refusal(
            "not_configured", "request_approval", "What for? Nothing here waits for a person; name the action."
        )
    asked, refusals = _question(situation, name, params)
    approvals.commit_for(asked)
    for refusal in refusals:
        if refusal.code in NOT_A_PERSONS:
            return Refusal(
                refusal.code, refusal.rule, f"Nobody need be asked yet: {refusal.message}", refusal.values, refusal.fix
            )
    return None


@action(
    "request_approval",
    params=RequestApproval,
    everywhere=True,
    ready=_worth_asking,
    example={"action": "file.delete", "params": {"path": "old.txt"}, "comment": "Nothing reads it."},
)
def request_approval(ctx: ActionContext, params: RequestApproval) -> Document:
    """Ask a person to approve what an agent may not decide alone; the same question is asked once."""
    situation = ctx.situation
    instance = situation.instance = _instance(situation, params)
    name = params.action or _own_question(situation, instance) or ""
    asked, _ = _question(situation, name, params)
    given = approvals.essence(name, asked.resource) if name in OPERATIONS else approvals.said(asked.params or {})
    commit, about = approvals.commit_for(asked), instance["id"] if instance else None
    for known in ctx.write.query("approvals", {"status": "pending", "action": name, "commit": commit}):
        if known["params"] == given and known["instance"] == about:
            return {"approval": _shown(known)}
    approval = Approval(
        id=ctx.write.next_id("APR"),
        action=name,
        params=given,
        instance=about,
        commit=commit,
        requested_by=situation.actor.id,
        session=(situation.session or {}).get("id"),
        question=approvals.question(name, given, instance, _target(situation, name, instance), commit),
        comment=params.comment,
    )
    return {"approval": _shown(ctx.write.put("approvals", approval.id, approval.model_dump()))}


def _question(situation: Situation, name: str, params: RequestApproval) -> tuple[Situation, tuple[Refusal, ...]]:
    """The situation in which `name` would be done, and what stands against it."""
    asked, instance = replace(situation), situation.instance
    if name in OPERATIONS:
        asked.action, asked.params = name, params.params
        asked.resource = resource_of(asked, name, params.params)
        return asked, ()
    if situation.judge is None:
        return asked, ()
    takes_instance = (
        instance is not None and "instance" not in params.params and name in own_triggers(situation.workflows)
    )
    given = {**params.params, "instance": instance["id"]} if instance and takes_instance else params.params
    return asked, situation.judge(asked, name, given).refusals


def _instance(situation: Situation, params: RequestApproval) -> Document | None:
    if params.action in OPERATIONS:
        return None
    id_ = params.instance or params.params.get("instance") or (situation.session or {}).get("instance")
    if id_ is None:
        return _only_waiting(situation, params.action)
    document = situation.reader.get("instances", str(id_))
    if document is None:
        raise UnknownName("instance", str(id_), [d["id"] for d in situation.reader.all("instances")])
    return document


def _only_waiting(situation: Situation, name: str | None) -> Document | None:
    """The one open instance that waits for a person, when there is just one."""
    candidates = open_instances(situation.reader, situation.workflows)
    waiting = [d for d in candidates if (own := _own_question(situation, d)) and name in (None, own)]
    return waiting[0] if len(waiting) == 1 else None


def _target(situation: Situation, name: str, instance: Document | None) -> str | None:
    """The state that `name` leads the instance to; None when it is no trigger of its state."""
    transition = _transitions(situation, instance).get(name)
    return transition.target if transition else None


def _own_question(situation: Situation, instance: Document | None) -> str | None:
    """The trigger for which the instance's state needs a person; None unless there is just one."""
    asking = [name for name, transition in _transitions(situation, instance).items() if transition.approval]
    return asking[0] if len(asking) == 1 else None


def _transitions(situation: Situation, instance: Document | None) -> Mapping[str, Transition]:
    """What may come next for the instance; nothing when its workflow or state is no longer defined."""
    flow = situation.workflows.get(instance["workflow"]) if instance else None
    if flow is None or instance is None or instance["state"] not in flow.states:
        return {}
    return flow.transitions(instance["state"])


def _shown(approval: Document) -> Document:
    return {
        k: approval[k]
        for k in ("id", "status", "action", "instance", "commit", "question", "comment")
        if approval.get(k)
    }

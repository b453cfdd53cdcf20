"""Approvals: a question to a person, the sealed answer, and for what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgenie_mcp import trust
from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.errors import UnknownName, UsageError, shorten
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.operations import ABOUT, OPERATIONS
from llmgenie_mcp.outcome import Document, now
from llmgenie_mcp.storage import Transaction

SHOWN = 10
"""So many parameters are named in a question."""
_SEALED = ("id", "action", "params", "instance", "commit", "status", "decided_by", "decided_at", "channel", "store")


def seal(approval: Mapping[str, Any]) -> str:
    """The seal of an answer, with the answering person's own key."""
    return trust.seal({name: approval.get(name) for name in _SEALED})


def is_valid(approval: Mapping[str, Any]) -> bool:
    """Whether a person of this machine granted it: an approval written into the store by other means has no valid seal."""
    return approval.get("status") == "granted" and _is_answered(approval)


def _is_answered(approval: Mapping[str, Any]) -> bool:
    return trust.is_sealed({name: approval.get(name) for name in _SEALED}, approval.get("seal"))


def commit_for(situation: Situation) -> str | None:
    """The commit an approval is about: the head of the branch merged or under review, else HEAD; None outside git."""
    head = situation.fact("git.subject_head")
    return None if head is UNKNOWN else head


def standing(situation: Situation) -> Document | None:
    """The granted approval that covers what is asked, at the present commit.

    It covers the very action that was asked for, and the further steps of the instance that it was asked for; a step
    that needs a person itself only when the question was about that step.
    """
    granted = situation.reader.all("approvals", {"status": "granted"})
    candidates = [approval for approval in granted if _covers(approval, situation)]
    commit = commit_for(situation) if candidates else None
    place = str(situation.project.store)
    found = (a for a in reversed(candidates) if a.get("commit") == commit and a.get("store") == place)
    return next(filter(is_valid, found), None)


def last_no(situation: Situation) -> Document | None:
    """The last approval for what is asked, at the present commit, that a person declined; None where none was."""
    answered = [one for one in situation.reader.all("approvals", {"status": "declined"}) if _covers(one, situation)]
    commit = commit_for(situation) if answered else None
    found = [one for one in answered if one.get("commit") == commit and _is_answered(one)]
    return max(found, key=lambda one: str(one.get("decided_at")), default=None)


def _covers(approval: Document, situation: Situation) -> bool:
    about, move = approval.get("instance"), situation.move
    if about is not None and (situation.instance is None or situation.instance["id"] != about):
        return False
    if move is not None and about == move.id and move.workflow in situation.workflows:
        asking = situation.workflows[move.workflow].asking
        if approval["action"] in ({move.trigger} if move.trigger in asking else asking):
            return True
    if approval["action"] != situation.action:
        return False
    if situation.action in OPERATIONS:
        asked = essence(situation.action, situation.resource)
        return bool(asked) and essence(situation.action, approval.get("params") or {}) == asked
    return said(approval.get("params") or {}) == said(situation.params or {})


def essence(operation: str, resource: Mapping[str, Any]) -> Document:
    """The part of an operation's resource that an approval is about; empty when what it is about is not known."""
    return said({name: resource.get(name) for name in ABOUT[operation]})


def said(params: Mapping[str, Any]) -> Document:
    """What an approval keeps of parameters: those that say something; the instance is a field of its own."""
    return {k: v for k, v in params.items() if v not in (None, "", [], {}, False) and k not in ("instance", "type")}


def answer(
    tx: Transaction, approval_id: str, granted: bool, *, person: str, channel: str, comment: str, store: Path
) -> tuple[Document, Document]:
    """Write a person's answer; returns the approval and the line of the meta-log to commit it with.

    Args:
        tx: an open transaction.
        approval_id: such as APR-1.
        granted: yes or no.
        person, channel, comment: who answered, how, and what they added.
        store: the project's store; the answer holds for no other.

    Raises:
        UnknownName: no such approval. UsageError: it was answered before.
    """
    approval = tx.get("approvals", approval_id)
    if approval is None:
        raise UnknownName("approval", approval_id, [d["id"] for d in tx.query("approvals", {"status": "pending"})])
    if approval["status"] != "pending":
        raise UsageError(
            f"{approval_id} was {approval['status']} already, by {approval.get('decided_by')}.",
            "Ask anew with request_approval.",
        )
    approval |= {
        "status": "granted" if granted else "declined",
        "decided_by": person,
        "decided_at": now(),
        "channel": channel,
        "reply": comment[:2000],
        "store": str(store),
        "updated_at": now(),
    }
    approval["seal"] = seal(approval)
    written = tx.put("approvals", approval_id, approval)
    line = {
        "type": f"approval.{approval['status']}",
        "actor": {"kind": "human", "id": person},
        "session": approval.get("session"),
        "approval": approval_id,
        "action": approval["action"],
        "instance": approval.get("instance"),
        "commit": approval.get("commit"),
        "channel": channel,
        "notes": [comment[:600]] if comment else [],
    }
    return written, line


def question(
    action: str, params: Mapping[str, Any], instance: Document | None, target: str | None, commit: str | None
) -> str:
    """What a person is asked, in one line of printable text: an agent chose the words that it quotes.

    Args:
        action, params: what is to be done.
        instance: the instance it is about, or None.
        target: the state that the action leads the instance to, or None.
        commit: for which commit the answer holds, or None.
    """
    at = f", at commit {commit[:10]}" if commit else ""
    given = ", ".join(f"{shorten(k, 40)}={shorten(v)}" for k, v in [*params.items()][:SHOWN])
    more = f" and {len(params) - SHOWN} more" if len(params) > SHOWN else ""
    what = f"{action}{f' ({given}{more})' if given else ''}"
    text = f"May the agent do {what}{at}?"
    if instance is not None:
        about = f"{instance['id']} ({instance['subject']})"
        text = f"May the agent do {what} for {about}, which is {instance['state']}{at}?"
        if target is not None:
            text = f"May {about} go from {instance['state']} to {target} by {what}{at}?"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)

"""Which instance a trigger is meant for. Light to import: it is all that asking what is open needs of workflows' actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from llmgenie_mcp.engine.situation import ENGINE_WORKFLOWS, Situation, open_instances
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Refusal
from llmgenie_mcp.plugins import Move

if TYPE_CHECKING:
    from llmgenie_mcp.engine.offers import TriggerParams


def find_move(
    situation: Situation, trigger: str, instance: str | None, *, subject: object = None
) -> Move | Refusal | None:
    """The instance that `trigger` is meant for.

    Args:
        situation: who asks.
        trigger: the trigger's name.
        instance: an id that the caller gave; else the session's own instance, else the only open one that fits.
        subject: only instances about this count, when given.

    Returns:
        The move; a Refusal when several fit; None when there is none.

    Raises:
        UnknownName: there is no instance of that id.
    """
    flows = {
        name: flow
        for name, flow in situation.workflows.items()
        if name not in ENGINE_WORKFLOWS and trigger in flow.triggers
    }
    if instance is not None:
        document = situation.reader.get("instances", instance)
        if document is None:
            raise UnknownName("instance", instance, [d["id"] for d in situation.reader.all("instances")])
        rule = f"{document['workflow']}.{trigger}"
        if document["workflow"] in ENGINE_WORKFLOWS or document["workflow"] not in situation.workflows:
            message = f"{instance} runs by {document['workflow']}, which is no workflow that {trigger} could move."
            return Refusal("no_transition", rule, message)
        if subject not in (None, document["subject"]):
            message = f"{instance} is about {document['subject']}, not {subject}."
            return Refusal("no_transition", rule, message, {"instance.subject": document["subject"]})
        return Move(document["workflow"], trigger, instance)
    own = (situation.session or {}).get("instance")
    document = situation.reader.get("instances", own) if own else None
    if document and document["workflow"] in flows and subject in (None, document["subject"]):
        return Move(document["workflow"], trigger, document["id"])
    found = [d for d in open_instances(situation.reader, flows) if subject in (None, d["subject"])]
    if len(found) > 1 and (branch := situation.fact("git.branch")) is not UNKNOWN:
        here = [d for d in found if flows[d["workflow"]].subject != "branch" or d["subject"] == branch]
        found = here or found
    if not found:
        return None
    if len(found) > 1:
        ids = ", ".join(f"{d['id']} ({d['subject']}, {d['state']})" for d in found[:10])
        values = {"instance.id": [d["id"] for d in found[:10]]}
        fix = {"action": trigger, "params": {"instance": "…"}}
        return Refusal("ambiguous", trigger, f"Several could be meant: {ids}. Name one as `instance`.", values, fix)
    return Move(found[0]["workflow"], trigger, found[0]["id"])


@dataclass(frozen=True, slots=True)
class Triggered:
    """The `move` of an action that is a trigger by its own name.

    Attributes:
        trigger: its name.
        workflow: of what it moves, for the refusal that there is none.
        example: the parameters with which that refusal says to start one.
    """

    trigger: str
    workflow: str
    example: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, situation: Situation, params: TriggerParams | None) -> Move | Refusal:
        """The move; a refusal when there is nothing that it could move, or several things."""
        instance, subject = (params.instance, params.subject) if params else (None, None)
        found = find_move(situation, self.trigger, instance, subject=subject)
        if found is not None:
            return found
        fix = {"action": f"start_{self.workflow}", "params": {**self.example}}
        return Refusal("no_transition", f"{self.workflow}.{self.trigger}", f"No {self.workflow} is open.", fix=fix)

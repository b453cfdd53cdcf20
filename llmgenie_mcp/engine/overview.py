"""Where things stand and what may be done: the Engine's answers to questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from llmgenie_mcp import outbox, validation
from llmgenie_mcp.engine import answers
from llmgenie_mcp.engine.definitions import Definitions
from llmgenie_mcp.engine.resources import resource_of
from llmgenie_mcp.engine.situation import Reader, Situation, open_instances, own_triggers, request_of
from llmgenie_mcp.errors import BadParams, UnknownName, shorten
from llmgenie_mcp.operations import READING
from llmgenie_mcp.policy import Decision
from llmgenie_mcp.records import Document
from llmgenie_mcp.redact import cut

HYPOTHETICAL = "(new)"
SHOWN = 20
"""So many sessions and instances are told, and half as many questions; context data has all."""
DETAILED = 3
"""So many of the best matches of a query come with their JSON Schema."""
FAR = 3
"""Of hundreds of tools those that fit a query so many times less than the best one are left out."""


class _Overlay:
    """A reader that knows one more instance: the one a question supposes."""

    def __init__(self, reader: Reader, instance: Document) -> None:
        self._reader = reader
        self._instance = instance

    def get(self, table: str, id: str) -> Document | None:  # noqa: A002
        if (table, id) == ("instances", self._instance["id"]):
            return dict(self._instance)
        return self._reader.get(table, id)

    def all(self, table: str, where: Mapping[str, object] | None = None) -> list[Document]:
        return self._reader.all(table, where)

    def count(self, table: str, where: Mapping[str, object] | None = None) -> int:
        return self._reader.count(table, where)


def place(situation: Situation, context: str | None) -> str:
    """Put `situation` where `context` says and return its name.

    Args:
        situation: is changed.
        context: a mode, a workflow, `workflow/state` or an instance id; None for where the caller is.

    Raises:
        UnknownName: none of these.
    """
    if context is None:
        instance = (situation.session or {}).get("instance")
        return f"{situation.mode}{f', {instance}' if instance else ''}"
    modes = situation.workflows["modes"].states
    if validation.check_name(context, "context") in modes:
        situation.mode = context
        return context
    instance = situation.reader.get("instances", context)
    if instance is None:
        instance = _supposed(situation, context)
    situation.reader = _Overlay(situation.reader, instance)
    situation.session = {"id": None, "status": "active", **(situation.session or {}), "instance": instance["id"]}
    if instance["workflow"] in modes:
        situation.mode = instance["workflow"]
    return f"{instance['workflow']}/{instance['state']}" + (
        "" if instance["id"] == HYPOTHETICAL else f" ({instance['id']})"
    )


def _supposed(situation: Situation, context: str) -> Document:
    name, _, state = context.partition("/")
    flow = situation.workflows.get(name)
    if flow is None:
        known = [
            *situation.workflows["modes"].states,
            *situation.workflows,
            *(d["id"] for d in open_instances(situation.reader, situation.workflows)),
        ]
        raise UnknownName("context", context, set(known))
    if state and state not in flow.states:
        raise UnknownName(f"state of {name}", state, flow.states)
    if not state:
        own = (situation.session or {}).get("instance")
        document = situation.reader.get("instances", own) if own else None
        if document and document["workflow"] == name:
            return document
    return {"id": HYPOTHETICAL, "workflow": name, "state": state or flow.initial, "subject": "", "created_by": None}


def available(
    definitions: Definitions, situation: Situation, label: str, include_blocked: bool, query: str | None, limit: int
) -> Document:
    """Every action judged in `situation`: what may be done, and on request what may not and why.

    Actions of a group are looked at when they are searched for; else the answer has their number by group.
    """
    if not isinstance(limit, int):
        raise BadParams(f"limit is {shorten(limit)}.", "Give a whole number.")
    offers, groups = list(definitions.actions.values()), Counter[str]()
    if query is not None and validation.check_name(query, "query"):
        ranked = sorted(((answers.rank(offer, query), offer) for offer in offers), key=lambda pair: -pair[0])
        best = ranked[0][0] if ranked else 0
        offers = [offer for score, offer in ranked if score and not (offer.group and score * FAR < best)]
    else:
        groups.update(offer.group for offer in offers if offer.group)
        offers = sorted((o for o in offers if not o.group), key=lambda offer: (offer.everywhere, offer.name))
    opened: list[Document] = []
    blocked: list[Document] = []
    triggers = own_triggers(definitions.workflows)
    beyond = 0  # of a group, and no longer looked at: there are hundreds, and the best came first
    for offer in offers:
        if offer.group and len(opened) >= max(1, limit):
            beyond += 1
            continue
        judgement = definitions.judge(offer, situation, None, every_reason=include_blocked)
        if judgement.allowed:
            line = answers.action_line(offer, judgement)
            if query and len(opened) < DETAILED:
                line["schema"] = offer.params.model_json_schema()
            opened.append(line)
        elif include_blocked and (offer.name not in triggers or query or _near(situation, offer.name)):
            blocked.append(answers.blocked_line(offer, judgement))
    answer: Document = {
        "context": label,
        "mode": situation.mode,
        "session": (situation.session or {}).get("id"),
        "actions": opened[: max(1, limit)],
    }
    if more := max(0, len(opened) - max(1, limit)) + beyond:
        answer["more"] = more
    if groups:
        answer["groups"] = dict(sorted(groups.items()))
    if include_blocked:
        # What the team never set up is of least interest, and what stands last is left out where an answer grows too long.
        answer["blocked"] = sorted(blocked, key=lambda line: line["reasons"][0]["code"] == "not_configured")
    return answer


def _near(situation: Situation, trigger: str) -> bool:
    """Whether a blocked trigger is worth telling: it belongs to the workflow one is in."""
    instance = situation.instance
    flow = situation.workflows.get(instance["workflow"]) if instance else None
    return flow is not None and trigger in flow.triggers


def state(definitions: Definitions, situation: Situation, warnings: list[str]) -> Document:
    """Project, mode, session, open instances with what may come next, approvals that wait, counts of tasks."""
    reader, flows = situation.reader, situation.workflows
    counted = {status: reader.count("tasks", {"status": status}) for status in flows["task"].states}
    running = [
        answers.instance_line(document, flows.get(document["workflow"])) for document in open_instances(reader, flows)
    ]
    modes = flows["modes"].states
    answer: Document = {
        "project": {
            "name": situation.project.name,
            "root": str(situation.project.root),
            "store": str(situation.project.store),
            "found_by": situation.project.source,
        },
        "mode": situation.mode,
        "mode_description": modes[situation.mode].description if situation.mode in modes else "",
        "session": cut({k: v for k, v in (situation.session or {}).items() if v not in (None, "", [])}) or None,
        "sessions_open": [
            d["id"] for status in ("active", "paused") for d in reader.all("sessions", {"status": status})
        ][-SHOWN:],
        "instances": running[:SHOWN],
        "approvals_pending": [
            {k: approval.get(k) for k in ("id", "action", "question")}
            for approval in reader.all("approvals", {"status": "pending"})
        ][-SHOWN // 2 :],
        "tasks": {status: number for status, number in counted.items() if number},
        "workflows": sorted(flows),
        "policies": sorted(definitions.catalog.policies),
        "trusted": definitions.trusted,
        "warnings": [*definitions.catalog.notes, *warnings, *_about_deliveries(definitions, reader)],
    }
    return {k: v for k, v in answer.items() if v not in (None, [], "")}


def _about_deliveries(definitions: Definitions, reader: Reader) -> Iterator[str]:
    waiting = [*definitions.catalog.triggers, *definitions.settings.webhooks, *definitions.settings.notifications]
    if waiting and not definitions.trusted:
        yield f"Nobody accepted {', '.join(waiting)} yet, so no event leads to them: a person says llmgenie trust."
    if dead := reader.count(outbox.TABLE, {"status": "dead"}):
        yield f"Deliveries given up: {dead}; a person looks with llmgenie outbox."


def policy(definitions: Definitions, name: str) -> Document:
    """A policy with its rules and origin. Raises UnknownName."""
    entry = definitions.catalog.policies.get(validation.check_name(name, "policy"))
    if entry is None:
        raise UnknownName("policy", name, definitions.catalog.policies)
    return {
        **entry.value.model_dump(mode="json", exclude_defaults=True),
        "name": name,
        "version": entry.value.version,
        "level": entry.value.level,
        "origin": entry.origin,
        "path": str(entry.path),
    }


def policies(definitions: Definitions) -> list[Document]:
    """Name, level, origin and description of every policy."""
    return [
        {"name": name, "level": entry.value.level, "origin": entry.origin, "description": entry.value.description}
        for name, entry in definitions.catalog.policies.items()
    ]


def decide(
    definitions: Definitions, situation: Situation, only: str | None, action: str, params: Mapping[str, Any] | None
) -> Decision:
    """What the policies say to `action` (or an operation) with `params`. Raises BadParams."""
    if only is not None:
        validation.check_name(only, "policy")
    offer = definitions.actions.get(action)
    if offer is not None:
        args = validation.check(offer, params, None)[1] if params else None
        judgement = definitions.judge(offer, situation, args)
        if only is None and judgement.decision is not None:
            return judgement.decision
    else:
        situation.action, situation.params = action, validation.check_json(params, f"The parameters of {action}")
        situation.changes = action not in READING
        situation.resource = resource_of(situation, action, situation.params)
    return definitions.policies.decide(request_of(definitions.policies, situation), only=only)

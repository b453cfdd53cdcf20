"""Where things stand and what may be done: the Engine's answers to questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import validation
from llmgenie_mcp.engine import answers
from llmgenie_mcp.engine.situation import Reader, Situation, open_instances, own_triggers, request_of
from llmgenie_mcp.engine.standing import InForce, standing
from llmgenie_mcp.engine.ways import with_ways
from llmgenie_mcp.errors import BadParams, UnknownName, shorten
from llmgenie_mcp.operations import ABOUT, READING
from llmgenie_mcp.outcome import Document

if TYPE_CHECKING:
    from llmgenie_mcp.engine.definitions import Definitions
    from llmgenie_mcp.plugins import Action
    from llmgenie_mcp.policy import Decision

DETAILED = 3
"""So many of the best matches of a query come with their JSON Schema."""
SOUGHT = 2
"""So many of the best matches of a query are told with the reason why they are not open."""
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

    def each(
        self, table: str, where: Mapping[str, object] | None = None, *, newest_first: bool = False
    ) -> Iterator[Document]:
        return self._reader.each(table, where, newest_first=newest_first)

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
        "" if instance["id"] == answers.HYPOTHETICAL else f" ({instance['id']})"
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
    return {
        "id": answers.HYPOTHETICAL,
        "workflow": name,
        "state": state or flow.initial,
        "subject": "",
        "created_by": None,
    }


def available(
    definitions: Definitions, situation: Situation, label: str, include_blocked: bool, query: str | None, limit: int
) -> Document:
    """Every action judged in `situation`: what may be done, and on request what may not and why.

    Actions of a group are looked at when they are searched for; else the answer has their number by group. What fits a query
    best and may not be done now is told in any case: whoever does not find it would look for another way.
    """
    if not isinstance(limit, int):
        raise BadParams(f"limit is {shorten(limit)}.", "Give a whole number.")
    offers, groups, sought = list(definitions.actions.values()), Counter[str](), set[str]()
    if query is not None and validation.check_name(query, "query"):
        ranked = sorted(((answers.rank(offer, query), offer) for offer in offers), key=lambda pair: -pair[0])
        best = ranked[0][0] if ranked else 0
        sought = {offer.name for score, offer in ranked if score == best and not offer.group} if best else set()
        offers = [offer for score, offer in ranked if score and not (offer.group and score * FAR < best)]
    else:
        groups.update(offer.group for offer in offers if offer.group)
        offers = sorted((o for o in offers if not o.group), key=lambda offer: offer.everywhere)  # they come by name
    opened: list[Document] = []
    blocked: list[Document] = []
    triggers = own_triggers(definitions.workflows)
    beyond = 0  # of a group, and no longer looked at: there are hundreds, and the best came first
    for offer in offers:
        if offer.group and len(opened) >= max(1, limit):
            beyond += 1
            continue
        every_reason = include_blocked or offer.name in sought
        judgement = definitions.judge(offer, situation, None, every_reason=every_reason)
        if judgement.allowed:
            line = answers.action_line(offer, judgement)
            opened.append({**line, **_details(offer)} if query and len(opened) < DETAILED else line)
        elif offer.name in sought or (
            include_blocked and (offer.name not in triggers or query or _near(situation, offer.name))
        ):
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
    if include_blocked or blocked:
        # What the team never set up is of least interest, and what stands last is left out where an answer grows too long.
        blocked.sort(key=lambda line: line["reasons"][0]["code"] == "not_configured")
        answer["blocked"] = blocked if include_blocked else blocked[:SOUGHT]
    return answer


def _details(offer: Action) -> Document:
    """The JSON Schema of its parameters, and a call of it."""
    example = offer.sample
    told = {} if example is None else {"example": {"action": offer.name, "params": dict(example)}}
    return {"schema": offer.params.model_json_schema(), **told}


def _near(situation: Situation, trigger: str) -> bool:
    """Whether a blocked trigger is worth telling: it belongs to the workflow one is in."""
    instance = situation.instance
    flow = situation.workflows.get(instance["workflow"]) if instance else None
    return flow is not None and trigger in flow.triggers


def state(definitions: Definitions, situation: Situation, warnings: list[str]) -> Document:
    """Project, mode, session, open instances with what may come next, approvals that wait, counts of tasks."""
    catalog, settings = definitions.catalog, definitions.settings
    waiting = (*catalog.triggers, *settings.webhooks, *settings.notifications)
    known = InForce(catalog.policies, (*catalog.notes, *definitions.held), waiting, definitions.trusted)
    of = (situation.project, situation.reader, situation.workflows, situation.session, situation.mode)
    return standing(known, *of, warnings)


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
            return _with_ways(judgement.decision, situation)
    else:
        from llmgenie_mcp.engine.resources import resource_of

        situation.action, situation.params = action, validation.check_json(params, f"The parameters of {action}")
        situation.changes = action not in READING
        situation.resource = resource_of(situation, action, situation.params)
    return _with_ways(definitions.policies.decide(request_of(definitions.policies, situation), only=only), situation)


def _with_ways(decision: Decision, situation: Situation) -> Decision:
    about = (situation.resource if situation.action in ABOUT else situation.params) or {}
    return with_ways(decision, situation.action, about)

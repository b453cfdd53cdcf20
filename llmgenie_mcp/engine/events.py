"""Events from outside: recorded, and handed to the open instances whose state waits for them."""

from __future__ import annotations

from collections.abc import Iterator

from llmgenie_mcp import plugins
from llmgenie_mcp.engine import ledger, runs
from llmgenie_mcp.engine.definitions import Definitions
from llmgenie_mcp.engine.judge import refusal_of, try_step
from llmgenie_mcp.engine.lines import commit, entry, event
from llmgenie_mcp.engine.situation import ENGINE_WORKFLOWS, ActionContext, Situation, request_of
from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.machine import Step
from llmgenie_mcp.outcome import CI_FINISHED, Actor
from llmgenie_mcp.plugins import Move
from llmgenie_mcp.records import Document, Refusal

RESERVED = ("action", "approval", "conversation", "definitions", "delivery", "event", "operation", "outbox", "trigger")
"""First words of events that are lines of the log: nobody tells of them, they happen."""
SOURCES = {"schedule": "schedule", "files": "files"}
"""First words of events that a source of our own raises, and the actor by which it does."""


def check_told(definitions: Definitions, name: str, actor: Actor) -> None:
    """Refuse an event that would be taken for one of llmgenie's own: rules act on those.

    Raises:
        BadParams: it is one of them.
    """
    first = name.partition(".")[0]
    if first in RESERVED or (first in SOURCES and actor != Actor("system", SOURCES[first])):
        hint = f"Events that begin with {', '.join((*RESERVED, *SOURCES))} are llmgenie's own; give yours another name."
        if actor.kind == "system" and actor.id.startswith("webhook:"):  # read by who posts it: it stands in its outbox
            hint = (
                "Name in `events:` of the webhook that posts it only what is meant for others, such as review.* or deploy.done; "
                f"of another llmgenie none is taken that begins with {', '.join((*RESERVED, *SOURCES))}."
            )
        raise BadParams(f"{name} is what llmgenie tells itself, when it happens.", hint)
    emitting = [flow.name for flow in definitions.workflows.values() if name in flow.emitted]
    if emitting and actor.kind == "agent":
        hint = f"It happens by the transitions of {emitting[0]}; run the action that takes the step."
        raise BadParams(f"{name} is what the workflow {emitting[0]} emits; an agent cannot tell of it.", hint)


def receive(definitions: Definitions, ctx: ActionContext, name: str, data: Document, seq: int) -> Document:
    """Record an event and take the steps that wait for it, as one transaction.

    Args:
        definitions: what is in force.
        ctx: with an open transaction; it is committed here.
        name: the event's type.
        data: its data; `instance` or `branch` in it narrow which instances are moved.
        seq: the number that the line will have.
    """
    situation, subject = ctx.situation, data.get("instance")
    made = event(situation, name, subject if isinstance(subject, str) else None, data)
    ctx.events.append(made)
    if name == CI_FINISHED:
        runs.record_ci(ctx, data)
    moved, refused = [], []
    for instance, result in judged(definitions, situation, name, data):
        if isinstance(result, Step):
            moved.append(ledger.take(ctx, result))
        else:
            refused.append({"instance": instance["id"], "reasons": [refusal.to_dict() for refusal in result]})
    line = entry("event.received", name, ctx, data, moved=moved, refused=refused)
    commit(ctx, line, seq)
    led: Document = {key: line[key] for key in ("deliveries", "stopped") if key in line}
    return {"event": {"id": made.id, "type": name}, "moved": moved, "refused": refused, "seq": seq, **led}


def judged(
    definitions: Definitions, situation: Situation, name: str, data: Document
) -> Iterator[tuple[Document, Step | tuple[Refusal, ...]]]:
    """Each instance that waits for the event, with the step to take or what stands against it.

    Neither the mode nor the instance worked on matters, for a fact from outside is not work; guards and policies do.
    """
    situation.action, situation.params = name, data
    for instance in _waiting(definitions, situation, name, data):
        if name in plugins.actions():
            message = f"An event does not {name}: the action of that name does the work that goes with the step."
            fix = {"action": name, "params": {"instance": instance["id"]}}
            yield instance, (Refusal("no_transition", f"{instance['workflow']}.{name}", message, fix=fix),)
            continue
        flow = definitions.workflows[instance["workflow"]]
        result = try_step(definitions.catalog, situation, Move(flow.name, name, instance["id"]))
        situation.resource = {"type": flow.name, "id": instance["id"], flow.subject: instance["subject"]}
        decision = definitions.policies.decide(request_of(definitions.policies, situation))
        refusals = (*(() if isinstance(result, Step) else result), *map(refusal_of, decision.reasons))
        yield instance, refusals or result
        situation.resource = {}


def _waiting(definitions: Definitions, situation: Situation, name: str, data: Document) -> list[Document]:
    flows = {
        key: flow
        for key, flow in definitions.workflows.items()
        if key not in ENGINE_WORKFLOWS and name in flow.triggers
    }
    places = [(key, state) for key, flow in flows.items() for state in flow.states if name in flow.transitions(state)]
    standing = (
        instance
        for workflow, state in places
        for instance in situation.reader.all("instances", {"workflow": workflow, "state": state})
    )
    found = []
    for instance in sorted(standing, key=lambda instance: str(instance["created_at"])):
        flow = flows[instance["workflow"]]
        if data.get("instance") not in (None, instance["id"]):
            continue
        if flow.subject == "branch" and data.get("branch") not in (None, instance["subject"]):
            continue
        found.append(instance)
    return found

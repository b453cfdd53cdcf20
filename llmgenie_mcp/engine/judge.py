"""May this be done now? Workflow and policies together, for running an action and for saying what is available.

Both ask the same function, so that what is called available is what will be allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import machine, plugins
from llmgenie_mcp.engine.situation import ENGINE_WORKFLOWS, Situation, own_triggers, request_of
from llmgenie_mcp.engine.ways import in_words, with_a_way
from llmgenie_mcp.errors import shorten
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.machine import Step
from llmgenie_mcp.outcome import Document, Refusal
from llmgenie_mcp.plugins import Action, Move
from llmgenie_mcp.policy import Decision, PolicySet, Reason

if TYPE_CHECKING:
    from llmgenie_mcp.config import Settings
    from llmgenie_mcp.loader.catalog import Catalog
    from llmgenie_mcp.workflow import Workflow

ABOUT_PARAMS = ("resource.", "action.params")


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer.

    Attributes:
        refusals: every reason against it; empty when it may be done.
        step: the transition that goes with it.
        decision: what the policies said; None when it did not come to that.
        conditions: while the parameters are not known yet: the rules that will depend on them.
    """

    refusals: tuple[Refusal, ...]
    step: Step | None = None
    decision: Decision | None = None
    conditions: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return not self.refusals


CLOSED = Judgement((Refusal("not_open_here", "", "No state here opens it."),))
OPEN = Judgement(())
"""The answers to callers that only list what is open: most actions are not, and nobody reads why."""


def judge(
    catalog: Catalog,
    policies: PolicySet,
    action: Action,
    situation: Situation,
    params: Any = None,
    *,
    every_reason: bool = True,
) -> Judgement:
    """Judge `action` in `situation`.

    Args:
        catalog: the definitions in force.
        policies: the policies in force.
        action: what is asked for.
        situation: who asks, where; its `move`, `instance` and `resource` are filled in here.
        params: the validated parameters; None asks whether it is available at all.
        every_reason: False stops at the first reason against it, for callers that only list what is open.
    """
    situation.action, situation.changes, situation.destructive = action.name, action.changes, action.destructive
    situation.move, situation.resource, situation.instance = None, {}, _focus(situation)
    refusals: list[Refusal] = []
    # What a state opens binds agents; a person who answers is not stopped by the mode that an agent is in.
    bound = not action.everywhere and situation.actor.kind == "agent"
    if not every_reason and (seen := _at_a_glance(catalog, policies, action, situation, params, bound=bound)):
        return seen
    if action.ready and (refusal := action.ready(situation, params)):
        refusals.append(refusal)
    if bound:
        refusals.extend(_not_open(catalog, situation, action))
    if refusals and not every_reason:
        return Judgement(tuple(refusals))
    step = None
    moved = action.move(situation, params) if action.move else None
    if isinstance(moved, Refusal):
        refusals.append(moved)
    elif moved is not None:
        result = try_step(catalog, situation, moved)
        if isinstance(result, Step):
            step = result
        else:
            refusals.extend(result)
    if action.resource and params is not None:
        situation.resource = action.resource(situation, params)
    decision = policies.decide(request_of(policies, situation))
    against, conditions = _sorted(decision, situation, asking=params is None)
    refusals += _going_on(refusals, against, situation)
    if action.operations and params is not None:
        from llmgenie_mcp.engine import beyond  # asking what is open needs none of it

        refusals += map(refusal_of, beyond.against(policies, situation, action.operations(situation, params)))
    if params is not None and situation.actor.kind == "agent":
        refusals = [_with_the_no(refusal, situation) for refusal in refusals]
    return Judgement(tuple(refusals), step, decision, tuple(conditions))


def _with_the_no(refusal: Refusal, situation: Situation) -> Refusal:
    """Where asking a person is the way, and a person said no already, who did and why: asking again changes nothing."""
    if refusal.fix is None or refusal.fix["action"] != "request_approval":
        return refusal
    from llmgenie_mcp.engine import approvals  # few refusals need it

    if (no := approvals.last_no(situation)) is None:
        return refusal
    reply = f": {shorten(no['reply'], 300)}" if no.get("reply") else ", without a word why"
    told = f"{no['id']} asked for it, and {no['decided_by']} declined{reply}"
    message = f"{told.rstrip('.')}. Change what was declined before you ask again."
    return replace(refusal, message=f"{refusal.message} {message}")


def _sorted(decision: Decision, situation: Situation, *, asking: bool) -> tuple[list[Refusal], list[str]]:
    """What policies have against it, and what they would have by parameters that are not given while one is only asking."""
    refusals, conditions = [], []
    for reason in decision.reasons:
        if asking and reason.unknown and all(name.startswith(ABOUT_PARAMS) for name in reason.unknown):
            conditions.append(f"{reason.policy}/{reason.rule}: depends on {', '.join(reason.unknown)}")
        else:
            refusals.append(refusal_of(with_a_way(reason, situation.action, situation.params or {})))
    return refusals, conditions


def _going_on(said: list[Refusal], against: list[Refusal], situation: Situation) -> list[Refusal]:
    """`against`; where a rule begins what the states say otherwise how to begin, or to go on with, it is as they say."""
    ways = {refusal.fix["action"]: refusal.fix for refusal in said if refusal.fix}
    if situation.instance is not None:
        flow = situation.instance["workflow"]
        for refusal in said:
            if refusal.fix and refusal.rule.startswith(f"{flow}."):
                ways.setdefault(f"start_{flow}", refusal.fix)
    return [
        replace(one, fix={**one.fix, **ways[one.fix["action"]]}) if one.fix and one.fix["action"] in ways else one
        for one in against
    ]


def _at_a_glance(
    catalog: Catalog, policies: PolicySet, action: Action, situation: Situation, params: Any, *, bound: bool
) -> Judgement | None:
    """The judgement where a look at the states, and at what policies can say at all, is enough; else None."""
    if bound and any(_closed(catalog, situation, action)):
        return CLOSED
    if action.needs and not getattr(situation.settings, action.needs):
        return CLOSED
    if params is not None or action.ready is not None or action.move is not None:
        return None
    told = situation.session_facts()
    standing = (situation.actor.kind, told["status"], told["open"], action.changes, action.destructive, ())
    return OPEN if policies.is_silent(action.name, situation.mode, standing) else None


def open_names(
    catalog: Catalog, actions: dict[str, Action], settings: Settings, mode: str, instance: Document | None
) -> tuple[str, ...]:
    """Names of the actions that the states open, without looking at guards and policies: fast, and the same for all.

    Those of a group are left out, as they are found by searching, and those that need settings which are not there.
    """
    places = list(_places(catalog, mode, instance))
    moves = _moves(catalog, instance)
    # `merge` and the like also work without an instance; a mere trigger does not.
    closed = (
        own_triggers({name: entry.value for name, entry in catalog.workflows.items()})
        - moves
        - (frozenset() if instance else plugins.actions().keys())
    )
    return tuple(
        name
        for name, action in actions.items()
        if not action.group
        and (not action.needs or getattr(settings, action.needs))
        and (action.everywhere or all(_opens(workflow, state, action) for _, workflow, state in places))
        and name not in closed
    )


def refusal_of(reason: Reason) -> Refusal:
    """A policy's reason as a refusal."""
    return Refusal(
        reason.code,
        f"{reason.policy}/{reason.rule}",
        reason.message,
        {name: "unknown" if value is UNKNOWN else value for name, value in reason.values.items()},
        reason.fix,
        tuple(reason.clauses),
        in_words(reason),
    )


def state_of(situation: Situation, move: Move) -> str | None:
    """The state of what `move` moves; None when there is no such thing."""
    reader = situation.reader
    if move.workflow == "modes":
        return situation.mode
    document = reader.get("tasks" if move.workflow == "task" else "instances", move.id)
    if document is None:
        return None
    return str(document["status"] if move.workflow == "task" else document["state"])


def named_action(workflow: str, trigger: str, instance: str) -> tuple[str, Document]:
    """The action and parameters by which a caller asks for `trigger`."""
    if workflow == "modes":
        return "switch_mode", {"mode": trigger}
    if workflow == "task":
        if f"{trigger}_task" in plugins.actions():
            return f"{trigger}_task", {"id": instance}
        return "move_task", {"id": instance, "trigger": trigger}
    return trigger, {"instance": instance}


def try_step(catalog: Catalog, situation: Situation, move: Move) -> Step | tuple[Refusal, ...]:
    """The step that `move` asks for, or the reasons against it; sets `situation.move` and `situation.instance`."""
    workflow = catalog.workflows[move.workflow].value
    situation.move = move
    state = state_of(situation, move)
    if state is None:
        return (Refusal("no_transition", f"{move.workflow}.{move.trigger}", f"There is no {move.workflow} {move.id}."),)
    if move.workflow not in ENGINE_WORKFLOWS:
        situation.instance = situation.reader.get("instances", move.id)
    transition = workflow.transitions(state).get(move.trigger) if state in workflow.states else None
    result = machine.step(
        workflow,
        state,
        move.trigger,
        situation.facts(machine.step_names(workflow, state, move.trigger)),
        instance=move.id,
        actor=situation.actor.kind,
        role=situation.role,
        approved=bool(transition and transition.approval and situation.fact("approval.granted") is True),
    )
    if isinstance(result, Step):
        return result
    return tuple(_with_named_fix(refusal, workflow, move) for refusal in result)


def _with_named_fix(refusal: Refusal, workflow: Workflow, move: Move) -> Refusal:
    """The machine speaks of triggers; a caller needs the action that asks for the trigger."""
    if refusal.fix is None or refusal.fix["action"] not in workflow.triggers:
        return refusal
    name, params = named_action(workflow.name, refusal.fix["action"], move.id)
    return replace(refusal, fix={"action": name, "params": params})


def _focus(situation: Situation) -> Document | None:
    instance = (situation.session or {}).get("instance")
    return situation.reader.get("instances", instance) if instance else None


def _places(catalog: Catalog, mode: str, instance: Document | None) -> Iterator[tuple[str, Workflow, str]]:
    """The states in which the caller is: the mode's, and that of the instance worked on.

    Modes govern what at least one of them lists; an action that none lists (of a plug-in, of a project's own workflow)
    is open in all of them.
    """
    modes = catalog.workflows["modes"].value
    if mode in modes.states:
        yield f"mode {mode}", modes, mode
    if instance and (entry := catalog.workflows.get(instance["workflow"])) and instance["state"] in entry.value.states:
        yield f"{instance['id']} ({instance['state']})", entry.value, instance["state"]


def _opens(workflow: Workflow, state: str, action: Action) -> bool:
    where = workflow.opened_in(action.name)
    if state in where:
        return True
    if action.group:
        return all(workflow.states[other].actions is None for other in where)
    return workflow.name == "modes" and not where


def _moves(catalog: Catalog, instance: Document | None) -> set[str]:
    entry = catalog.workflows.get(instance["workflow"]) if instance else None
    if entry is None or instance is None or instance["state"] not in entry.value.states:
        return set()
    return set(entry.value.transitions(instance["state"]))


def _closed(catalog: Catalog, situation: Situation, action: Action) -> Iterator[tuple[str, Workflow, str]]:
    """The places that do not open `action`; for a trigger of the workflow there, the transitions say more about it."""
    for place in _places(catalog, situation.mode, situation.instance):
        _, workflow, state = place
        if not _opens(workflow, state, action) and (workflow.name == "modes" or action.name not in workflow.triggers):
            yield place


def _not_open(catalog: Catalog, situation: Situation, action: Action) -> Iterator[Refusal]:
    name = action.name
    for label, workflow, state in _closed(catalog, situation, action):
        where = [other for other in workflow.opened_in(name) if not workflow.states[other].final]
        rule = f"{workflow.name}.{state}"
        fix: Document | None
        if workflow.name == "modes":
            step = "switch_mode" if situation.session or situation.actor.kind != "agent" else "start_session"
            fix = {"action": step, "params": {"mode": where[0]}} if where else None
            message = f"{name} is not open in {label}" + (
                f"; it is in {', '.join(where)}." if where else " or any other mode."
            )
        else:
            message = f"{name} is not open while {label}" + (f"; it is in {', '.join(where)}." if where else ".")
            words = "This session is bound to it; what has nothing to do with it is done in another."
            fix = {"action": "start_session", "params": {"mode": situation.mode}, "message": words}
        yield Refusal("not_open_here", rule, message, {"context.mode": situation.mode}, fix)

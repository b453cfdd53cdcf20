"""Workflow semantics, pure: (workflow, state, trigger, facts) → the step to take, or the reasons why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.expressions import UNKNOWN, fill_fix, format_message, message_names, templates
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import ActorKind, Refusal

if TYPE_CHECKING:
    from llmgenie_mcp.workflow import Guard, Transition, Workflow


@dataclass(frozen=True, slots=True)
class Step:
    """A transition that may be taken.

    Attributes:
        workflow: the definition's name.
        instance: id of what moves.
        trigger, source, target: as in the definition.
        transition: the definition of it, with its effects.
        trace: one line per clause of its guards.
    """

    workflow: str
    instance: str
    trigger: str
    source: str
    target: str
    transition: Transition
    trace: tuple[str, ...] = ()


def step_names(workflow: Workflow, state: str, trigger: str) -> frozenset[str]:
    """The facts that a step asks for: those of its guards, their messages, and what its effects tell."""
    if state not in workflow.states:
        return frozenset()
    transition = workflow.transitions(state).get(trigger)
    if transition is None:
        return frozenset()
    said = (name for guard in transition.guards for text in _texts(guard) for name, _ in message_names(text))
    return effect_names(transition).union(said, *(guard.condition.names for guard in transition.guards))


def _texts(guard: Guard) -> Iterator[str]:
    yield guard.message
    if guard.fix is not None:
        yield guard.fix.message
        yield from (text for _, text in templates(guard.fix.params))


def effect_names(transition: Transition) -> frozenset[str]:
    """The facts that the texts of a transition's effects mention."""
    return frozenset(name for effect in transition.effects for name, _ in message_names(effect.log or ""))


def step(
    workflow: Workflow,
    state: str,
    trigger: str,
    facts: Mapping[str, Any],
    *,
    instance: str,
    actor: ActorKind,
    role: str | None = None,
    approved: bool = False,
) -> Step | tuple[Refusal, ...]:
    """Whether `trigger` may be taken now.

    Args:
        workflow, state: where the instance is.
        trigger: what is asked for.
        facts: nested mapping for the guards; a missing fact does not hold.
        instance: id of the instance, for messages.
        actor: kind of who asks; only a person passes `approval: human`, unless
        approved: a person granted this very step before.
        role: the session's role.

    Returns:
        The step, or every reason that stands against it, the most basic first.
    """
    rule = f"{workflow.name}.{state}.{trigger}"
    if state not in workflow.states:
        return (_unknown_state(workflow, state, instance, rule),)
    transition = workflow.transitions(state).get(trigger)
    if transition is None:
        return (_no_transition(workflow, state, trigger, instance, rule, actor),)
    reasons: list[Refusal] = []
    if transition.roles and role not in transition.roles:
        message = f"{trigger} is for {' or '.join(transition.roles)}; this session's role is {role or 'none'}."
        reasons.append(Refusal("wrong_role", rule, message, {"session.role": role}))
    trace: list[str] = []
    for guard in transition.guards:
        refusal, lines = _check(guard, facts, rule)
        trace.extend(lines)
        if refusal:
            reasons.append(refusal)
    if transition.approval == "human" and actor != "human" and not approved:
        message = f"{trigger} needs a person: an agent cannot approve its own work."
        reasons.append(
            Refusal("approval_required", rule, message, {"subject.kind": actor}, _asked_for(trigger, instance))
        )
    if reasons:
        return tuple(reasons)
    return Step(workflow.name, instance, trigger, state, transition.target, transition, tuple(trace))


def _asked_for(trigger: str, instance: str) -> dict[str, Any]:
    """How an agent gets what only a person may do."""
    return {"action": "request_approval", "params": {"action": trigger, "instance": instance}}


def _check(guard: Guard, facts: Mapping[str, Any], rule: str) -> tuple[Refusal | None, tuple[str, ...]]:
    explanation = guard.condition.explain(facts)
    lines = tuple(str(clause) for clause in explanation.clauses)
    if explanation.value is True and not explanation.error:
        return None, lines
    message = format_message(guard.message, facts)
    if explanation.error:
        message = f"{message} (the guard cannot be decided: {explanation.error})"
    values = {
        name: "unknown" if value is UNKNOWN else value
        for clause in explanation.clauses
        for name, value in clause.values.items()
    }
    fix = None if guard.fix is None else fill_fix(guard.fix, facts)
    return Refusal("guard_failed", rule, message, values, fix, lines), lines


def _unknown_state(workflow: Workflow, state: str, instance: str, rule: str) -> Refusal:
    return Refusal(
        "no_transition",
        rule,
        f"{instance} is in state {state!r}, which workflow {workflow.name} (version {workflow.version}) no longer has; "
        f"its states are {_listed(workflow.states)}. A person must restore that state in the definition.",
    )


def _no_transition(workflow: Workflow, state: str, trigger: str, instance: str, rule: str, actor: ActorKind) -> Refusal:
    here = workflow.transitions(state)
    values: dict[str, Any] = {"instance.state": state}
    fix: dict[str, Any] | None = None
    if workflow.states[state].final:
        message = f"{instance} has ended: it is {state}. Start a new one."
        fix = {"action": f"start_{workflow.name}", "params": _about(workflow)}
    elif trigger not in workflow.triggers:
        message = f"{trigger} is no trigger of workflow {workflow.name}; in {state} there are {_listed(here)}."
        values = {}
    elif any(name == trigger and edge.target == state for _, name, edge in workflow.edges()):
        # The way back and here again would undo what was reached: an approval, somebody else's claim.
        message = f"{instance} is {state} already, which is where {trigger} leads. From here: {_listed(here)}."
    else:
        message = f"{instance} is {state}; {trigger} is possible from {' or '.join(workflow.states_with(trigger))}."
        if way := workflow.path(state, trigger):
            message += f" First {', then '.join(way)}."
            fix = {"action": way[0], "params": {"instance": instance}}
            if here[way[0]].approval == "human" and actor != "human":
                message += f" {way[0]} needs a person: ask for it."
                fix = _asked_for(way[0], instance)
        else:
            message += f" No trigger leads there; from here: {_listed(here)}."
    return Refusal("no_transition", rule, message, values, fix)


def _about(workflow: Workflow) -> dict[str, Any]:
    """What must be said to start an instance; a branch, project or session is found without."""
    if workflow.subject in ("branch", "project", "session"):
        return {}
    return {"subject" if workflow.subject == "text" else workflow.subject: "…"}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

"""What a trigger rule does when its turn comes: look at its condition with all facts, and run its next action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import ExpressionError
from llmgenie_mcp.expressions import facts_read, fill_params, format_message, templates
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outbox import Cause
from llmgenie_mcp.outcome import Actor, Document
from llmgenie_mcp.plugins import NotDelivered
from llmgenie_mcp.triggers import TriggerRule, event_type

if TYPE_CHECKING:
    import threading

    from llmgenie_mcp.engine.engine import Engine
    from llmgenie_mcp.records import Outcome


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of one step of a rule.

    Attributes:
        cause: what the step settles.
        outcome: of the action; None when the rule's condition did not hold.
        detail: what the log should say where the action itself wrote nothing.
    """

    cause: Cause
    outcome: Outcome | None
    detail: Document


def run_step(engine: Engine, item: Document, cancel: threading.Event) -> Fired:
    """Run the step that is due of the rule that `item` is for.

    Args:
        engine: the project's.
        item: of the outbox, of kind trigger.
        cancel: stops a slow action.

    Raises:
        NotDelivered: the rule is gone, or its condition cannot be told. LlmgenieError: of the action.
    """
    rule = engine.definitions.catalog.triggers.get(item["name"])
    if rule is None or not rule.enabled or item["step"] >= len(rule.run):
        raise NotDelivered(f"There is no trigger rule {item['name']} in force any more.", final=True)
    number, event = item["step"], item["event"]
    last = number + 1 == len(rule.run)
    cause = Cause((*item["chain"], item["destination"]), event["id"], item["id"], number, last, cancel)
    facts = _facts(engine, rule, number, event)
    if number == 0 and (skipped := _skipped(item["name"], rule, facts)) is not None:
        return Fired(Cause(cause.chain, cause.event, cause.item), None, skipped)
    step = rule.run[number]
    outcome = engine.run_action(
        step.action,
        fill_params(step.params, facts),
        session=format_message(rule.session, facts) or None,
        actor=Actor("system", item["destination"]),
        cancel=cancel,
        cause=cause,
    )
    why = [reason.message for reason in outcome.reasons]
    return Fired(cause, outcome, {"action": step.action, "status": outcome.status, **({"reasons": why} if why else {})})


def _facts(engine: Engine, rule: TriggerRule, number: int, event: Document) -> dict[str, Any]:
    """The event, and the facts that the condition and the step's templates read."""
    texts = [rule.session, *(text for _, text in templates(rule.run[number].params))]
    names = facts_read(rule.condition, texts)
    situation = engine.situation(actor=Actor("system", "llmgenie"))
    return {**situation.facts(name for name in names if not name.startswith("event")), "event": event}


def _skipped(name: str, rule: TriggerRule, facts: dict[str, Any]) -> Document | None:
    """Why the rule does nothing with the event, as the log says it; None when it runs."""
    whose = facts["event"]["data"].get("rule")
    if event_type(name, rule) is not None and whose != name:
        return {"skipped": f"the event is that of the rule {whose}, whose name differs in - and _ alone"}
    if _holds(rule, facts):
        return None
    return {"skipped": f"when: {rule.when}", "trace": [str(clause) for clause in rule.condition.explain(facts).clauses]}


def _holds(rule: TriggerRule, facts: dict[str, Any]) -> bool:
    try:
        return rule.condition.test(facts) is True
    except ExpressionError as error:
        raise NotDelivered(f"The condition of the rule fails: {error.message}", final=True) from error

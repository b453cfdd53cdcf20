"""Answers as data: what is open, what state things are in. Concise, because a model pays for every word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgenie_mcp.engine.definitions import Definitions
from llmgenie_mcp.engine.judge import Judgement
from llmgenie_mcp.plugins import Action
from llmgenie_mcp.records import Document
from llmgenie_mcp.workflow import Workflow


def action_line(action: Action, judgement: Judgement) -> Document:
    """One available action: name, description, parameters in short, and what it will depend on."""
    line: Document = {"name": action.name, "description": action.description, "params": action.usage}
    if judgement.step:
        line["leads_to"] = f"{judgement.step.instance}: {judgement.step.source} → {judgement.step.target}"
    if judgement.conditions:
        line["if"] = list(judgement.conditions)
    return {k: v for k, v in line.items() if v != ""}


def blocked_line(action: Action, judgement: Judgement, reasons: int = 2) -> Document:
    """One blocked action with its first reasons."""
    shown = []
    for refusal in judgement.refusals[:reasons]:
        short: Document = {"code": refusal.code, "rule": refusal.rule, "message": refusal.message}
        if refusal.fix:
            short["fix"] = dict(refusal.fix)
        shown.append(short)
    more = len(judgement.refusals) - len(shown)
    return {"name": action.name, "reasons": shown, **({"more_reasons": more} if more else {})}


def rank(action: Action, query: str) -> int:
    """How well an action fits the words of `query`; 0 when none occurs."""
    score = 0
    for word in query.lower().replace("_", " ").split():
        stem = word[:-1] if len(word) > 3 and word.endswith("s") else word
        score += 3 * (stem in action.name) + (stem in action.description.lower())
    return score


def instance_line(instance: Mapping[str, Any], workflow: Workflow | None) -> Document:
    """An instance with what may come next."""
    line: Document = {k: instance.get(k) for k in ("id", "workflow", "state", "subject", "session") if instance.get(k)}
    if workflow and instance["state"] in workflow.states:
        state = workflow.states[instance["state"]]
        if state.description:
            line["description"] = state.description
        line["next"] = {
            trigger: transition.target + (" (needs a person)" if transition.approval else "")
            for trigger, transition in workflow.transitions(instance["state"]).items()
        }
    return line


def enforcement(definitions: Definitions, warnings: list[str]) -> Document:
    """Which policies are in force, at which level, and what keeps them from being complete."""
    policies = [
        {
            "name": name,
            "version": entry.value.version,
            "level": entry.value.level,
            "origin": entry.origin,
            "actions": list(entry.value.applies_to.actions),
            "rules": len(entry.value.rules),
        }
        for name, entry in definitions.catalog.policies.items()
    ]
    return {"policies": policies, "trusted": definitions.trusted, "notes": [*definitions.catalog.notes, *warnings]}

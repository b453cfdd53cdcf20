"""No refusal is a dead end: each names the action that helps, or who can and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from scene import define

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.engine import definitions, scenarios
from llmgenie_mcp.engine.judge import refusal_of
from llmgenie_mcp.engine.ways import NEVER, NO_YES, with_a_way
from llmgenie_mcp.loader.scenarios import scenario_sources
from llmgenie_mcp.project import resolve

ASKS = """
name: goals
level: always_on
applies_to: {actions: [roadmap_add]}
rules:
  - {id: goals, effect: ask, when: not approval.granted, reason: A person sets the goals.}
"""
BLIND = ASKS.replace("not approval.granted", "subject.kind == 'agent'")
NEVER_EVER = BLIND.replace("effect: ask", "effect: deny")


def test_every_refusal_of_every_packaged_rule_has_a_next_step(repo: Path) -> None:
    known = definitions.load(resolve(repo))
    report = scenarios.run(known, scenario_sources(repo / ".llmgenie"), whole=True)
    seen = set()
    for answer in (answer for result in report.results for answer in result.answers):
        for reason in answer.decision.reasons:
            refusal = refusal_of(with_a_way(reason, answer.name, answer.params or {}))
            assert refusal.fix or refusal.next, (answer.name, refusal)
            assert bool(refusal.fix) != bool(refusal.next), "one way is shown, not two"
            seen.add(refusal.rule)
    rules = {f"{name}/{rule.id}" for name, e in known.catalog.policies.items() for rule in e.value.rules}
    assert seen == rules


def test_a_rule_that_asks_and_names_no_way_is_opened_by_asking(repo: Path, engine: Engine) -> None:
    define(repo, "policies", "goals", ASKS)
    trust.trust(repo / ".llmgenie")
    denied = engine.run_action("roadmap_add", {"title": "Ship it"})
    (reason,) = denied.reasons
    assert reason.fix == {
        "action": "request_approval",
        "params": {"action": "roadmap_add", "params": {"title": "Ship it"}},
    }
    assert engine.enforce(None, "roadmap_add", {"title": "Ship it"}).reasons[0].fix == reason.fix
    asked = engine.run_action(reason.fix["action"], reason.fix["params"])
    engine.decide_approval(asked.result["approval"]["id"], True, person="ada", channel="terminal")
    assert engine.run_action("roadmap_add", {"title": "Ship another"}).status == "denied"
    assert engine.run_action("roadmap_add", {"title": "Ship it"}).ok


def test_parameters_too_long_to_repeat_are_left_to_the_caller(repo: Path, engine: Engine) -> None:
    define(repo, "policies", "goals", ASKS)
    trust.trust(repo / ".llmgenie")
    fix = engine.run_action("roadmap_add", {"title": "x", "description": "y" * 5_000}).reasons[0].fix
    assert fix is not None
    assert fix["params"] == {"action": "roadmap_add", "params": {}}
    assert fix["message"] == "Give the same parameters as `params`."


@pytest.mark.parametrize(("policy", "words"), [(BLIND, NO_YES), (NEVER_EVER, NEVER)])
def test_what_no_approval_opens_says_so_and_who_can(repo: Path, engine: Engine, policy: str, words: str) -> None:
    define(repo, "policies", "goals", policy)
    trust.trust(repo / ".llmgenie")
    (reason,) = engine.run_action("roadmap_add", {"title": "Ship it"}).reasons
    assert (reason.fix, reason.next) == (None, words)
    assert reason.to_dict()["next"] == words
    (listed,) = [
        one for one in engine.available_actions(include_blocked=True)["blocked"] if one["name"] == "roadmap_add"
    ]
    assert listed["reasons"][0]["next"] == words

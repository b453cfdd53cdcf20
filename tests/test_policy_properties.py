"""What holds for every set of policies and facts: order, monotony, audit."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_policy import decide, policy

from llmgenie_mcp.policy import PolicyRequest
from llmgenie_mcp.rules import Policy

# Other work on the same machine must not fail a test that is not about time.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


# Random policies over a few facts that may be true, false, missing, or of a kind that makes rules err.
WHENS = [
    "true",
    "false",
    "a.x",
    "not a.x",
    "a.y == 1",
    "a.y > 1",
    "a.x and a.z",
    "a.z or a.y in params.list",
    "len(a.z) > 1",
]
RULES = st.fixed_dictionaries(
    {
        "effect": st.sampled_from(["deny", "ask", "allow"]),
        "when": st.sampled_from(WHENS),
        "obligations": st.lists(st.sampled_from(["log", "notify"]), max_size=2),
    }
)
PLACES = st.fixed_dictionaries(
    {
        "actions": st.sampled_from([["*"], ["go"], ["g*"], ["stop"]]),
        "modes": st.sampled_from([["*"], ["code"], ["docs"]]),
    }
)
POLICIES = st.lists(
    st.tuples(st.lists(RULES, min_size=1, max_size=3), st.sampled_from(["always_on", "situational", "audit"]), PLACES),
    max_size=4,
).map(
    lambda items: [
        policy(f"p{number}", *rules, level=level, applies_to=place, params={"list": [1]})
        for number, (rules, level, place) in enumerate(items)
    ]
)
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "x": st.sampled_from([True, False, None]),
        "y": st.sampled_from([0, 1, 2, "1", None]),
        "z": st.sampled_from([True, False, "text", [1, 2]]),
    },
)
RANK = {"deny": 0, "ask": 1, "allow": 2}


def request_with(facts: dict[str, Any]) -> PolicyRequest:
    return PolicyRequest({"kind": "agent"}, "go", {}, {}, {"mode": "code"}, {"a": facts})


@RELAXED
@given(POLICIES, FACTS, st.randoms(use_true_random=False))
def test_the_order_of_policies_does_not_matter(policies: list[Policy], facts: dict[str, Any], random: Any) -> None:
    shuffled = policies.copy()
    random.shuffle(shuffled)
    assert decide(*policies, request=request_with(facts)) == decide(*shuffled, request=request_with(facts))


@RELAXED
@given(POLICIES, RULES, PLACES, FACTS)
def test_another_rule_never_makes_a_decision_milder(
    policies: list[Policy], rule: dict[str, Any], place: dict[str, Any], facts: dict[str, Any]
) -> None:
    before = decide(*policies, request=request_with(facts))
    after = decide(*policies, policy("more", rule, applies_to=place), request=request_with(facts))
    assert RANK[after.effect] <= RANK[before.effect]


@RELAXED
@given(POLICIES, FACTS)
def test_learning_facts_only_lifts_reasons_that_were_for_lack_of_them(
    policies: list[Policy], facts: dict[str, Any]
) -> None:
    full = {"x": True, "y": 1, "z": True, **facts}
    before, after = (decide(*policies, request=request_with(known)) for known in (facts, full))
    sure = {(reason.policy, reason.rule) for reason in before.reasons if reason.code == "rule_matched"}
    assert sure <= {(reason.policy, reason.rule) for reason in after.reasons}


@RELAXED
@given(POLICIES, FACTS)
def test_the_effect_is_the_strongest_reason_and_the_trace_agrees(policies: list[Policy], facts: dict[str, Any]) -> None:
    found = decide(*policies, request=request_with(facts))
    effects = [reason.effect for reason in found.reasons]
    assert effects == sorted(effects, key=RANK.__getitem__)
    assert found.effect == (effects[0] if effects else "allow")
    assert found.applicable == bool(found.policies)
    matched = {(reason.policy, reason.rule): reason.code for reason in (*found.reasons, *found.permits)}
    traced = {
        (line["policy"], line["rule"]): line["outcome"]
        for line in found.trace()
        if "level" not in line and line["outcome"] != "not_matched"
    }
    assert traced == matched
    json.dumps(found.to_dict(trace=True))


@RELAXED
@given(POLICIES, FACTS)
def test_audit_policies_never_change_the_effect(policies: list[Policy], facts: dict[str, Any]) -> None:
    enforced = [found for found in policies if found.level != "audit"]
    assert (
        decide(*policies, request=request_with(facts)).effect == decide(*enforced, request=request_with(facts)).effect
    )

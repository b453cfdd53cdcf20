"""Decisions: deny over ask over allow, unknown and erring rules on the safe side, reasons that lead out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llmgenie_mcp.errors import DefinitionError, UnknownName
from llmgenie_mcp.policy import Decision, PolicyRequest, PolicySet
from llmgenie_mcp.rules import Policy


def policy(name: str, *rules: dict[str, Any], **more: Any) -> Policy:
    filled = [{"id": f"r{number}", "reason": "Because.", **rule} for number, rule in enumerate(rules)]
    return Policy.model_validate({"name": name, "level": "always_on", "rules": filled, **more})


PROTECTION = policy(
    "branch_protection",
    {
        "id": "no-direct-push",
        "effect": "deny",
        "when": "resource.branch in params.protected and not approval.granted",
        "reason": "{resource.branch} is protected: push a branch and open a review.",
        "fix": {"action": "start_review", "params": {"branch": "{git.branch}"}, "message": "From {git.branch}."},
        "obligations": ["log"],
    },
    {"id": "tags", "effect": "ask", "when": "resource.type == 'tag'", "reason": "A person decides about tags."},
    applies_to={"actions": ["merge", "git.*"]},
    params={"protected": ["main", "develop"]},
)
REQUEST = PolicyRequest(
    subject={"kind": "agent", "id": "cursor", "role": "developer"},
    action="git.push",
    params={"force": False},
    resource={"type": "branch", "branch": "main"},
    context={"mode": "code"},
    facts={"approval": {"granted": False}, "git": {"branch": "feature/x"}},
)


def decide(*policies: Policy, request: PolicyRequest = REQUEST, only: str | None = None) -> Decision:
    return PolicySet(policies).decide(request, only)


def summary(decision: Decision) -> tuple[str, list[str]]:
    return decision.effect, [
        f"{reason.policy}/{reason.rule} {reason.effect} {reason.code}" for reason in decision.reasons
    ]


def test_a_refusal_says_why_and_what_would_help() -> None:
    decision = decide(PROTECTION)
    assert decision.allowed is False
    assert decision.to_dict() == {
        "effect": "deny",
        "allowed": False,
        "applicable": True,
        "reasons": [
            {
                "policy": "branch_protection",
                "rule": "no-direct-push",
                "effect": "deny",
                "code": "rule_matched",
                "message": "main is protected: push a branch and open a review.",
                "fix": {"action": "start_review", "params": {"branch": "feature/x"}, "message": "From feature/x."},
            }
        ],
        "obligations": ["log"],
        "policies": ["branch_protection"],
    }


def test_a_trace_has_every_rule_matched_or_not() -> None:
    clauses = [
        "resource.branch in params.protected → true (resource.branch = 'main', params.protected = ['main', 'develop'])",
        "approval.granted → false (approval.granted = false)",
    ]
    found = decide(PROTECTION).to_dict(trace=True)
    assert found["trace"] == [
        {
            "policy": "branch_protection",
            "rule": "no-direct-push",
            "effect": "deny",
            "outcome": "rule_matched",
            "clauses": clauses,
        },
        {
            "policy": "branch_protection",
            "rule": "tags",
            "effect": "ask",
            "outcome": "not_matched",
            "clauses": ["resource.type == 'tag' → false (resource.type = 'branch')"],
        },
    ]
    assert found["reasons"][0]["clauses"] == clauses
    assert found["reasons"][0]["values"] == {
        "resource.branch": "main",
        "params.protected": ["main", "develop"],
        "approval.granted": False,
    }
    assert json.loads(json.dumps(found)) == found


def test_what_no_rule_is_against_is_allowed() -> None:
    decision = decide(PROTECTION, request=replace(REQUEST, resource={"type": "branch", "branch": "feature/x"}))
    assert decision.allowed
    assert decision.to_dict() == {
        "effect": "allow",
        "allowed": True,
        "applicable": True,
        "policies": ["branch_protection"],
    }


def test_what_no_policy_covers_is_allowed_and_says_so() -> None:
    decision = decide(PROTECTION, request=replace(REQUEST, action="run_tests"))
    assert decision.to_dict(trace=True) == {"effect": "allow", "allowed": True, "applicable": False}


def test_unknown_facts_make_deny_and_ask_match_and_allow_not() -> None:
    found = decide(
        policy(
            "p",
            {
                "effect": "deny",
                "when": "git.clean == false and action.params.force == false",
                "reason": "Not {git.clean}.",
            },
            {"effect": "ask", "when": "resource.size > 5 or tests.last.passed"},
            {"effect": "allow", "when": "git.clean"},
            {"effect": "deny", "when": "git.clean and action.params.force"},
        )
    )
    assert summary(found) == ("deny", ["p/r0 deny fact_unknown", "p/r1 ask fact_unknown"])
    assert [reason.message for reason in found.reasons] == [
        "Not git.clean. git.clean is not known here, so the rule counts.",
        "Because. The size and tests.last.passed are not known here, so the rule counts.",
    ]
    assert [reason.unknown for reason in found.reasons] == [("git.clean",), ("resource.size", "tests.last.passed")]
    assert found.reasons[0].values == {"action.params.force": False}
    assert found.permits == ()


@pytest.mark.parametrize("effect", ["deny", "ask", "allow"])
def test_a_rule_that_errs_denies_and_says_so(effect: str) -> None:
    found = decide(policy("p", {"effect": effect, "when": "resource.branch > 5", "fix": {"action": "x"}}))
    assert summary(found) == ("deny", ["p/r0 deny rule_erred"])
    [reason] = found.reasons
    assert reason.message == (
        "Rule r0 of policy p cannot be decided, so it denies: `resource.branch > 5` cannot be evaluated: "
        "a number and a text have no order (resource.branch = 'main')."
    )
    assert reason.clauses == ("resource.branch > 5 → error (resource.branch = 'main')",)
    assert reason.fix is None
    assert found.trace()[0]["outcome"] == "rule_erred"


def test_deny_goes_over_ask_and_ask_over_allow() -> None:
    allow = policy("a", {"effect": "allow", "obligations": ["log", {"notify": "x"}]})
    ask = policy("b", {"effect": "ask", "obligations": [{"notify": "x"}, "record"]})
    deny = policy("c", {"effect": "deny", "obligations": ["alarm"]})
    assert summary(decide(allow)) == ("allow", [])
    assert summary(decide(allow, ask)) == ("ask", ["b/r0 ask rule_matched"])
    assert summary(decide(allow, ask, deny)) == ("deny", ["c/r0 deny rule_matched", "b/r0 ask rule_matched"])
    assert [reason.policy for reason in decide(allow, ask, deny).permits] == ["a"]


def test_obligations_are_those_of_what_was_decided_each_once() -> None:
    allow = policy("a", {"effect": "allow", "obligations": ["log", {"notify": "x"}]})
    ask = policy("b", {"effect": "ask", "obligations": [{"notify": "x"}, "record"]})
    deny = policy("c", {"effect": "deny", "obligations": ["alarm"]})
    assert decide(allow).obligations == ("log", {"notify": "x"})
    assert decide(allow, ask).obligations == ("log", {"notify": "x"}, "record")
    assert decide(allow, ask, deny).obligations == ("alarm",)


def test_an_audit_policy_never_refuses_and_notes_what_it_would_have() -> None:
    audit = policy(
        "trial",
        {"effect": "ask", "obligations": ["log"]},
        {"effect": "deny", "when": "git.clean"},
        {"effect": "allow"},
        level="audit",
    )
    found = decide(audit)
    assert summary(found) == ("allow", [])
    assert (found.obligations, found.permits, found.policies) == ((), (), ("trial",))
    assert [(reason.rule, reason.effect, reason.code) for reason in found.audit] == [
        ("r1", "deny", "fact_unknown"),
        ("r0", "ask", "rule_matched"),
    ]
    assert [line["level"] for line in found.trace()] == ["audit"] * 3
    assert [entry["rule"] for entry in found.to_dict()["audit"]] == ["r1", "r0"]


def test_one_policy_can_be_asked_alone() -> None:
    other = policy("other", {"effect": "deny"}, applies_to={"actions": ["merge"]})
    assert summary(decide(PROTECTION, other, policy("all", {"effect": "deny"}), only="branch_protection")) == (
        "deny",
        ["branch_protection/no-direct-push deny rule_matched"],
    )
    found = decide(PROTECTION, other, only="other")
    assert (found.effect, found.applicable, found.policies) == ("allow", False, ())


def test_an_unknown_policy_is_named_with_near_ones() -> None:
    with pytest.raises(UnknownName) as caught:
        decide(PROTECTION, only="branch_protecton")
    assert caught.value.hint == "Did you mean branch_protection?"


def test_two_policies_of_one_name_are_refused() -> None:
    with pytest.raises(DefinitionError):
        PolicySet([PROTECTION, policy("x", {"effect": "ask"}), PROTECTION])


def test_policies_are_found_by_name_pattern_and_mode() -> None:
    policies = PolicySet(
        [
            policy("z_all", {"effect": "ask"}),
            policy("git", {"effect": "ask"}, applies_to={"actions": ["git.*"]}),
            policy("push", {"effect": "ask"}, applies_to={"actions": ["git.push", "git.p*"], "modes": ["code", "d*"]}),
            policy("set", {"effect": "ask"}, applies_to={"actions": ["git.pus[h]", "git.?ush"]}),
        ]
    )
    assert len(policies) == len(list(policies)) == 4

    def names(action: str, mode: str | None) -> list[str]:
        return [found.name for found in policies.applicable(action, mode)]

    assert names("git.push", "code") == ["git", "push", "set", "z_all"]
    assert names("git.push", "debug") == ["git", "push", "set", "z_all"]
    assert names("git.push", "review") == ["git", "set", "z_all"]
    assert names("git.push", None) == ["git", "set", "z_all"]
    assert names("git.commit", "code") == ["git", "z_all"]
    assert names("x/y\nz", "code") == ["z_all"]


def test_a_mode_that_is_no_text_counts_as_none() -> None:
    policies = [policy("p", {"effect": "deny"}, applies_to={"modes": ["code"]})]
    assert decide(*policies, request=replace(REQUEST, context={"mode": ["code"]})).applicable is False
    assert decide(*policies, request=replace(REQUEST, context={})).applicable is False


def test_the_facts_to_gather_are_those_that_applicable_rules_and_messages_read() -> None:
    policies = PolicySet([PROTECTION, policy("other", {"effect": "ask", "when": "tests.last.passed"})])
    assert policies.names("git.push", "code") == {
        "approval.granted",
        "git.branch",
        "resource.branch",
        "resource.type",
        "tests.last.passed",
    }
    assert policies.names("run_tests", "code") == {"tests.last.passed"}
    assert PolicySet().names("x", None) == frozenset()


def test_facts_add_to_the_request_and_never_replace_it() -> None:
    request = replace(
        REQUEST,
        facts={
            "action": {"name": "harmless", "params": {"force": True}, "changes": ["a"]},
            "resource": {"branch": "feature/x", "tracked": True},
            "subject": None,
            "params": {"protected": []},
        },
    )
    environment = request.environment()
    assert environment["action"] == {"name": "git.push", "params": {"force": False}, "changes": ["a"]}
    assert environment["resource"] == {"branch": "main", "tracked": True, "type": "branch"}
    assert environment["subject"] == REQUEST.subject
    when = "resource.branch in params.protected and action.name == 'git.push'"
    rule = {"effect": "deny", "when": when}
    assert decide(policy("p", rule, params={"protected": ["main"]}), request=request).effect == "deny"


def test_each_policy_reads_its_own_params() -> None:
    rule = {"effect": "deny", "when": "resource.branch == params.branch"}
    found = decide(policy("a", rule, params={"branch": "x"}), policy("b", rule, params={"branch": "main"}))
    assert summary(found) == ("deny", ["b/r0 deny rule_matched"])


def test_params_that_are_not_known_yet_are_unknown() -> None:
    found = decide(
        policy(
            "p", {"effect": "deny", "when": "action.params.force"}, {"effect": "ask", "when": "len(action.params) > 3"}
        ),
        request=replace(REQUEST, params=None),
    )
    assert [reason.unknown for reason in found.reasons] == [("action.params.force",), ("action.params",)]


def test_a_decision_does_not_change_with_the_facts_afterwards() -> None:
    resource = {"type": "branch", "branch": "main"}
    found = decide(PROTECTION, request=replace(REQUEST, resource=resource))
    before = found.to_dict()
    resource["branch"] = "feature/x"
    assert found.to_dict() == before
    assert found.reasons[0].values["resource.branch"] == "main"


def test_long_values_stay_short_in_everything_that_is_shown() -> None:
    rule = {"effect": "deny", "when": "startswith(action.params.token, 'ghp')", "reason": "No {action.params.token}."}
    found = decide(policy("p", rule), request=replace(REQUEST, params={"token": "ghp" + "x" * 10_000}))
    assert len(json.dumps(found.to_dict(trace=True))) < 1500


def test_strange_action_names_neither_fail_nor_fill_the_memory() -> None:
    policies = PolicySet([PROTECTION])
    for number in range(3000):
        policies.decide(replace(REQUEST, action=f"x{number}"))
    for name in ("", "\x00", "\ud800", "git." + "a" * 10**6, "git.\n"):
        assert policies.decide(replace(REQUEST, action=name)).applicable is name.startswith("git.")
    remembered = policies._remembered.cache_info()
    assert remembered.currsize <= 1024


def test_decisions_compare_by_what_they_say() -> None:
    first, second = decide(PROTECTION), decide(PROTECTION)
    assert first == second
    assert "_request" not in repr(first)

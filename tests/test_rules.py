"""Policies as data: what is valid, where an error stands, and what is certainly a mistake."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from llmgenie_mcp.expressions import Problem, Vocabulary
from llmgenie_mcp.rules import AppliesTo, Fix, Policy, Rule, check_policy

VOCABULARY = Vocabulary({"resource.branch", "git.branch", "approval.granted", "action.params.*", "action.changes"})
DENY: dict[str, Any] = {"id": "no", "effect": "deny", "reason": "No."}


def policy(*rules: dict[str, Any], **more: Any) -> Policy:
    data = {"name": "p", "level": "always_on", "rules": list(rules or (DENY,)), **more}
    return Policy.model_validate_json(json.dumps(data), strict=True)


def errors_of(*rules: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    with pytest.raises(ValidationError) as caught:
        policy(*rules, **more)
    return [
        {key: value for key, value in error.items() if key in ("loc", "type", "ctx")}
        for error in caught.value.errors(include_url=False, include_input=False)
    ]


def problems_of(*rules: dict[str, Any], **more: Any) -> list[Problem]:
    return check_policy(policy(*rules, **more), VOCABULARY)


def test_a_whole_policy_is_read() -> None:
    found = policy(
        {
            "id": "no-direct-push",
            "effect": "deny",
            "when": "resource.branch in params.protected and not approval.granted",
            "reason": "{resource.branch} is protected.",
            "fix": {
                "action": "start_review",
                "params": {"branch": "{git.branch}", "deep": [{"n": 1}]},
                "message": "Do.",
            },
            "obligations": ["log", {"notify": "security"}],
        },
        version=2,
        applies_to={"actions": ["merge", "git.*"], "modes": ["code"]},
        params={"protected": ["main"]},
        metadata={"owner": "us"},
    )
    assert found.rules[0].condition.names == {"resource.branch", "params.protected", "approval.granted"}
    assert found.names() == {"resource.branch", "approval.granted", "git.branch"}
    assert check_policy(found, VOCABULARY) == []
    assert Policy.model_validate_json(found.model_dump_json(), strict=True) == found


def test_what_is_left_out_has_its_default() -> None:
    found = policy()
    assert (found.version, found.description, found.params, found.metadata) == (1, "", {}, {})
    assert found.applies_to == AppliesTo(actions=("*",), modes=("*",))
    rule = found.rules[0]
    assert (rule.when, rule.unconditional, rule.fix, rule.obligations) == ("true", True, None, ())
    assert rule.condition.test({}) is True


def test_definitions_are_frozen() -> None:
    with pytest.raises(ValidationError):
        policy().rules[0].reason = "Other."  # type: ignore[misc]


@pytest.mark.parametrize(
    ("rule", "loc", "offset", "message"),
    [
        ({"when": "resource.branch = 'x'"}, ("when",), 16, "The character '=' is not allowed here."),
        ({"reason": "{resource.branch is"}, ("reason",), 0, "'{' has no partner."),
        ({"fix": {"action": "a", "message": "do {1}"}}, ("fix", "message"), 3, "'{1}' is not a name."),
    ],
)
def test_an_error_in_a_text_keeps_its_offset(
    rule: dict[str, Any], loc: tuple[str, ...], offset: int, message: str
) -> None:
    [error] = errors_of(DENY | rule)
    assert (error["type"], error["loc"]) == ("expression", ("rules", 0, *loc))
    assert (error["ctx"]["offset"], error["ctx"]["message"]) == (offset, message)
    assert error["ctx"]["hint"]


def test_a_malformed_template_in_a_fix_is_named_by_its_key() -> None:
    [error] = errors_of(DENY | {"fix": {"action": "a", "params": {"x": [{"y": "{"}]}}})
    assert (error["type"], error["loc"]) == ("mistake", ("rules", 0, "fix"))
    assert (error["ctx"]["message"], error["ctx"]["below"]) == ("'{' has no partner.", ("params", "x", 0, "y"))


@pytest.mark.parametrize(
    ("change", "kind", "loc"),
    [
        ({"name": "Branch-Protection"}, "string_pattern_mismatch", ("name",)),
        ({"name": "a" * 61}, "string_too_long", ("name",)),
        ({"version": 0}, "greater_than_equal", ("version",)),
        ({"level": "on"}, "literal_error", ("level",)),
        ({"rules": []}, "too_short", ("rules",)),
        ({"rule": []}, "extra_forbidden", ("rule",)),
        ({"rules": [DENY, DENY]}, "mistake", ()),
        ({"rules": [DENY | {"id": "No_Way"}]}, "string_pattern_mismatch", ("rules", 0, "id")),
        ({"rules": [DENY | {"effect": "permit"}]}, "literal_error", ("rules", 0, "effect")),
        ({"rules": [DENY | {"reason": " "}]}, "mistake", ("rules", 0)),
        ({"rules": [DENY | {"when": "true", "unless": "x"}]}, "extra_forbidden", ("rules", 0, "unless")),
        ({"rules": [DENY | {"fix": {"params": {}}}]}, "missing", ("rules", 0, "fix", "action")),
        ({"applies_to": {"actions": []}}, "too_short", ("applies_to", "actions")),
        ({"applies_to": {"actions": [""]}}, "string_too_short", ("applies_to", "actions", 0)),
        ({"params": {"not a word": 1}}, "string_pattern_mismatch", ("params", "not a word", "[key]")),
    ],
)
def test_what_is_not_valid_is_found_at_its_place(change: dict[str, Any], kind: str, loc: tuple[str | int, ...]) -> None:
    assert [(error["type"], error["loc"]) for error in errors_of(**change)] == [(kind, loc)]


def test_an_allow_rule_needs_no_reason() -> None:
    assert policy({"id": "yes", "effect": "allow"}).rules[0].reason == ""


@pytest.mark.parametrize(
    ("actions", "modes", "covered", "not_covered"),
    [
        (["*"], ["*"], [("anything/at all", "code"), ("", None)], []),
        (["git.*"], ["*"], [("git.push", None), ("git.a/b", "x")], [("git", "x"), ("Git.push", "x")]),
        (["merge"], ["code", "re*"], [("merge", "code"), ("merge", "review")], [("merge", None), ("merges", "code")]),
    ],
)
def test_where_a_policy_applies(
    actions: list[str],
    modes: list[str],
    covered: list[tuple[str, str | None]],
    not_covered: list[tuple[str, str | None]],
) -> None:
    where = AppliesTo(actions=tuple(actions), modes=tuple(modes))
    assert [place for place in [*covered, *not_covered] if where.covers(*place)] == covered


def test_undeclared_names_are_found_wherever_they_are_read() -> None:
    rule = {
        "id": "r",
        "effect": "deny",
        "when": "resource.brunch in params.protected and params.limit.high > 1 and not params.lmit.low",
        "reason": "See {git.brench}.",
        "fix": {"action": "a", "params": {"x": ["{params.protectd}"]}, "message": "{nothing}"},
    }
    params = {"protected": [], "limit": {"high": 1, "low": 2}}
    assert problems_of(rule, params=params) == [
        Problem(
            ("rules", 0, "when"),
            "There is no fact 'resource.brunch'.",
            "Did you mean resource.branch?",
            0,
        ),
        Problem(
            ("rules", 0, "when"),
            "There is no fact 'params.lmit.low'.",
            "Did you mean params.limit.low or params.limit or params.limit.high?",
            70,
        ),
        Problem(("rules", 0, "reason"), "There is no fact 'git.brench'.", "Did you mean git.branch?", 5),
        Problem(
            ("rules", 0, "fix", "message"),
            "There is no fact 'nothing'.",
            "Known: action, approval, git, params, resource.",
            1,
        ),
        Problem(
            ("rules", 0, "fix", "params", "x", 0),
            "There is no fact 'params.protectd'.",
            "Did you mean params.protected?",
            1,
        ),
    ]


def rule(id_: str, effect: str, when: str = "true") -> dict[str, Any]:
    return {"id": id_, "effect": effect, "when": when, "reason": "Because."}


REMEDY = "Remove one of the two, or make their conditions differ."


@pytest.mark.parametrize(
    ("rules", "index", "message"),
    [
        (
            [rule("a", "deny", "git.branch  == 'x'"), rule("b", "deny", "git.branch == 'x'")],
            1,
            "Rule 'b' repeats 'a': same effect, same condition.",
        ),
        (
            [rule("a", "deny"), rule("b", "deny", "approval.granted")],
            1,
            "Rule 'b' can never matter: 'a' denies always.",
        ),
        (
            [rule("a", "ask", "approval.granted"), rule("b", "deny")],
            0,
            "Rule 'a' can never matter: 'b' denies always.",
        ),
        (
            [rule("a", "allow", "approval.granted"), rule("b", "deny", "approval.granted")],
            0,
            "Rule 'a' can never matter: 'b' denies under the same condition.",
        ),
    ],
)
def test_a_rule_that_cannot_matter_is_found(rules: list[dict[str, Any]], index: int, message: str) -> None:
    assert problems_of(*rules) == [Problem(("rules", index, "id"), message, REMEDY)]


@pytest.mark.parametrize(
    "rules",
    [
        # The particular reasons first, then no for all else.
        [rule("a", "deny", "approval.granted"), rule("b", "deny")],
        [rule("a", "ask", "approval.granted"), rule("b", "allow", "approval.granted")],
        [rule("a", "ask"), rule("b", "allow"), rule("c", "deny", "approval.granted")],
        [rule("a", "deny", "false")],
    ],
)
def test_rules_that_may_matter_are_left_alone(rules: list[dict[str, Any]]) -> None:
    assert problems_of(*rules) == []


def test_a_situational_policy_needs_a_situation() -> None:
    problem = Problem(
        ("applies_to",), "A situational policy needs a situation.", "Name actions or modes, or make it always_on."
    )
    assert problems_of(level="situational") == [problem]
    assert problems_of(level="situational", applies_to={"modes": ["review"]}) == []


@pytest.mark.parametrize("model", [Policy, Rule, AppliesTo, Fix])
def test_every_field_is_described_and_unknown_keys_are_refused(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    assert schema["additionalProperties"] is False
    assert [name for name, field in schema["properties"].items() if len(field.get("description", "")) < 15] == []


def test_the_schema_says_how_long_a_condition_may_be() -> None:
    assert Rule.model_json_schema()["properties"]["when"]["maxLength"] == 2048

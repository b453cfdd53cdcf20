"""Declared names, and messages that mention them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgenie_mcp.errors import ExpressionError
from llmgenie_mcp.expressions import (
    Expression,
    Problem,
    Vocabulary,
    fill_fix,
    fill_params,
    format_message,
    message_names,
    templates,
)
from llmgenie_mcp.expressions.fix import Fix

# Other work on the same machine must not fail a test that is not about time.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FACTS: dict[str, Any] = {
    "resource": {"branch": "main"},
    "params": {"protected": ["main", "develop"]},
    "git": {"ahead": 2},
}


def test_a_vocabulary_finds_undeclared_names_and_offers_near_ones() -> None:
    vocabulary = Vocabulary({"git.branch", "resource.branch", "resource.path", "tests.last.passed", "params.*"})
    expression = Expression.parse(
        "resource.brunch == git.branch and params.any.thing and tests.last and nothing.at_all"
    )
    assert vocabulary.check(expression) == [
        (0, "There is no fact 'resource.brunch'.", "Did you mean resource.branch or resource.path?"),
        (70, "There is no fact 'nothing.at_all'.", "Known: git, params, resource, tests."),
    ]
    assert vocabulary.check_names([("branch", 3)]) == [
        (3, "There is no fact 'branch'.", "Did you mean git.branch or resource.branch?")
    ]
    assert vocabulary.check_names([("tests.x", 0)]) == [
        (0, "There is no fact 'tests.x'.", "Known below tests: tests.last.passed.")
    ]
    assert vocabulary.check_names([("git.branch.x", 0)])[0][0] == 0
    assert Vocabulary().check_names([("x", 0)]) == [(0, "There is no fact 'x'.", "Nothing is declared here.")]
    assert not Vocabulary({"*"}).check(expression)


def test_who_looks_for_an_event_in_a_guard_is_told_where_its_data_is() -> None:
    ((_, _, hint),) = Vocabulary({"action.params.*", "task.status"}).check_names([("event.data.status", 0)])
    assert hint == "Here, what an event brings is what the action is given: action.params.status."


def test_vocabularies_join_and_narrow() -> None:
    both = Vocabulary({"git.branch"}) | Vocabulary({"params.*"})
    assert both == Vocabulary({"params.*", "git.branch"})
    assert hash(both) == hash(Vocabulary({"params.*", "git.branch"}))
    narrowed = both.narrowed("params", {"limit": 1, "nested": {"deep": 2}})
    assert list(narrowed) == ["git.branch", "params.limit", "params.nested", "params.nested.deep"]
    assert "params.other" not in narrowed
    assert "params" in narrowed
    assert repr(Vocabulary({"a.*"})) == "Vocabulary({'a.*'})"
    for name in ("", "a.", "a b", "*.a", "a.*.b"):
        with pytest.raises(ValueError, match="not a dotted name"):
            Vocabulary({name})


def test_a_message_is_filled_with_short_facts() -> None:
    facts = {**FACTS, "long": "x" * 500, "lines": "a\nb\u202e", "yes": True, "none": None, "mixed": [1, "a"]}
    template = "{resource.branch}, { git.ahead }, {params.protected}, {yes}, {none}, {mixed}, {missing.x}, {{literal}}"
    assert format_message(template, facts) == "main, 2, main, develop, true, null, [1, 'a'], ?, {literal}"
    assert format_message("{long}", facts) == "x" * 79 + "…"
    assert format_message("{lines}", facts) == "a\\nb\\u202e"
    assert format_message("{resource.__class__} {0} {} {a!r} {", facts) == "? {0} {} {a!r} {"


def test_the_names_of_a_message_have_their_places() -> None:
    assert message_names("é {{x}} {a.b} and { c }") == (("a.b", 9), ("c", 20))


@pytest.mark.parametrize(
    ("template", "offset"), [("a {b", 2), ("a }", 2), ("{a.}", 0), ("ok {a} {1}", 7), ("{}", 0), ("{a!r}", 0)]
)
def test_a_malformed_message_is_refused_at_its_character(template: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        message_names(template)
    assert caught.value.offset == offset


def test_params_are_filled_wherever_they_hold_text() -> None:
    params = {
        "branch": "{resource.branch}",
        "n": "{git.ahead}",
        "deep": [{"x": "on {resource.branch}"}],
        "k": 1,
        "u": "{no}",
    }
    assert fill_params(params, FACTS) == {
        "branch": "main",
        "n": 2,
        "deep": [{"x": "on main"}],
        "k": 1,
        "u": "?",
    }
    assert list(templates(params)) == [
        (("branch",), "{resource.branch}"),
        (("n",), "{git.ahead}"),
        (("deep", 0, "x"), "on {resource.branch}"),
        (("u",), "{no}"),
    ]


def test_a_way_out_leaves_out_what_was_left_out_of_the_request() -> None:
    fix = Fix(action="complete_task", params={"id": "{action.params.id}", "summary": "…", "force": None})
    asked = {"action": {"params": {"id": None}}}
    assert fill_fix(fix, asked) == {"action": "complete_task", "params": {"summary": "…", "force": None}}


def test_a_problem_can_be_compared() -> None:
    assert Problem(("rules", 0), "x") == Problem(("rules", 0), "x", "", None)


@RELAXED
@given(st.text(), st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
def test_formatting_never_raises(template: str, facts: dict[str, Any]) -> None:
    assert isinstance(format_message(template, facts), str)

"""The expression language: what may be written, what it comes to, how it explains itself, and that nothing hangs it."""

from __future__ import annotations

import copy
import doctest
import pickle
from collections.abc import Mapping
from typing import Any

import pytest

import llmgenie_mcp.expressions
from llmgenie_mcp.expressions import (
    UNKNOWN,
    Clause,
    EvaluationError,
    Explanation,
    Expression,
    format_message,
)
from llmgenie_mcp.expressions.values import brief, show

FACTS: dict[str, Any] = {
    "resource": {"branch": "main", "path": "src/a.py", "tag": None},
    "params": {"protected": ["main", "develop"], "limit": 3},
    "tests": {"last": {"passed": True, "commit": "abc"}, "results": [{"passed": True}, {"passed": False}]},
    "git": {"head": "abc", "ahead": 2},
    "action": {"changes": ["src/a.py", "conf/.env"], "message": "fix: ünïcode"},
    "empty": {"list": [], "text": "", "mapping": {}, "zero": 0},
    "session": None,
}
LAST_TESTS = "tests.last = {'passed': true, 'commit': 'abc'}"


def value_of(source: str, facts: Mapping[str, Any] = FACTS) -> Any:
    return Expression.parse(source).test(facts)


def failure_of(source: str, facts: Mapping[str, Any] = FACTS) -> str:
    expression = Expression.parse(source)
    with pytest.raises(EvaluationError) as caught:
        expression.test(facts)
    assert expression.explain(facts).error == caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    "source",
    [
        "true",
        "True and not false",
        "resource.branch == 'main'",
        'resource.branch in ["main", "develop"]',
        "resource.branch in ('main',)",
        "resource.branch in params.protected",
        "resource.branch not in ['x']",
        "tests.last.passed and tests.last.commit == git.head",
        "1 < git.ahead <= params.limit",
        "-1 < 0.5 < 1e3",
        "resource.tag == null and resource.tag == None",
        "glob(resource.path, 'src/*')",
        "glob(resource.path, ['docs/**', '**/*.py'])",
        "startswith(resource.path, 'src/') and endswith(resource.path, ['.py', '.pyi'])",
        "not glob(resource.tag, '**') and not startswith(resource.tag, '')",
        "len(action.changes) == 2 and len('abc') == 3 and len(tests.last) == 2",
        "any(item.passed for item in tests.results) and not all(item.passed for item in tests.results)",
        "any(any(part == 'main' for part in list) for list in [params.protected])",
        "all(false for item in []) and not any(true for item in [])",
        "any(name in params.protected for name in [resource.branch, 'x'])",
        "(resource.branch == 'main') == tests.last.passed",
        "'fix' in action.message and endswith(action.message, 'ünïcode')",
        "'last' in tests",
        "'it\\'s' == \"it's\"",
        "resource.branch\n  == 'main'\r\n\tand  git.ahead",
        "not (empty.list or empty.text or empty.mapping or empty.zero or session)",
        "resource.branch and action.changes and tests and 0.1 == 0.1",
        "resource.branch != git.ahead",
    ],
)
def test_what_is_written_holds(source: str) -> None:
    assert value_of(source) is True


def test_limits_are_inclusive() -> None:
    assert value_of("not " * 28 + "true") is True
    assert value_of("1 in [" + "1," * 100 + "]") is True
    assert value_of("x" + " " * 2047, {"x": 1}) is True
    assert value_of(".".join(["x"] * 900), {}) is UNKNOWN


def test_a_name_reaches_mappings_and_never_attributes() -> None:
    assert value_of("resource.__class__ == resource.__class__") is UNKNOWN
    assert value_of("resource.branch.upper") is UNKNOWN
    assert value_of("session.id == null") is UNKNOWN


def test_an_unknown_fact_is_not_null() -> None:
    assert value_of("resource.missing == null") is UNKNOWN
    assert value_of("resource.tag == null") is True
    assert value_of("x == 1", {"x": UNKNOWN}) is UNKNOWN


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("missing and false", False),
        ("missing and true", UNKNOWN),
        ("missing or true", True),
        ("not missing", UNKNOWN),
        ("missing in params.protected", UNKNOWN),
        ("resource.branch in missing", UNKNOWN),
        ("resource.branch in [missing, 'main']", True),
        ("resource.branch in [missing, 'x']", UNKNOWN),
        ("resource.branch not in [missing, 'main']", False),
        ("[missing] == [1]", UNKNOWN),
        ("2 < 1 < missing", False),
        ("1 < 2 < missing", UNKNOWN),
        ("glob(missing, 'a')", UNKNOWN),
        ("glob(resource.tag, missing)", UNKNOWN),
        ("len(missing) == 0", UNKNOWN),
        ("any(true for x in missing)", UNKNOWN),
        ("any(x.a for x in [missing])", UNKNOWN),
        ("any(item.passed for item in rows)", True),
        ("all(item.passed for item in rows)", UNKNOWN),
    ],
)
def test_unknown_matters_only_where_the_answer_depends_on_it(source: str, expected: object) -> None:
    assert value_of(source, {**FACTS, "rows": [{"name": "a"}, {"passed": True}]}) is expected


def test_unknown_has_no_truth_of_its_own() -> None:
    with pytest.raises(TypeError):
        bool(UNKNOWN)
    assert repr(UNKNOWN) == "UNKNOWN"
    assert pickle.loads(pickle.dumps(UNKNOWN)) is copy.deepcopy(UNKNOWN) is UNKNOWN


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 < 'a'", "`1 < 'a'` cannot be evaluated: a number and a text have no order."),
        (
            "resource.tag >= git.ahead",
            (
                "`resource.tag >= git.ahead` cannot be evaluated: a number and null have no order "
                "(resource.tag = null, git.ahead = 2)."
            ),
        ),
        ("true < 2", "`true < 2` cannot be evaluated: a boolean and a number have no order."),
        ("1 in git.ahead", "`1 in git.ahead` cannot be evaluated: nothing can be in a number (git.ahead = 2)."),
        (
            "1 in resource.branch",
            "`1 in resource.branch` cannot be evaluated: a number cannot be in a text (resource.branch = 'main').",
        ),
        (
            "any(x < 'a' for x in params.protected) or any(1 < x for x in params.protected)",
            (
                "`any(1 < x for x in params.protected)` cannot be evaluated: a number and a text have no order "
                "(x = 'main', params.protected = ['main', 'develop'])."
            ),
        ),
        (
            "glob(action.changes, '**')",
            (
                "`glob(action.changes, '**')` cannot be evaluated: glob() takes a text, not a list; write "
                "any(glob(x, …) for x in …) (action.changes = ['src/a.py', 'conf/.env'])."
            ),
        ),
        (
            "glob('a', git.ahead)",
            (
                "`glob('a', git.ahead)` cannot be evaluated: glob() compares with a text or a list of texts, "
                "not with a number (git.ahead = 2)."
            ),
        ),
        ("len(session) == 0", "`len(session) == 0` cannot be evaluated: null has no length (session = null)."),
        (
            "all(x for x in session)",
            "`all(x for x in session)` cannot be evaluated: all() goes through a list, not null (session = null).",
        ),
        ("[] in tests.last", f"`[] in tests.last` cannot be evaluated: TypeError ({LAST_TESTS})."),
    ],
)
def test_values_that_cannot_be_compared_are_named(source: str, message: str) -> None:
    assert failure_of(source) == message


def test_a_failure_names_the_clause_by_its_offset() -> None:
    expression = Expression.parse("resource.branch == 'main' and 1 < 'a'")
    with pytest.raises(EvaluationError) as caught:
        expression.test(FACTS)
    assert caught.value.offset == 30
    assert caught.value.to_dict()["code"] == "expression_failed"


def test_a_clause_that_is_not_reached_does_not_fail() -> None:
    expression = Expression.parse("false and 1 < 'a'")
    assert expression.test({}) is False
    explanation = expression.explain({})
    assert (explanation.value, explanation.error) == (False, "")
    assert [clause.error for clause in explanation.clauses] == [
        "",
        "`1 < 'a'` cannot be evaluated: a number and a text have no order.",
    ]


def test_facts_that_raise_end_as_an_evaluation_error() -> None:
    class Broken(dict[str, Any]):
        def get(self, key: object, default: object = None) -> Any:
            raise OSError(f"no {key} {default}")

    expression = Expression.parse("git.branch == 'main'")
    with pytest.raises(EvaluationError):
        expression.test({"git": Broken()})
    explanation = expression.explain({"git": Broken()})
    assert str(explanation) == "git.branch == 'main' → error (git.branch = unknown)"
    assert format_message("{git.branch}", {"git": Broken()}) == "?"


def test_an_explanation_has_every_clause_with_its_values() -> None:
    source = (
        "(resource.branch in params.protected or git.ahead > 5) and not   approval.granted and\n len(action.changes)"
    )
    assert Expression.parse(source).explain(FACTS) == Explanation(
        UNKNOWN,
        (
            Clause(
                "resource.branch in params.protected",
                True,
                {"resource.branch": "main", "params.protected": ["main", "develop"]},
            ),
            Clause("git.ahead > 5", False, {"git.ahead": 2}),
            Clause("approval.granted", UNKNOWN, {"approval.granted": UNKNOWN}),
            Clause("len(action.changes)", True, {"action.changes": ["src/a.py", "conf/.env"]}),
        ),
        ("approval.granted",),
    )
    assert str(Expression.parse(source).explain(FACTS)) == (
        "resource.branch in params.protected → true (resource.branch = 'main', params.protected = ['main', 'develop'])\n"
        "git.ahead > 5 → false (git.ahead = 2)\n"
        "approval.granted → unknown (approval.granted = unknown)\n"
        "len(action.changes) → true (action.changes = ['src/a.py', 'conf/.env'])"
    )


def test_an_explanation_blames_only_the_unknown_facts_that_matter() -> None:
    explanation = Expression.parse("(a and false) or (b == 1 or c) and not d").explain({"c": False})
    assert (explanation.value, explanation.unknown) == (UNKNOWN, ("b", "d"))
    assert Expression.parse("a or true").explain({}).unknown == ()


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (
            "any(glob(path, params.secret) for path in action.changes)",
            "→ true (path = 'conf/.env', params.secret = ['**/.env'], action.changes = ['src/a.py', 'conf/.env'])",
        ),
        ("all(item.passed for item in tests.results)", "→ false (item.passed = false, tests.results = "),
        ("any(item.flaky for item in tests.results)", "→ unknown (item.flaky = unknown, tests.results = "),
        ("any(path == 'x' for path in action.changes)", "→ false (action.changes = ['src/a.py', 'conf/.env'])"),
        (
            "any(all(x < y for y in [2, 3]) for x in [9, 1])",
            "→ true (x = 1)",
        ),
    ],
)
def test_an_explanation_names_the_item_that_decided(source: str, line: str) -> None:
    facts = {**FACTS, "params": {"secret": ["**/.env"]}}
    assert str(Expression.parse(source).explain(facts)).startswith(f"{source} {line}")


def test_shown_values_are_short_whatever_they_hold() -> None:
    huge = {
        "text": "x" * 10**6,
        "list": list(range(10**5)),
        "deep": [],
        "number": 10**5000,
        "odd": object(),
        "nan": 1e999,
    }
    inner = huge["deep"]
    for _ in range(5000):
        inner.append([])
        inner = inner[0]
    for name in huge:
        clause = Expression.parse(f"{name} == 1").explain(huge).clauses[0]
        assert len(str(clause)) < 130
        assert isinstance(clause.values[name], str)
    assert str(Expression.parse("text == 1").explain(huge)) == f"text == 1 → false (text = '{'x' * 79}…')"
    assert brief([1, "a", {"b": None}]) == [1, "a", {"b": None}]
    assert show(["a'b", 1.5, None, True, {"k": UNKNOWN}]) == "[\"a'b\", 1.5, null, true, {'k': unknown}]"


def test_a_copy_in_an_explanation_is_not_the_fact_itself() -> None:
    facts = {"list": ["a"], "mapping": {"b": [1]}}
    clauses = Expression.parse("list and mapping").explain(facts).clauses
    facts["list"].append("b")
    facts["mapping"]["b"].append(2)
    assert [dict(clause.values) for clause in clauses] == [{"list": ["a"]}, {"mapping": {"b": [1]}}]


def test_an_expression_is_a_value() -> None:
    first, second = Expression.parse("a  and b.c"), Expression.parse("a and b.c")
    assert first != second
    assert first.normal == second.normal == "a and b . c"
    assert len({first, Expression.parse("a  and b.c")}) == 1
    assert pickle.loads(pickle.dumps(first)) == copy.deepcopy(first) == first
    with pytest.raises(AttributeError):
        first.source = "b"  # type: ignore[misc]


def test_the_examples_of_the_documentation_hold() -> None:
    assert doctest.testmod(llmgenie_mcp.expressions).failed == 0

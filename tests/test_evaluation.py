"""Generated expressions against a reference evaluator, generated nonsense, and expressions that want to hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgenie_mcp.errors import ExpressionError
from llmgenie_mcp.expressions import UNKNOWN, EvaluationError, Expression
from llmgenie_mcp.expressions.evaluation import WORK
from llmgenie_mcp.expressions.values import brief, show

# Other work on the same machine must not fail a test that is not about time.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
RELAXED_LONG = settings(RELAXED, max_examples=400)

NAMES = st.sampled_from(["a", "b.c", "b.d", "e"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "x", "a/b"]))
JSON = st.recursive(
    SCALARS | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["c", "d", "p"]), inner, max_size=3),
    max_leaves=8,
)
ANY_FACTS = st.dictionaries(st.sampled_from(["a", "b", "e", "x"]), JSON, max_size=4)
FEW_FACTS = st.fixed_dictionaries(
    {}, optional={"a": SCALARS, "e": SCALARS, "b": st.fixed_dictionaries({}, optional={"c": SCALARS, "d": SCALARS})}
)

# A generated condition is its source and its value by the reference: Kleene's logic as numbers, where false is 0, unknown
# is a half and true is 1, so that and is min, or is max, and not x is 1 - x.
Reference = Callable[[dict[str, Any]], float]
Condition = tuple[str, Reference]


def known(name: str, facts: dict[str, Any]) -> Any:
    found: Any = facts
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return UNKNOWN
        found = found[part]
    return found


def leaf(source: str, name: str, holds: Callable[[Any], bool]) -> Condition:
    def value(facts: dict[str, Any]) -> float:
        found = known(name, facts)
        return 0.5 if found is UNKNOWN else float(holds(found))

    return source, value


def joined(word: str, parts: list[Condition]) -> Condition:
    pick = min if word == "and" else max
    source = f" {word} ".join(f"({part})" for part, _ in parts)
    return source, lambda facts: pick(value(facts) for _, value in parts)


LEAVES = st.one_of(
    NAMES.map(lambda name: leaf(name, name, bool)),
    st.sampled_from([("true", lambda _: 1.0), ("false", lambda _: 0.0)]),
    st.tuples(NAMES, st.sampled_from([("null", None), ("true", True), ("1", 1), ("'x'", "x")])).flatmap(
        lambda t: st.sampled_from(
            [
                leaf(f"{t[0]} == {t[1][0]}", t[0], lambda found: bool(found == t[1][1])),
                leaf(f"{t[0]} != {t[1][0]}", t[0], lambda found: bool(found != t[1][1])),
            ]
        )
    ),
    st.tuples(NAMES, st.lists(st.sampled_from([0, 1, "x", "a/b"]), max_size=3)).map(
        lambda t: leaf(f"{t[0]} in {t[1]!r}", t[0], lambda found: found in t[1])
    ),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda part: (f"not ({part[0]})", lambda facts: 1 - part[1](facts))),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)).map(lambda t: joined(*t)),
    ),
    max_leaves=10,
)
VALUES = st.sampled_from(
    [
        "a",
        "b",
        "b.c",
        "e",
        "x",
        "x.p",
        "null",
        "true",
        "1",
        "-2.5",
        "''",
        "'a/b'",
        "'**/b'",
        "[]",
        "['x', 1]",
        "[b.c, 1]",
        "len(a)",
    ]
)
LOOSE = st.recursive(
    st.one_of(
        st.tuples(VALUES, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]), VALUES).map(" ".join),
        st.tuples(st.sampled_from(["glob", "startswith", "endswith"]), VALUES, VALUES).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
        VALUES,
    ),
    lambda inner: st.one_of(
        inner.map(lambda part: f"not {part}"),
        st.tuples(inner, st.sampled_from(["and", "or", "==", "<"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        st.tuples(st.sampled_from(["any", "all"]), inner, VALUES).map(lambda t: f"{t[0]}({t[1]} for x in {t[2]})"),
    ),
    max_leaves=8,
)
SIGNS = "[ ] ( ) , . == != < <= # \\ 'x' \"a/*\" 1 -1 0.5"
NAMED = "a b.c x e true null and or not in for if é any( all( glob( len("
WORDS = st.sampled_from([*SIGNS.split(), *NAMED.split(), "\n", " for x in "])
SOUP = st.lists(WORDS, max_size=14)


def value_of(source: str, facts: dict[str, Any]) -> Any:
    return Expression.parse(source).test(facts)


def number(truth: object) -> float:
    return 0.5 if truth is UNKNOWN else float(truth is True)


def outcome(expression: Expression, facts: dict[str, Any]) -> tuple[Any, str]:
    try:
        return expression.test(facts), ""
    except EvaluationError as error:
        return UNKNOWN, error.message


def parsed(source: str) -> Expression | ExpressionError:
    try:
        return Expression.parse(source)
    except ExpressionError as error:
        return error


@RELAXED
@given(CONDITIONS, FEW_FACTS)
def test_evaluation_agrees_with_the_reference(condition: Condition, facts: dict[str, Any]) -> None:
    source, reference = condition
    assert number(value_of(source, facts)) == reference(facts)


@RELAXED
@given(CONDITIONS, CONDITIONS, FEW_FACTS)
def test_de_morgan_and_double_negation_hold(first: Condition, second: Condition, facts: dict[str, Any]) -> None:
    a, b = first[0], second[0]
    assert value_of(f"not (({a}) and ({b}))", facts) is value_of(f"not ({a}) or not ({b})", facts)
    assert value_of(f"not (({a}) or ({b}))", facts) is value_of(f"not ({a}) and not ({b})", facts)
    assert value_of(f"not not ({a})", facts) is value_of(a, facts)


@RELAXED
@given(CONDITIONS, FEW_FACTS, FEW_FACTS)
def test_learning_a_fact_never_turns_one_answer_into_the_other(
    condition: Condition, facts: dict[str, Any], more: dict[str, Any]
) -> None:
    before = value_of(condition[0], facts)
    below = {**more.get("b", {}), **facts.get("b", {})}
    after = value_of(condition[0], {**more, **facts, **({"b": below} if below else {})})
    assert before in (UNKNOWN, after)


@RELAXED
@given(CONDITIONS.map(lambda condition: condition[0]) | LOOSE, ANY_FACTS)
def test_an_explanation_comes_to_what_the_test_says(source: str, facts: dict[str, Any]) -> None:
    expression = parsed(source)
    if isinstance(expression, Expression):
        explanation = expression.explain(facts)
        assert (explanation.value, explanation.error) == outcome(expression, facts)
        assert not explanation.unknown or explanation.value is UNKNOWN
        assert len(str(explanation).split("\n")) == len(explanation.clauses)


@RELAXED_LONG
@given(st.text() | SOUP.map("".join) | SOUP.map(" ".join) | LOOSE, ANY_FACTS)
def test_any_text_parses_or_is_refused_and_what_parses_can_be_evaluated(source: str, facts: dict[str, Any]) -> None:
    expression = parsed(source)
    if isinstance(expression, ExpressionError):
        assert 0 <= expression.offset <= len(source)
    else:
        assert outcome(expression, facts)[0] in (True, False, UNKNOWN)


@RELAXED
@given(JSON)
def test_shown_values_stay_short(value: Any) -> None:
    assert len(show(value)) <= 80
    assert len(show(brief(value), 82)) <= 82


HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("any(any(any(any(a < 0 for a in x) for b in x) for c in x) for d in x)", {"x": list(range(300))}),
    ("any(x == y for z in x)", {"x": [[0] * 2000] * 2000, "y": [[0] * 2000] * 1999}),
    ("any('ab' in t for i in x)", {"t": "a" * 10**6, "x": list(range(10**4))}),
    ("any(i in x for i in y)", {"x": list(range(10**5)), "y": list(range(10**5, 2 * 10**5))}),
    ("any(startswith(t, p) for x in p)", {"t": "b", "p": ["a" * 100] * 10**4}),
    ("glob(t, p)", {"t": "a" * 10**5, "p": "*a" * 200 + "b"}),
    ("glob(t, p)", {"t": "a/" * 2000, "p": "**/" + "a/" * 200 + "b/**"}),
    ("glob(t, p)", {"t": "a/" * 10**5, "p": "**/" * 100 + "b"}),
    ("glob(t, p)", {"t": "a" * 10**5, "p": "*" + "?" * 200 + "b"}),
    ("any(glob(t, p) for x in y)", {"t": "a" * 1000, "p": "*" + "[a]" * 100 + "b", "y": list(range(10**4))}),
    ("any(glob(t, p) for x in p)", {"t": "b", "p": [f"a{n}*" for n in range(10**4)]}),
]


@pytest.mark.parametrize(("source", "facts"), HOSTILE)
def test_no_expression_hangs(source: str, facts: dict[str, Any]) -> None:
    start = time.process_time()
    value, error = outcome(Expression.parse(source), facts)
    assert time.process_time() - start < 5
    assert value is False or "too much work" in error


def test_ordinary_work_stays_far_below_the_limit() -> None:
    facts = {"files": [f"src/package/module_{n}.py" for n in range(5000)], "secret": [f"**/*.{n}" for n in range(10)]}
    assert value_of("any(glob(f, secret) for f in files)", facts) is False
    assert 10 * len(facts["files"]) * len(facts["secret"]) <= WORK


def test_a_deep_fact_is_an_evaluation_error_at_worst() -> None:
    deep: list[Any] = []
    other: list[Any] = []
    for _ in range(100_000):
        deep, other = [deep], [other]
    value, error = outcome(Expression.parse("a == b"), {"a": deep, "b": other})
    assert value is True or "RecursionError" in error

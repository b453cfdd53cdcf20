"""What is not of the expression language is refused, with the character where it stands and what to write instead."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from llmgenie_mcp.errors import ExpressionError
from llmgenie_mcp.expressions import EvaluationError, Expression


def refusal_of(source: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        Expression.parse(source)
    assert not isinstance(caught.value, EvaluationError)
    return caught.value


@pytest.mark.parametrize(
    ("source", "offset", "message"),
    [
        ("", 0, "The expression is empty."),
        (" \n ", 0, "The expression is empty."),
        ("a.b == 'é' and foo(1)", 15, "There is no function 'foo'."),
        ("x.y()", 0, "There is no function 'x.y'."),
        ("a = b", 2, "The character '=' is not allowed here."),
        ("a # comment\nand b", 2, "The character '#' is not allowed here."),
        ("a and\n  b + 1", 10, "The character '+' is not allowed here."),
        ("a - 1", 0, "Arithmetic is not allowed: a - 1"),
        ("1 is a", 2, "The word `is` is reserved and has no use here."),
        ("a if b else c", 2, "The word `if` is reserved and has no use here."),
        ("a or lambda", 5, "The word `lambda` is reserved and has no use here."),
        ("x == 'a' or 'b'", 12, "'b' alone is not a condition."),
        ("not ['a']", 4, "['a'] alone is not a condition."),
        ("null", 0, "null alone is not a condition."),
        ("x in ('main')", 6, "After `in` stands a list or a name, not 'main'."),
        ("x in 5", 5, "After `in` stands a list or a name, not 5."),
        ("f'{x}' == y", 1, "A text has no prefix."),
        ("x in ['a' 'b']", 10, "Two texts follow each other."),
        ("x == 'abc", 5, "The text that starts here is never closed."),
        ("x == '\\d'", 6, "'\\\\d' is not an escape."),
        ("x == 'a\nb'", 7, "The character '\\n' is not allowed in a text."),
        ("x == 'a\x00'", 7, "The character '\\x00' is not allowed in a text."),
        ("x == '\ud800'", 6, "The character '\\ud800' is not allowed in a text."),
        ("\ufeffx", 0, "The character '\\ufeff' is not allowed here."),
        ("1and x", 1, "The number is malformed."),
        ("1.and x", 1, "The number is malformed."),
        ("x == 0x1f", 6, "The number is malformed."),
        ("x == 99999999999999999999", 5, "The number is too large."),
        ("x == 1e999", 5, "The number is too large."),
        ("x[0] == 1", 0, "Indexing with [] is not allowed: x[0]"),
        ("(1).real == 1", 0, "Only a name may stand before a dot."),
        ("len(x).y", 0, "Only a name may stand before a dot."),
        ("(x for x in y)", 0, "`for` stands only inside any() and all(): (x for x in y)"),
        ("any(x)", 0, "any() takes a condition and a `for`."),
        ("any(x for x in y for z in x)", 0, "any() takes one `for` and no `if`."),
        ("any(x for x, y in z)", 10, "After `for` stands one word."),
        ("any(x for true in z)", 10, "After `for` stands one word."),
        ("any(x for x in 5)", 15, "After `in` stands a list or a name, not 5."),
        ("any('a' for x in y)", 4, "'a' alone is not a condition."),
        ("len()", 0, "len() takes 1 argument."),
        ("glob(x)", 0, "glob() takes 2 arguments."),
        ("glob(*x, 'a')", 5, "The character '*' is not allowed here."),
        (
            "glob(x, ['a', '**.env'])",
            14,
            "In the pattern '**.env' `**` must stand alone between slashes, as in `**/*.env`.",
        ),
        ("...", 0, "This constant is not allowed."),
    ],
)
def test_what_is_not_of_the_language_is_refused_at_its_character(source: str, offset: int, message: str) -> None:
    error = refusal_of(source)
    assert (error.offset, error.message) == (offset, message)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("a = b", "Compare with ==."),
        ("a && b", "Write `and`."),
        ("!a", "Write `not`, or != to compare."),
        ("x == 'a' or 'b'", "Compare it with something; for one of several write `x in ['a', 'b']`."),
        ("all(y)", "For example all(item.passed for item in tests.results)."),
        ("x == '\\d'", "Allowed are \\\\ \\' \\\" \\n and \\t."),
    ],
)
def test_a_refusal_says_what_to_write_instead(source: str, hint: str) -> None:
    assert refusal_of(source).hint == hint


@pytest.mark.parametrize(
    "source",
    ["(a", "a b", "a and", "not", "a <> b", ")", "a,", "x..y", "in", "any(x in y for)", "any(x for x in y, z)"],
)
def test_what_python_cannot_parse_is_refused_inside_the_source(source: str) -> None:
    assert 0 <= refusal_of(source).offset <= len(source)


@pytest.mark.parametrize(
    "source",
    [
        "x == '" + "a" * 2100 + "'",
        "x == '" + "a" * 501 + "'",
        "x in [" + "1," * 101 + "]",
        "not " * 31 + "x",
        "(" * 300 + "x" + ")" * 300,
        "-" * 2000 + "1",
        "not " * 500 + "x",
        "any(" * 400,
        "x == " + "[" * 190 + "]" * 190,
    ],
)
def test_what_is_too_large_or_too_deep_is_refused(source: str) -> None:
    refusal_of(source)


def test_parsing_in_threads_neither_warns_nor_touches_the_warning_filters() -> None:
    before = list(warnings.filters)
    sources = [f"{source} # {n}" for n in range(50) for source in ("'\\d'", "1and x", "1 is 1", "x == 'a' and 1.or y")]

    def refused(source: str) -> bool:
        try:
            Expression.parse(source)
        except ExpressionError:
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(refused, sources))
    assert list(warnings.filters) == before


def test_names_are_those_of_facts_with_every_place() -> None:
    expression = Expression.parse("a.b == 'é' and any(x.c == a.b for x in d.e)\n or x")
    assert expression.names == {"a.b", "d.e", "x"}
    assert expression.name_offsets == (("a.b", 0), ("a.b", 26), ("d.e", 39), ("x", 48))

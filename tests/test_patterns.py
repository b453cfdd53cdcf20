"""Patterns for paths and names."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgenie_mcp.expressions.patterns import compile_glob, name_pattern

# Other work on the same machine must not fail a test that is not about time.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
RELAXED_LONG = settings(RELAXED, max_examples=400)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("main", ["main"], ["Main", "main2", "", "main\n"]),
        ("*", ["a", "", ".env", "a\nb"], ["a/b"]),
        ("release/*", ["release/1", "release/"], ["release", "release/1/2"]),
        ("src/**", ["src", "src/a", "src/a/b"], ["srcs", "a/src"]),
        ("**/*.env", [".env", "a.env", "a/b/.env"], ["a/.env/b", "env"]),
        ("**/test/**/*.py", ["test/a.py", "x/test/y/z/a.py"], ["test", "tests/a.py", "test/a.pyc"]),
        ("**/a/b/**/c", ["a/x/a/b/c", "a/b/q/c/c"], ["a/b", "b/a/c"]),
        ("a/**/b/**/a", ["a/b/a", "a/a/b/b/a"], ["a/a", "a/b", "a/b/c"]),
        ("**", ["", "a", "a/b"], []),
        ("**/**", ["a", "a/b/c"], []),
        ("v?.[0-9]", ["v1.2"], ["v.2", "v1.x", "v/.2"]),
        ("[!a]b", ["cb"], ["ab", "/b"]),
        ("[", ["["], ["a"]),
        ("a[[&&~~||--]b", ["a[b", "a&b"], ["ab"]),
        ("[]x]a[]", ["]a[]", "xa[]"], ["a[]"]),
        ("*[a-c]?", ["xxb1", "a1"], ["xxd1", "a"]),
    ],
)
def test_a_pattern_matches_as_gitignore_does(pattern: str, matching: list[str], other: list[str]) -> None:
    matches = compile_glob(pattern)
    assert [value for value in [*matching, *other] if matches(value)] == matching


@RELAXED
@given(st.text(alphabet="ab/*?[]!-^", max_size=12), st.text(alphabet="ab/", max_size=12))
def test_any_pattern_compiles_or_is_refused(pattern: str, value: str) -> None:
    try:
        matches = compile_glob(pattern)
    except ValueError:
        assert "**" in pattern
        return
    assert matches(value) in (True, False)


@RELAXED_LONG
@given(st.text(alphabet="abc*?[]!", max_size=10), st.text(alphabet="abc[]!", max_size=8))
def test_a_name_pattern_agrees_with_the_standard_library(pattern: str, value: str) -> None:
    assert name_pattern(pattern)(value) is fnmatchcase(value, pattern)


@RELAXED
@given(
    st.lists(st.sampled_from(["a", "b", "*", "**", "?"]), max_size=5),
    st.lists(st.sampled_from(["a", "b", ""]), max_size=5),
)
def test_stars_agree_with_trying_every_split(pattern: list[str], parts: list[str]) -> None:
    def tried(wanted: list[str], rest: list[str]) -> bool:
        if not wanted:
            return not rest
        if wanted[0] == "**":
            return any(tried(wanted[1:], rest[n:]) for n in range(len(rest) + 1))
        fits = bool(rest) and (wanted[0] in ("*", rest[0]) or (wanted[0] == "?" and len(rest[0]) == 1))
        return fits and tried(wanted[1:], rest[1:])

    assert compile_glob("/".join(pattern))("/".join(parts)) is tried(pattern or [""], parts or [""])

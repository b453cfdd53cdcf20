"""Parameters are checked before anything is done, and every message says what is allowed."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgenie_mcp import plugins, validation
from llmgenie_mcp.errors import BadParams

CREATE = plugins.actions()["create_task"]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def refused(params: object) -> BadParams:
    with pytest.raises(BadParams) as error:
        validation.check(CREATE, params, None)  # type: ignore[arg-type]
    assert len(str(error.value)) < 1500
    json.dumps(error.value.to_dict())
    return error.value


def test_good_parameters_come_back_as_given_and_as_the_model() -> None:
    given_, args = validation.check(CREATE, {"title": " Write it ", "priority": "high"}, "key-1")
    assert given_ == {"title": " Write it ", "priority": "high"}
    assert (args.title, args.priority, args.labels) == ("Write it", "high", [])  # type: ignore[attr-defined]


def test_any_mapping_is_an_object_and_none_is_an_empty_one() -> None:
    assert validation.check_json(MappingProxyType({"a": 1}), "It") == {"a": 1}
    assert validation.check_json(None, "It") == {}


def test_every_problem_is_told_with_what_the_action_takes() -> None:
    error = refused({"titel": "x", "priority": "soon", "labels": "a"})
    assert {problem["where"] for problem in error.details["problems"]} == {"title", "titel", "priority", "labels"}
    assert "titel: is no parameter" in error.message
    assert "title: is missing (What has to be done, in one line.)" in error.message
    assert "create_task takes: title, description?, priority?=medium" in error.hint


@pytest.mark.parametrize(
    "params",
    [[], "text", 5, True, [("title", "x")], 10**5000, nested(100_000), float("nan"), b"title", object()],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_object_is_told(params: object) -> None:
    assert "must be an object" in refused(params).message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "not JSON"),
        (float("-inf"), "not JSON"),
        (10**5000, "not JSON"),
        (b"bytes", "not JSON"),
        ({1, 2}, "not JSON"),
        (object(), "not JSON"),
        ("\ud800", "lone surrogate"),
        ("a\0b", "NUL"),
        ({"\0": 1}, "NUL"),
        ({"a\ud800": 1}, "lone surrogate"),
        ({1: 2}, "key that is no text"),
        ({None: 2}, "key that is no text"),
        ([{0: 1}], "key that is no text"),
        (nested(32), "nested deeper"),
        (nested(100_000), "nested deeper"),
        ("x" * 1_000_000, "bytes"),
        (["x"] * 300_000, "bytes"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("name", ["title", "unknown"])
def test_a_value_that_is_not_bounded_json_is_told(name: str, value: object, words: str) -> None:
    assert words in refused({name: value}).message


def test_a_value_that_holds_itself_is_told() -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert "nested deeper" in refused({"title": ring}).message


def test_a_very_long_name_of_a_parameter_is_shortened_in_the_message() -> None:
    error = refused({"n" * 200_000: 1, "title": "x"})
    assert len(json.dumps(error.to_dict())) < 2000


@pytest.mark.parametrize("title", ["", "   ", "x" * 201, None, 5, ["x"], {"a": 1}, True])
def test_a_title_that_does_not_fit_is_told_with_the_value(title: object) -> None:
    assert refused({"title": title}).details["problems"][0]["where"] == "title"


@pytest.mark.parametrize(
    "title", ["عنوان المهمة", "做", "👩‍👩‍👧‍👦 family", "e\u0301", "a\u200bb", "x" * 200, "\u202etxt.exe"]
)
def test_a_title_in_any_script_is_kept_as_it_is(title: str) -> None:
    assert validation.check(CREATE, {"title": title}, None)[0]["title"] == title


@pytest.mark.parametrize("key", ["", "x" * 201, 5, True, [], b"k", "a\0b", "a\nb", "\ud800"])
def test_what_is_no_idempotency_key_is_told(key: object) -> None:
    with pytest.raises(BadParams) as error:
        validation.check(CREATE, {"title": "x"}, key)  # type: ignore[arg-type]
    assert "1 to 200" in error.value.hint


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)) | st.binary(),
    lambda t: st.lists(t) | st.dictionaries(st.text() | st.integers() | st.none(), t) | st.sets(st.integers()),
)


@given(ANY)
def test_whatever_comes_in_is_json_or_told(value: object) -> None:
    for params in (value, {"title": value}, {"title": "x", "labels": value}):
        try:
            given_, _ = validation.check(CREATE, params, None)  # type: ignore[arg-type]
        except BadParams:
            continue
        assert json.loads(json.dumps(given_)) == given_

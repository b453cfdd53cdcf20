"""Documents: what may be stored, and that nobody outside holds a part of the store."""

from __future__ import annotations

import enum
import math
from types import MappingProxyType
from typing import Any

import pytest

from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.storage import Storage


class Colour(str, enum.Enum):  # noqa: UP042 - unlike StrEnum its str() is not its value
    RED = "red"


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_changing_a_document_after_put_does_not_change_the_store(store: Storage) -> None:
    mine = {"tags": ["a"], "deep": {"list": [{"x": 1}]}}
    with store.begin() as transaction:
        returned = transaction.put("tasks", "T-1", mine)
        mine["tags"].append("b")
        returned["deep"]["list"][0]["x"] = 2
        transaction.commit({"type": "test"})
    mine["deep"]["list"].clear()
    returned["tags"].clear()
    assert store.get("tasks", "T-1") == {"id": "T-1", "tags": ["a"], "deep": {"list": [{"x": 1}]}, "version": 1}
    assert store.log(changes=True).items[0]["changes"][0][2]["tags"] == ["a"]


def test_changing_what_get_and_query_return_does_not_change_the_store(store: Storage) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {"tags": ["a"]})
        transaction.get("tasks", "T-1")["tags"].append("b")
        transaction.query("tasks")[0]["tags"].append("c")
        transaction.commit({"type": "test"})
    store.get("tasks", "T-1")["tags"].append("d")
    store.query("tasks").items[0]["tags"].append("e")
    store.query("tasks", {"id": "T-1"}).items[0]["tags"].append("f")
    with store.begin() as transaction:
        transaction.get("tasks", "T-1")["tags"].append("g")
        transaction.query("tasks")[0]["tags"].append("h")
        assert transaction.get("tasks", "T-1")["tags"] == ["a"]
    assert store.get("tasks", "T-1")["tags"] == ["a"]


def test_a_kept_dict_that_is_put_again_is_seen_as_it_is_then(store: Storage) -> None:
    mine: dict[str, Any] = {"n": 1}
    for expected in (1, 2):
        mine["n"] = expected
        with store.begin() as transaction:
            transaction.put("tasks", "T-1", mine)
            transaction.commit({"type": "test"})
        assert store.get("tasks", "T-1")["n"] == expected


def test_changing_the_entry_or_a_log_line_does_not_change_the_log(store: Storage) -> None:
    entry = {"type": "test", "why": ["a"]}
    with store.begin() as transaction:
        transaction.commit(entry)
    entry["why"].append("b")
    store.log().items[0]["why"].append("c")
    assert store.log().items[0]["why"] == ["a"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        2**80,
        1.0,
        -0.0,
        1e308,
        5e-324,
        "",
        "zero \0 byte",
        "line\nfeed\r\u2028\x85",
        "Grüße 🙂",
        [],
        {},
        [[], {}, [None]],
        {"": ""},
    ],
)
def test_every_json_value_comes_back_the_same(backend, value: Any) -> None:
    store = backend.open()
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {"value": value})
        transaction.commit({"type": "test", "value": value})
    if backend.durable:
        store.close()
        store = backend.open()
    stored = store.get("tasks", "T-1")["value"]
    assert (stored, type(stored), repr(stored)) == (value, type(value), repr(value))
    assert repr(store.log().items[0]["value"]) == repr(value)
    assert store.verify().ok


def test_subclasses_and_tuples_are_stored_as_plain_json(store: Storage) -> None:
    class Number(int):
        pass

    with store.begin() as transaction:
        document = MappingProxyType({"colour": Colour.RED, "pair": (1, 2), "n": Number(3), Colour.RED: 1})
        transaction.put("tasks", "T-1", document)
        transaction.commit({"type": "test"})
    stored = store.get("tasks", "T-1")
    assert stored == {"id": "T-1", "colour": "red", "pair": [1, 2], "n": 3, "red": 1, "version": 1}
    assert {type(stored["colour"]), type(stored["n"])} == {str, int}
    assert store.query("tasks", {"colour": Colour.RED}).total == 1


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"a": math.nan}, "document.a"),
        ({"a": [1, {"b": math.inf}]}, "document.a[1].b"),
        ({"a": "\ud800"}, "document.a"),
        ({"\udc00": 1}, "document.\\udc00"),
        ({"a": {1: 2}}, "document.a.1"),
        ({None: 2}, "document.None"),
        ({"a": {"b", "c"}}, "document.a"),
        ({"a": b"bytes"}, "document.a"),
        ({"a": object()}, "document.a"),
        ({"a": 1 << 1025}, "document.a"),
        (["no", "object"], "document"),
        ("text", "document"),
        (None, "document"),
    ],
)
def test_what_is_not_json_is_refused_and_named(store: Storage, document: Any, where: str) -> None:
    with store.begin() as transaction:
        with pytest.raises(BadParams) as refused:
            transaction.put("tasks", "T-1", document)
        assert refused.value.details["problems"][0]["where"] == where
        assert transaction.get("tasks", "T-1") is None


def test_documents_may_be_64_deep_and_no_more(store: Storage) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", nested(64))
        with pytest.raises(BadParams, match="64"):
            transaction.put("tasks", "T-2", nested(65))
        transaction.commit({"type": "test"})
    assert store.verify().ok
    assert store.get("tasks", "T-1")["a"] == nested(63)


def test_a_document_that_contains_itself_is_refused(store: Storage) -> None:
    knot: dict[str, Any] = {}
    knot["me"] = knot
    with store.begin() as transaction, pytest.raises(BadParams, match="64"):
        transaction.put("tasks", "T-1", knot)


@pytest.mark.parametrize(
    "entry",
    [{}, {"type": ""}, {"type": 5}, {"type": "a", "seq": 1}, {"type": "a", "prev": ""}, {"type": "a", "x": math.nan}],
)
def test_a_log_entry_that_does_not_fit_is_refused_and_the_transaction_stays_open(store: Storage, entry: Any) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {})
        with pytest.raises(BadParams):
            transaction.commit(entry)
        transaction.commit({"type": "test"})
    assert store.get("tasks", "T-1") is not None

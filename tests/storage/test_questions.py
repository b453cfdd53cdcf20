"""Questions by fields answer the same with an index, without one, and inside a transaction that has changed things."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgenie_mcp.storage import Holds, open_storage
from llmgenie_mcp.storage import documents as tables
from llmgenie_mcp.storage.values import fits

KEYS = [f"T-{number}" for number in range(8)]
STATUS, PRIORITY = st.sampled_from(["todo", "done", None, 1]), st.sampled_from(["low", "high"])
DOCUMENTS = st.fixed_dictionaries(
    {"status": STATUS, "priority": PRIORITY},
    optional={"waits": st.one_of(st.lists(st.sampled_from([*KEYS, 1]), max_size=3), st.just("T-1"))},
)
CHANGES = st.lists(st.tuples(st.sampled_from(KEYS), st.one_of(DOCUMENTS, st.none())), max_size=12)
QUESTIONS: list[dict[str, object] | None] = [
    None,
    {"status": "todo"},
    {"status": None},
    {"status": "todo", "priority": "low"},
    {"priority": "low", "status": 1},
    {"waits": Holds("T-1")},
    {"waits": Holds("T-1"), "status": "todo"},
    {"waits": "T-1"},
    {"nothing": "todo"},
]


def plainly(rows: dict[str, Any], changes: list[tuple[str, Any]]) -> None:
    """The changes on a plain dict: what is put anew goes to the end."""
    for key, document in changes:
        if document is None:
            rows.pop(key, None)
        else:
            rows[key] = {"id": key, **document}


def without_version(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in document.items() if name != "version"} for document in documents]


@pytest.mark.parametrize("index_from", [0, 64], ids=["indexed", "looked through"])
def test_every_question_is_answered_as_by_looking_at_every_document(
    monkeypatch: pytest.MonkeyPatch, index_from: int
) -> None:
    monkeypatch.setattr(tables, "_INDEX_FROM", index_from)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(CHANGES, min_size=1, max_size=4), CHANGES)
    def check(committed: list[list[tuple[str, Any]]], pending: list[tuple[str, Any]]) -> None:
        rows: dict[str, Any] = {}
        with closing(open_storage("memory:")) as store:
            for changes in committed:
                with store.begin() as transaction:
                    for key, document in changes:
                        if document is None:
                            transaction.delete("tasks", key)
                        else:
                            transaction.put("tasks", key, document)
                    transaction.commit({"type": "test.changed"})
                plainly(rows, changes)
                for where in QUESTIONS:  # between the changes, so that an index has to follow them
                    wanted = [row for row in rows.values() if fits(row, where)]
                    page = store.query("tasks", where, limit=2)
                    assert without_version(page.items) == wanted[:2]
                    assert page.total == len(wanted)
                    more = store.query("tasks", where, cursor=page.cursor).items if page.cursor else []
                    assert without_version(more) == wanted[2:]
                    last = store.query("tasks", where, limit=2, newest_first=True)
                    assert without_version(last.items) == wanted[::-1][:2]
                    rest = (
                        store.query("tasks", where, cursor=last.cursor, newest_first=True).items if last.cursor else []
                    )
                    assert without_version(rest) == wanted[::-1][2:]
            with store.begin() as transaction:
                for key, document in pending:
                    if document is None:
                        transaction.delete("tasks", key)
                    else:
                        transaction.put("tasks", key, document)
                plainly(rows, pending)
                for where in QUESTIONS:
                    wanted = [row for row in rows.values() if fits(row, where)]
                    assert without_version(transaction.query("tasks", where)) == wanted
                    assert without_version(list(transaction.each("tasks", where, newest_first=True))) == wanted[::-1]
                    assert transaction.count("tasks", where) == len(wanted)

    check()


def test_what_is_read_one_after_the_other_is_a_copy() -> None:
    store = open_storage("memory:")
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {"waits": ["T-2"]})
        for document in transaction.each("tasks"):
            document["waits"].append("T-3")
        assert transaction.query("tasks", {"waits": Holds("T-3")}) == []
    store.close()

"""Queries: equality on fields, and pages that stay right while documents come and go."""

from __future__ import annotations

import pytest

from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.storage import Storage


def fill(store: Storage, count: int, start: int = 0) -> None:
    with store.begin() as transaction:
        for number in range(start, start + count):
            status = "open" if number % 3 else "done"
            transaction.put("tasks", f"T-{number}", {"n": number, "status": status, "flag": number % 2 == 0})
        transaction.commit({"type": "test.fill"})


def numbers(page) -> list[int]:
    return [row["n"] for row in page.items]


def all_pages(store: Storage, where=None, limit: int = 7) -> list[int]:
    found, cursor = [], None
    while True:
        page = store.query("tasks", where, limit=limit, cursor=cursor)
        found += numbers(page)
        if page.cursor is None:
            return found
        cursor = page.cursor


@pytest.mark.parametrize("count", [5, 200])
def test_a_query_gives_those_whose_fields_are_equal_in_order(store: Storage, count: int) -> None:
    fill(store, count)
    page = store.query("tasks", {"status": "done", "flag": True})
    assert numbers(page) == [n for n in range(count) if n % 6 == 0]
    assert (page.total, page.cursor) == (len(page.items), None)
    assert numbers(store.query("tasks")) == list(range(count))


@pytest.mark.parametrize("count", [5, 200])
def test_a_query_follows_changes(store: Storage, count: int) -> None:
    fill(store, count)
    assert store.query("tasks", {"status": "done"}).total == len(range(0, count, 3))
    with store.begin() as transaction:
        transaction.put("tasks", "T-0", {"n": 0, "status": "open"})
        transaction.put("tasks", "T-1", {"n": 1, "status": "done"})
        transaction.delete("tasks", "T-3")
        transaction.put("tasks", "T-4", {"n": 4, "status": ["done"]})
        assert [row["n"] for row in transaction.query("tasks", {"status": "done"})][:1] == [1]
        transaction.commit({"type": "test"})
    expected = [1, *range(6, count, 3)]
    assert numbers(store.query("tasks", {"status": "done"})) == expected
    assert store.query("tasks", {"status": ["done"]}).total == 1
    assert store.query("tasks", {"status": "lost"}).total == 0


def test_true_is_not_one_and_a_missing_field_equals_nothing(store: Storage) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", "a", {"x": 1})
        transaction.put("tasks", "b", {"x": True})
        transaction.put("tasks", "c", {"x": None})
        transaction.put("tasks", "d", {})
        transaction.put("tasks", "e", {"x": 1.0})
        transaction.commit({"type": "test"})
    assert [row["id"] for row in store.query("tasks", {"x": 1}).items] == ["a", "e"]
    assert [row["id"] for row in store.query("tasks", {"x": True}).items] == ["b"]
    assert [row["id"] for row in store.query("tasks", {"x": None}).items] == ["c"]


@pytest.mark.parametrize("where", [None, {"status": "open"}, {"flag": True}])
@pytest.mark.parametrize("limit", [1, 7, 100, 101])
def test_pages_together_are_the_whole(store: Storage, where, limit: int) -> None:
    fill(store, 100)
    assert all_pages(store, where, limit) == numbers(store.query("tasks", where))
    assert store.query("tasks", where, limit=limit).total == store.query("tasks", where).total


def test_a_last_page_that_is_just_full_has_no_cursor(store: Storage) -> None:
    fill(store, 10)
    assert store.query("tasks", limit=10).cursor is None
    assert store.query("tasks", limit=9).cursor is not None


@pytest.mark.parametrize("where", [None, {"status": "open"}])
def test_a_cursor_stays_good_while_documents_come_and_go(store: Storage, where) -> None:
    fill(store, 100)
    first = store.query("tasks", where, limit=10)
    with store.begin() as transaction:
        for row in first.items:
            transaction.delete("tasks", row["id"])
        transaction.delete("tasks", "T-50")
        transaction.put("tasks", "T-99", {"n": 99, "status": "open"})
        transaction.commit({"type": "test"})
    fill(store, 5, start=100)
    rest = store.query("tasks", where, cursor=first.cursor)
    last = first.items[-1]["n"]
    wanted = [n for n in range(last + 1, 105) if n != 50 and (where is None or n % 3 or n == 99)]
    assert numbers(rest) == wanted


def test_deleting_nearly_everything_keeps_pages_right(store: Storage) -> None:
    fill(store, 400)
    cursor = store.query("tasks", limit=200).cursor
    with store.begin() as transaction:
        for number in range(400):
            if number % 40:
                transaction.delete("tasks", f"T-{number}")
        transaction.commit({"type": "test"})
    assert numbers(store.query("tasks", cursor=cursor, limit=3)) == [200, 240, 280]
    assert all_pages(store, limit=2) == list(range(0, 400, 40))


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "٣", "9" * 30])
def test_a_cursor_that_no_page_gave_is_refused(store: Storage, cursor: str) -> None:
    fill(store, 3)
    with pytest.raises(BadParams):
        store.query("tasks", cursor=cursor)

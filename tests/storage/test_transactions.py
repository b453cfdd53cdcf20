"""Transactions: all or nothing, versions, ids."""

from __future__ import annotations

import pytest

from llmgenie_mcp.errors import BadParams, Conflict, StorageError
from llmgenie_mcp.storage import Storage


def put(store: Storage, table: str, key: str, **fields: object) -> int:
    with store.begin() as transaction:
        transaction.put(table, key, fields)
        return transaction.commit({"type": "test.put"})


def test_a_committed_document_is_read_back_with_id_and_version(store: Storage) -> None:
    put(store, "tasks", "T-1", title="one")
    assert store.get("tasks", "T-1") == {"id": "T-1", "title": "one", "version": 1}


def test_what_was_never_put_is_none(store: Storage) -> None:
    put(store, "tasks", "T-1")
    assert store.get("tasks", "T-2") is None
    assert store.get("nowhere", "T-1") is None
    assert store.query("nowhere").items == []


def test_versions_count_up_and_replace_whatever_the_caller_put_there(store: Storage) -> None:
    with store.begin() as transaction:
        first = transaction.put("tasks", "T-1", {"version": 77, "id": "other"})
        second = transaction.put("tasks", "T-1", {"title": "two"})
        transaction.commit({"type": "test"})
    assert (first["version"], first["id"]) == (1, "T-1")
    assert second == {"id": "T-1", "title": "two", "version": 2}
    put(store, "tasks", "T-1")
    assert store.get("tasks", "T-1") == {"id": "T-1", "version": 3}


def test_leaving_without_commit_forgets_the_changes(store: Storage) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {})
        transaction.next_id("T")
    assert store.get("tasks", "T-1") is None
    assert store.last_seq() == 0
    with store.begin() as transaction:
        assert transaction.next_id("T") == "T-1"


def test_an_exception_forgets_the_changes_and_frees_the_store(store: Storage) -> None:
    def fail() -> None:
        with store.begin() as transaction:
            transaction.put("tasks", "T-1", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert put(store, "tasks", "T-2") == 1
    assert [row["id"] for row in store.query("tasks").items] == ["T-2"]


def test_a_transaction_reads_its_own_writes_and_nobody_else_does(store: Storage) -> None:
    put(store, "tasks", "T-1", status="open")
    put(store, "tasks", "T-2", status="open")
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {"status": "done"})
        transaction.put("tasks", "T-3", {"status": "open"})
        transaction.delete("tasks", "T-2")
        assert transaction.get("tasks", "T-2") is None
        assert [row["id"] for row in transaction.query("tasks")] == ["T-1", "T-3"]
        assert [row["id"] for row in transaction.query("tasks", {"status": "open"})] == ["T-3"]
        assert [row["id"] for row in store.query("tasks", {"status": "open"}).items] == ["T-1", "T-2"]
        transaction.commit({"type": "test"})
    assert [row["id"] for row in store.query("tasks").items] == ["T-1", "T-3"]


def test_deleting_and_putting_again_starts_anew_at_the_end(store: Storage) -> None:
    for key in ("T-1", "T-2"):
        put(store, "tasks", key)
        put(store, "tasks", key)
    with store.begin() as transaction:
        assert transaction.delete("tasks", "T-1") is True
        assert transaction.delete("tasks", "T-1") is False
        assert transaction.put("tasks", "T-1", {})["version"] == 1
        assert [row["id"] for row in transaction.query("tasks")] == ["T-2", "T-1"]
        transaction.commit({"type": "test"})
    assert [row["id"] for row in store.query("tasks").items] == ["T-2", "T-1"]


def test_putting_and_deleting_in_one_transaction_leaves_nothing(store: Storage) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {})
        transaction.delete("tasks", "T-1")
        transaction.commit({"type": "test"})
    assert store.log(changes=True).items[0]["changes"] == []


def test_a_replaced_document_keeps_its_place(store: Storage) -> None:
    for key in ("T-1", "T-2", "T-3"):
        put(store, "tasks", key)
    put(store, "tasks", "T-1", title="changed")
    assert [row["id"] for row in store.query("tasks").items] == ["T-1", "T-2", "T-3"]


def test_expected_version_refuses_a_lost_update(store: Storage) -> None:
    put(store, "tasks", "T-1")
    with store.begin() as transaction, pytest.raises(Conflict) as conflict:
        transaction.put("tasks", "T-1", {}, expected_version=2)
    assert conflict.value.details == {"table": "tasks", "id": "T-1", "expected_version": 2, "version": 1}
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {}, expected_version=1)
        transaction.put("tasks", "T-1", {}, expected_version=2)
        transaction.commit({"type": "test"})


def test_expected_version_zero_means_it_must_not_exist(store: Storage) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {}, expected_version=0)
        with pytest.raises(Conflict):
            transaction.put("tasks", "T-1", {}, expected_version=0)
        with pytest.raises(Conflict):
            transaction.put("tasks", "T-2", {}, expected_version=1)
        transaction.commit({"type": "test"})


def test_a_conflict_does_not_end_the_transaction(store: Storage) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {"n": 1})
        with pytest.raises(Conflict):
            transaction.put("tasks", "T-1", {"n": 2}, expected_version=9)
        transaction.commit({"type": "test"})
    assert store.get("tasks", "T-1") == {"id": "T-1", "n": 1, "version": 1}


def test_ids_count_up_by_prefix_and_are_never_given_twice(store: Storage) -> None:
    with store.begin() as transaction:
        assert [transaction.next_id("T"), transaction.next_id("T"), transaction.next_id("S")] == ["T-1", "T-2", "S-1"]
        transaction.put("tasks", "T-2", {})
        transaction.commit({"type": "test"})
    with store.begin() as transaction:
        transaction.delete("tasks", "T-2")
        transaction.commit({"type": "test"})
    with store.begin() as transaction:
        assert transaction.next_id("T") == "T-3"


def test_ids_that_documents_have_already_are_passed_over(store: Storage) -> None:
    put(store, "imported", "T-1")
    with store.begin() as transaction:
        transaction.put("tasks", "T-2", {})
        assert transaction.next_id("T") == "T-3"


def test_a_transaction_that_is_over_says_so(store: Storage) -> None:
    with store.begin() as transaction:
        transaction.commit({"type": "test"})
        with pytest.raises(StorageError, match="over"):
            transaction.commit({"type": "test"})
    for call in (
        lambda: transaction.get("tasks", "T-1"),
        lambda: transaction.query("tasks"),
        lambda: transaction.put("tasks", "T-1", {}),
        lambda: transaction.delete("tasks", "T-1"),
        lambda: transaction.next_id("T"),
    ):
        with pytest.raises(StorageError, match="over"):
            call()
    assert store.last_seq() == 1


def test_a_second_begin_in_the_same_thread_is_refused_instead_of_waiting_for_ever(store: Storage) -> None:
    with store.begin() as transaction:
        with pytest.raises(StorageError, match="already in a transaction"), store.begin():
            pass
        transaction.put("tasks", "T-1", {})
        assert transaction.commit({"type": "test"}) == 1


def test_closing_inside_a_transaction_is_refused(store: Storage) -> None:
    with store.begin() as transaction:
        with pytest.raises(StorageError, match="already in a transaction"):
            store.close()
        transaction.commit({"type": "test"})
    assert store.last_seq() == 1


def test_a_closed_store_says_so_and_may_be_closed_twice(store: Storage) -> None:
    put(store, "tasks", "T-1")
    store.close()
    store.close()
    for call in (
        lambda: store.get("tasks", "T-1"),
        lambda: store.query("tasks"),
        store.log,
        store.last_seq,
        store.refresh,
        store.verify,
        lambda: store.begin().__enter__(),
    ):
        with pytest.raises(StorageError, match="closed"):
            call()


@pytest.mark.parametrize("table", ["", "_ids", "_meta", 5, "\ud800"])
def test_table_names_that_do_not_fit_are_refused(store: Storage, table: str) -> None:
    with store.begin() as transaction:
        with pytest.raises(BadParams):
            transaction.put(table, "T-1", {})
        with pytest.raises(BadParams):
            transaction.delete(table, "T-1")


@pytest.mark.parametrize("key", ["", None, 5, "\udfff"])
def test_ids_that_do_not_fit_are_refused(store: Storage, key: str) -> None:
    with store.begin() as transaction, pytest.raises(BadParams):
        transaction.put("tasks", key, {})


def test_everything_is_there_after_opening_again(backend) -> None:
    store = backend.open()
    for number in range(30):
        put(store, "tasks", f"T-{number}", n=number)
    with store.begin() as transaction:
        transaction.delete("tasks", "T-7")
        transaction.next_id("T")
        transaction.commit({"type": "test"})
    before = store.query("tasks"), store.log(limit=100, changes=True)
    store.close()
    again = backend.open()
    if backend.durable:
        assert (again.query("tasks"), again.log(limit=100, changes=True)) == before
        with again.begin() as transaction:
            assert transaction.next_id("T") == "T-31"
    else:
        assert again.last_seq() == 0


def test_an_id_that_came_in_another_way_is_not_given_again_after_its_delete(store: Storage) -> None:
    put(store, "tasks", "T-5")
    with store.begin() as transaction:
        assert transaction.next_id("T") == "T-6"
        transaction.put("tasks", "T-9", {})
        transaction.delete("tasks", "T-9")
        transaction.put("tasks", "T-007", {})
        assert transaction.next_id("T") == "T-10"
        transaction.commit({"type": "test"})
    put(store, "notes", "T-30")
    with store.begin() as transaction:
        assert transaction.next_id("T") == "T-31"


def test_ids_are_not_given_twice_when_prefixes_and_ids_look_alike(store: Storage) -> None:
    for key in ("A-1-5", "A-x", "-3", "A-٣", "A-" + "9" * 40, "A--2"):
        put(store, "tasks", key)
    with store.begin() as transaction:
        assert transaction.next_id("A") == "A-1"
        assert transaction.next_id("A-1") == "A-1-6"
        assert transaction.next_id("A-") == "A--3"

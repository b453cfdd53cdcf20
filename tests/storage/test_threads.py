"""Many threads on one store: writers take turns, readers see whole transactions and do not wait for the disk."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from llmgenie_mcp.errors import Conflict, StorageBusy, StorageError
from llmgenie_mcp.storage import Storage
from llmgenie_mcp.storage.memory import MemoryStorage
from llmgenie_mcp.storage.tinydb import TinyDBStorage


def test_writers_in_many_threads_lose_nothing(store: Storage) -> None:
    def count(worker: int) -> None:
        for _ in range(25):
            with store.begin() as transaction:
                counter = transaction.get("counters", "all") or {"n": 0}
                transaction.put("counters", "all", {"n": counter["n"] + 1}, expected_version=counter.get("version", 0))
                transaction.put("tasks", transaction.next_id("T"), {"worker": worker})
                transaction.commit({"type": "test"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert store.get("counters", "all") == {"id": "all", "n": 200, "version": 200}
    assert {row["id"] for row in store.query("tasks").items} == {f"T-{n}" for n in range(1, 201)}
    assert store.verify().ok


def test_readers_see_whole_transactions_only(store: Storage) -> None:
    done = threading.Event()
    torn: list[object] = []
    reads = [0]

    def read() -> None:
        while not done.is_set():
            page = store.query("pairs")
            values = {row["n"] for row in page.items}
            reads[0] += 1
            if len(values) > 1 or page.total not in (0, 3):
                torn.append(page)
            store.refresh()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(60):
        with store.begin() as transaction:
            for key in "abc":
                transaction.put("pairs", key, {"n": number})
            transaction.commit({"type": "test"})
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []
    assert reads[0] > 10


def test_readers_do_not_wait_for_the_disk(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TinyDBStorage(tmp_path / "store")
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {"n": 1})
        transaction.commit({"type": "test"})
    at_the_disk, go_on = threading.Event(), threading.Event()
    flush = os.fdatasync

    def slow_disk(fd: int) -> None:
        at_the_disk.set()
        assert go_on.wait(30)
        flush(fd)

    monkeypatch.setattr(os, "fdatasync", slow_disk)

    def write() -> None:
        with store.begin() as transaction:
            transaction.put("tasks", "T-1", {"n": 2})
            transaction.commit({"type": "test"})

    writer = threading.Thread(target=write)
    writer.start()
    assert at_the_disk.wait(30)
    # The line is in the file, but not on the disk: nobody may see it, and nobody has to wait.
    assert store.get("tasks", "T-1")["n"] == 1
    assert store.query("tasks", {"n": 2}).total == 0
    assert store.refresh() == store.last_seq() == 1
    assert len(store.log().items) == 1
    go_on.set()
    writer.join()
    assert store.get("tasks", "T-1")["n"] == 2
    store.close()


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_a_thread_that_waits_too_long_gets_busy_and_the_store_stays_good(tmp_path, kind: str) -> None:
    store = MemoryStorage(lock_timeout=0.05) if kind == "memory" else TinyDBStorage(tmp_path / "s", lock_timeout=0.05)
    caught: list[BaseException] = []

    def write() -> None:
        try:
            with store.begin():
                pass
        except StorageError as problem:
            caught.append(problem)

    with store.begin() as transaction:
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        transaction.put("tasks", "T-1", {})
        transaction.commit({"type": "test"})
    assert [type(problem) for problem in caught] == [StorageBusy]
    assert store.get("tasks", "T-1") is not None
    store.close()


def test_a_transaction_cannot_be_committed_by_another_thread(store: Storage) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {})
        with ThreadPoolExecutor(1) as pool, pytest.raises(StorageError, match="another thread"):
            pool.submit(transaction.commit, {"type": "test"}).result()
    assert store.last_seq() == 0


def test_of_two_updates_with_the_same_expected_version_one_wins(store: Storage) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", "T-1", {"by": ""})
        transaction.commit({"type": "test"})
    both_read = threading.Barrier(4)

    def update(name: str) -> bool:
        version = store.get("tasks", "T-1")["version"]
        both_read.wait()
        try:
            with store.begin() as transaction:
                transaction.put("tasks", "T-1", {"by": name}, expected_version=version)
                transaction.commit({"type": "test"})
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(update, "abcd"))
    assert won.count(True) == 1
    assert store.get("tasks", "T-1") == {"id": "T-1", "by": "abcd"[won.index(True)], "version": 2}

"""Several processes on one store, and a store whose folder changes under a process that has it open."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
from backends import hear, spawn, tell

from llmgenie_mcp.errors import StorageBusy, StorageError
from llmgenie_mcp.storage import open_storage
from llmgenie_mcp.storage.documents import Tables
from llmgenie_mcp.storage.lock import FolderLock
from llmgenie_mcp.storage.tinydb import TinyDBStorage

WORKER = Path(__file__).with_name("worker.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".llmgenie"


def write(store, key: str, **fields: object) -> None:
    with store.begin() as transaction:
        transaction.put("tasks", key, fields)
        transaction.commit({"type": "test"})


def test_four_processes_writing_at_once_lose_nothing(folder: Path) -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(spawn(WORKER, "write", folder, 100)) for _ in range(4)]
        for worker in workers:
            assert hear(worker) == "ready"
        for worker in workers:
            tell(worker)
        assert [hear(worker) for worker in workers] == ["over"] * 4
    store = open_storage(folder)
    assert store.get("counters", "all")["n"] == 400
    tasks = store.query("tasks").items
    assert {row["id"] for row in tasks} == {f"T-{n}" for n in range(1, 401)}
    by = [sum(row["by"] == str(worker.pid) for row in tasks) for worker in workers]
    assert by == [100] * 4
    log = store.log(limit=1000)
    assert [line["seq"] for line in log.items] == list(range(1, 401))
    report = store.verify()
    assert (report.ok, report.problems, report.lines, store.warnings) == (True, [], 400, [])
    assert len(list((folder / "meta-log").iterdir())) > 10
    store.close()


def test_what_another_process_committed_is_there_after_refresh(folder: Path) -> None:
    mine, other = open_storage(folder), open_storage(folder)
    write(mine, "T-1", n=1)
    assert other.get("tasks", "T-1") is None
    assert other.refresh() == 1
    assert other.get("tasks", "T-1")["n"] == 1
    write(other, "T-2")
    with mine.begin() as transaction:
        assert transaction.get("tasks", "T-2") is not None
    assert mine.last_seq() == 2
    mine.close()
    other.close()


def test_a_reader_sees_whole_transactions_while_another_process_writes_and_checkpoints(folder: Path) -> None:
    with spawn(WORKER, "write", folder, 300) as worker:
        assert hear(worker) == "ready"
        reader = TinyDBStorage(folder, read_only=True)
        tell(worker)
        seen, seqs, checkpoints = set(), [0], set()
        while worker.poll() is None or len(seqs) < 3:
            seqs.append(reader.refresh())
            rows = {row["id"]: row["n"] for row in reader.query("counters").items}
            assert rows.get("all") == rows.get("copy")
            assert reader.query("tasks").total == rows.get("all", 0) == reader.log().total == seqs[-1]
            seen.add(rows.get("all"))
            fresh = TinyDBStorage(folder, read_only=True)
            rows = {row["id"]: row["n"] for row in fresh.query("counters").items}
            assert rows.get("all") == rows.get("copy")
            assert fresh.query("tasks").total == rows.get("all", 0) == fresh.last_seq()
            assert fresh.warnings == []
            fresh.close()
            if (folder / "db.json").exists():
                checkpoints.add((folder / "db.json").stat().st_mtime_ns)
        assert reader.refresh() == 300
    assert len(seen) > 2
    assert len(checkpoints) > 1
    assert seqs == sorted(seqs)
    assert reader.warnings == []
    reader.close()


def test_waiting_too_long_for_another_process_names_the_lock(folder: Path) -> None:
    with spawn(WORKER, "hold", folder) as worker:
        assert hear(worker) == "ready"
        tell(worker)
        assert hear(worker) == "holding"
        store = open_storage(folder, lock_timeout=0.05)
        with pytest.raises(StorageBusy) as busy, store.begin():
            pass
        assert str(folder / "lock") in busy.value.message
        assert store.last_seq() == 0
        tell(worker)
        assert hear(worker) == "over"
    write(store, "T-1")
    assert [row["id"] for row in store.query("tasks").items] == ["T-1"]
    store.close()


def test_the_lock_of_a_killed_process_is_gone_with_it(folder: Path) -> None:
    with spawn(WORKER, "hold", folder) as worker:
        assert hear(worker) == "ready"
        tell(worker)
        assert hear(worker) == "holding"
        worker.kill()
        worker.wait()
    store = open_storage(folder, lock_timeout=5)
    write(store, "T-1")
    assert store.get("tasks", "half") is None
    store.close()


def test_two_stores_in_one_process_keep_each_other_out(folder: Path) -> None:
    one, two = open_storage(folder), open_storage(folder, lock_timeout=0.05)
    with one.begin():
        with pytest.raises(StorageBusy), two.begin():
            pass
        two.close()
        with pytest.raises(StorageBusy):
            FolderLock(folder / "lock").acquire(0)
    one.close()


def test_the_lock_is_one_that_the_filelock_package_respects_and_is_respected_by(folder: Path) -> None:
    filelock = pytest.importorskip("filelock")
    store, other = open_storage(folder, lock_timeout=0.05), filelock.FileLock(folder / "lock", timeout=0)
    with store.begin(), pytest.raises(filelock.Timeout):
        other.acquire()
    with other, pytest.raises(StorageBusy), store.begin():
        pass
    store.close()


def test_a_forked_child_shares_no_lock_with_its_parent(folder: Path) -> None:
    store = TinyDBStorage(folder, lock_timeout=0.2)
    write(store, "T-1")
    with store.begin() as transaction:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert store.get("tasks", "T-1") is not None
                with pytest.raises(StorageBusy), store.begin():
                    pass
                with pytest.raises(Exception, match="another thread or process"):
                    transaction.commit({"type": "child"})
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        transaction.put("tasks", "T-2", {})
        transaction.commit({"type": "parent"})
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            write(store, "T-3")
            store.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    write(store, "T-4")
    assert [row["id"] for row in store.query("tasks").items] == ["T-1", "T-2", "T-3", "T-4"]
    assert store.verify().ok
    store.close()


def test_a_forked_child_does_not_trust_what_another_thread_was_in_the_middle_of(folder: Path) -> None:
    store = TinyDBStorage(folder)
    write(store, "T-1")
    tables, store._tables = store._tables, Tables()  # as another thread that takes in a transaction may leave it
    pid = os.fork()
    if pid == 0:
        os._exit(0 if store.get("tasks", "T-1") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    store._tables = tables
    store.close()


def test_a_live_store_whose_folder_is_deleted_goes_on_with_an_empty_one(folder: Path) -> None:
    store = open_storage(folder)
    write(store, "T-1")
    shutil.rmtree(folder)
    assert store.refresh() == 0
    assert store.get("tasks", "T-1") is None
    assert any("removed or replaced" in warning for warning in store.warnings)
    assert not folder.exists()
    write(store, "T-2")
    store.close()
    again = open_storage(folder)
    assert [row["id"] for row in again.query("tasks").items] == ["T-2"]
    assert again.verify().ok
    again.close()


def test_a_live_store_whose_folder_is_deleted_can_write_at_once(folder: Path) -> None:
    store, other = open_storage(folder), open_storage(folder)
    write(store, "T-1")
    shutil.rmtree(folder)
    write(other, "T-2")
    write(store, "T-3")
    assert [row["id"] for row in store.query("tasks").items] == ["T-2", "T-3"]
    other.refresh()
    assert other.query("tasks").items == store.query("tasks").items
    assert store.verify().ok
    store.close()
    other.close()


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_a_live_store_whose_folder_is_replaced_takes_in_the_new_one(tmp_path: Path, folder: Path, lines: int) -> None:
    store = open_storage(folder)
    write(store, "T-1")
    write(store, "T-2")
    other = open_storage(tmp_path / "other")
    for number in range(lines):
        write(other, f"N-{number}")
    other.close()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "other", folder)
    assert store.refresh() == lines
    assert [row["id"] for row in store.query("tasks").items] == [f"N-{n}" for n in range(lines)]
    write(store, "N-9")
    assert store.verify().ok
    store.close()


def test_a_store_that_cannot_be_read_for_a_while_says_so_and_is_not_taken_for_empty(folder: Path) -> None:
    store = open_storage(folder)
    write(store, "T-1")
    store.checkpoint()
    shutil.move(folder, folder.with_name("moved"))
    (folder / "db.json").mkdir(parents=True)
    for call in (store.refresh, lambda: store.get("tasks", "T-1"), store.last_seq, lambda: store.begin().__enter__()):
        with pytest.raises(StorageError, match=r"db\.json"):
            call()
    shutil.rmtree(folder)
    shutil.move(folder.with_name("moved"), folder)
    assert store.get("tasks", "T-1") is not None
    write(store, "T-2")
    assert store.verify().ok
    store.close()


def test_a_log_that_is_rewritten_in_place_is_noticed(folder: Path) -> None:
    store, other = open_storage(folder), open_storage(folder)
    for number in range(4):
        write(store, f"T-{number}")
    other.refresh()
    segment = folder / "meta-log/000001.jsonl"
    kept = b"".join(segment.read_bytes().splitlines(keepends=True)[:2])
    os.truncate(segment, len(kept))
    assert other.refresh() == 2
    write(other, "N-1")
    assert [row["id"] for row in other.query("tasks").items] == ["T-0", "T-1", "N-1"]
    write(other, "N-2-with-a-longer-name-than-the-lines-that-were-there-before")
    assert store.refresh() == 4
    assert [row["id"] for row in store.query("tasks").items][:3] == ["T-0", "T-1", "N-1"]
    assert store.verify().ok
    store.close()
    other.close()

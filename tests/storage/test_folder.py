"""The folder: its files, when they are written, and that TinyDB opens db.json."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from tinydb import Query, TinyDB
from tinydb.table import Table

from llmgenie_mcp.errors import StorageError, StorageReadOnly
from llmgenie_mcp.storage import open_storage
from llmgenie_mcp.storage.tinydb import TinyDBStorage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".llmgenie"


def write(store, count: int = 1, filling: str = "") -> None:
    for _ in range(count):
        with store.begin() as transaction:
            key = transaction.next_id("T")
            transaction.put("tasks", key, {"title": f"Größe {key}", "status": "open", "filling": filling})
            transaction.commit({"type": "task.created"})


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_opening_and_reading_what_does_not_exist_creates_nothing(folder: Path) -> None:
    store = open_storage(folder)
    assert (store.last_seq(), store.refresh(), store.get("tasks", "T-1")) == (0, 0, None)
    assert (store.query("tasks").total, store.log().total, store.verify().lines, store.repair()) == (0, 0, 0, [])
    store.checkpoint()
    store.close()
    assert not folder.exists()


def test_the_first_write_creates_the_folder_and_close_the_checkpoint(folder: Path) -> None:
    store = open_storage(folder)
    write(store)
    assert files(folder) == {".gitignore", "lock", "meta-log/000001.jsonl"}
    store.close()
    assert files(folder) == {".gitignore", "lock", "meta-log/000001.jsonl", "db.json"}


def test_the_project_folder_itself_is_not_created(tmp_path: Path) -> None:
    store = open_storage(tmp_path / "gone" / ".llmgenie")
    with pytest.raises(StorageError, match="gone"):
        write(store)
    assert list(tmp_path.iterdir()) == []


def test_a_location_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="file"):
        open_storage(tmp_path / "file")


def test_a_clean_git_tree_stays_clean(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    store = open_storage(tmp_path / ".llmgenie")
    write(store)
    store.checkpoint()
    with (tmp_path / ".llmgenie/meta-log/000001.jsonl").open("ab") as segment:
        segment.write(b"torn")
    write(store)
    store.close()
    status = ["git", "-C", tmp_path, "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, check=True, capture_output=True, text=True, encoding="utf-8").stdout == ""
    (tmp_path / ".llmgenie/workflows").mkdir()
    (tmp_path / ".llmgenie/workflows/review.yaml").write_text("", encoding="utf-8")
    listed = subprocess.run(status, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    assert listed == "?? .llmgenie/workflows/review.yaml\n"


def test_a_gitignore_of_the_users_own_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / ".gitignore").write_text("mine\n", encoding="utf-8")
    write(open_storage(folder))
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "mine\n"


def test_the_folder_stays_the_same_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    store = open_storage("store")
    monkeypatch.chdir(tmp_path / "b")
    write(store)
    store.close()
    assert (tmp_path / "a/store/db.json").exists()


def test_stock_tinydb_opens_db_json(folder: Path) -> None:
    store = open_storage(folder)
    write(store, 3)
    with store.begin() as transaction:
        transaction.delete("tasks", "T-2")
        transaction.put("notes", "n", {"text": "hello"})
        transaction.commit({"type": "test"})
    store.close()
    before = (folder / "db.json").read_bytes()
    with TinyDB(folder / "db.json", encoding="utf-8") as stock:
        assert stock.tables() == {"_ids", "_meta", "notes", "tasks"}
        assert [(row.doc_id, row["id"]) for row in stock.table("tasks")] == [(1, "T-1"), (3, "T-3")]
        assert stock.table("tasks").search(Query().title == "Größe T-3")[0]["version"] == 1
        (meta,) = stock.table("_meta").all()
    assert (folder / "db.json").read_bytes() == before
    assert (meta["format"], meta["seq"], meta["segment"], meta["lines"]) == (1, 4, 1, 4)
    assert meta["offset"] == (folder / "meta-log/000001.jsonl").stat().st_size


def test_db_json_has_one_document_per_line(folder: Path) -> None:
    store = open_storage(folder)
    write(store, 3, filling="line\nfeed")
    store.close()
    lines = (folder / "db.json").read_text(encoding="utf-8").splitlines()
    documents = [line for line in lines if '"id":"T-' in line]
    assert len(documents) == 3
    assert json.loads("{" + documents[1].rstrip(",") + "}")["2"]["title"] == "Größe T-2"


def test_two_processes_at_the_same_line_write_the_same_db_json(folder: Path) -> None:
    first = open_storage(folder)
    write(first, 5)
    first.checkpoint()
    one = (folder / "db.json").read_bytes()
    (folder / "db.json").unlink()
    second = open_storage(folder)
    second.checkpoint()
    assert (folder / "db.json").read_bytes() == one


def test_reading_and_closing_write_nothing(folder: Path) -> None:
    store = open_storage(folder)
    write(store, 3)
    store.checkpoint()
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*")}
    reader = open_storage(folder)
    reader.query("tasks")
    reader.log()
    assert reader.verify().ok
    reader.close()
    store.close()
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*")} == before


def test_the_checkpoint_is_written_now_and_then_and_not_at_every_commit(folder: Path) -> None:
    store = TinyDBStorage(folder, durability="relaxed", checkpoint_bytes=20_000)
    inodes = set()
    for _ in range(300):
        write(store, filling="x" * 200)
        if (folder / "db.json").exists():
            inodes.add((folder / "db.json").stat().st_mtime_ns)
    log = sum(path.stat().st_size for path in (folder / "meta-log").iterdir())
    assert 3 <= len(inodes) <= log / 20_000
    assert store.warnings == []


def test_the_bytes_written_per_commit_do_not_grow_with_the_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TinyDBStorage(folder, durability="relaxed", checkpoint_bytes=10_000)
    written = [0]
    write_call = os.write

    def counting(fd: int, data: bytes) -> int:
        written[0] += len(data)
        return write_call(fd, data)

    monkeypatch.setattr(os, "write", counting)
    costs = []
    for _ in range(4):
        written[0] = 0
        write(store, 500, filling="x" * 100)
        costs.append(written[0])
    assert costs[-1] < 1.7 * costs[0], costs


def test_a_store_opened_read_only_reads_and_never_writes(folder: Path) -> None:
    writer = open_storage(folder)
    write(writer, 2)
    before = files(folder)
    reader = open_storage(folder, read_only=True)
    assert reader.query("tasks").total == 2
    write(writer)
    assert reader.refresh() == 3
    for call in (lambda: reader.begin().__enter__(), reader.checkpoint, reader.repair):
        with pytest.raises(StorageReadOnly):
            call()
    reader.close()
    assert files(folder) == before


def test_the_live_tinydb_answers_stock_queries_with_copies(folder: Path) -> None:
    store = TinyDBStorage(folder)
    write(store, 3)
    tasks = store.tinydb.table("tasks")
    assert [row["id"] for row in tasks.search(Query().status == "open")] == ["T-1", "T-2", "T-3"]
    assert tasks.get(doc_id=2)["title"] == "Größe T-2"
    assert (len(tasks), store.tinydb.tables()) == (3, {"_ids", "tasks"})
    tasks.get(doc_id=1)["title"] = "changed"
    tasks.search(lambda row: row.update(title="changed") or True)
    store.tinydb.storage.read()["tasks"]["1"]["title"] = "changed"
    assert store.get("tasks", "T-1")["title"] == "Größe T-1"
    write(store)
    assert len(tasks) == 4
    assert tasks.count(Query().status == "open") == 4


def test_writing_through_the_live_tinydb_teaches_and_changes_nothing(folder: Path) -> None:
    store = TinyDBStorage(folder)
    write(store, 2)
    live = store.tinydb
    tasks = live.table("tasks")
    for call in (
        lambda: tasks.insert({"title": "x"}),
        lambda: tasks.insert_multiple([{"title": "x"}]),
        lambda: tasks.update({"title": "x"}),
        lambda: tasks.upsert({"title": "x"}, Query().id == "T-1"),
        lambda: tasks.remove(doc_ids=[1]),
        tasks.truncate,
        lambda: live.drop_table("tasks"),
        live.drop_tables,
        lambda: live.insert({"title": "x"}),
        lambda: Table(live.storage, "tasks").update({"title": "x"}),
    ):
        with pytest.raises(StorageError, match="for reading") as refused:
            call()
        assert "begin()" in refused.value.hint
    assert [row["title"] for row in store.query("tasks").items] == ["Größe T-1", "Größe T-2"]
    assert store.verify().ok


def test_a_db_json_of_a_later_format_is_not_touched(folder: Path) -> None:
    store = open_storage(folder)
    write(store)
    store.close()
    later = (folder / "db.json").read_text(encoding="utf-8").replace('"format":1', '"format":2')
    old_sum = json.loads(later)["_meta"]["1"]["checksum"]
    later = later.replace(old_sum, hashlib.sha256(later.replace(old_sum, "").encode()).hexdigest())
    (folder / "db.json").write_text(later, encoding="utf-8")
    with pytest.raises(StorageError, match="format 2"):
        open_storage(folder)
    assert (folder / "db.json").read_text(encoding="utf-8") == later

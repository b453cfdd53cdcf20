"""A damaged db.json: found, named by line, and made anew from the log; the old one is kept."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from damage import change_line, fill, mend, segment, write
from tinydb import TinyDB

from llmgenie_mcp.errors import StorageDamaged
from llmgenie_mcp.storage import open_storage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".llmgenie"


def test_every_flipped_bit_of_db_json_is_found_named_and_mended_from_the_log(folder: Path) -> None:
    tasks = fill(folder, 6, checkpoint_at=6)
    original = (folder / "db.json").read_bytes()
    choose = random.Random(2)
    for position in choose.sample(range(len(original)), 120):
        flipped = bytearray(original)
        flipped[position] ^= 1 << choose.randrange(8)
        (folder / "db.json").write_bytes(bytes(flipped))
        store = open_storage(folder, read_only=True)
        assert store.query("tasks").items == tasks, position
        assert len(store.warnings) == 1
        problems = store.verify().problems
        named = {problem.removeprefix(f"{folder / 'db.json'}:").split(":")[0] for problem in problems}
        line = original.count(b"\n", 0, position) + 1
        assert {str(line), str(line + 1), "3"} & named, (position, problems)
        store.close()


def test_a_damaged_db_json_is_set_aside_and_written_anew_by_the_next_checkpoint(folder: Path) -> None:
    tasks = fill(folder, 10, checkpoint_at=10)
    original = (folder / "db.json").read_bytes()
    damaged = original.replace(b"task 7", b"task 8")
    (folder / "db.json").write_bytes(damaged)
    store = open_storage(folder)
    assert store.query("tasks").items == tasks
    (problem,) = store.verify().problems
    line = original[: original.index(b"task 7")].count(b"\n") + 1
    assert problem == f"{folder / 'db.json'}:{line}: this line is not what the log says."
    store.checkpoint()
    assert (folder / "db.json").read_bytes() == original
    assert [path.read_bytes() for path in (folder / "set-aside").iterdir()] == [damaged]
    assert store.verify().ok
    write(store, range(11, 12))
    store.close()
    assert len(list((folder / "set-aside").iterdir())) == 1


def test_repair_mends_a_damaged_db_json(folder: Path) -> None:
    tasks = fill(folder, 10, checkpoint_at=10)
    original = (folder / "db.json").read_bytes()
    (folder / "db.json").write_bytes(original[:-100])
    store = open_storage(folder)
    done = store.repair()
    assert any("set aside" in sentence for sentence in done)
    assert (folder / "db.json").read_bytes() == original
    assert [path.read_bytes() for path in (folder / "set-aside").iterdir()] == [original[:-100]]
    assert (store.query("tasks").items, store.verify().ok, store.last_seq()) == (tasks, True, 10)
    store.close()


def test_what_somebody_wrote_into_db_json_with_stock_tinydb_is_reported_and_kept_aside(folder: Path) -> None:
    tasks = fill(folder, 5, checkpoint_at=5)
    with TinyDB(folder / "db.json") as stock:
        stock.table("tasks").insert({"id": "T-99", "title": "past the log"})
    store = open_storage(folder)
    assert store.query("tasks").items == tasks
    assert any("does not fit the log" in warning for warning in store.warnings)
    assert not store.verify().ok
    write(store, range(6, 7))
    store.close()
    (kept,) = (folder / "set-aside").iterdir()
    assert b"past the log" in kept.read_bytes()
    assert open_storage(folder).verify().ok


def test_with_log_and_db_json_both_damaged_everything_readable_is_kept(folder: Path) -> None:
    tasks = fill(folder, 10, checkpoint_at=10)
    change_line(segment(folder), 4, b'{"seq"', b'{"sex"')
    (folder / "db.json").write_bytes((folder / "db.json").read_bytes().replace(b"task 7", b"task 8"))
    store = open_storage(folder)
    with pytest.raises(StorageDamaged, match=r"000001\.jsonl:4:"):
        store.query("tasks")
    assert any("db.json: the checksum" in problem for problem in store.verify().problems)
    store.close()
    store, _ = mend(folder)
    assert store.query("tasks").items[:-2] == [row for row in tasks if row["id"] != "T-4"]
    store.close()


def test_without_a_log_even_a_db_json_whose_checksum_is_wrong_is_better_than_nothing(folder: Path) -> None:
    fill(folder, 3, checkpoint_at=3)
    shutil.rmtree(folder / "meta-log")
    (folder / "db.json").write_bytes((folder / "db.json").read_bytes().replace(b"task 2", b"task X"))
    store = open_storage(folder)
    with pytest.raises(StorageDamaged, match=r"db\.json"):
        store.query("tasks")
    store.repair()
    assert [row["title"] for row in store.query("tasks").items] == ["task 1", "task X", "task 3"]
    assert store.verify().ok
    store.close()

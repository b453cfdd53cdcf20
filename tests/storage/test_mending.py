"""Damage of the log: it is found, named by file and line, and mended without losing or hiding anything."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from damage import change_line, fill, mend, segment, write

from llmgenie_mcp.errors import StorageDamaged
from llmgenie_mcp.storage import open_storage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".llmgenie"


@pytest.mark.parametrize("checkpoint_at", [None, 5, 12, 20])
def test_an_edited_line_is_named_and_mended(folder: Path, checkpoint_at: int | None) -> None:
    tasks = fill(folder, checkpoint_at=checkpoint_at)
    change_line(segment(folder), 12, b'"title":"task 12"', b'"title":"task 13"')
    store = open_storage(folder)
    report = store.verify()
    assert not report.ok
    assert report.problems[0].startswith(f"{segment(folder)}:12: this line was changed")
    assert len(report.problems) == 1
    if checkpoint_at in (None, 5):
        # The damage lies in what is read at opening.
        with pytest.raises(StorageDamaged, match=r"000001\.jsonl:12: .*changed") as damaged:
            store.get("tasks", "T-1")
        assert "llmgenie doctor --repair" in damaged.value.hint
        assert (damaged.value.details["file"], damaged.value.details["line"]) == ("000001.jsonl", 12)
    else:
        assert store.query("tasks").items == tasks
    store.close()
    store, done = mend(folder)
    assert any("000001.jsonl:12" in sentence for sentence in done)
    kept = store.query("tasks").items[:20]
    if checkpoint_at in (12, 20):
        assert kept == tasks
    else:
        # Nobody knows any more what the line said: it is taken as it stands, and the log says that it was changed.
        assert kept == [*tasks[:11], {**tasks[11], "title": "task 13"}, *tasks[12:]]
    store.close()


@pytest.mark.parametrize("checkpoint_at", [None, 5, 15])
@pytest.mark.parametrize("line", [1, 10, 20])
def test_an_unreadable_line_is_named_and_mended(folder: Path, checkpoint_at: int | None, line: int) -> None:
    tasks = fill(folder, checkpoint_at=checkpoint_at)
    change_line(segment(folder), line, b'"changes":[[', b'"changes":[!')
    store = open_storage(folder)
    problems = store.verify().problems
    assert len(problems) == 1
    assert problems[0].startswith(f"{segment(folder)}:{line}: this line cannot be read")
    if line > (checkpoint_at or 0):
        for call in (store.last_seq, lambda: store.query("tasks"), store.log, store.refresh, store.checkpoint):
            with pytest.raises(StorageDamaged, match=rf"000001\.jsonl:{line}:"):
                call()
        with pytest.raises(StorageDamaged), store.begin():
            pass
    store.close()
    store, _ = mend(folder)
    kept = {row["id"]: row for row in store.query("tasks").items[:-2]}
    lost = set() if line <= (checkpoint_at or 0) else {f"T-{line}"}
    assert kept == {row["id"]: row for row in tasks if row["id"] not in lost}
    assert store.get("tasks", "T-1001") is not None
    copies = [path for path in (folder / "set-aside").iterdir() if path.name.startswith("000001.jsonl.line-")]
    assert [b'"changes":[!' in path.read_bytes() for path in copies] == [True]
    seqs = [entry["seq"] for entry in store.log(limit=100).items]
    assert seqs == [seq for seq in range(1, 24) if seq != line]
    assert store.log().total == 22
    store.close()


def test_reading_the_log_across_a_damaged_line_names_it_until_it_is_repaired(folder: Path) -> None:
    fill(folder, checkpoint_at=20)
    change_line(segment(folder), 12, b'"changes":[[', b'"changes":[!')
    store = open_storage(folder)
    assert store.query("tasks").total == 20
    assert len(store.log(after=12).items) == 8
    for options in ({}, {"newest_first": True}, {"where": {"type": "test"}}):
        with pytest.raises(StorageDamaged, match=r"000001\.jsonl:12: "):
            store.log(**options)
    store.repair()
    assert [line["seq"] for line in store.log().items] == [seq for seq in range(1, 22) if seq != 12]
    store.close()


def test_a_line_damaged_at_the_very_end_is_not_taken_for_a_torn_one(folder: Path) -> None:
    fill(folder)
    change_line(segment(folder), 20, b'{"seq":20', b'{"seq"=20')
    store = open_storage(folder)
    with pytest.raises(StorageDamaged, match=r"000001\.jsonl:20:"):
        store.last_seq()
    with pytest.raises(StorageDamaged), store.begin():
        pass
    assert not (folder / "set-aside").exists()
    store.close()


@pytest.mark.parametrize("checkpoint_at", [None, 20])
def test_missing_doubled_and_swapped_lines_are_named(folder: Path, checkpoint_at: int | None) -> None:
    fill(folder, checkpoint_at=checkpoint_at)
    lines = segment(folder).read_bytes().splitlines(keepends=True)
    for changed, number, words in (
        (lines[:9] + lines[10:], 10, "gap: 1 line "),
        (lines[:9] + lines[12:], 10, "gap: 3 lines"),
        (lines[1:], 1, "gap: 1 line "),
        (lines[:10] + lines[9:], 11, "was there before"),
        ([*lines[:9], lines[10], lines[9], *lines[11:]], 10, "gap: 1 line "),
        ([*lines[:9], b"\n", *lines[9:]], 10, "cannot be read"),
        ([*lines[:9], lines[9].replace(b'"prev":"', b'"prev":"0'), *lines[10:]], 10, "changed"),
        ([lines[0].replace(b'"prev":"0', b'"prev":"1'), *lines[1:]], 1, "zeros"),
    ):
        segment(folder).write_bytes(b"".join(changed))
        store = open_storage(folder)
        problems = store.verify().problems
        assert problems[0].startswith(f"{segment(folder)}:{number}: this line"), problems
        assert words in problems[0]
        store.close()
        shutil.rmtree(folder / "set-aside", ignore_errors=True)


def test_a_missing_segment_is_named_and_the_documents_are_those_of_db_json(folder: Path) -> None:
    tasks = fill(folder, 60, checkpoint_at=60, segment_bytes=2000)
    segment(folder, 3).unlink()
    store = open_storage(folder)
    assert store.query("tasks").items == tasks
    (problem,) = store.verify().problems
    assert problem.startswith(f"{segment(folder, 4)}:1: this line follows a gap")
    store.close()
    store, _ = mend(folder)
    assert store.query("tasks").items[:60] == tasks
    store.close()


@pytest.mark.parametrize("keep", ["nothing", "half", "first"])
def test_a_log_whose_end_is_missing_stops_the_store_until_it_is_repaired(folder: Path, keep: str) -> None:
    tasks = fill(folder, 60, checkpoint_at=60, segment_bytes=2000)
    if keep == "nothing":
        shutil.rmtree(folder / "meta-log")
    elif keep == "first":
        for path in sorted((folder / "meta-log").iterdir())[1:]:
            path.unlink()
    else:
        last = sorted((folder / "meta-log").iterdir())[-1]
        last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:1]))
    store = open_storage(folder)
    with pytest.raises(StorageDamaged, match=r"db\.json: .*end of .*meta-log is missing") as damaged:
        store.query("tasks")
    assert "doctor --repair" in damaged.value.hint
    assert [problem for problem in store.verify().problems if "db.json:3: is as of line 60" in problem]
    store.close()
    store, done = mend(folder)
    assert any("ended before db.json did" in sentence for sentence in done)
    assert store.query("tasks").items[:60] == tasks
    assert store.last_seq() == 63
    store.close()


def test_a_log_that_lost_its_last_line_feed_is_not_written_on(folder: Path) -> None:
    tasks = fill(folder, 10, checkpoint_at=10)
    segment(folder).write_bytes(segment(folder).read_bytes()[:-1] + b" ")
    store = open_storage(folder)
    with pytest.raises(StorageDamaged), store.begin():
        pass
    store.close()
    store, _ = mend(folder)
    assert store.query("tasks").items[:10] == tasks
    store.close()


@pytest.mark.parametrize("checkpoint_at", [9, 10])
def test_repair_says_of_a_torn_end_whether_it_was_acknowledged(folder: Path, checkpoint_at: int) -> None:
    tasks = fill(folder, 10, checkpoint_at=checkpoint_at)
    segment(folder).write_bytes(segment(folder).read_bytes()[:-9])
    store = open_storage(folder)
    [said] = [sentence for sentence in store.repair() if "acknowledged" in sentence]
    assert ("db.json is as of line 10, so it was acknowledged" in said) == (checkpoint_at == 10)
    assert ("never acknowledged" in said) == (checkpoint_at == 9)
    assert store.query("tasks").items == tasks[:checkpoint_at]
    store.close()


def test_every_flipped_bit_of_the_log_is_found_and_named(folder: Path) -> None:
    fill(folder, 6)
    original = segment(folder).read_bytes()
    last = original.rstrip(b"\n").rfind(b"\n") + 1
    choose = random.Random(1)
    for position in choose.sample(range(last), 120):
        flipped = bytearray(original)
        flipped[position] ^= 1 << choose.randrange(8)
        segment(folder).write_bytes(bytes(flipped))
        store = open_storage(folder, read_only=True)
        problems = store.verify().problems
        line = original.count(b"\n", 0, position) + 1
        # A line feed that is gone makes one line of two; one that is new makes two of one.
        assert problems, (position, flipped[position])
        assert problems[0].startswith((f"{segment(folder)}:{line}: ", f"{segment(folder)}:{line + 1}: ")), problems
        with pytest.raises(StorageDamaged, match=r"000001\.jsonl:\d+:"):
            store.query("tasks")
        store.close()


def test_a_line_damaged_again_after_a_repair_is_found_again(folder: Path) -> None:
    fill(folder, checkpoint_at=20)
    change_line(segment(folder), 12, b"task 12", b"task 13")
    store, _ = mend(folder)
    assert store.verify().ok
    change_line(segment(folder), 12, b"task 13", b"task 14")
    (problem,) = store.verify().problems
    assert "000001.jsonl:12" in problem
    store.close()


def test_repair_by_another_process_is_noticed_by_one_that_was_stopped(folder: Path) -> None:
    fill(folder)
    change_line(segment(folder), 12, b'{"seq"', b'{"sex"')
    stopped, other = open_storage(folder), open_storage(folder)
    with pytest.raises(StorageDamaged):
        stopped.refresh()
    other.repair()
    assert stopped.refresh() == 21
    write(stopped, range(50, 51))
    assert stopped.verify().ok
    stopped.close()
    other.close()


def test_damage_that_comes_while_a_store_is_open_does_not_stop_its_reads_for_good(folder: Path) -> None:
    store, other = open_storage(folder), open_storage(folder)
    write(store, range(1, 6))
    other.refresh()
    write(store, range(6, 11))
    intact = segment(folder).read_bytes()
    change_line(segment(folder), 8, b'{"seq"', b'{"sex"')
    for _ in range(2):
        with pytest.raises(StorageDamaged, match=r"000001\.jsonl:8:"):
            other.refresh()
    segment(folder).write_bytes(intact)
    assert other.refresh() == 10
    assert other.query("tasks").total == 10
    store.close()
    other.close()


def test_the_line_that_a_repair_writes_says_what_was_wrong(folder: Path) -> None:
    fill(folder, checkpoint_at=20)
    change_line(segment(folder), 12, b"task 12", b"task 13")
    store, _ = mend(folder)
    (line,) = store.log({"type": "storage.repaired"}, changes=True).items
    (fault,) = line["faults"]
    assert (fault["file"], fault["line"]) == ("000001.jsonl", 12)
    ((table, key, document),) = line["changes"]
    assert (table, key, document["title"]) == ("tasks", "T-12", "task 12")
    assert line["lost_lines"] == 0
    assert json.dumps(line)
    store.close()

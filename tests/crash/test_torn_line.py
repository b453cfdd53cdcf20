"""The end of the log torn at every byte, as a crash in the middle of a write may leave it."""

from __future__ import annotations

from pathlib import Path

import pytest
from examine import check_documents
from victim import commit

from llmgenie_mcp.storage.tinydb import TinyDBStorage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".llmgenie"


@pytest.fixture(params=["with db.json", "without db.json"])
def segment(folder: Path, request: pytest.FixtureRequest) -> Path:
    store = TinyDBStorage(folder)
    for _ in range(6):
        commit(store)
    if request.param == "with db.json":
        store.checkpoint()
    commit(store)
    return folder / "meta-log/000001.jsonl"


def test_a_torn_last_line_is_set_aside_and_reported_wherever_it_is_torn(folder: Path, segment: Path) -> None:
    whole = segment.read_bytes()
    begin = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(begin + 1, len(whole)):
        segment.write_bytes(whole[:end])
        reader = TinyDBStorage(folder, read_only=True)
        check_documents(reader, 6)
        assert reader.verify().ok
        assert segment.read_bytes() == whole[:end]
        store = TinyDBStorage(folder, durability="relaxed")
        commit(store)
        check_documents(store, 7)
        (warning,) = store.warnings
        (copy,) = (folder / "set-aside").iterdir()
        assert str(copy) in warning
        assert f"{end - begin} bytes" in warning
        assert str(segment) in warning
        assert copy.read_bytes() == whole[begin:end]
        assert store.verify().ok
        assert reader.refresh() == 7
        copy.unlink()


def test_blocks_that_never_reached_the_disk_are_a_torn_end(folder: Path, segment: Path) -> None:
    whole = segment.read_bytes()
    begin = whole.rstrip(b"\n").rfind(b"\n") + 1
    zeros = b"\0" * 40
    for torn in (zeros, zeros + b"\n", whole[begin : begin + 30] + zeros + b"\n", zeros + whole[begin + 40 :]):
        segment.write_bytes(whole[:begin] + torn)
        store = TinyDBStorage(folder)
        check_documents(store, 6)
        assert store.verify().ok
        commit(store)
        check_documents(store, 7)
        assert len(store.warnings) == 1
        assert store.verify().ok
        store.close()
        segment.write_bytes(whole)
        (folder / "db.json").unlink()


def test_a_torn_end_met_by_a_live_store_is_set_aside_at_its_next_transaction(folder: Path, segment: Path) -> None:
    store = TinyDBStorage(folder)
    with segment.open("ab") as file:
        file.write(b'{"seq":8,"ts":')
    assert store.refresh() == 7
    assert store.warnings == []
    commit(store)
    check_documents(store, 8)
    assert len(store.warnings) == 1
    assert store.verify().ok


def test_a_reader_goes_on_when_a_line_it_saw_half_of_is_completed(folder: Path, segment: Path) -> None:
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-20])
    reader = TinyDBStorage(folder, read_only=True)
    assert reader.last_seq() == 6
    with segment.open("ab") as file:
        file.write(whole[-20:])
    assert reader.refresh() == 7
    check_documents(reader, 7)
    assert reader.warnings == []


def test_an_empty_new_segment_left_by_a_crash_is_used(folder: Path) -> None:
    store = TinyDBStorage(folder, segment_bytes=1)
    commit(store)
    (folder / "meta-log/000002.jsonl").touch()
    again = TinyDBStorage(folder, segment_bytes=1)
    commit(again)
    commit(store)
    check_documents(store, 3)
    assert store.warnings == again.warnings == []
    assert store.verify().ok
    assert sorted(path.name for path in (folder / "meta-log").iterdir()) == [f"00000{n}.jsonl" for n in (1, 2, 3)]

"""The meta-log: one chained line per transaction, read from either end and from anywhere."""

from __future__ import annotations

import re
import tracemalloc

import pytest

from llmgenie_mcp.storage import Storage, lines
from llmgenie_mcp.storage.tinydb import TinyDBStorage


def write(store: Storage, count: int, kind: str = "test.line", **fields: object) -> None:
    for number in range(count):
        with store.begin() as transaction:
            transaction.put("tasks", f"T-{number % 10}", {"n": number, "filling": "x" * (number % 50)})
            transaction.commit({"type": kind, "number": number, **fields})


def seqs(page) -> list[int]:
    return [line["seq"] for line in page.items]


def test_a_line_has_what_the_store_and_the_caller_put_there(store: Storage) -> None:
    write(store, 1, actor="ann")
    (line,) = store.log(changes=True).items
    assert list(line) == ["seq", "ts", "type", "number", "actor", "changes", "prev"]
    assert (line["seq"], line["type"], line["actor"], line["prev"]) == (1, "test.line", "ann", "0" * 64)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["ts"])
    assert line["changes"] == [["tasks", "T-0", {"id": "T-0", "n": 0, "filling": "", "version": 1}]]
    assert "changes" not in store.log().items[0]


def test_lines_are_numbered_and_times_do_not_fall(store: Storage) -> None:
    write(store, 40)
    page = store.log(limit=100)
    assert seqs(page) == list(range(1, 41))
    assert (page.total, page.cursor, store.last_seq()) == (40, None, 40)
    times = [line["ts"] for line in page.items]
    assert times == sorted(times)


def test_times_do_not_go_back_when_the_clock_does(backend, monkeypatch: pytest.MonkeyPatch) -> None:
    store = backend.open()
    clock = iter(["2030-01-01T00:00:00.000000Z", "2029-01-01T00:00:00.000000Z", "2031-01-01T00:00:00.000000Z"])
    monkeypatch.setattr(lines, "now", lambda: next(clock))
    write(store, 2)
    if backend.durable:
        store.close()
        store = backend.open()
    write(store, 1)
    expected = ["2030-01-01T00:00:00.000000Z"] * 2 + ["2031-01-01T00:00:00.000000Z"]
    assert [line["ts"] for line in store.log().items] == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, list(range(1, 51))),
        ({"limit": 3}, [1, 2, 3]),
        ({"newest_first": True, "limit": 3}, [60, 59, 58]),
        ({"after": 57}, [58, 59, 60]),
        ({"before": 3}, [1, 2]),
        ({"after": 10, "before": 14}, [11, 12, 13]),
        ({"after": 10, "before": 14, "newest_first": True}, [13, 12, 11]),
        ({"after": 60}, []),
        ({"after": 99}, []),
        ({"before": 1}, []),
        ({"before": 0}, []),
        ({"after": 5, "before": 6}, []),
        ({"before": 1000, "after": 58}, [59, 60]),
    ],
)
def test_a_part_of_the_log_is_what_was_asked_for(store: Storage, options, expected: list[int]) -> None:
    write(store, 60)
    assert seqs(store.log(**options)) == expected


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("where", [None, {"type": "odd"}])
def test_pages_of_the_log_together_are_the_whole(store: Storage, newest_first: bool, where) -> None:
    for number in range(30):
        write(store, 1, "odd" if number % 2 else "even")
    found, bound = [], None
    for _ in range(30):
        edge = {"before": bound} if newest_first else {"after": bound}
        page = store.log(where, limit=4, newest_first=newest_first, **edge)
        found += seqs(page)
        if page.cursor is None:
            break
        bound = int(page.cursor)
    wanted = list(range(2, 31, 2)) if where else list(range(1, 31))
    assert found == (wanted[::-1] if newest_first else wanted)


def test_the_log_is_searched_by_any_field(store: Storage) -> None:
    write(store, 5, actor="ann", nested={"a": [1]})
    write(store, 5, actor='b"o\\b', flag=True)
    assert store.log({"actor": "ann", "number": 3}).total == 1
    assert seqs(store.log({"actor": 'b"o\\b'})) == [6, 7, 8, 9, 10]
    assert seqs(store.log({"nested": {"a": [1]}}, newest_first=True, limit=2)) == [5, 4]
    assert store.log({"flag": 1}).items == []
    assert store.log({"seq": 7}).total == 1


def test_the_hash_chain_can_be_checked_with_sha256sum_alone(tmp_path) -> None:
    import hashlib
    import json

    store = TinyDBStorage(tmp_path / "store", segment_bytes=1000)
    write(store, 20)
    store.close()
    before = "0" * 64
    segments = sorted((tmp_path / "store/meta-log").glob("*.jsonl"))
    assert len(segments) > 2
    for segment in segments:
        for raw in segment.read_bytes().splitlines(keepends=True):
            assert json.loads(raw)["prev"] == before
            before = hashlib.sha256(raw).hexdigest()


def test_every_seq_is_found_from_either_side_in_lines_of_any_length(tmp_path) -> None:
    store = TinyDBStorage(tmp_path / "store", durability="relaxed", segment_bytes=400_000)
    for number in range(60):
        with store.begin() as transaction:
            transaction.commit({"type": "test", "filling": "x" * (0 if number % 7 else 130_000)})
    for seq in range(1, 61):
        assert seqs(store.log(after=seq - 1, limit=1)) == [seq]
        assert seqs(store.log(before=seq + 1, limit=1, newest_first=True)) == [seq]
    assert seqs(store.log(limit=100, newest_first=True)) == list(range(60, 0, -1))
    store.close()


def test_the_newest_lines_are_read_without_reading_the_whole_log(tmp_path) -> None:
    store = TinyDBStorage(tmp_path / "store", durability="relaxed")
    for _ in range(100):
        with store.begin() as transaction:
            transaction.commit({"type": "test", "filling": "x" * 50_000})
    tracemalloc.start()
    assert seqs(store.log(newest_first=True, limit=3)) == [100, 99, 98]
    assert seqs(store.log(after=50, limit=2)) == [51, 52]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000 < 100 * 50_000
    store.close()

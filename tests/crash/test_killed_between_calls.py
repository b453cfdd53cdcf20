"""A process killed before each of its system calls, one after the other: nothing depends on luck here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from examine import check_documents, examine
from victim import commit
from victims import Victims

from llmgenie_mcp.storage.tinydb import TinyDBStorage

SMALL = {"segment_bytes": 600, "checkpoint_bytes": 300}


def nothing(folder: Path) -> None:
    """The very first commit: folder, .gitignore, lock and log are created."""


def some_commits(folder: Path) -> None:
    store = TinyDBStorage(folder)
    for _ in range(7):
        commit(store)
    store.close()


def rotating(folder: Path) -> None:
    store = TinyDBStorage(folder, **SMALL)
    for _ in range(7):
        commit(store)


def torn(folder: Path) -> None:
    some_commits(folder)
    with (folder / "meta-log/000001.jsonl").open("ab") as segment:
        segment.write(b'{"seq":8,"ts":"20')


def torn_new_segment(folder: Path) -> None:
    store = TinyDBStorage(folder, segment_bytes=1)
    for _ in range(7):
        commit(store)
    (folder / "meta-log/000008.jsonl").write_bytes(b'{"seq":8,"ts":"20')


def bad_checkpoint(folder: Path) -> None:
    some_commits(folder)
    (folder / "db.json").write_bytes((folder / "db.json").read_bytes()[:-20])


@pytest.mark.parametrize("part", [0, 0.5, 1], ids=["before a write", "in a write", "before its last byte"])
@pytest.mark.parametrize(
    ("prepare", "options"),
    [
        (nothing, {}),
        (some_commits, {}),
        (some_commits, {"durability": "relaxed"}),
        (rotating, SMALL),
        (torn, {}),
        (torn_new_segment, {"segment_bytes": 1}),
        (bad_checkpoint, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_killed_before_any_system_call_of_three_commits_and_two_checkpoints(
    tmp_path: Path, victims: Victims, prepare: Callable[[Path], None], options: dict[str, object], part: float
) -> None:
    template, folder = tmp_path / "template", tmp_path / "project/.llmgenie"
    prepare(template)
    folder.parent.mkdir()
    subprocess.run(["git", "init", "-q", folder.parent], check=True)
    before = TinyDBStorage(template, read_only=True).last_seq()
    bad = (template / "db.json").read_bytes() if prepare is bad_checkpoint else b""
    for call in range(1, 1000):
        shutil.rmtree(folder, ignore_errors=True)
        if template.exists():
            shutil.copytree(template, folder)
        pid = victims.born("commit and close", folder, options=options, call=call, part=part)
        code = victims.reap(pid)
        acked = max(victims.acked(pid), default=before)
        last = examine(folder, acked, bad_checkpoint=bad)
        if code == 0:
            break
        assert code == -9
        go_on(folder, last, options)
        if part == 0 and call % 5 == 0:
            status = ["git", "-C", folder.parent, "status", "--porcelain", "--untracked-files=all"]
            assert subprocess.run(status, check=True, capture_output=True).stdout == b""
    assert acked == before + 3
    assert call > 25


def go_on(folder: Path, last: int, options: dict[str, object]) -> None:
    """The next process can write, and what it writes stays."""
    store = TinyDBStorage(folder, lock_timeout=1, **options)
    commit(store)
    store.close()
    assert examine(folder, last + 1, may_be=0) == last + 1


@pytest.mark.parametrize("damaged", ["a line", "the end", "db.json", "both"])
def test_a_repair_that_is_killed_before_any_system_call_can_be_done_again(
    tmp_path: Path, victims: Victims, damaged: str
) -> None:
    template, folder = tmp_path / "template", tmp_path / "store"
    some_commits(template)
    log, checkpoint = template / "meta-log/000001.jsonl", template / "db.json"
    if damaged in ("a line", "both"):
        log.write_bytes(log.read_bytes().replace(b'{"seq":4', b'{"sex":4'))
    if damaged == "the end":
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:3]))
    if damaged in ("db.json", "both"):
        checkpoint.write_bytes(checkpoint.read_bytes()[:-20])
    for call in range(1, 1000):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        pid = victims.born("repair", folder, call=call)
        code = victims.reap(pid)
        assert code in (0, -9)
        repaired = ["repaired"] in victims.said(pid)
        store = TinyDBStorage(folder)
        assert repaired == (code == 0)
        if not repaired:
            store.repair()
        assert store.verify().ok
        assert store.repair() == []
        if damaged == "both":
            # Nobody has the row of line 4 any more.
            assert [row["n"] for row in store.query("rows").items] == [3, 5, 6, 7]
        else:
            check_documents(store, 7)
        assert store.log({"type": "storage.repaired"}).total == (damaged != "db.json")
        store.close()
        if code == 0:
            break
    assert call > 10

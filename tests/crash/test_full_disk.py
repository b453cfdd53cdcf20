"""A full disk gives an error and leaves nothing half-written; with room again, the same store goes on."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from examine import check_documents, examine
from victim import commit
from victims import child_environment

from llmgenie_mcp.errors import StorageFull
from llmgenie_mcp.storage.tinydb import TinyDBStorage


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """The kernel writes a file up to this size, and then refuses with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".llmgenie"


def test_a_commit_that_does_not_fit_leaves_the_log_as_it_was_wherever_the_disk_is_full(folder: Path) -> None:
    store = TinyDBStorage(folder, durability="relaxed")
    for _ in range(6):
        commit(store)
    segment = folder / "meta-log/000001.jsonl"
    before = segment.read_bytes()
    reader = TinyDBStorage(folder, read_only=True)
    line = len(before.splitlines(keepends=True)[-1])
    for room in range(line):
        with files_no_longer_than(len(before) + room), pytest.raises(StorageFull) as full:
            commit(store)
        assert "000001.jsonl" in full.value.message
        assert segment.read_bytes() == before
        check_documents(store, 6)
        assert reader.refresh() == 6
    commit(store)
    check_documents(store, 7)
    store.close()
    assert examine(folder, 7, may_be=0) == 7
    assert not (folder / "set-aside").exists()


def test_a_new_segment_that_does_not_fit_leaves_the_log_as_it_was(folder: Path) -> None:
    store = TinyDBStorage(folder, segment_bytes=1)
    commit(store)
    with files_no_longer_than(50), pytest.raises(StorageFull):
        commit(store)
    examine(folder, 1, may_be=0)
    commit(store)
    store.close()
    examine(folder, 2, may_be=0)


def test_the_first_commit_may_meet_a_full_disk(folder: Path) -> None:
    store = TinyDBStorage(folder)
    for room in (0, 10, 200):
        with files_no_longer_than(room), pytest.raises(StorageFull):
            commit(store)
        assert store.last_seq() == 0
    commit(store)
    store.close()
    examine(folder, 1, may_be=0)


def test_a_checkpoint_that_does_not_fit_costs_no_commit(folder: Path) -> None:
    store = TinyDBStorage(folder, segment_bytes=1, checkpoint_bytes=1)
    for _ in range(3):
        commit(store)
    checkpoint = (folder / "db.json").read_bytes()
    with files_no_longer_than(len(checkpoint) - 100):
        assert commit(store) == 4
        with pytest.raises(StorageFull, match=r"db\.json"):
            store.checkpoint()
        assert (folder / "db.json").read_bytes() == checkpoint
        assert not (folder / "db.json.tmp").exists()
        assert any("no commit is lost" in warning for warning in store.warnings)
        store.close()
    assert examine(folder, 4, may_be=0) == 4


def test_a_torn_end_that_cannot_be_set_aside_stays_where_it_is(folder: Path) -> None:
    store = TinyDBStorage(folder)
    commit(store)
    segment = folder / "meta-log/000001.jsonl"
    with segment.open("ab") as file:
        file.write(b"torn" * 30)
    before = segment.read_bytes()
    with files_no_longer_than(100), pytest.raises(StorageFull):
        commit(store)
    assert segment.read_bytes() == before
    commit(store)
    assert len(store.warnings) == 1
    store.close()
    examine(folder, 2, may_be=0)


FILL_A_SMALL_DISK = """
import os, subprocess, sys
from pathlib import Path
from examine import check_documents, examine
from llmgenie_mcp.errors import StorageFull
from llmgenie_mcp.storage.tinydb import TinyDBStorage
from victim import commit

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], check=True)
store = TinyDBStorage(disk / "store", segment_bytes=50_000, checkpoint_bytes=20_000)
done = refused = 0
while refused < 20:
    try:
        done = commit(store, 1000 if refused < 10 else 10)
    except StorageFull:
        refused += 1
        examine(disk / "store", done, may_be=0)
        check_documents(store, done)
assert os.statvfs(disk).f_bavail == 0 or refused
(disk / "store/db.json").unlink(missing_ok=True)
try:
    commit(store)
    done += 1
except StorageFull:
    pass
store.close()
print(examine(disk / "store", done, may_be=0))
"""


def test_a_disk_that_fills_up_loses_no_acknowledged_commit(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here; the tests with a file size limit do run")
    run = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", FILL_A_SMALL_DISK, tmp_path],
        env=child_environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 20

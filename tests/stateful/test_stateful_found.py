"""What the machine has found, each as its own plain test."""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_disk import Crash, Disk, Fault
from jumping_clock import Clock
from scene import commands, reviewing

from llmgenie_mcp import Engine, outcome
from llmgenie_mcp.errors import StorageError
from llmgenie_mcp.storage.tinydb import TinyDBStorage

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what the disk promises is followed by /proc and fdatasync"
)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    folder = tmp_path / "project"
    folder.mkdir()
    made = Disk(folder)
    made.follow(monkeypatch)
    yield made
    made.close()


def opened(disk: Disk, **options: int) -> TinyDBStorage:
    return TinyDBStorage(Path(disk.root) / ".llmgenie", lock_timeout=0.05, **options)


def commit(store: TinyDBStorage) -> int:
    with store.begin() as tx:
        tx.put("tasks", tx.next_id("T"), {"title": "x"})
        return tx.commit({"type": "test"})


def broken(disk: Disk, fault: Fault, act: Any, kind: type[BaseException]) -> None:
    """Do something while `fault` happens; it must raise `kind`."""
    disk.arm(fault)
    with pytest.raises(kind):
        act()
    assert disk.fired
    disk.arm(None)


def killed(disk: Disk, store: TinyDBStorage, fault: Fault) -> None:
    """A commit in the middle of which the process ends."""
    broken(disk, fault, lambda: commit(store), Crash)
    store._lock.close()
    store._journal.close()
    disk.dead = False


def oldest(n: int) -> int:
    """The power cut that keeps no more than was promised."""
    return 0


@pytest.mark.parametrize("number", [errno.EINTR, errno.ENOLCK, errno.EIO])
def test_a_commit_is_acknowledged_although_the_lock_cannot_be_given_back(disk: Disk, number: int) -> None:
    store, other = opened(disk), opened(disk)
    commit(store)
    disk.arm(Fault("flock", 1, number))
    assert commit(store) == 2
    assert disk.fired
    disk.arm(None)
    assert commit(other) == 3


@pytest.mark.parametrize(("nth", "how"), [(0, "interrupt after"), (1, "interrupt")])
def test_an_interrupt_beside_the_lock_does_not_keep_others_out(disk: Disk, nth: int, how: str) -> None:
    store, other = opened(disk), opened(disk)
    commit(store)
    broken(disk, Fault("flock", nth, how), lambda: commit(store), KeyboardInterrupt)
    assert commit(other) == 2 + nth
    assert commit(store) == 3 + nth


@pytest.mark.parametrize("folder", [0, 1, 2])
def test_a_folder_whose_name_could_not_be_flushed_is_flushed_by_the_next_commit(disk: Disk, folder: int) -> None:
    store = opened(disk)
    broken(disk, Fault("fsync", folder, errno.EIO), lambda: commit(store), StorageError)
    assert commit(store) == 1
    disk.cut(oldest)
    assert opened(disk).last_seq() == 1


@pytest.mark.parametrize("options", [{}, {"segment_bytes": 1}], ids=["the first segment", "the next segment"])
@pytest.mark.parametrize("how", ["kill", "kill after"])
@pytest.mark.parametrize("call", ["mkdir", "open", "write", "fdatasync", "fsync"])
def test_what_follows_on_a_killed_commit_survives_a_power_cut(
    disk: Disk, options: dict[str, int], how: str, call: str
) -> None:
    for nth in range(8):
        store = opened(disk, **options)
        before = commit(store) if options else 0
        disk.arm(Fault(call, nth, how))
        try:
            commit(store)
        except Crash:
            disk.dead = False
        finally:
            ended = bool(disk.fired)
            disk.arm(None)
            store._lock.close()
            store._journal.close()
        heir = opened(disk)
        last = commit(heir)
        heir._lock.close()
        heir._journal.close()
        disk.cut(oldest)
        left = opened(disk, **options)
        assert left.last_seq() == last > before
        assert left.verify().problems == []
        if not ended:
            return


def test_an_answer_that_is_given_again_is_on_the_disk(disk: Disk, tmp_path: Path) -> None:
    def asked(engine: Engine) -> Any:
        return engine.run_action("create_task", {"title": "x"}, idempotency_key="k")

    first, second = (Engine.open(disk.root) for _ in range(2))
    first.run_action("log_entry", {"text": "x"})
    broken(disk, Fault("fdatasync", 0, "kill"), lambda: asked(first), Crash)
    first.storage._lock.close()  # type: ignore[attr-defined]
    first.storage._journal.close()  # type: ignore[attr-defined]
    disk.dead = False
    assert asked(second).result["id"] == "TSK-1"
    disk.cut(oldest)
    with Engine.open(disk.root) as engine:
        assert engine.storage.query("tasks").total == 1


def test_a_commit_is_acknowledged_although_nobody_can_tell_whether_a_checkpoint_is_due(disk: Disk) -> None:
    for nth in range(12):
        store = opened(disk, checkpoint_bytes=400, segment_bytes=200)
        commit(store)
        store.checkpoint()
        commit(store)
        seq, answered = store.last_seq(), None
        disk.arm(Fault("stat", nth, errno.EIO, 100))
        try:
            answered = commit(store)
        except StorageError:
            pass
        finally:
            disk.arm(None)
        assert (store.refresh() == seq) is (answered is None)
        store.close()


@pytest.mark.parametrize("call", ["close", "fstat"])
def test_a_file_that_could_not_be_closed_is_not_closed_again(disk: Disk, call: str) -> None:
    store, other = opened(disk, segment_bytes=1), opened(disk, segment_bytes=1)
    commit(store)
    commit(other)
    disk.arm(Fault(call, 0, errno.EIO, 100))
    with contextlib.suppress(StorageError):
        store.refresh()
    assert disk.fired
    disk.arm(None)
    last = commit(other)
    assert store.refresh() == last
    assert commit(store) == last + 1
    assert store.warnings == []


def test_a_failed_run_counts_although_the_clock_was_put_back_before_it(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = reviewing(engine, repo)
    engine.run_action("start_review", session=session)
    assert engine.run_action("run_tests", session=session).ok
    clock = Clock()
    clock.wrong = -3600.0
    monkeypatch.setattr(outcome, "datetime", clock)
    commands(repo, test=["false"])
    assert engine.run_action("run_tests", session=session).status == "failed"
    assert engine.run_action("submit", session=session).status == "denied"

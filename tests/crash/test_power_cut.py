"""A power cut after any system call: what was not flushed is gone, and every acknowledged commit is there.

The disk is a real one. Beside it is kept what the system promised to be on it: the data of a file as of its last
fdatasync, the names in a folder as of its last fsync. After every call that changes something, a store is opened on just
that; once with the names as of the last fsync, once with all of them (the system may have written more than it promised).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from examine import check_documents, examine
from victim import commit

from llmgenie_mcp.storage.tinydb import TinyDBStorage

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fdatasync"), reason="macOS is asked by fcntl, which is not followed here"
)


class Disk:
    """Follows the calls of this process under `root`."""

    def __init__(self, root: Path, after_each: Callable[[str], None]) -> None:
        self.root = root
        self.data: dict[int, bytes] = {}
        self.names: dict[Path, dict[str, int]] = {root: {}}
        self.paths: dict[int, Path] = {}
        self.kept_open: list[int] = []
        self.after_each = after_each
        self.calls: list[str] = []

    def follow(self, patch: pytest.MonkeyPatch) -> None:
        real = {
            name: getattr(os, name) for name in ("open", "write", "fdatasync", "fsync", "ftruncate", "replace", "mkdir")
        }

        def opened(path: Any, *arguments: Any) -> int:
            fd = real["open"](path, *arguments)
            if self.root in Path(path).parents or Path(path) == self.root:
                self.paths[fd] = Path(path)
                # Else a new file could have the number of one that is gone.
                self.kept_open.append(os.dup(fd))
                self.note(f"open {Path(path).name}")
            return fd

        def flushed(name: str) -> Callable[[int], None]:
            def call(fd: int) -> None:
                real[name](fd)
                path = self.paths[fd]
                if path.is_dir():
                    self.names[path] = self.listing(path)
                else:
                    self.data[os.fstat(fd).st_ino] = path.read_bytes()
                self.note(f"{name} {path.name}")

            return call

        def other(name: str) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                result = real[name](*arguments)
                self.note(name)
                return result

            return call

        patch.setattr(os, "open", opened)
        for name in ("fdatasync", "fsync"):
            patch.setattr(os, name, flushed(name))
        for name in ("write", "ftruncate", "replace", "mkdir"):
            patch.setattr(os, name, other(name))

    def note(self, call: str) -> None:
        self.calls.append(call)
        self.after_each(call)

    @staticmethod
    def listing(folder: Path) -> dict[str, int]:
        return {path.name: path.stat().st_ino for path in folder.iterdir()}

    def survivors(self, target: Path, *, all_names: bool, folder: Path | None = None) -> None:
        """Write to `target` what is left after a power cut now."""
        folder = folder or self.root
        target.mkdir()
        for name, inode in (self.listing(folder) if all_names else self.names.get(folder, {})).items():
            if (folder / name).is_dir():
                self.survivors(target / name, all_names=all_names, folder=folder / name)
            else:
                (target / name).write_bytes(self.data.get(inode, b""))

    def close(self) -> None:
        for fd in self.kept_open:
            os.close(fd)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.mark.parametrize("options", [{}, {"segment_bytes": 600, "checkpoint_bytes": 300}], ids=["large", "small"])
def test_every_acknowledged_commit_survives_a_power_cut_after_any_call(
    tmp_path: Path, project: Path, options: dict[str, int]
) -> None:
    acked, cuts = 0, 0

    def cut(call: str) -> None:
        nonlocal cuts
        for all_names in (False, True):
            with pytest.MonkeyPatch.context() as as_it_was:
                for name, function in real.items():
                    as_it_was.setattr(os, name, function)
                shutil.rmtree(tmp_path / "left", ignore_errors=True)
                disk.survivors(tmp_path / "left", all_names=all_names)
                last = examine(tmp_path / "left/store", acked)
                if cuts % 7 == 0:
                    store = TinyDBStorage(tmp_path / "left/store")
                    commit(store)
                    check_documents(store, last + 1)
                    assert store.verify().ok
                    store.close()
            cuts += 1

    real = {
        name: getattr(os, name) for name in ("open", "write", "fdatasync", "fsync", "ftruncate", "replace", "mkdir")
    }
    disk = Disk(project, cut)
    with pytest.MonkeyPatch.context() as patch:
        disk.follow(patch)
        store = TinyDBStorage(project / "store", **options)
        for _ in range(12):
            acked = commit(store)
            cut("acknowledged")
        store.checkpoint()
        acked = commit(store)
        store.close()
    disk.close()
    assert examine(tmp_path / "left/store", 13, may_be=0) == 13
    assert cuts > 100
    for call in ("write", "replace", "mkdir", "fdatasync 000001.jsonl", "fdatasync db.json.tmp", "fsync meta-log"):
        assert call in disk.calls


def test_relaxed_durability_leaves_the_waiting_to_the_checkpoint(tmp_path: Path, project: Path) -> None:
    disk = Disk(project, lambda call: None)
    with pytest.MonkeyPatch.context() as patch:
        disk.follow(patch)
        store = TinyDBStorage(project / "store", durability="relaxed")
        for _ in range(5):
            commit(store)
        assert not [call for call in disk.calls if call.startswith("fdatasync 0")]
        store.checkpoint()
        assert "fdatasync 000001.jsonl" in disk.calls
        commit(store)
    disk.survivors(tmp_path / "left", all_names=True)
    assert examine(tmp_path / "left/store", 5) == 5
    store.close()
    disk.close()


def test_a_commit_is_one_write_and_one_flush(tmp_path: Path, project: Path) -> None:
    disk = Disk(project, lambda call: None)
    with pytest.MonkeyPatch.context() as patch:
        disk.follow(patch)
        store = TinyDBStorage(project / "store")
        commit(store)
        disk.calls.clear()
        commit(store)
        assert disk.calls == ["write", "fdatasync 000001.jsonl"]
        store.close()
    disk.close()

"""A folder that cannot be written: it is opened and read as ever, and `begin` says why it cannot be written."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from examine import check_documents
from victim import commit
from victims import child_environment

from llmgenie_mcp.errors import StorageReadOnly
from llmgenie_mcp.storage.tinydb import TinyDBStorage

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A store that everybody may read: pytest's own folders are closed to others."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    store = TinyDBStorage(made / "store")
    for _ in range(7):
        commit(store)
    store.checkpoint()
    commit(store)
    yield made / "store"
    for path in [made, *made.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(made)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def use(folder: Path) -> None:
    """What anybody does with a store; writing is refused, and nothing changes."""
    before = contents(folder)
    store = TinyDBStorage(folder)
    check_documents(store, 8)
    assert store.refresh() == 8
    assert store.log(newest_first=True, limit=1).items[0]["n"] == 8
    assert store.verify().ok
    for write in (lambda: commit(store), store.checkpoint, store.repair):
        with pytest.raises(StorageReadOnly) as refused:
            write()
        assert str(folder) in refused.value.message
    check_documents(store, 8)
    store.close()
    assert contents(folder) == before


def test_without_the_permission_to_write_everything_can_still_be_read(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    pid = os.fork()  # permissions do not hold root back, so a child becomes nobody
    if pid == 0:
        code = 1
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            use(folder)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_where_only_the_log_may_not_be_written_begin_already_says_so(folder: Path) -> None:
    (folder / "meta-log/000001.jsonl").chmod(0o444)
    for path in (folder, folder / "lock", folder / "meta-log"):
        path.chmod(0o777)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.getuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            store = TinyDBStorage(folder)
            with pytest.raises(StorageReadOnly, match=r"000001\.jsonl"), store.begin():
                os._exit(2)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


USE = """
import subprocess, sys
from pathlib import Path
from test_read_only_disk import use

subprocess.run(["mount", "--bind", sys.argv[1], sys.argv[1]], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", sys.argv[1]], check=True)
use(Path(sys.argv[1]))
"""


def test_on_a_disk_mounted_read_only_everything_can_still_be_read(folder: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here; the test with permissions does run")
    run = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", USE, folder],
        env=child_environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stderr


def test_a_live_store_whose_log_becomes_immutable_refuses_to_write_and_goes_on_afterwards(folder: Path) -> None:
    segment = folder / "meta-log/000001.jsonl"
    store = TinyDBStorage(folder)
    commit(store)
    before = contents(folder)
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", segment], capture_output=True).returncode:
        pytest.skip("chattr needs root and a file system that knows it; the test with permissions does run")
    try:
        with pytest.raises(StorageReadOnly):
            commit(store)
    finally:
        subprocess.run(["chattr", "-i", segment], check=True)
    check_documents(store, 9)
    assert contents(folder) == before
    assert commit(store) == 10
    store.close()
    check_documents(TinyDBStorage(folder), 10)

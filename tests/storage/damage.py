"""Stores that are filled, damaged and mended for the tests."""

from __future__ import annotations

from pathlib import Path

from llmgenie_mcp.storage import Storage, open_storage
from llmgenie_mcp.storage.tinydb import TinyDBStorage


def write(store: Storage, numbers: range) -> None:
    for number in numbers:
        with store.begin() as transaction:
            transaction.put("tasks", f"T-{number}", {"title": f"task {number}"})
            transaction.put("counters", "last", {"n": number})
            transaction.commit({"type": "test", "number": number})


def fill(folder: Path, count: int = 20, checkpoint_at: int | None = None, **options: int) -> list[object]:
    """A store of `count` lines; db.json as of `checkpoint_at` (None: there is none). Returns its tasks."""
    store = TinyDBStorage(folder, **options)
    write(store, range(1, (checkpoint_at or 0) + 1))
    if checkpoint_at:
        store.checkpoint()
    saved = (folder / "db.json").read_bytes() if checkpoint_at else None
    write(store, range((checkpoint_at or 0) + 1, count + 1))
    tasks = store.query("tasks").items
    store.close()
    (folder / "db.json").unlink()
    if saved is not None:
        (folder / "db.json").write_bytes(saved)
    return tasks


def segment(folder: Path, number: int = 1) -> Path:
    return folder / f"meta-log/{number:06d}.jsonl"


def change_line(path: Path, line: int, old: bytes, new: bytes) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_bytes(b"".join(lines))


def mend(folder: Path) -> tuple[Storage, list[str]]:
    """Repair, and check what every repair must leave behind."""
    originals = {path.name: path.read_bytes() for path in (folder / "meta-log").glob("*")}
    store = open_storage(folder)
    done = store.repair()
    assert done
    report = store.verify()
    assert (report.ok, report.problems) == (True, [])
    for name, data in originals.items():
        assert (folder / "meta-log" / name).read_bytes().startswith(data.rpartition(b"\n")[0])
    (line,) = store.log({"type": "storage.repaired"}).items
    assert line["done"]
    assert store.repair() == []
    write(store, range(1000, 1002))
    store.close()
    (folder / "db.json").unlink()
    for again in (open_storage(folder), open_storage(folder)):  # from the log alone, then from db.json
        assert again.verify().ok
        assert again.query("tasks").items[-1]["id"] == "T-1001"
        again.close()
    return open_storage(folder), done

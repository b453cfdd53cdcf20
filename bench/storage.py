"""What the store costs, beside one append + fdatasync on the same disk: `python -m bench.storage`.

The appends are taken in turn with the transactions, so that both meet the same disk. A transaction reads a document,
writes it back with one field changed, and commits with a log entry. Everything is measured in a temporary folder of the
current directory's disk, or of LLMGENIE_BENCH_DIR.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinydb import TinyDB

from llmgenie_mcp.storage import Storage, open_storage
from llmgenie_mcp.storage.disk import flush

OVERHEAD = 0.15  # ms that a transaction may cost over one append + fdatasync
_SIZES = (0, 1_000, 10_000, 100_000)
_BASELINE = "append + fdatasync"


def rows(repeat: int = 300) -> list[dict[str, Any]]:
    """Measure everything; each row has name, value and unit, most also ratio and baseline, some a budget."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("LLMGENIE_BENCH_DIR", "."), prefix=".bench-") as made:
        folder = Path(made)
        measured = _transactions(folder, repeat)
        baseline = statistics.median(time for _, appends, _ in measured for time in appends)
        found = [_row(_BASELINE, baseline, "ms")]
        for name, appends, times in measured:
            beside = statistics.median(appends)
            found.append(_row(name, statistics.median(times), "ms", beside, _BASELINE, budget=beside + OVERHEAD))
        found += _others(folder, baseline, repeat)
        found += _reads(folder, repeat)
        found += _opening(folder)
    return found


def _transactions(folder: Path, repeat: int) -> list[tuple[str, list[float], list[float]]]:
    """Name, times of the appends, and times of the transactions taken in turn with them, in ms."""
    measured = []
    fd = os.open(folder / "appended", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    line = b"x" * 700  # about the line of the log that the transaction writes
    for size in _SIZES:
        store = _filled(folder / f"store-{size}", size)
        key = f"TSK-{max(1, size // 2)}"
        appends, times = [], []
        for _ in range(repeat):
            start = time.perf_counter()
            os.write(fd, line)
            flush(fd)
            middle = time.perf_counter()
            with store.begin() as transaction:
                task = transaction.get("tasks", key) or _task(0)
                transaction.put("tasks", key, {**task, "status": "in_progress"})
                transaction.commit({"type": "task.updated", "actor": "agent:bench", "session": "S-1"})
            times.append((time.perf_counter() - middle) * 1000)
            appends.append((middle - start) * 1000)
        measured.append((f"transaction at {size:,} documents", appends, times))
        store.close()
    os.close(fd)
    return measured


def _others(folder: Path, baseline: float, repeat: int) -> list[dict[str, Any]]:
    found = []
    with sqlite3.connect(folder / "sqlite.db", isolation_level=None) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, document TEXT)")
        document = str(_task(0))

        def insert() -> None:
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO tasks (document) VALUES (?)", (document,))
            database.execute("COMMIT")

        found.append(_row("sqlite3 insert (WAL, FULL)", _median(insert, repeat), "ms", baseline, _BASELINE))
    database.close()
    for size in (0, 1_000, 10_000):
        with TinyDB(folder / f"stock-{size}.json", encoding="utf-8") as stock:
            tasks = stock.table("tasks")
            tasks.insert_multiple(_task(number) for number in range(size))
            value = _median(lambda tasks=tasks: tasks.insert(_task(0)), 5 if size > 1000 else 30)  # type: ignore[misc]
        found.append(_row(f"stock TinyDB insert at {size:,} documents", value, "ms", baseline, _BASELINE))
    return found


def _reads(folder: Path, repeat: int) -> list[dict[str, Any]]:
    found = []
    for size in (1_000, 100_000):
        store = open_storage(folder / f"store-{size}", read_only=True)
        get = _median(lambda store=store: store.get("tasks", "TSK-500"), repeat * 10) * 1000  # type: ignore[misc]
        found.append(_row(f"get by id at {size:,} documents", get, "μs", budget=20.0))
        page = _median(lambda store=store: store.query("tasks", {"epic": "EP-3"}, limit=50), repeat) * 1000  # type: ignore[misc]
        found.append(_row(f"query for 50 by one field at {size:,} documents", page, "μs"))
        fresh = _median(store.refresh, repeat * 10) * 1000
        found.append(_row(f"refresh without news at {size:,} documents", fresh, "μs"))
        store.close()
    return found


def _opening(folder: Path) -> list[dict[str, Any]]:
    found = []
    opened: dict[int, float] = {}
    for size in (1_000, 10_000):
        opened[size] = _median(lambda size=size: _open(folder / f"store-{size}"), 11)  # type: ignore[misc]
        budget = {1_000: 21.0, 10_000: 80.0}[size]
        found.append(_row(f"open at {size:,} documents", opened[size], "ms", budget=budget))
    logged = open_storage(folder / "store-1000", durability="relaxed")
    for number in range(100_000):
        with logged.begin() as transaction:
            transaction.commit({"type": "note", "actor": "agent:bench", "session": "S-1", "text": f"note {number}"})
    newest = _median(lambda: logged.log(newest_first=True, limit=50), 30)
    logged.close()
    value = _median(lambda: _open(folder / "store-1000"), 11)
    name, budget = "open at 1,000 documents", opened[1_000] + 100
    found.append(_row("open at 1,000 documents and 100,000 log lines", value, "ms", opened[1_000], name, budget=budget))
    found.append(_row("newest 50 of 100,000 log lines", newest, "ms"))
    return found


def _open(folder: Path) -> None:
    open_storage(folder, read_only=True).close()


def _filled(folder: Path, size: int) -> Storage:
    store = open_storage(folder)
    if size:
        with store.begin() as transaction:
            for number in range(size):
                transaction.put("tasks", transaction.next_id("TSK"), _task(number))
            transaction.commit({"type": "bench.filled"})
        store.checkpoint()
    return store


def _task(number: int) -> dict[str, Any]:
    return {
        "title": f"Make part {number} of the thing work as the plan says",
        "status": "open",
        "priority": number % 4,
        "epic": f"EP-{number % 20}",
        "labels": ["storage", "bench"],
        "depends_on": [{"id": f"TSK-{number}", "kind": "blocks"}],
        "created": "2025-01-01T00:00:00.000000Z",
        "notes": "The plan has a paragraph about it. " * 3,
    }


def _median(call: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def _row(
    name: str, value: float, unit: str, over: float | None = None, baseline: str = "", budget: float | None = None
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "value": round(value, 3), "unit": unit}
    if over is not None:
        row |= {"ratio": round(value / over, 2), "baseline": baseline}
    if budget is not None:
        row["budget"] = round(budget, 3)
    return row


if __name__ == "__main__":
    for measured in rows():
        print(measured)

"""What the store costs beside one append + fdatasync on the same disk: `python -m bench storage`.

A transaction reads a document, writes it back with one field changed, and commits with a log entry; sqlite3 (WAL,
`synchronous=FULL`) and stock TinyDB insert one. All in turns, at 10,000 documents.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tinydb import TinyDB

from bench.filling import Filling, place, task
from bench.measure import Effort, Found, Row, Sampler, against, alone, appending, interleaved, timed
from llmgenie_mcp.storage import Storage, open_storage

SIZE = 10_000
APPEND = "append + fdatasync"


def measure(effort: Effort) -> Found:
    """Writes in turns, then reads."""
    size = effort.of(SIZE, 100)
    with place() as folder:
        filling = Filling(folder / "ours")
        filling.tasks(size)
        with closing(open_storage(filling.finish())) as store, closing(_sqlite(folder / "raw.db")) as base:
            sides: dict[str, Sampler] = {
                APPEND: appending(folder / "appended"),
                "ours": timed(lambda: _transaction(store, f"TSK-{size // 2}")),
                "sqlite3": timed(lambda: base.execute("INSERT INTO tasks (document) VALUES (?)", (str(task(1)),))),
            }
            taken = interleaved(sides, effort.of(500, 5))
            reads = interleaved(
                {
                    "get": timed(lambda: store.get("tasks", f"TSK-{size // 2}"), 20),
                    "page": timed(lambda: store.query("tasks", {"roadmap_item": "RMI-3"}, limit=50)),
                    "refresh": timed(store.refresh, 20),
                },
                effort.of(500, 5),
            )
        return [
            alone(APPEND, taken[APPEND], "ms"),
            against(f"transaction at {size:,} documents", taken["ours"], APPEND, taken[APPEND], "ms", short=True),
            against("sqlite3 insert (WAL, FULL)", taken["sqlite3"], APPEND, taken[APPEND], "ms", short=True),
            _tinydb(folder, size, effort),
            alone(f"get by id at {size:,} documents", reads["get"], "μs", budget=20.0),
            alone(f"50 by one field of {size:,} documents", reads["page"], "μs"),
            alone("refresh without news", reads["refresh"], "μs"),
        ]


def _transaction(store: Storage, key: str) -> None:
    with store.begin() as transaction:
        document = transaction.get("tasks", key) or {}
        transaction.put("tasks", key, {**document, "status": "in_progress"})
        transaction.commit({"type": "task.updated", "actor": "agent:bench", "session": "SES-1"})


def _sqlite(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=FULL")
    base.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, document TEXT)")
    return base


def _tinydb(folder: Path, size: int, effort: Effort) -> Row:
    with TinyDB(folder / "stock.json", encoding="utf-8") as stock:
        tasks = stock.table("tasks")
        tasks.insert_multiple(task(number) for number in range(size))
        sides = {"stock": timed(lambda: tasks.insert(task(0))), APPEND: appending(folder / "appended")}
        taken = interleaved(sides, effort.of(10, 2), warm=1)
    name = f"stock TinyDB insert at {size:,} documents"
    return against(name, taken["stock"], APPEND, taken[APPEND], "ms", short=True)

"""Projects with many tasks and a long log, written quickly: in the store's own format, by the store's own parts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llmgenie_mcp.storage import checkpoint
from llmgenie_mcp.storage.documents import Change, Tables
from llmgenie_mcp.storage.journal import Journal
from llmgenie_mcp.storage.lines import Head, fingerprint, seal
from llmgenie_mcp.storage.transaction import COUNTERS

WHEN = "2026-01-01T00:00:00.000000Z"
PLACE = "LLMGENIE_BENCH_DIR"


@contextmanager
def place() -> Iterator[Path]:
    """A folder of this run, on the disk of the current directory or of LLMGENIE_BENCH_DIR; no user's state is touched."""
    names = ("LLMGENIE_STATE_DIR", "LLMGENIE_RUNTIME_DIR")
    before = {name: os.environ.get(name) for name in names}
    with (
        TemporaryDirectory(prefix=".bench-", dir=os.environ.get(PLACE, ".")) as made,
        TemporaryDirectory(prefix="llmgenie-bench-") as runtime,  # a socket's path has room for some hundred characters
    ):
        folder = Path(made).resolve()
        os.environ |= {"LLMGENIE_STATE_DIR": str(folder / "state"), "LLMGENIE_RUNTIME_DIR": runtime}
        try:
            yield folder
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


def repository(folder: Path) -> Path:
    """An empty git repository on main."""
    subprocess.run(["git", "init", "-q", "-b", "main", "--template=", str(folder)], check=True)
    return folder


def task(number: int) -> dict[str, Any]:
    """A task as `create_task` writes one, with `number` in it."""
    return {
        "id": f"TSK-{number}",
        "title": f"Make part {number} of the thing work as the plan says",
        "description": "The plan has a paragraph about it. " * 3,
        "status": "todo",
        "priority": ("low", "medium", "high", "critical")[number % 4],
        "assignee": None,
        "dependencies": [f"TSK-{number - 1}"] if number % 3 == 0 and number > 1 else [],
        "roadmap_item": f"RMI-{number % 20}",
        "labels": ["storage", "bench"],
        "session": None,
        "summary": "",
        "created_at": WHEN,
        "updated_at": WHEN,
        "version": 1,
    }


def _left_of(number: int) -> dict[str, dict[str, Any]]:
    session, commit = f"SES-{number}", f"{number:040x}"
    review = {"workflow": "review", "workflow_version": 1, "state": "merged", "subject": f"feature/{number}"}
    return {
        "sessions": {"id": session, "status": "finished", "actor": "bench", "role": "developer", "mode": "code"},
        "instances": {"id": f"REV-{number}", **review, "session": session},
        "approvals": {"id": f"APR-{number}", "status": "used", "action": "merge", "instance": f"REV-{number}"},
        "runs": {
            "id": f"RUN-{number}",
            "action": "run_tests",
            "status": "passed",
            "command": "test",
            "session": session,
            "commit": commit,
        },
    }


class Filling:
    """A store that is being filled; `finish` leaves it as an engine that was closed does."""

    def __init__(self, project: Path) -> None:
        self.store = project / ".llmgenie"
        self.store.mkdir(parents=True, exist_ok=True)
        self._tables, self._head = Tables(), Head()
        self._journal = Journal(self.store / "meta-log", durable=False)

    def tasks(self, count: int) -> None:
        """Have tasks TSK-1 … TSK-count, in one transaction."""
        changes: list[Change] = [("tasks", f"TSK-{number}", task(number)) for number in range(1, count + 1)]
        changes.append((COUNTERS, "TSK", {"id": "TSK", "last": count, "version": 1}))
        self._line({"type": "bench.filled", "actor": "system:bench"}, changes)

    def past(self, count: int) -> None:
        """Have what is left of `count` pieces of work: sessions, reviews, approvals, runs of tests and of merges."""
        changes: list[Change] = []
        for number in range(1, count + 1):
            for table, document in _left_of(number).items():
                told = {"created_at": WHEN, "updated_at": WHEN, "created_by": "agent:bench", "version": 1}
                changes.append((table, document["id"], {**told, **document}))
        self._line({"type": "bench.filled", "actor": "system:bench"}, changes)

    def lines(self, count: int) -> None:
        """Let the log have `count` lines, each as long as that of a small action."""
        while self._head.lines < count:
            number = self._head.lines
            entry = {
                "type": "action.completed",
                "actor": "agent:bench",
                "session": f"SES-{number // 200}",
                "action": "log_entry",
                "params": {"text": f"Read module {number} and found nothing to change; the tests pass."},
                "result": {"seq": number},
            }
            self._line(entry, [])

    def finish(self) -> Path:
        """Write the checkpoint; returns the store. More may be filled in afterwards, and finished again."""
        self._journal.flush(self._head.segment)
        checkpoint.write(self.store / "db.json", self._tables, self._head)
        return self.store

    def _line(self, entry: dict[str, Any], changes: list[Change]) -> None:
        head = self._head
        raw, ts = seal(entry, changes, head)
        segment, offset = self._journal.append(head, raw)
        self._tables.apply(changes)
        self._head = Head(head.seq + 1, ts, fingerprint(raw), head.lines + 1, segment, offset)

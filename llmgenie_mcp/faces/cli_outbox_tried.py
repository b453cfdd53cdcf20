"""Items of the outbox that are tried while somebody looks: what came of each, within a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from llmgenie_mcp.faces.cli_base import Cli, quick_imports
from llmgenie_mcp.faces.cli_progress import Working
from llmgenie_mcp.frozen import dataclass

PATIENCE = 30.0
"""Seconds until it is told as it is by then."""
LOOK = 0.1
"""Seconds between looks while a server delivers."""
Document = dict[str, Any]


@dataclass(frozen=True)
class Tried:
    """What came of items.

    Attributes:
        ids: the items that were to be tried.
        delivered: those that are done.
        failed: {item, destination, error, next_at} of those whose attempt failed; `next_at` is None where it was given up.
        left: the items still in the outbox, by id.
        behind: by id, the item that has to go before.
        waiting: ids of those that were not tried in that time.
        looked_after: ids of those whose sink looks again later, such as at a CI run: neither done nor failed.
        trusted: whether anything is delivered at all.
    """

    ids: list[str]
    delivered: list[str] = field(default_factory=list)
    failed: list[Document] = field(default_factory=list)
    left: dict[str, Document] = field(default_factory=dict)
    behind: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    looked_after: list[str] = field(default_factory=list)
    trusted: bool = True

    @property
    def ok(self) -> bool:
        """Whether nothing failed, and nothing was left untried."""
        return not self.failed and not self.waiting


def tried(cli: Cli, begin: Callable[[Any], Sequence[str]]) -> Tried:
    """Make items due, and wait until it is known what came of them.

    Args:
        cli: whose project.
        begin: called with the Engine; makes the items due and returns their ids. What it raises is raised.
    """
    with quick_imports():
        from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.engine.dispatcher import Dispatcher

    with Engine.open(cli.project) as engine:  # not `cli.engine`, which would wait for what is due in its own time
        before = engine.storage.refresh()
        ids = list(begin(engine))
        if not ids or not engine.definitions.trusted:
            return _came_of(engine, before, ids, mine=False)
        until = time.monotonic() + PATIENCE
        with Working("Delivering", quiet=cli.json):
            if Dispatcher(engine, sources=False).drain(PATIENCE):
                return _came_of(engine, before, ids, mine=time.monotonic() < until)
            while (found := _came_of(engine, before, ids, mine=False)).waiting and time.monotonic() < until:
                if set(found.waiting) <= found.behind.keys() and not _due(found):
                    break  # what has to go first is not due in that time
                time.sleep(LOOK)
    return found


def _due(found: Tried) -> bool:
    return any(first in found.ids and first not in found.behind for first in found.behind.values())


def _came_of(engine: Any, before: int, ids: list[str], *, mine: bool) -> Tried:
    """What the log and the outbox tell by now; `mine`: this process delivered all that was due."""
    from llmgenie_mcp.outbox import TABLE

    storage = engine.storage
    storage.refresh()
    last = {line["item"]: line for line in storage.log(after=before, limit=100_000).items if "item" in line}
    left = {one: item for one in ids if (item := storage.get(TABLE, one)) is not None}
    first: dict[str, str] = {}
    for item in storage.query(TABLE, {"status": "pending"}).items:
        first.setdefault(item["destination"], item["id"])
    failed = [
        {"item": one, "destination": item["destination"], "error": item["error"], "next_at": item["next_at"]}
        for one, item in left.items()
        if last.get(one, {}).get("type") in ("delivery.failed", "delivery.given_up")
    ]
    broken = {one["item"] for one in failed}
    open_ = [one for one, item in left.items() if item["status"] == "pending" and one not in broken]
    behind = {one: first[left[one]["destination"]] for one in open_ if first[left[one]["destination"]] != one}
    trusted = engine.definitions.trusted
    looked_after = [one for one in open_ if mine and trusted and one not in behind]
    waiting = [one for one in open_ if one not in looked_after]
    delivered = [one for one in ids if one not in left]
    return Tried(ids, delivered, failed, left, behind, waiting, looked_after, trusted)

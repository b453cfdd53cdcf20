"""What `doctor` looks at in the store: its log and its documents, its lock, and the runs that nobody ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmgenie_mcp.errors import StorageBusy, StorageError, counted
from llmgenie_mcp.faces.cli_base import quick_imports
from llmgenie_mcp.faces.cli_checks import Check

if TYPE_CHECKING:
    from llmgenie_mcp.project import Project

LOCK_SECONDS = 2.0
"""So long the store's lock is waited for: a commit holds it for milliseconds."""


def examine_store(project: Project) -> Iterator[Check]:
    """Every check of the store."""
    if not os.path.lexists(project.store):  # a link that leads nowhere is not nothing
        yield Check("store", "ok", "nothing was written yet")
    else:
        yield from _whole(project)
        yield from _lockable(project)
        yield from _left_out(project)
    yield from _runs(project)


def _whole(project: Project) -> Iterator[Check]:
    """Whether log and documents are as they were written."""
    from llmgenie_mcp.storage import open_storage

    try:
        storage = open_storage(project.store, read_only=True)
        try:
            report = storage.verify()
        finally:
            storage.close()
    except StorageError as error:
        yield Check("store", "fail", error.message, error.hint or "llmgenie doctor --repair")
        return
    for problem in report.problems:
        yield Check("store", "fail", problem, f"llmgenie doctor --repair --project {project.root}")
    if report.ok:
        yield Check("store", "ok", f"{counted(report.lines, 'line')} in the meta-log; the chain is whole")


def _lockable(project: Project) -> Iterator[Check]:
    """Whether the lock can be taken that everybody takes who writes."""
    from llmgenie_mcp.storage import lock

    if not os.access(project.store, os.W_OK):
        yield Check(
            "store", "warn", f"{project.store} cannot be written: only reading works.", "Correct the folder's rights."
        )
        return
    try:
        lock.look(project.store, LOCK_SECONDS)
    except StorageBusy as error:
        yield Check("store", "warn", f"{error.message} Whoever writes waits for it.", error.hint)
    except StorageError as error:
        yield Check("store", "fail", error.message, error.hint)
    except OSError as error:
        yield Check(
            "store", "fail", f"{project.store / 'lock'} cannot be opened: {error.strerror}.", "Correct its rights."
        )


def _left_out(project: Project) -> Iterator[Check]:
    """Whether git leaves out what llmgenie keeps in the store for itself: earlier versions listed less."""
    with quick_imports():
        from llmgenie_mcp.edits.store import seen_by_git

    if seen := seen_by_git(project.store):
        names = ", ".join(seen)
        message = f"{project.store / '.gitignore'}: git would add what is llmgenie's own, or this machine's: {names}."
        fix = "llmgenie init adds the lines that are missing, and leaves yours; where it was run before, llmgenie doctor --fix"
        yield Check("store", "warn", message, fix)


def _runs(project: Project) -> Iterator[Check]:
    """Whether a run was left by a process that is gone."""
    with quick_imports():
        from llmgenie_mcp.engine.runs import is_orphan
        from llmgenie_mcp.storage import open_storage

    try:
        storage = open_storage(project.store, read_only=True)
        try:
            storage.refresh()
            running = storage.query("runs", {"status": "running"}).items
        finally:
            storage.close()
    except StorageError:
        return  # told by the check of the store
    orphans = [run["id"] for run in running if is_orphan(run)]
    alive = [run["id"] for run in running if run["id"] not in orphans]
    for run in orphans:
        yield Check("runs", "warn", f"{run} was left by a process that is gone.", "llmgenie doctor --repair")
    yield Check("runs", "ok", f"running: {', '.join(alive)}" if alive else "none is running")

"""Whether a server can do its work now: cheap looks that write no line of the log, so that a probe may ask every second."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import DefinitionError, LlmgenieError, StorageError, counted
from llmgenie_mcp.faces.cli_checks import Check
from llmgenie_mcp.outbox import TABLE, lock_file

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine

FREE_BYTES = 32_000_000
"""Free space on the store's disk below which nothing more should be sent here: the log needs some to write what it refuses."""
LATE = 3600.0
"""Seconds for which a delivery may be due before something is wrong. A rule's action may run for long, so it is an hour."""


def examine(engine: Engine) -> list[Check]:
    """Every check: the store, the disk, the definitions, the outbox."""
    return [check for look in (_store, _disk, _definitions, _outbox) for check in look(engine)]


def someone_delivers(store: Path) -> bool:
    """Whether a process holds the lock of the one who delivers for the project of `store` (see `engine.dispatcher`)."""
    try:
        with lock_file(store).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def overdue(items: Iterable[dict[str, Any]]) -> float:
    """Seconds for which the most belated of pending outbox items has been due; 0 when none is.

    Only the first of each destination counts: the others wait for it.
    """
    heads: dict[str, dict[str, Any]] = {}
    for item in items:
        heads.setdefault(item["destination"], item)
    now = datetime.now(UTC)
    due = (datetime.fromisoformat(item["next_at"] or item["updated_at"]) for item in heads.values())
    return max(((now - at).total_seconds() for at in due), default=0.0)


def _store(engine: Engine) -> Iterator[Check]:
    if engine.storage.read_only:
        yield Check("store", "fail", "The store was opened for reading only.", "Start the server without read_only.")
        return
    try:
        engine.storage.refresh()
        _try_writing(engine)
    except StorageError as error:
        yield Check("store", "fail", error.message, error.hint or "llmgenie doctor")
    except OSError as error:
        message = f"{engine.project.store} cannot be written: {error.strerror}."
        yield Check("store", "fail", message, "Check owner and permissions, and whether the disk is full.")
    else:
        yield Check("store", "ok", f"It can be written; the log has {counted(engine.storage.last_seq(), 'line')}.")


def _try_writing(engine: Engine) -> None:
    """Write a small file where the store is, and take it away. Raises OSError."""
    store = engine.project.store
    if engine.storage.location == "memory:":
        return
    if not store.exists():  # nothing was written yet, and a probe is not to be the first who does
        if not os.access(store.parent, os.W_OK):
            raise PermissionError(13, "Permission denied")
        return
    folder = store / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    probe = folder / f"ready.{os.getpid()}"
    try:
        probe.write_bytes(b"llmgenie\n")
    finally:
        probe.unlink(missing_ok=True)


def _disk(engine: Engine) -> Iterator[Check]:
    place = next(folder for folder in (engine.project.store, *engine.project.store.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if free < FREE_BYTES:
        yield Check("disk", "fail", f"{free // 1_000_000} MB are free where the store is.", "Free some space.")
    else:
        yield Check("disk", "ok", f"{free // 1_000_000} MB are free.")


def _definitions(engine: Engine) -> Iterator[Check]:
    try:
        definitions = engine.definitions
    except DefinitionError as error:
        yield Check("definitions", "fail", error.message, error.hint or "llmgenie check")
        return
    if definitions.trusted:
        yield Check(
            "definitions", "ok", f"{len(definitions.actions)} actions, {len(definitions.catalog.policies)} policies"
        )
    else:
        message = "They load; the project's own are not accepted, so its commands and rules do not run."
        yield Check("definitions", "warn", message, "A person in a terminal: llmgenie trust")


def _outbox(engine: Engine) -> Iterator[Check]:
    try:
        pending = engine.storage.query(TABLE, {"status": "pending"}).items
        dead = engine.storage.query(TABLE, {"status": "dead"}, limit=1).total
    except LlmgenieError:
        return  # told by the check of the store
    delivers = engine.storage.location == "memory:" or someone_delivers(engine.project.store)
    late = overdue(pending)
    said = f"{len(pending)} waiting, {dead} given up; " + ("a server delivers" if delivers else "nobody delivers")
    if late > LATE:
        yield Check("outbox", "fail", f"{said}. One is due for {late:.0f} s.", "llmgenie outbox")
    elif pending and not delivers:
        yield Check("outbox", "fail", f"{said}.", "llmgenie outbox deliver, or start a server.")
    elif dead:
        yield Check("outbox", "warn", f"{said}.", "llmgenie outbox")
    else:
        yield Check("outbox", "ok", f"{said}.")

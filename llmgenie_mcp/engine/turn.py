"""Whose turn it is to deliver: that of the one process, of all that run for a project, which holds a lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmgenie_mcp.outbox import lock_file

if TYPE_CHECKING:
    from llmgenie_mcp.project import Project
    from llmgenie_mcp.storage import Storage


class Turn:
    """To deliver for one project.

    Args:
        project: whose folder the lock lies in.
        storage: its store; one in memory is nobody else's, and needs no lock.
    """

    def __init__(self, project: Project, storage: Storage) -> None:
        self._store = project.store
        self._alone = storage.location == "memory:"
        self._lock: int | None = None

    @contextlib.contextmanager
    def take(self) -> Iterator[bool]:
        """Whether it is this process's until the end of the block; the lock goes with the process, however it ends."""
        if self._alone:
            yield True
            return
        if not self._store.is_dir():
            yield False  # nothing was written yet, and looking is to leave no trace
            return
        path = lock_file(self._store)
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self._lock = lock.fileno()
            try:
                yield self.is_held()
            finally:
                self._lock = None

    def is_held(self) -> bool:
        """Whether the lock is still the file that others would take: it goes when somebody clears ignored files away."""
        if self._lock is None:
            return True
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self._lock), lock_file(self._store).stat())
        return False

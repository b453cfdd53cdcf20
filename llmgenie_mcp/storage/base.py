"""What the backends with tables in memory share: threads, transactions, reading.

Two locks. `_turn` is held by the one thread that is in a transaction, through the wait for the disk. `_mutex` guards
the tables and the head and is held for microseconds, so readers never wait for a disk and see whole transactions only.
"""

from __future__ import annotations

import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from llmgenie_mcp.errors import StorageBusy, StorageDamaged, StorageError, StorageReadOnly
from llmgenie_mcp.storage import Document, Page, Transaction, VerifyReport
from llmgenie_mcp.storage.documents import Change, Tables, cursor_number
from llmgenie_mcp.storage.lines import Head, fingerprint, seal, selected
from llmgenie_mcp.storage.transaction import Draft
from llmgenie_mcp.storage.values import copied


class BaseStorage(ABC):
    """A store whose tables are in memory.

    Attributes:
        location: where it is, for messages.
        read_only: True when it was opened for reading only.
        warnings: what was found and dealt with since opening, a sentence each (a torn line set aside …).
    """

    def __init__(self, location: str, *, read_only: bool = False, lock_timeout: float = 10.0) -> None:
        self.location = location
        self.read_only = read_only
        self.warnings: list[str] = []
        self._lock_timeout = lock_timeout
        self._tables = Tables()
        self._head = Head()
        self._trouble: StorageError | None = None
        self._closed = False
        self._new_locks()
        _stores.add(self)

    def renew_in_child(self) -> None:
        """Done by itself in a forked child: another thread of the parent may have been in the middle of anything."""
        self._new_locks()

    def _new_locks(self) -> None:
        self._mutex = threading.RLock()
        self._turn = threading.Lock()
        self._owner: int | None = None

    # Reading

    def get(self, table: str, id: str) -> Document | None:  # noqa: A002
        """The document as of the last `refresh` or own commit, or None."""
        with self._mutex:
            self._check_usable()
            stored = self._tables.get(table, id)
        document: Document | None = copied(stored)
        return document

    def query(
        self,
        table: str,
        where: Mapping[str, object] | None = None,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        newest_first: bool = False,
    ) -> Page:
        """Documents whose fields equal those of `where`, in the order they were first put. limit None: all.

        A field that a document does not have equals nothing, not even None. A cursor stays good while documents come
        and go: nothing is given twice, and what was there all the time is not left out.

        Raises:
            BadParams: the cursor is not one that a former page gave.
        """
        after = cursor_number(cursor)
        with self._mutex:
            self._check_usable()
            rows, total, last = self._tables[table].page(where, limit, after, newest_first=newest_first)
        return Page([copied(row) for row in rows], total, None if last is None else str(last))

    def log(
        self,
        where: Mapping[str, object] | None = None,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = 50,
        newest_first: bool = False,
        changes: bool = False,
    ) -> Page:
        """Lines of the meta-log, `after` < seq < `before`. `changes=False` leaves out the documents of each line.

        To go on, hand the cursor back as `before` when newest_first, else as `after`. With `where` the last page may be
        empty: whether another line fits is only known by reading on.
        """
        with self._mutex:
            self._check_usable()
            head = self._head
        first, last = max(1, (after or 0) + 1), min(head.seq, head.seq if before is None else before - 1)
        items: list[Document] = []
        ended = True
        if first <= last:
            raws = self._lines(head, first, last, newest_first=newest_first)
            items, ended = selected(raws, where, limit, changes=changes, unreadable=self._unreadable)
        cursor = None if ended or not items else str(items[-1]["seq"])
        return Page(items, head.lines if where is None else len(items), cursor)

    def last_seq(self) -> int:
        """Sequence number of the newest line; 0 for an empty log."""
        with self._mutex:
            self._check_usable()
            return self._head.seq

    def refresh(self) -> int:
        """Take in what other processes committed; returns the last seq."""
        return self.last_seq()

    def secure(self) -> None:  # noqa: B027 - most backends have nothing to do
        """Wait until all that was read so far would survive a power loss, as an acknowledged commit does."""

    # Writing

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Start a transaction: exclusive among threads and processes, sees everything committed anywhere before.

        Raises:
            StorageBusy: another thread or process held the lock for too long.
            StorageReadOnly, StorageFull, StorageDamaged: the store cannot be written now.
            StorageError: this thread is already in a transaction, or the store is closed.
        """
        self._enter(self._lock_timeout)
        try:
            self._check_usable()
            draft = Draft(self._tables, self._record)
            try:
                yield draft
            finally:
                draft.close()
        finally:
            self._leave()
        self._settle()

    @contextmanager
    def _exclusive(self, timeout: float) -> Iterator[None]:
        self._enter(timeout)
        try:
            yield
        finally:
            self._leave()

    def _enter(self, timeout: float) -> None:
        if self.read_only:
            raise StorageReadOnly(
                f"The store at {self.location} was opened for reading only.", "Open it without read_only."
            )
        self._take_turn(timeout)
        try:
            self._shut_out(timeout)
        except BaseException:
            self._give_turn()
            raise

    def _leave(self) -> None:
        try:
            self._let_in()
        finally:
            self._give_turn()

    def _take_turn(self, timeout: float) -> None:
        self._check_open()
        me = threading.get_ident()
        if self._owner == me:
            raise StorageError(
                "This thread is already in a transaction of this store.",
                "Use the transaction at hand; a second one inside it would wait for the first for ever.",
            )
        if not self._turn.acquire(timeout=timeout):
            raise StorageBusy(
                f"Another thread held the store at {self.location} for over {timeout:g} s.",
                "A transaction must not wait for anything slow.",
            )
        self._owner = me

    def _give_turn(self) -> None:
        if self._owner == threading.get_ident():  # not so in a child forked in the middle, which has new locks
            self._owner = None
            self._turn.release()

    def _record(self, entry: Mapping[str, Any], changes: Sequence[Change]) -> int:
        if self._owner != threading.get_ident():
            raise StorageError("This transaction belongs to another thread or process.", "Begin one of your own.")
        head = self._head
        raw, ts = seal(entry, changes, head)
        segment, offset = self._append(raw)
        with self._mutex:
            self._tables.apply(changes)
            self._head = Head(head.seq + 1, ts, fingerprint(raw), head.lines + 1, segment, offset)
        return head.seq + 1

    def _check_open(self) -> None:
        if self._closed:
            raise _closed_error(self.location)

    def _check_usable(self) -> None:
        if self._trouble is not None:
            # A new one each time: an exception object that is raised twice drags the first traceback along.
            raise type(self._trouble)(self._trouble.message, self._trouble.hint, **self._trouble.details)

    def close(self) -> None:
        """Release everything. May be called twice; any other call afterwards raises StorageError.

        Raises:
            StorageBusy: another thread is in a transaction; the store stays open.
            StorageError: this thread is; the store stays open.
        """
        if self._closed:
            return
        self._take_turn(self._lock_timeout)
        try:
            self._before_close()
            with self._mutex:
                self._closed = True
                self._trouble = _closed_error(self.location)
                self._release()
        finally:
            self._give_turn()

    # What a backend adds

    def _shut_out(self, timeout: float) -> None:  # noqa: B027
        """Keep other processes out and take in what they wrote."""

    def _let_in(self) -> None:  # noqa: B027
        """Let other processes in again."""

    def _settle(self) -> None:  # noqa: B027 - most backends have nothing to do
        """After a transaction, with no lock held."""

    def _before_close(self) -> None:  # noqa: B027
        """Write what is still to be written; no other thread is in a transaction."""

    def _release(self) -> None:  # noqa: B027
        """Close files."""

    @abstractmethod
    def _append(self, raw: bytes) -> tuple[int, int]:
        """Write a line for good; returns segment and offset after it. On an error nothing of it is left."""

    @abstractmethod
    def _lines(self, head: Head, first: int, last: int, *, newest_first: bool) -> Iterator[bytes]:
        """The lines with first <= seq <= last, not going beyond `head`."""

    def _unreadable(self, problem: ValueError) -> None:
        """A line that `_lines` gave is not one: raise, or return to pass over it."""
        raise StorageDamaged(f"A line of the log at {self.location} is damaged: {problem}.", "Run llmgenie doctor.")

    @abstractmethod
    def verify(self) -> VerifyReport:
        """Read the whole log, check the hash chain, and replay it against the documents."""

    @abstractmethod
    def repair(self) -> list[str]:
        """Mend what `verify` or opening names; returns what was done, a sentence each."""

    @abstractmethod
    def checkpoint(self) -> None:
        """Write the checkpoint now (a backend without one does nothing)."""


def _closed_error(location: str) -> StorageError:
    return StorageError(f"The store at {location} is closed.", "Open it again.")


_stores: weakref.WeakSet[BaseStorage] = weakref.WeakSet()


def _renew_in_child() -> None:
    for store in list(_stores):
        store.renew_in_child()


os.register_at_fork(after_in_child=_renew_in_child)

"""The storage port: tables of JSON documents plus the meta-log, one line per transaction.

A backend implements `Storage` and `Transaction`; no method assumes a file, so that a database server fits too.
`open_storage` chooses the backend by URL. The guarantees every backend gives:

1. a committed transaction survives kill -9 and power loss (unless `durability="relaxed"`);
2. it is all or nothing: documents and their log line together;
3. several processes on one location lose nothing; readers see whole transactions only;
4. damage is found and named, never silently skipped;
5. a full or read-only disk gives an error (`StorageFull`, `StorageReadOnly`) and nothing half-written;
6. the cost of a write does not grow with the number of documents or the length of the log.

Documents handed in and out are copies: changing one never changes the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.storage.values import Holds

Document: TypeAlias = dict[str, Any]
Durability: TypeAlias = Literal["full", "relaxed"]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Attributes:
        items: the documents or log lines, in order.
        total: how many match in all.
        cursor: hand it back to get the next part; None at the end.
    """

    items: list[Document]
    total: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `Storage.verify` found.

    Attributes:
        lines: log lines read.
        ok: True when the chain is whole and db.json agrees with it.
        problems: one sentence each, naming file and line.
    """

    lines: int
    ok: bool
    problems: list[str] = field(default_factory=list)


class Transaction(Protocol):
    """One exclusive span of reads and writes. Reads see this transaction's own writes."""

    def get(self, table: str, id: str) -> Document | None:  # noqa: A002 - the field's own name
        """The document, or None."""

    def query(self, table: str, where: Mapping[str, object] | None = None) -> list[Document]:
        """All documents of `table` whose fields equal those of `where`, in the order they were first put."""

    def each(
        self, table: str, where: Mapping[str, object] | None = None, *, newest_first: bool = False
    ) -> Iterator[Document]:
        """As `query`, one after the other: who stops early pays for no more."""

    def count(self, table: str, where: Mapping[str, object] | None = None) -> int:
        """How many documents `query` would give."""

    def put(self, table: str, id: str, document: Mapping[str, Any], *, expected_version: int | None = None) -> Document:  # noqa: A002
        """Create or replace a document; returns it with its new `version` (1 for a new one, then +1 each time), `id`.

        Raises:
            Conflict: `expected_version` is given and is not the stored version (0 means: must not exist).
            BadParams: the document is not JSON (NaN, lone surrogates, keys that are not text, nested over 64 deep).
        """

    def delete(self, table: str, id: str) -> bool:  # noqa: A002
        """Remove a document; False when it was not there."""

    def next_id(self, prefix: str) -> str:
        """The next free id, `prefix-1`, `prefix-2` …; never given twice, not even after a delete."""

    def changed(self, table: str) -> list[str]:
        """Ids of the documents of a table that were put or deleted in this transaction so far."""

    def touched(self) -> list[str]:
        """Names of the tables that this transaction changes; after its end, of those that it changed."""

    def commit(self, entry: Mapping[str, Any]) -> int:
        """Write all changes and the log line as one; returns its seq. `entry` has at least `type`.

        The backend adds `seq`, `ts` (UTC, RFC 3339, microseconds, never going backwards), `changes`
        ([[table, id, document or null], …]) and `prev` (hash of the line before).
        May be called once; after it the transaction is closed.
        """


class Storage(Protocol):
    """One project's store. Safe to share between threads; several processes may open the same location.

    Attributes:
        location: where it is, for messages.
        read_only: it was opened for reading only.
        warnings: what was found and dealt with since opening, a sentence each (a torn line was set aside …).
    """

    location: str
    read_only: bool
    warnings: list[str]

    def begin(self) -> AbstractContextManager[Transaction]:
        """Start a transaction: exclusive among threads and processes, sees everything committed anywhere before.

        Leaving the block without `commit` forgets the changes (also when an exception leaves it).

        Raises:
            StorageBusy, StorageReadOnly, StorageFull, StorageDamaged.
        """

    def refresh(self) -> int:
        """Take in what other processes committed; returns the last seq. Cheap when nothing was."""

    def get(self, table: str, id: str) -> Document | None:  # noqa: A002
        """The document as of the last `refresh` or own commit."""

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

        A value of `where` may be `Holds`: the field is a list that has this text in it. `newest_first` turns the order
        around; a cursor belongs to the order it came from.
        """

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

        `total` is the number of lines in the log when `where` is None, else of those found; the cursor is the last seq
        as text.
        """

    def last_seq(self) -> int:
        """Sequence number of the newest line; 0 for an empty log."""

    def secure(self) -> None:
        """Wait until all that was read so far would survive a power loss, as an acknowledged commit does.

        A line of another process can be read a moment before it is on the disk, and that process may end in between: who
        acknowledges something on the strength of it alone calls this first.
        """

    def verify(self) -> VerifyReport:
        """Read the whole log, check the hash chain, and replay it against the documents."""

    def repair(self) -> list[str]:
        """Mend what `verify` or opening names; returns what was done, a sentence each. Copies are kept."""

    def checkpoint(self) -> None:
        """Write the checkpoint now (a backend without one does nothing)."""

    def close(self) -> None:
        """Checkpoint if due and release everything. May be called twice."""


def open_storage(
    url: str | Path,
    *,
    durability: Durability = "full",
    lock_timeout: float = 10.0,
    read_only: bool = False,
) -> Storage:
    """Open the store at `url`.

    A damaged store opens too, so that `verify` and `repair` can be called; any other use of it raises StorageDamaged.

    Args:
        url: a folder (TinyDB backend; made at the first write), or `memory:` for a store that ends with the process.
        durability: "full" waits for the disk before answering; "relaxed" leaves that to the operating system.
        lock_timeout: seconds to wait for another process before `StorageBusy`.
        read_only: never write, not even a checkpoint.

    Raises:
        StorageError: the location cannot be used (see the tree in `llmgenie_mcp.errors`).
    """
    if str(url) == "memory:":
        from llmgenie_mcp.storage.memory import MemoryStorage

        return MemoryStorage()
    from llmgenie_mcp.storage.tinydb import TinyDBStorage

    return TinyDBStorage(Path(url), durability=durability, lock_timeout=lock_timeout, read_only=read_only)


__all__: Sequence[str] = [
    "Document",
    "Durability",
    "Holds",
    "Page",
    "Storage",
    "Transaction",
    "VerifyReport",
    "open_storage",
]

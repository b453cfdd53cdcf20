"""The transaction of the backends that keep their tables in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from llmgenie_mcp.errors import BadParams, Conflict, StorageError, shorten
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.storage.documents import Change, Stored, Tables, numbered
from llmgenie_mcp.storage.lines import checked_entry
from llmgenie_mcp.storage.values import checked, copied, fits

COUNTERS = "_ids"
"""The table where `next_id` keeps the last number of each prefix."""


@dataclass(slots=True)
class _Pending:
    document: Stored | None
    replaces: bool  # a stored document of that id is replaced in its place; else this one goes to the end


class Draft:
    """Changes that nobody else sees until `commit`. The store's tables stay as they are meanwhile.

    Args:
        tables: the store's tables; the caller keeps everybody else from changing them.
        record: writes the entry and the changes for good, takes them in, and returns the seq.
    """

    def __init__(self, tables: Tables, record: Callable[[Mapping[str, Any], Sequence[Change]], int]) -> None:
        self._tables = tables
        self._record = record
        self._pending: dict[str, dict[str, _Pending]] = {}
        self._open = True

    def get(self, table: str, id: str) -> Stored | None:  # noqa: A002
        """The document, or None."""
        self._check_open()
        document: Stored | None = copied(self._peek(table, id))
        return document

    def query(self, table: str, where: Mapping[str, object] | None = None) -> list[Stored]:
        """All documents of `table` whose fields equal those of `where`, in the order they were first put."""
        return list(self.each(table, where))

    def each(
        self, table: str, where: Mapping[str, object] | None = None, *, newest_first: bool = False
    ) -> Iterator[Stored]:
        """As `query`, one after the other: who stops early pays for no more. As of the moment it is asked."""
        self._check_open()
        if not self._pending.get(table):
            return (copied(row) for _, row in self._tables[table].find(where, newest_first=newest_first))
        found = self._found(table, where)
        return (copied(document) for document in (reversed(found) if newest_first else found))

    def count(self, table: str, where: Mapping[str, object] | None = None) -> int:
        """How many there are."""
        self._check_open()
        return len(self._found(table, where)) if self._pending.get(table) else self._tables[table].count(where)

    def _found(self, table: str, where: Mapping[str, object] | None) -> list[Stored]:
        """The documents themselves, not copies."""
        rows = self._tables[table]
        found, new = dict(rows.find(where)), []
        for key, change in self._pending.get(table, {}).items():
            if (number := rows.number(key)) is not None:
                found.pop(number, None)
            if change.document is None or not fits(change.document, where):
                continue
            if change.replaces and number is not None:
                found[number] = change.document
            else:
                new.append(change.document)
        return [*(found[number] for number in sorted(found)), *new]

    def put(self, table: str, id: str, document: Mapping[str, Any], *, expected_version: int | None = None) -> Stored:  # noqa: A002
        """Create or replace a document; returns a copy with its new `version` and its `id`, whatever it had.

        Raises:
            Conflict: `expected_version` is given and is not the stored version (0 means: must not exist).
            BadParams: the names or the document do not fit; `problems` says where.
        """
        self._check_open()
        table, key = _table(table), _name(id, "id")
        if not isinstance(document, Mapping):
            raise BadParams(
                "A document is a JSON object.",
                'Give {"name": value, …}.',
                problems=[{"where": "document", "message": "not an object"}],
            )
        stored = self._peek(table, key)
        version = 0 if stored is None else int(stored["version"])
        if expected_version is not None and expected_version != version:
            raise Conflict(
                f"{shorten(table)}/{shorten(key)} "
                + (f"has version {version}, not {expected_version}." if version else "does not exist."),
                "Somebody else wrote in between: read it again and repeat the change on what is there now.",
                table=shorten(table),
                id=shorten(key),
                expected_version=expected_version,
                version=version,
            )
        # The depth of a document counts from its own braces, so id and version are put in before the check.
        new: Stored = checked({"id": key, **document, "version": version + 1}, "document")
        new["id"] = key
        self._change(table, key, new)
        if stored is None:
            prefix, number = numbered(key)
            counter = self._peek(COUNTERS, prefix) if number else None
            if counter is not None and number > int(counter["last"]):
                self._count(prefix, number, counter)
        handed_out: Stored = copied(new)
        return handed_out

    def delete(self, table: str, id: str) -> bool:  # noqa: A002
        """Remove a document; False when it was not there."""
        self._check_open()
        table = _table(table)
        if self._peek(table, id) is None:
            return False
        if self._tables.get(table, id) is None:
            del self._pending[table][id]
        else:
            self._pending.setdefault(table, {})[id] = _Pending(None, replaces=False)
        return True

    def next_id(self, prefix: str) -> str:
        """The next id, `prefix-1`, `prefix-2` …; one that was committed is never given again, even after a delete.

        Ids that came in another way (an import) count as given: the first call for a prefix looks for them in every
        table, and from then on `put` takes note of them.
        """
        self._check_open()
        prefix = _name(prefix, "prefix")
        counter = self._peek(COUNTERS, prefix)
        if counter is None:
            pending = (numbered(key) for table in self._pending if table != COUNTERS for key in self._pending[table])
            last = max((number for start, number in pending if start == prefix), default=0)
            last = max(last, self._tables.largest(prefix))
        else:
            last = int(counter["last"])
        self._count(prefix, last + 1, counter)
        return f"{prefix}-{last + 1}"

    def _count(self, prefix: str, last: int, counter: Stored | None) -> None:
        version = 1 if counter is None else int(counter["version"]) + 1
        self._change(COUNTERS, prefix, {"id": prefix, "last": last, "version": version})

    def changed(self, table: str) -> list[str]:
        """Ids of the documents of a table that were put or deleted in this transaction so far."""
        self._check_open()
        return list(self._pending.get(table, ()))

    def touched(self) -> list[str]:
        """Names of the tables that this transaction changes; after its end, of those that it changed."""
        return [table for table, pending in self._pending.items() if pending]

    def commit(self, entry: Mapping[str, Any]) -> int:
        """Write all changes and the log line as one; returns its seq. After it the transaction is closed.

        Raises:
            BadParams: the entry does not fit; the transaction stays open.
            StorageFull, StorageReadOnly, StorageError: nothing was written; the transaction is closed.
        """
        self._check_open()
        sealed = checked_entry(entry)
        self._open = False
        return self._record(sealed, self._changes())

    def close(self) -> None:
        """Forget the changes; every later call raises StorageError."""
        self._open = False

    def _change(self, table: str, key: str, document: Stored) -> None:
        pending = self._pending.setdefault(table, {})
        former = pending.get(key)
        if former is None:
            pending[key] = _Pending(document, replaces=self._tables.get(table, key) is not None)
        elif former.document is None:
            del pending[key]  # so that it goes to the end, as a document that is put anew does
            pending[key] = _Pending(document, replaces=False)
        else:
            former.document = document

    def _changes(self) -> list[Change]:
        changes: list[Change] = []
        for table, pending in self._pending.items():
            for key, change in pending.items():
                if change.document is not None and not change.replaces and self._tables.get(table, key) is not None:
                    changes.append((table, key, None))
                changes.append((table, key, change.document))
        return changes

    def _peek(self, table: str, key: str) -> Stored | None:
        change = self._pending.get(table, {}).get(key)
        return self._tables.get(table, key) if change is None else change.document

    def _check_open(self) -> None:
        if not self._open:
            raise StorageError("This transaction is over.", "Begin a new one.")


def _name(value: str, what: str) -> str:
    name = checked(value, what)
    if not isinstance(name, str) or not name:
        raise BadParams(
            f"The {what} must be a text that is not empty.",
            f"Give the {what}.",
            problems=[{"where": what, "message": "not a text"}],
        )
    return name


def _table(value: str) -> str:
    table = _name(value, "table")
    if table.startswith("_"):
        raise BadParams(
            f"The table name {shorten(table)!r} is the store's own: it begins with an underscore.",
            "Begin it with a letter.",
            problems=[{"where": "table", "message": "begins with an underscore"}],
        )
    return table

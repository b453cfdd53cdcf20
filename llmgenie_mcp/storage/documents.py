"""Tables of documents in memory, shared by the backends that keep everything there.

Documents inside are never changed in place, only replaced, so a reference taken under the store's mutex stays whole.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.storage.values import fits

Stored: TypeAlias = dict[str, Any]
Change: TypeAlias = tuple[str, str, Stored | None]
"""(table, id, document), or None for the document when it is removed."""

_INDEX_FROM = 64  # rows; below, looking at every row is as fast


class Table:
    """One table: documents by id, in the order they were first put.

    Every document has a number, counted up and never used twice in its table: the cursor, and TinyDB's document id.

    Attributes:
        next_number: the number of the next new document.
    """

    def __init__(self, rows: Iterable[tuple[int, Stored]] = (), next_number: int = 1) -> None:
        self._rows: dict[int, Stored] = dict(rows)
        self._numbers: dict[str, int] = {row["id"]: number for number, row in self._rows.items()}
        self._order: list[int] = list(self._rows)  # ascending; may still hold removed numbers
        self._indexes: dict[str, dict[str, set[int]]] = {}
        self.next_number = next_number

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> Stored | None:
        """The stored document itself (not a copy), or None."""
        number = self._numbers.get(key)
        return None if number is None else self._rows[number]

    def rows(self) -> Iterator[tuple[int, Stored]]:
        """Number and document of each, in order."""
        return iter(self._rows.items())

    def put(self, key: str, document: Stored) -> None:
        """Create or replace; a replaced document keeps its number and place."""
        number = self._numbers.get(key)
        if number is None:
            number = self.next_number
            self.next_number += 1
            self._numbers[key] = number
            self._order.append(number)
        elif self._indexes:
            self._unindex(number)
        self._rows[number] = document
        for field, values in self._indexes.items():
            value = document.get(field)
            if isinstance(value, str):
                values.setdefault(value, set()).add(number)

    def remove(self, key: str) -> None:
        """Remove a document, if it is there."""
        number = self._numbers.pop(key, None)
        if number is None:
            return
        if self._indexes:
            self._unindex(number)
        del self._rows[number]
        if len(self._order) > 2 * len(self._rows) + 64:
            self._order = list(self._rows)

    def find(self, where: Mapping[str, object] | None) -> list[Stored]:
        """All that fit `where`, in order."""
        return list(self._rows.values()) if not where else [self._rows[number] for number in self._fitting(where)]

    def page(
        self, where: Mapping[str, object] | None, limit: int | None, after: int
    ) -> tuple[list[Stored], int, int | None]:
        """At most `limit` documents that fit and have a number over `after`; how many fit in all; where to go on."""
        if where:
            numbers = self._fitting(where)
            total = len(numbers)
        else:
            numbers, total = self._order, len(self._rows)
        wanted: list[int] = []
        for position in range(bisect_right(numbers, after), len(numbers)):
            if numbers[position] in self._rows:
                if limit is not None and len(wanted) >= limit:
                    return [self._rows[number] for number in wanted], total, wanted[-1] if wanted else None
                wanted.append(numbers[position])
        return [self._rows[number] for number in wanted], total, None

    def _fitting(self, where: Mapping[str, object]) -> list[int]:
        texts = [(name, str.__str__(value)) for name, value in where.items() if isinstance(value, str)]
        if not texts or len(self._rows) < _INDEX_FROM:
            return [number for number, row in self._rows.items() if fits(row, where)]
        candidates = sorted(min((self._index(name).get(text, _NONE) for name, text in texts), key=len))
        if len(where) == 1:
            return candidates
        return [number for number in candidates if fits(self._rows[number], where)]

    def _index(self, field: str) -> dict[str, set[int]]:
        index = self._indexes.get(field)
        if index is None:
            index = {}
            for number, row in self._rows.items():
                value = row.get(field)
                if isinstance(value, str):
                    index.setdefault(value, set()).add(number)
            # Only when it is complete: a transaction reads without the mutex, beside readers that hold it.
            self._indexes[field] = index
        return index

    def _unindex(self, number: int) -> None:
        row = self._rows[number]
        for field, values in self._indexes.items():
            value = row.get(field)
            if isinstance(value, str):
                numbers = values[value]
                numbers.discard(number)
                if not numbers:
                    del values[value]


_NONE: frozenset[int] = frozenset()


class Tables:
    """All tables of a store."""

    def __init__(self, tables: dict[str, Table] | None = None) -> None:
        self._tables: dict[str, Table] = tables or {}

    def __getitem__(self, name: str) -> Table:
        return self._tables.get(name) or _EMPTY

    def names(self) -> list[str]:
        """Names of all tables ever used, sorted."""
        return sorted(self._tables)

    def get(self, table: str, key: str) -> Stored | None:
        """The stored document itself (not a copy), or None."""
        rows = self._tables.get(table)
        return None if rows is None else rows.get(key)

    def largest(self, prefix: str) -> int:
        """The largest number in ids `prefix-number` of any table; looks at every id."""
        tables = (table for name, table in self._tables.items() if not name.startswith("_"))
        ids = (numbered(row["id"]) for table in tables for _, row in table.rows())
        return max((number for start, number in ids if start == prefix), default=0)

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in the changes of one transaction, in order."""
        for name, key, document in changes:
            table = self._tables.get(name)
            if table is None:
                table = self._tables[name] = Table()
            if document is None:
                table.remove(key)
            else:
                table.put(key, document)

    def snapshot(self) -> Tables:
        """The tables as they are now, whatever is applied later."""
        return Tables({name: Table(table.rows(), table.next_number) for name, table in self._tables.items()})

    def differences(self, wanted: Tables) -> list[Change]:
        """The changes that make the documents here those of `wanted`, in the same order."""
        changes: list[Change] = []
        for name in sorted({*self._tables, *wanted._tables}):
            mine, theirs = ([row for _, row in tables[name].rows()] for tables in (self, wanted))
            alike = 0  # rows at the start that have the same id in both
            for old, new in zip(mine, theirs, strict=False):
                if old["id"] != new["id"]:
                    break
                alike += 1
                if old != new:
                    changes.append((name, new["id"], new))
            changes += [(name, row["id"], None) for row in mine[alike:]]
            changes += [(name, row["id"], row) for row in theirs[alike:]]
        return changes


_EMPTY = Table()


def numbered(key: str) -> tuple[str, int]:
    """Prefix and number of an id like `TSK-12`; the number is 0 when it does not end in one."""
    prefix, _, digits = key.rpartition("-")
    return prefix, int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 16 else 0


def cursor_number(cursor: str | None) -> int:
    """The number that a cursor of `query` stands for; 0 for None.

    Raises:
        BadParams: it is not a cursor that `query` gave.
    """
    if cursor is None:
        return 0
    if cursor.isascii() and cursor.isdecimal() and len(cursor) < 20:
        return int(cursor)
    raise BadParams(
        "The cursor is not one that a former page gave.",
        "Leave it out to start from the beginning.",
        problems=[{"where": "cursor", "message": "not a cursor"}],
    )

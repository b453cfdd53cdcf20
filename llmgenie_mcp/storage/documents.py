"""Tables of documents in memory, shared by the backends that keep everything there.

Documents inside are never changed in place, only replaced, so a reference taken under the store's mutex stays whole.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, TypeAlias

from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.storage.values import Holds, fits

Stored: TypeAlias = dict[str, Any]
Change: TypeAlias = tuple[str, str, Stored | None]
"""(table, id, document), or None for the document when it is removed."""

Fields: TypeAlias = tuple[tuple[str, bool], ...]
"""Names of fields that are indexed together, each with whether it is a list whose items count."""
Entry: TypeAlias = tuple[str, ...]

_INDEX_FROM = 64  # rows; below, looking at every row is as fast
_MOST_INDEXES = 16  # the questions are the program's own and few; each index costs every write something


class Table:
    """One table: documents by id, in the order they were first put.

    Every document has a number, counted up and never used twice in its table: the cursor, and TinyDB's document id.
    Fields that were asked for are indexed from then on, together as they were asked for, so that a question costs what
    its answer costs.

    Attributes:
        next_number: the number of the next new document.
    """

    def __init__(self, rows: Iterable[tuple[int, Stored]] = (), next_number: int = 1) -> None:
        self._rows: dict[int, Stored] = dict(rows)
        self._numbers: dict[str, int] = {row["id"]: number for number, row in self._rows.items()}
        self._order: list[int] = list(self._rows)  # ascending; may still hold removed numbers
        self._indexes: dict[Fields, dict[Entry, list[int]]] = {}  # numbers ascending
        self.next_number = next_number

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> Stored | None:
        """The stored document itself (not a copy), or None."""
        number = self._numbers.get(key)
        return None if number is None else self._rows[number]

    def number(self, key: str) -> int | None:
        """The number of the document `key`, or None."""
        return self._numbers.get(key)

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
        for fields, index in self._indexes.items():
            for entry in _entries(document, fields):
                insort(index.setdefault(entry, []), number)

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

    def find(self, where: Mapping[str, object] | None, *, newest_first: bool = False) -> Iterator[tuple[int, Stored]]:
        """Number and document of all that fit `where`, in order or the other way round."""
        numbers, rest = self._candidates(where)
        ordered = reversed(numbers) if newest_first else numbers
        return ((number, self._rows[number]) for number in ordered if number in self._rows and self._fits(number, rest))

    def count(self, where: Mapping[str, object] | None) -> int:
        """How many fit `where`."""
        if not where:
            return len(self._rows)
        numbers, rest = self._candidates(where)
        return sum(number in self._rows and self._fits(number, rest) for number in numbers) if rest else len(numbers)

    def page(
        self, where: Mapping[str, object] | None, limit: int | None, after: int, *, newest_first: bool = False
    ) -> tuple[list[Stored], int, int | None]:
        """At most `limit` documents that fit and have a number over `after`; how many fit in all; where to go on.

        `newest_first` goes the other way: numbers under `after`, unless it is 0.
        """
        numbers, rest = self._candidates(where)
        if newest_first:
            places = range((bisect_left(numbers, after) if after else len(numbers)) - 1, -1, -1)
        else:
            places = range(bisect_right(numbers, after), len(numbers))
        wanted: list[int] = []
        for place in places:
            number = numbers[place]
            if number in self._rows and self._fits(number, rest):
                if limit is not None and len(wanted) >= limit:
                    return self._documents(wanted), self.count(where), wanted[-1] if wanted else None
                wanted.append(number)
        return self._documents(wanted), self.count(where), None

    def _documents(self, numbers: Iterable[int]) -> list[Stored]:
        return [self._rows[number] for number in numbers]

    def _fits(self, number: int, rest: Mapping[str, object]) -> bool:
        return not rest or fits(self._rows[number], rest)

    def _candidates(self, where: Mapping[str, object] | None) -> tuple[list[int], Mapping[str, object]]:
        """Numbers, ascending, and what of `where` is still to be looked at in each of them."""
        if not where:
            return self._order, {}
        indexed = {name: value for name, value in where.items() if isinstance(value, str | Holds)}
        if not indexed or len(self._rows) < _INDEX_FROM:
            return self._order, where
        fields = tuple(sorted((name, isinstance(value, Holds)) for name, value in indexed.items()))
        if fields not in self._indexes and len(self._indexes) >= _MOST_INDEXES:
            return self._order, where
        values = (indexed[name] for name, _ in fields)
        entry = tuple(value.item if isinstance(value, Holds) else str.__str__(value) for value in values)
        return self._index(fields).get(entry, _NONE), {k: v for k, v in where.items() if k not in indexed}

    def _index(self, fields: Fields) -> dict[Entry, list[int]]:
        index = self._indexes.get(fields)
        if index is None:
            index = {}
            for number, row in self._rows.items():
                for entry in _entries(row, fields):
                    index.setdefault(entry, []).append(number)
            # Only when it is complete: a transaction reads without the mutex, beside readers that hold it.
            self._indexes[fields] = index
        return index

    def _unindex(self, number: int) -> None:
        row = self._rows[number]
        for fields, index in self._indexes.items():
            for entry in _entries(row, fields):
                numbers = index[entry]
                del numbers[bisect_left(numbers, number)]
                if not numbers:
                    del index[entry]


def _entries(row: Stored, fields: Fields) -> Iterator[Entry]:
    """Under what a document stands in an index; nothing when one of the fields is not text, or not a list of it."""
    choices: list[Iterable[str]] = []
    for name, inside in fields:
        value = row.get(name)
        if inside:
            choices.append({item for item in value if isinstance(item, str)} if isinstance(value, list) else ())
        else:
            choices.append((value,) if isinstance(value, str) else ())
    return product(*choices)


_NONE: list[int] = []


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

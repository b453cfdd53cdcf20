"""The default store: a folder whose db.json is TinyDB's, and a TinyDB handle for queries on the live documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from tinydb import TinyDB
from tinydb.storages import Storage as TinyStorage
from tinydb.table import Table as TinyTable

from llmgenie_mcp.errors import StorageError
from llmgenie_mcp.storage.folder import FolderStorage
from llmgenie_mcp.storage.values import copied


class TinyDBStorage(FolderStorage):
    """The store in a folder (see `FolderStorage` for parameters and errors), open to TinyDB's own queries."""

    @property
    def tinydb(self) -> TinyDB:
        """A TinyDB over the documents as of the last `refresh` or own commit, for reading.

        `storage.tinydb.table("tasks").search(Query().status == "open")`; what it returns are copies. Writing through it
        raises StorageError: use `begin`. TinyDB asks every document, so it is slower than `query`.
        """
        return _LiveTinyDB(storage=_LiveStorage, read_table=self._rows, names=self._names)

    def _rows(self, table: str) -> dict[str, dict[str, Any]]:
        with self._mutex:
            self._check_usable()
            rows = list(self._tables[table].rows())
        return {str(number): copied(row) for number, row in rows}

    def _names(self) -> list[str]:
        with self._mutex:
            self._check_usable()
            return self._tables.names()


def _refuse() -> NoReturn:
    raise StorageError(
        "The TinyDB handle is for reading: a write past the log would be lost.",
        "Write in a transaction: `with storage.begin() as t: t.put(table, id, document); t.commit({'type': …})`.",
    )


class _LiveStorage(TinyStorage):
    """TinyDB's storage port over the tables in memory."""

    def __init__(self, read_table: Callable[[str], dict[str, dict[str, Any]]], names: Callable[[], list[str]]) -> None:
        super().__init__()
        self.read_table = read_table
        self._names = names

    def read(self) -> dict[str, dict[str, Any]]:
        return {name: self.read_table(name) for name in self._names()}

    def write(self, data: dict[str, dict[str, Any]]) -> None:  # noqa: ARG002 - TinyDB's signature
        _refuse()


class _LiveTable(TinyTable):
    """A table that reads itself alone, never from TinyDB's query cache, and is not written."""

    def __init__(self, storage: TinyStorage, name: str, cache_size: int = 0, persist_empty: bool = False) -> None:  # noqa: ARG002, FBT
        # Set here: the class attribute `default_query_cache_capacity` has no effect in TinyDB 4.9.
        super().__init__(storage, name, cache_size=0)

    def _read_table(self) -> dict[str, Mapping[str, Any]]:
        storage = self.storage
        assert isinstance(storage, _LiveStorage)  # noqa: S101 - made by _LiveTinyDB alone
        return dict(storage.read_table(self.name))

    def _update_table(self, updater: Callable[[dict[int, Mapping[str, Any]]], None]) -> None:  # noqa: ARG002
        _refuse()


class _LiveTinyDB(TinyDB):
    table_class = _LiveTable

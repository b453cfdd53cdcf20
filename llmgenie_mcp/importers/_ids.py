"""Which document an item is, and which id a new one gets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llmgenie_mcp.exchange import IMPORTED
from llmgenie_mcp.importers._items import Format, Item
from llmgenie_mcp.importers._report import Report
from llmgenie_mcp.outcome import Document
from llmgenie_mcp.storage import Transaction
from llmgenie_mcp.storage.documents import numbered

TABLES = ("tasks", "roadmap", "notes", "lessons", "sessions", "comments")
PREFIXES = {"tasks": "TSK", "roadmap": "RMI", "lessons": "LSN", "sessions": "SES", "comments": "CMT"}
_FITS = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[._-][A-Za-z0-9]+)+")
"""Ids that are kept: words of letters and digits with - . _ between them: TSK-12, bd-a1b2, TASK-11.2."""
_NOTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*(/[A-Za-z0-9][A-Za-z0-9_.\-]*)*")
Key = tuple[str, str]


class Ids:
    """The documents that items are, for one import.

    Args:
        tx: the open transaction.
        source: what is imported, as `imported.FORMAT.from` names it.
        base: the folder that relative names of sources start from.
        exported: ids of this project's documents by the key that an export gave them in this very file.
    """

    def __init__(self, tx: Transaction, form: Format, source: str, base: Path, exported: Mapping[str, str]) -> None:
        self._tx, self._form, self._source, self._base = tx, form, source, base
        self._last: dict[str, int] = {}
        self.documents: dict[str, dict[str, Document]] = {
            table: {document["id"]: document for document in tx.query(table)} for table in TABLES
        }
        self.known: dict[Key, str] = {}
        if not form.own:
            for table in ("tasks", "roadmap", "notes"):
                there = self.documents[table]
                self.known.update({(table, key): id_ for key, id_ in exported.items() if id_ in there})
        for table, documents in self.documents.items():
            for id_, document in documents.items():
                origin = (document.get(IMPORTED) or {}).get(form.origin)
                if isinstance(origin, dict) and self._same_source(str(origin.get("from", ""))):
                    self.known[table, self._mark(str(origin.get("id")), origin.get("made"))] = id_

    def assign(self, items: Iterable[Item], report: Report) -> dict[Key, str]:
        """An id for every item, by table and key; new ones in the order of the items, after those that fit."""
        items = list(items)
        found: dict[Key, str] = {}
        taken: set[Key] = set()
        waiting: list[Item] = []
        rivals = {(item.table, item.before): item for item in items if item.before}
        for item in items:
            there = self.known.get((item.table, self._mark(item.key, made_at(item.fields)))) or self._own(item)
            if there is not None and self._is_rivals(there, item, rivals.get((item.table, item.key))):
                there = None
            if there is not None and (item.table, there) not in taken:
                found[item.table, item.key] = there
                taken.add((item.table, there))
            else:
                waiting.append(item)
        late: list[Item] = []
        for item in waiting:
            there = self.known.get((item.table, item.before)) if item.before else None
            if there is not None and (item.table, there) not in taken:
                found[item.table, item.key] = there
                taken.add((item.table, there))
                continue
            wanted = item.wanted
            if (
                wanted
                and self._fits(item.table, wanted)
                and (item.table, wanted) not in taken
                and self._free(item.table, wanted)
            ):
                found[item.table, item.key] = wanted
                taken.add((item.table, wanted))
            else:
                late.append(item)
        for item in late:
            found[item.table, item.key] = id_ = self._next(item, taken)
            taken.add((item.table, id_))
            if item.wanted and self._fits(item.table, item.wanted):
                report.change(item.place, f"The id {item.wanted} is taken: {item.key} is {id_}.")
        for item in items:
            if item.table == "tasks" and (id_ := found[item.table, item.key]) != item.key:
                report.ids[item.key] = id_
        return found

    def _is_rivals(self, there: str, item: Item, rival: Item | None) -> bool:
        """Whether a document came in as `rival`, whose key `item` has taken since: the times of making tell."""
        made = made_at(self.documents[item.table][there])
        return rival is not None and made_at(rival.fields) == made != made_at(item.fields)

    def _mark(self, key: str, made: Any) -> str:
        """What tells one item from another: in llmgenie's own formats, where many projects have a TSK-1, also its time."""
        return f"{key} {made}" if self._form.own else key

    def _same_source(self, other: str) -> bool:
        """Whether what came from `other` may be what comes now: it is the same file, or that has been moved here."""
        if self._form.worldwide or self._form.own or other == self._source:
            return True
        return not (self._base / other).exists()

    def _own(self, item: Item) -> str | None:
        """A document of this project that an item of llmgenie's own format is: same id, made at the same time."""
        if not self._form.own or item.wanted is None:
            return None
        there: Any = self.documents[item.table].get(item.wanted)
        if there is None:
            return None
        said = made_at(item.fields)
        return item.wanted if said is None or made_at(there) == said else None

    def _fits(self, table: str, wanted: str) -> bool:
        if len(wanted) > 100:
            return False
        return (_NOTE if table == "notes" else _FITS).fullmatch(wanted) is not None

    def _free(self, table: str, wanted: str) -> bool:
        return wanted not in self.documents[table]

    def _next(self, item: Item, taken: set[Key]) -> str:
        if item.table == "notes":
            stem, number = (item.wanted or "imported/note")[:90], 2
            stem = stem if self._fits("notes", stem) else "imported/note"
            while not self._free("notes", f"{stem}-{number}") or ("notes", f"{stem}-{number}") in taken:
                number += 1
            return f"{stem}-{number}"
        prefix = PREFIXES[item.table]
        if prefix not in self._last:
            numbers = [number for _, id_ in taken for start, number in [numbered(id_)] if start == prefix]
            self._last[prefix] = max(numbered(self._tx.next_id(prefix))[1] - 1, max(numbers, default=0))
        self._last[prefix] += 1
        return f"{prefix}-{self._last[prefix]}"


def made_at(document: Mapping[str, Any]) -> Any:
    """When a document was made: of a comment, when it was said."""
    return document.get("created_at", document.get("at"))


def source_name(path: Path, base: Path) -> str:
    """How a source is named: below the project's folder where it is, else in full."""
    whole = path.resolve()
    if whole.is_relative_to(base.resolve()):
        return os.fspath(whole.relative_to(base.resolve())) or "."
    return os.fspath(whole)

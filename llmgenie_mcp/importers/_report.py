"""What an import did: made, changed, left alone, could not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import field
from typing import TypeAlias

from llmgenie_mcp.errors import counted
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.importers._items import Item, Place, Remark, change, problem
from llmgenie_mcp.outcome import Document

Progress: TypeAlias = Callable[[float, float | None, str], None]
MOST_IDS = 50
"""So many renamed ids are named in the log; the report has all of them."""
MOST_SAID = 20
"""So many remarks are in an agent's answer."""


@dataclass
class Report:
    """What an import did, or would do.

    Attributes:
        format, path, why: what was read, and how its format was told.
        created: {table, id, title, key, file, line}.
        updated: {table, id, title, fields}.
        kept: {table, id, field, file, line}: changed both there and here since the last import; what is here stayed.
        unchanged: how many were the same.
        ids: our id by the file's, where the two differ.
        changes, problems: see `Remark`.
        mapped: how often each status was read as another.
        initial: the state in which a task begins that is made here; "" where nobody says.
        ahead: of the new tasks, how many came in in which other state.
    """

    format: str
    path: str
    why: str
    created: list[Document] = field(default_factory=list)
    updated: list[Document] = field(default_factory=list)
    kept: list[Document] = field(default_factory=list)
    unchanged: int = 0
    touched: bool = False
    ids: dict[str, str] = field(default_factory=dict)
    changes: list[Remark] = field(default_factory=list)
    problems: list[Remark] = field(default_factory=list)
    mapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    initial: str = ""
    ahead: Counter[str] = field(default_factory=Counter)

    def add(self, remark: Remark) -> None:
        """Take in a remark."""
        (self.problems if remark.kind == "problem" else self.changes).append(remark)

    def problem(self, place: Place, message: str, hint: str = "") -> None:
        """Something could not come in as it stands."""
        self.add(problem(place, message, hint))

    def change(self, place: Place, message: str, hint: str = "") -> None:
        """Something came in otherwise than it stands there."""
        self.add(change(place, message, hint))

    def made(self, item: Item, id_: str, title: str) -> None:
        """An item came in anew."""
        self._told(item)
        status = item.fields.get("status")
        if item.table == "tasks" and status and status != self.initial:
            self.ahead[str(status)] += 1
        self.created.append({"table": item.table, "id": id_, "title": title, "key": item.key, **_where(item.place)})

    def changed(self, item: Item, id_: str, title: str, fields: list[str]) -> None:
        """A document took over what changed in the file."""
        self._told(item)
        self.updated.append({"table": item.table, "id": id_, "title": title, "fields": fields})

    def _told(self, item: Item) -> None:
        self.changes.extend(item.notes)
        if item.read_as is not None:
            self.mapped[item.read_as] += 1

    def stayed(self, item: Item, id_: str, name: str) -> None:
        """A field was changed on both sides."""
        self.kept.append({"table": item.table, "id": id_, "field": name, **_where(item.place)})

    def counts(self) -> Document:
        """How many of each."""
        return {
            "created": len(self.created),
            "updated": len(self.updated),
            "unchanged": self.unchanged,
            "kept": len(self.kept),
            "changed": len(self.changes) + len(self.mapped),
            "problems": len(self.problems),
        }

    def told(self) -> str:
        """The counts in words, those that are nothing left out."""
        parts = [
            counted(count, "problem") if what == "problems" else f"{count} {what}"
            for what, count in self.counts().items()
            if count
        ]
        return ", ".join(parts) or "nothing to bring in"

    def brief(self) -> Document:
        """For the meta-log: the counts, and where it came from."""
        ids = dict(list(self.ids.items())[:MOST_IDS])
        ahead = {"created_as": dict(self.ahead)} if self.ahead else {}
        return {"format": self.format, "path": self.path, **self.counts(), **ahead, **({"ids": ids} if ids else {})}

    def answer(self) -> Document:
        """For an agent: the counts, and the first of what was told, each with its place."""
        told = [f"{one.place}: {one.message} {one.hint}".rstrip() for one in (*self.problems, *self.changes)]
        more = {"more": len(told) - MOST_SAID} if len(told) > MOST_SAID else {}
        return {**self.brief(), **({"told": told[:MOST_SAID], **more} if told else {})}

    def to_dict(self) -> Document:
        """All of it."""
        statuses = [{"from": a, "to": b, "count": count} for (a, b), count in self.mapped.items()]
        return {
            "format": self.format,
            "path": self.path,
            "why": self.why,
            "counts": self.counts(),
            "created": self.created,
            "updated": self.updated,
            "kept": self.kept,
            "ids": self.ids,
            "statuses": statuses,
            "changes": [remark.to_dict() for remark in self.changes],
            "problems": [remark.to_dict() for remark in self.problems],
        }


def _where(place: Place) -> Document:
    return {"file": place.file, "line": place.line}

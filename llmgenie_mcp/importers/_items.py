"""What a reader of a foreign format hands over: items in llmgenie's words, and remarks with their place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from typing import Any, Literal, NamedTuple, TypeAlias

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.importers._tree import Tree
from llmgenie_mcp.outcome import Document


class Place(NamedTuple):
    """Where something stands: a file, and line and column from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to be told about the file.

    Attributes:
        kind: `problem`: it could not come in as it stands; `change`: it came in otherwise than it stands there.
        place: where.
        message: what.
        hint: what to do; may be empty.
    """

    kind: Literal["problem", "change"]
    place: Place
    message: str
    hint: str = ""

    def to_dict(self) -> Document:
        """As the report shows it."""
        shown: Document = {"file": self.place.file, "line": self.place.line, "column": self.place.column}
        return {**shown, "message": self.message, **({"hint": self.hint} if self.hint else {})}


class Reference(NamedTuple):
    """A mention of another item by its key."""

    key: str
    place: Place


@dataclass(slots=True)
class Item:
    """One thing of a foreign file.

    Attributes:
        key: its id there, unique among the items of its table.
        place: where it stands.
        fields: what it says, by llmgenie's names.
        table: where it goes: tasks, roadmap, notes, lessons, sessions, comments, links.
        status: as the file words it; None when it says nothing.
        meant: the word that tells what the status is, where the status does not; kept is the status.
        before: another key that it may have come in by, while that is nobody else's.
        wanted: the id it should have, when that fits and is free.
        waits_for: tasks to be done before.
        links: other relations to tasks, by their type.
        parent: the task it is a part of; of a session, comment or link, the task it is about.
        goal: key of its roadmap item.
        session: key of its session.
        sections: further texts by heading, put behind the description.
        foreign: what llmgenie has no field for.
        read_as: the status as it is worded there, and what that was read as, when the two differ.
        notes: what is to be told when it comes in.
    """

    key: str
    place: Place
    fields: Document
    table: str = "tasks"
    status: str | None = None
    meant: str | None = None
    before: str | None = None
    wanted: str | None = None
    waits_for: list[Reference] = field(default_factory=list)
    links: list[tuple[str, Reference]] = field(default_factory=list)
    parent: Reference | None = None
    goal: Reference | None = None
    session: Reference | None = None
    sections: dict[str, str] = field(default_factory=dict)
    foreign: Document = field(default_factory=dict)
    read_as: tuple[str, str] | None = None
    notes: list[Remark] = field(default_factory=list)

    def note(self, message: str, hint: str = "") -> None:
        """It comes in otherwise than it stands there; told when it does come in."""
        self.notes.append(change(self.place, message, hint))


Found: TypeAlias = Item | Remark


@dataclass(frozen=True, slots=True)
class Sign:
    """That something looks like a format.

    Attributes:
        path: the file or folder that it was seen by, below the tree's root.
        why: what was seen, as a sentence's end: `it holds …`.
        sure: nothing else looks like that.
    """

    path: str
    why: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Format:
    """A foreign format.

    Attributes:
        name: as `--format` takes it.
        title: the tool's name.
        looks_for: what it is known by, for people who are told that nothing was found.
        find: signs of it in a tree.
        read: items and remarks, in the order of the files.
        worldwide: its ids are unique over all projects, so that two files with one id mean one thing.
        own: llmgenie wrote it; its documents come in as they are.
    """

    name: str
    title: str
    looks_for: str
    find: Callable[[Tree], Iterable[Sign]]
    read: Callable[[Tree, Sign], Iterator[Found]]
    worldwide: bool = False
    own: bool = False

    @property
    def origin(self) -> str:
        """Under which name a document keeps where it came from; llmgenie's own formats tell of the same things."""
        return "llmgenie" if self.own else self.name


def problem(place: Place, message: str, hint: str = "") -> Remark:
    """A remark of kind `problem`."""
    return Remark("problem", place, message, hint)


def change(place: Place, message: str, hint: str = "") -> Remark:
    """A remark of kind `change`."""
    return Remark("change", place, message, hint)


def listed(value: Any) -> list[Any]:
    """A list as it is, nothing as an empty one, anything else as a list of one."""
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def words(value: Any) -> str:
    """A scalar as text; None as the empty one; what is no text as it is told in JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return str(value) if type(value) is int else json.dumps(value, ensure_ascii=False)

"""Changes to files that belong to people: made beside what is there, shown before, and taken back exactly.

An `Edit` says what must be in a file; `plan` computes the new text, `ledger` writes it and remembers what was there.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from llmgenie_mcp.frozen import dataclass


@dataclass(frozen=True, slots=True)
class SetMember:
    """A member of a JSON object (comments allowed in the file); the objects that lead to it are made where missing.

    Attributes:
        path: the file, relative to the project's root.
        keys: the way to the member, such as ("mcpServers", "llmgenie").
        value: what it is set to. A member of another value is replaced.
        weak: leave a member that is there as it is, such as ("version",).
    """

    path: str
    keys: tuple[str, ...]
    value: Any
    weak: bool = False


@dataclass(frozen=True, slots=True)
class AddItem:
    """An item in a JSON array; the array and the objects that lead to it are made where missing.

    Attributes:
        path: the file, relative to the project's root.
        keys: the way to the array, such as ("hooks", "PreToolUse").
        item: what is appended; an item of ours that is there is replaced in its place.
        mark: a text that only items of ours have in their compact JSON.
    """

    path: str
    keys: tuple[str, ...]
    item: Any
    mark: str


@dataclass(frozen=True, slots=True)
class Block:
    """A marked block of lines in a text file; appended or put first where it is not there, else replaced in its place.

    Attributes:
        path: the file, relative to the project's root.
        text: the lines between the marks.
        comment: how a comment is written around the marks: ("<!-- ", " -->") or ("# ", "").
        first: put it before everything else, where what follows is to have the last word.
    """

    path: str
    text: str
    comment: tuple[str, str] = ("<!-- ", " -->")
    first: bool = False


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A file of our own. One that is there and not ours is never replaced: it is reported instead.

    Attributes:
        path: the file, relative to the project's root.
        text: all of it.
        executable: whether it may be run.
        keep: leave a file that is there as it is, whoever wrote it (settings that people edit).
    """

    path: str
    text: str
    executable: bool = False
    keep: bool = False


Edit: TypeAlias = SetMember | AddItem | Block | WholeFile

__all__ = ["AddItem", "Block", "Edit", "SetMember", "WholeFile"]

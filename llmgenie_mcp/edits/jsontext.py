"""JSON with comments, read into nodes that know where in the text they stand.

The grammar is RFC 8259 with what editors allow in settings files: `//` and `/* */` comments and a comma after the last
entry. A text without a value, as of an empty file, has no root.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import field
from typing import Any, Literal, NoReturn

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.frozen import dataclass

DEPTH = 200
"""Levels of nesting that are read; settings files have ten."""

_BLANK = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


class JsoncError(ValueError):
    """A text is not JSON with comments, or what is to be changed in it is of another kind.

    Attributes:
        line, column: where, counted from 1, the column in characters.
        message: what is wrong there and what belongs there.
    """

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(f"{line}:{column}: {message}")
        self.line = line
        self.column = column
        self.message = message


@dataclass(slots=True)
class Node:
    """A value in the text.

    Attributes:
        kind: what it is.
        start, end: where it stands, `text[start:end]`.
        scalar: the value of a scalar.
        entries: what an object or array holds, in order.
    """

    kind: Literal["object", "array", "scalar"]
    start: int
    end: int = 0
    scalar: Any = None
    entries: list[Entry] = field(default_factory=list)

    def value(self) -> Any:
        """The value as Python has it."""
        if self.kind == "object":
            return {str(entry.key): entry.node.value() for entry in self.entries}
        return [entry.node.value() for entry in self.entries] if self.kind == "array" else self.scalar


@dataclass(slots=True)
class Entry:
    """A member of an object or an item of an array.

    Attributes:
        start: where its key, or else its value, begins.
        node: its value.
        key: of a member.
        comma: where the comma after it stands; None where there is none.
    """

    start: int
    node: Node
    key: str | None = None
    comma: int | None = None


@dataclass(slots=True)
class Tree:
    """A text as read.

    Attributes:
        text: all of it.
        root: its value; None where there is none.
        comments: start and end of each, in order.
    """

    text: str
    root: Node | None
    comments: list[tuple[int, int]]

    def find(self, keys: tuple[str, ...]) -> Iterator[Node]:
        """The nodes on the way along `keys`, the root first; fewer than len(keys) + 1 where the way ends before."""
        node = self.root
        if node is not None:
            yield node
        for key in keys:
            found = [entry.node for entry in node.entries if entry.key == key] if node else []
            if not found:
                return
            node = found[0]
            yield node

    def error(self, position: int, message: str) -> JsoncError:
        """What is wrong at `position`."""
        before = self.text[:position].replace("\r\n", "\n").replace("\r", "\n")
        return JsoncError(before.count("\n") + 1, len(before) - before.rfind("\n"), message)


def read(text: str) -> Tree:
    """Read `text`. Raises JsoncError."""
    return _Reader(text).tree()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 1 if text.startswith("\ufeff") else 0
        self._comments: list[tuple[int, int]] = []
        self._tree = Tree(text, None, self._comments)

    def tree(self) -> Tree:
        self._skip()
        if self._at < len(self._text):
            self._tree.root = self._value(0)
            self._skip()
            if self._at < len(self._text):
                self._refuse(f"{self._here()} after the end of the value; a file holds one value.")
        return self._tree

    def _value(self, depth: int) -> Node:
        character = self._text[self._at : self._at + 1]
        if character in "{[" and character:
            if depth >= DEPTH:
                self._refuse(f"Nested more than {DEPTH} deep.")
            return self._container(character, depth)
        node = Node("scalar", self._at)
        if character == '"':
            node.scalar = self._string()
        elif found := _NUMBER.match(self._text, self._at):
            self._at = found.end()
            node.scalar = self._number(found)
        else:
            node.scalar = self._word()
        node.end = self._at
        return node

    def _container(self, opening: str, depth: int) -> Node:
        node = Node("object" if opening == "{" else "array", self._at)
        closing, seen = ("}" if opening == "{" else "]"), set[str]()
        self._at += 1
        while True:
            self._skip()
            if self._text.startswith(closing, self._at):
                self._at += 1
                node.end = self._at
                return node
            if node.entries and node.entries[-1].comma is None:
                self._refuse(f"{self._here()}; a comma or {closing} belongs here.", node, closing)
            entry = self._entry(node, depth, seen, closing)
            node.entries.append(entry)
            self._skip()
            if self._text.startswith(",", self._at):
                entry.comma = self._at
                self._at += 1

    def _entry(self, parent: Node, depth: int, seen: set[str], closing: str) -> Entry:
        start = self._at
        if parent.kind == "array":
            return Entry(start, self._value(depth + 1))
        if not self._text.startswith('"', start):
            self._refuse(f"{self._here()}; a name in double quotes or }} belongs here.", parent, closing)
        key = self._string()
        if key in seen:
            self._at = start
            self._refuse(
                f"{shorten(key)!r} is there twice in one object; programs differ in which one counts. Keep one."
            )
        seen.add(key)
        self._skip()
        if not self._text.startswith(":", self._at):
            self._refuse(f"{self._here()}; a colon belongs after the name {shorten(key)!r}.")
        self._at += 1
        self._skip()
        return Entry(start, self._value(depth + 1), key)

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            self._refuse("This text in double quotes does not end on its line, or has a \\ that JSON does not know.")
        self._at = found.end()
        value: str = json.loads(found[0])
        return value

    def _number(self, found: re.Match[str]) -> int | float:
        try:
            return float(found[0]) if found[1] or found[2] else int(found[0])
        except ValueError:
            self._at = found.start()
            self._refuse("This number has more digits than can be read.")

    def _word(self) -> Any:
        found = _WORD.match(self._text, self._at)
        if found is None or found[0] not in _WORDS:
            self._refuse(
                f"{self._here()}; a value belongs here: text in double quotes, a number, true, false, null, {{ or [."
            )
        self._at = found.end()
        return _WORDS[found[0]]

    def _skip(self) -> None:
        """Go past blanks and comments."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if not self._text.startswith(("//", "/*"), self._at):
                return
            comment = _COMMENT.match(self._text, self._at)
            if comment is None:
                self._refuse("This comment does not end; */ is missing.")
            self._comments.append(comment.span())
            self._at = comment.end()

    def _here(self) -> str:
        found = _WORD.match(self._text, self._at)
        word = found[0] if found else self._text[self._at : self._at + 1]
        return f"{shorten(word, 40)!r} is not expected" if word else "The file ends"

    def _refuse(self, message: str, opened: Node | None = None, closing: str = "") -> NoReturn:
        """Raise at the present place; a container that never ends is told where it began."""
        if opened is not None and self._at >= len(self._text):
            began = self._tree.error(opened.start, "")
            message = f"The file ends; {closing} is missing for what began at {began.line}:{began.column}."
        raise self._tree.error(self._at, message)

"""YAML 1.2 text → a tree of nodes that know their place in the text.

ruamel.yaml scans and parses; its events become nodes here, because its own composing and constructing knows dates,
merge keys, `0b1` and tags (YAML 1.1 habits that surprise in a definition) and is twice as slow. What plain words mean
is the core schema of YAML 1.2.2, section 10.3.2: https://yaml.org/spec/1.2.2/#103-core-schema. JSON is read as the part
of YAML that it is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.loader.yamlfault import Fault, KeyPath, reworded

MAX_DEPTH = 50
MAX_NODES = 20_000

Scalar: TypeAlias = str | int | float | bool | None

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|x..|u.{4}|U.{8}|(\r?\n|\r)[ \t]*|.)", re.DOTALL
)
_ANCHOR = re.compile(r"(?:&\S+\s+)?")
_BLANK = " \t\r\n"


class Node:
    """A scalar, a list or a mapping, and where it stands.

    Attributes:
        value: the scalar, a list of nodes, or a dict from key to (key's node, value's node).
        start: index of its first character.
        end: index after its last character.
        style: how a scalar is written: `'`, `"`, `|`, `>` or empty for plain.
        size: number of nodes in it, with aliases written out.
    """

    __slots__ = ("end", "size", "start", "style", "value")

    def __init__(self, value: Scalar | list[Node] | dict[str, tuple[Node, Node]], start: int, style: str = "") -> None:
        self.value, self.start, self.end, self.style, self.size = value, start, start, style, 1

    def data(self) -> Any:
        """The value as JSON-compatible data; what was an alias becomes a copy."""
        if isinstance(self.value, dict):
            return {key: node.data() for key, (_, node) in self.value.items()}
        if isinstance(self.value, list):
            return [node.data() for node in self.value]
        return self.value


class Found(NamedTuple):
    """How far a path could be followed: the last node there is, the node of its key, and the parts that were found."""

    node: Node
    key: Node | None
    path: KeyPath


class Tree:
    """A text, the node at its root, and the faults that did not stop the reading."""

    def __init__(self, text: str, root: Node, faults: list[Fault]) -> None:
        self.text, self.root, self.faults = text, root, faults

    def find(self, path: tuple[Any, ...]) -> Found:
        """Follow `path`; parts that are no key or index here (pydantic's labels of unions) are skipped."""
        node, key, found = self.root, None, list[str | int]()
        for part in path:
            below = node.value
            if isinstance(below, dict) and part in below:
                key, node = below[part]
            elif isinstance(below, list) and isinstance(part, int) and part < len(below):
                key, node = None, below[part]
            else:
                continue
            found.append(part)
        return Found(node, key, tuple(found))

    def index_in(self, node: Node, offset: int) -> int:
        """Where character `offset` of a scalar stands: exact in plain and quoted text, the right line in a block."""
        at = node.start
        if not isinstance(node.value, str):
            return at
        at += len(_ANCHOR.match(self.text, at)[0])  # type: ignore[index]  # may match nothing
        if node.style in ("|", ">"):
            at = self._skip(self.text.find("\n", at) + 1)
        elif node.style:
            at += 1
        for char in node.value[:offset]:
            at = self._step(at, char, node.style)
        return self._skip(at) if node.value[offset : offset + 1].strip() else at

    def _step(self, at: int, char: str, style: str) -> int:
        """The index after the writing of `char`, which is folded or escaped in some styles."""
        while style == '"' and (escape := _ESCAPE.match(self.text, at)):
            at = escape.end()
            if escape[1] is None:
                return at
        if style == "'" and self.text.startswith("''", at):
            return at + 2
        written = self.text[at : at + 1]
        if written == char and char != "\n":
            return at + 1
        if written in _BLANK:
            at = self._skip(at)
            return at if char in _BLANK else at + 1
        return at

    def _skip(self, at: int) -> int:
        while at < len(self.text) and self.text[at] in _BLANK:
            at += 1
        return at

    def place(self, index: int) -> tuple[int, int]:
        """Line and column of a character, both from 1."""
        return place(self.text, index, self._lines)

    @cached_property
    def _lines(self) -> list[int]:
        return line_starts(self.text)


def line_starts(text: str) -> list[int]:
    """The index of the first character of every line, as YAML counts lines."""
    return [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", text))]


def place(text: str, index: int, starts: list[int] | None = None) -> tuple[int, int]:
    """Line and column of the character at `index`, both from 1."""
    starts = line_starts(text) if starts is None else starts
    line = bisect_right(starts, min(index, len(text)))
    return line, min(index, len(text)) - starts[line - 1] + 1


def parse(text: str) -> Tree:
    """Read one document.

    Raises Fault for text that is not YAML 1.2 or goes beyond the limits. Faults that let the reading go on (a key
    twice, a tag, a key that is not text) are collected in the tree.
    """
    if control := re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text):
        raise Fault(control.start(), f"Character U+{ord(control[0]):04X} cannot stand in YAML", "Remove it.")
    if tag := re.search(r"!\S{10000}", text):
        raise Fault(tag.start(), "A tag of more than 10,000 characters")  # ruamel reads a tag in quadratic time
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    composer = _Composer(YAML(typ="safe", pure=True).parse(text))
    try:
        root = composer.document()
    except Fault:
        raise
    except MarkedYAMLError as error:
        raise reworded(text, error) from None
    except Exception as error:  # noqa: BLE001 - the parser answers odd escapes with whatever chr() or int() raise
        raise Fault(composer.at, f"This cannot be read as YAML: {type(error).__name__}: {error}") from None
    return Tree(text, root, composer.faults)


class _Composer:
    """Events → nodes."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.anchors: dict[str, Node | None] = {}
        self.faults: list[Fault] = []
        self.path: list[str | int] = []
        self.size = 0
        self.at = 0

    def next(self) -> Any:
        event = next(self.events)
        self.at = event.start_mark.index
        return event

    def document(self) -> Node:
        root = Node(None, 0)
        self.next()
        while (event := self.next()).__class__.__name__ != "StreamEndEvent":
            if root.end or self.size:
                raise Fault(
                    self.at, "A second document starts here", "One file holds one definition; remove the `---`."
                )
            if event.version and event.version < (1, 2):
                raise Fault(0, "The file says it is YAML 1.1", "Remove the %YAML line: files are read as YAML 1.2.")
            root = self.node(self.next())
            self.next()
        return root

    def node(self, event: Any) -> Node:
        kind = event.__class__.__name__
        if kind == "AliasEvent":
            return self.alias(event)
        if event.ctag is not None:
            tag = str(event.ctag).replace("tag:yaml.org,2002:", "!!", 1)
            self.fault(f"The tag {tag} is not accepted", "Leave it out; text that starts with ! must be in quotes.")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if kind == "ScalarEvent":
            node = self.scalar(event)
        else:
            if len(self.path) >= MAX_DEPTH:
                raise Fault(self.at, f"Nested deeper than {MAX_DEPTH} levels")
            node = self.sequence() if kind == "SequenceStartEvent" else self.mapping()
        self.count(1)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def count(self, size: int) -> None:
        self.size += size
        if self.size > MAX_NODES:
            raise Fault(self.at, f"More than {MAX_NODES:,} values, with aliases written out")

    def fault(self, message: str, hint: str = "") -> None:
        self.faults.append(Fault(self.at, message, hint, tuple(self.path)))

    def alias(self, event: Any) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            own = "It stands inside what it names." if event.anchor in self.anchors else ""
            hint = own or f'Text that starts with * must be in quotes: "*{shorten(event.anchor)}".'
            raise Fault(self.at, f"The alias *{shorten(event.anchor)} names nothing", hint, tuple(self.path))
        self.count(node.size)
        return node

    def scalar(self, event: Any) -> Node:
        value: Scalar = event.value
        style = event.style or ""
        if not style and event.ctag is None:
            value = self.plain(event.value)
        elif style == '"' and _SURROGATE.search(event.value):
            value = self.joined(event.value)
        node = Node(value, self.at, style)
        node.end = event.end_mark.index
        return node

    def plain(self, text: str) -> Scalar:
        """What an unquoted word means in the core schema; a date stays text."""
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if text[0] not in "-+.0123456789":
            return text
        if _INT.fullmatch(text):
            if len(text) <= 20:
                return int(text, 0 if text[:2] in ("0o", "0x") else 10)
            self.fault("A number of more than 20 digits", "Put it in quotes when it is text.")
        elif _FLOAT.fullmatch(text):
            number = float(text)
            if abs(number) != float("inf"):
                return number
            self.fault("This number is too large", "Put it in quotes when it is text.")
        elif _SPECIAL_FLOAT.fullmatch(text):
            self.fault(f"{text} is no number that can be stored", "Put it in quotes when it is text.")
        return text

    def joined(self, text: str) -> str:
        """JSON writes one character beyond U+FFFF as two escapes."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self.fault("Half of a surrogate pair", "Write the character itself, or both escapes.")
            return _SURROGATE.sub("\ufffd", text)

    def sequence(self) -> Node:
        values: list[Node] = []
        node = Node(values, self.at)
        before = self.size
        while (event := self.next()).__class__.__name__ != "SequenceEndEvent":
            self.path.append(len(values))
            values.append(self.node(event))
            self.path.pop()
        return self.finish(node, before, event)

    def mapping(self) -> Node:
        values: dict[str, tuple[Node, Node]] = {}
        node = Node(values, self.at)
        before = self.size
        while (event := self.next()).__class__.__name__ != "MappingEndEvent":
            key = self.key(event, values)
            name = key.value if isinstance(key.value, str) else str(key.value)
            self.path.append(name)
            value = self.node(self.next())
            self.path.pop()
            if isinstance(key.value, str):
                values.setdefault(name, (key, value))
        return self.finish(node, before, event)

    def finish(self, node: Node, before: int, event: Any) -> Node:
        node.end = event.end_mark.index
        node.size = self.size - before + 1
        return node

    def key(self, event: Any, values: dict[str, tuple[Node, Node]]) -> Node:
        """The node of a key, after faults of it are noted."""
        start = self.at
        key = self.node(event) if event.__class__.__name__ in ("ScalarEvent", "AliasEvent") else None
        if key is None or isinstance(key.value, list | dict):
            raise Fault(start, "A key must be text, not a list or a mapping", "Put it in quotes.", tuple(self.path))
        if isinstance(key.value, bool):
            self.fault(
                f"The key `{str(key.value).lower()}` is not text",
                "It was probably `on` (or `off`): a tool that reads YAML 1.1 rewrote it. Write on: again.",
            )
        elif not isinstance(key.value, str):
            written = getattr(event, "value", "") or str(key.value)
            empty = key.value is None and key.start == key.end
            message = "A key is missing" if empty else f"The key {written} is not text"
            self.fault(message, "Write one before the colon." if empty else f'Put it in quotes: "{written}".')
        elif key.value == "<<" and not key.style:
            self.fault(
                "Merge keys (<<) are not part of YAML 1.2", "Write the keys out, or use an alias for the whole value."
            )
        elif key.value in values:
            self.fault(f"The key {shorten(key.value)!r} is written twice", "Keep one of them; the other would be lost.")
        return key

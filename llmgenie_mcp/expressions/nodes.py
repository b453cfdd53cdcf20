"""What a parsed expression is made of: a small typed tree."""

from __future__ import annotations

from collections.abc import Iterator

from llmgenie_mcp.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """Part of an expression; `start` and `end` count characters of the source from 0."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A value that is written out."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A dotted name. `slot` is 0 for a fact, else the number of the any()/all() that binds its first word."""

    parts: tuple[str, ...]
    slot: int

    @property
    def text(self) -> str:
        """As it is written."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """A list that is written out."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`not` before something."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Junction(Node):
    """Several things joined by `and` or by `or`, whichever `word` is."""

    word: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """Things compared in a row, as in Python: each of `rest` is an operator and what stands right of it."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function called with arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Quantifier(Node):
    """`any` or `all`: `body` about each of `items`, in which names of `slot` are about the one at hand."""

    word: str
    slot: int
    items: Node
    body: Node


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, in the order of the source."""
    yield node
    match node:
        case ListOf():
            below = node.items
        case Not():
            below = (node.operand,)
        case Junction():
            below = node.operands
        case Comparison():
            below = (node.first, *(operand for _, operand in node.rest))
        case Call():
            below = node.arguments
        case Quantifier():
            below = (node.body, node.items)
        case _:
            below = ()
    for child in below:
        yield from walk(child)

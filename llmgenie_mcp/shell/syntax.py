"""What a shell's text consists of: words, commands, and what joins them (POSIX.1-2024 section 2, and bash's additions)."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal, NamedTuple, TypeAlias

from llmgenie_mcp.frozen import dataclass


class ShellSyntaxError(ValueError):
    """The text is no shell, or not one that is read here; `position` is where that shows."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class TooMuch(ShellSyntaxError):
    """There is more of it than is read: deeper, or longer."""


class Part(NamedTuple):
    """A piece of a word.

    Attributes:
        kind: text; variable (`value` is a `Variable`); command, process and sink (`<(…)` and `>(…)`; `value` is a
            `Script`); scripts (arithmetic and subscripts: `value` lists the parts inside).
        value: what the kind says; a str for text.
        quoted: whether quotes keep it from being split and from being a pattern.
    """

    kind: Literal["text", "variable", "command", "process", "sink", "scripts"]
    value: Any
    quoted: bool = False


Word: TypeAlias = "str | list[Part]"
"""A word as written; a str where it is nothing but plain characters, which is most of them."""


@dataclass(slots=True)
class Variable:
    """`$name` or `${name operator argument}`; operator "" is the value as it is.

    `bare` ones are without braces around: letters that brace expansion or a continued line brings up to them belong to
    their name, as in `$na{me,p}`.
    """

    name: str
    operator: str = ""
    argument: list[Part] = field(default_factory=list)
    bare: bool = False

    def extended(self, text: str) -> tuple[Variable, str]:
        """The variable with the letters at the beginning of `text`, and the rest of it."""
        length = 0
        if self.bare and self.name.isidentifier():
            while length < len(text) and text[length].isascii() and (text[length].isalnum() or text[length] == "_"):
                length += 1
        return Variable(self.name + text[:length], bare=self.bare), text[length:]


@dataclass(slots=True)
class Redirect:
    """`operator` as in `>`, `<<` (the target is the body then) or `<<<`; `descriptor` is "" where none was written."""

    operator: str
    target: Word
    descriptor: str = ""


@dataclass(slots=True)
class Assignment:
    """`name=value`; `array` holds the words of `name=(…)`; `name+=…` and `name[i]=…` are not known values (`partial`).

    `subscript` has the expansions of the `i`.
    """

    name: str
    value: Word
    partial: bool = False
    array: list[Word] | None = None
    subscript: list[Part] = field(default_factory=list)


@dataclass(slots=True)
class Simple:
    """A command with its words."""

    words: list[Word] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    text: str = ""


@dataclass(slots=True)
class Compound:
    """What holds other commands.

    Attributes:
        kind: group, subshell, if, while, for, case, function, test (`[[ … ]]` and `(( … ))`).
        bodies: the scripts inside, in the order in which they may run.
        words: for and case: what is gone through; test: its words.
        name: for: the variable; function: its name.
        redirects: of the whole.
    """

    kind: Literal["group", "subshell", "if", "while", "for", "case", "function", "test"]
    bodies: list[Script] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    name: str = ""
    redirects: list[Redirect] = field(default_factory=list)
    text: str = ""


Command: TypeAlias = "Simple | Compound"
Pipeline: TypeAlias = "list[Command]"


class Script(NamedTuple):
    """Lists of pipelines joined by `&&` and `||`, one after another."""

    lists: list[list[tuple[str, Pipeline]]]

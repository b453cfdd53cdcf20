"""Options and operands of a command line, after the conventions of getopt and of git's parse-options."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from functools import cache

from llmgenie_mcp.frozen import dataclass

UNKNOWN = "\ue000"
"""Stands in a word for what cannot be known beforehand: a private character, so that words stay plain texts."""

PATHS = UNKNOWN + "\ue010"
"""Begins a word that stands for files of which only a pattern is known, such as what `find src -name '*.py'` prints."""

TREE = "/**"
"""Ends a pattern that stands for all that is below a folder, hidden files too."""


@dataclass(slots=True)
class Arguments:
    """What was given.

    Attributes:
        options: (name with its dashes, value or "") in order; `-abc` is three.
        operands: the rest; `after` of them stood behind `--`.
        sure: so many of `options` stand before the first word that may end the options or take the next word as its value.
    """

    options: list[tuple[str, str]] = field(default_factory=list)
    operands: list[str] = field(default_factory=list)
    after: int = 0
    sure: int | None = None

    def has(self, *names: str) -> bool:
        """Whether one of the options was given; long ones may be cut short, as git and getopt_long let them."""
        return any(_is(given, name) for given, _ in self.options for name in names)

    def surely(self, *names: str) -> bool:
        """`has` for options by which nothing happens: only where no word before them may make a value or a file of them."""
        return any(_is(given, name) for given, _ in self.options[: self.sure] for name in names)

    def doubt(self, value: str) -> None:
        """Note that a value may vanish, so that the word behind it is the value: `-m $x`."""
        if self.sure is None and value and not value.strip(UNKNOWN):
            self.sure = len(self.options)

    def values(self, *names: str) -> list[str]:
        """The values of those options, in order."""
        return [value for given, value in self.options if any(_is(given, name) for name in names)]

    def value(self, *names: str) -> str | None:
        """The last of `values`; None when none was given."""
        found = self.values(*names)
        return found[-1] if found else None


def _is(given: str, name: str) -> bool:
    return given == name or (given[:2] == "--" and len(given) > 4 and name.startswith(given))


@cache
def _takers(text: str) -> tuple[frozenset[str], frozenset[str]]:
    names = text.split()
    return frozenset(n for n in names if n[:2] != "--"), frozenset(n for n in names if n[:2] == "--")


def parse(words: Sequence[str], takes: str = "", *, first: bool = False, single: bool = False) -> Arguments:
    """Sort `words` into options and operands.

    Args:
        words: without the command's name.
        takes: names of options that take a value, separated by spaces.
        first: end at the first operand, as commands do that run another one: it and what follows are operands.
        single: long options begin with one dash, as those of find, openssl and java do.
    """
    short, long = _takers(takes)
    found = Arguments()
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if UNKNOWN in word and found.sure is None and _doubtful(word, short):
            found.sure = len(found.options)
        if word == "--":
            found.after = len(words) - at
            found.operands.extend(words[at:])
            break
        if word[:1] != "-" or word == "-":
            found.operands.append(word)
            if first:
                found.operands.extend(words[at:])
                break
        elif word[:2] == "--":
            name, equals, value = word.partition("=")
            if not equals and any(_is(name, taker) for taker in long) and at < len(words):
                value = words[at]
                at += 1
                if UNKNOWN in value:
                    found.doubt(value)
            found.options.append((name, value))
        elif single or word in short:
            taken = word in short and at < len(words)
            if taken and UNKNOWN in words[at]:
                found.doubt(words[at])
            found.options.append((word, words[at] if taken else ""))
            at += taken
        else:
            at += _bundle(found, word, short, words[at : at + 1])
    return found


def _bundle(found: Arguments, word: str, short: frozenset[str], following: Sequence[str]) -> int:
    """`-abc` and `-ovalue`; returns how many of the following words were taken as the value."""
    for index in range(1, len(word)):
        name = "-" + word[index]
        if name in short:
            attached = word[index + 1 :]
            if not attached and following and UNKNOWN in following[0]:
                found.doubt(following[0])
            found.options.append((name, attached or (following[0] if following else "")))
            return 0 if attached else len(following)
        found.options.append((name, ""))
    return 0


def _doubtful(word: str, short: frozenset[str]) -> bool:
    """Whether a word may be `--`, or an option that takes the next word: `$x`, `--$x`, `-a$x`, and `-m$x` if that is empty."""
    if word[:1] == UNKNOWN:
        return not word.startswith(PATHS)
    if word[:1] != "-" or UNKNOWN not in word:
        return False
    before, _, after = word.partition(UNKNOWN)
    if before[:2] == "--":
        return "=" not in before
    takes = next((index for index in range(1, len(before)) if "-" + before[index] in short), None)
    return takes is None or (takes == len(before) - 1 and not after.strip(UNKNOWN))


def may_be(word: str, names: Iterable[str]) -> bool:
    """Whether a word of which a part cannot be known may be one of the names; False for a word that is known."""
    if UNKNOWN not in word:
        return False
    first, *_, last = word.split(UNKNOWN)
    return any(name.startswith(first) and name.endswith(last) and len(name) >= len(first) + len(last) for name in names)


def known(word: str) -> str | None:
    """The word; None when a part of it cannot be known."""
    return None if UNKNOWN in word else word


def unknown(words: Iterable[str]) -> bool:
    """Whether any of the words has a part that cannot be known."""
    return any(UNKNOWN in word for word in words)


def below(root: str) -> str:
    """The word that stands for all files below a folder."""
    root = root.rstrip("/") if root in (".", "./", "/") else root.removeprefix("./").rstrip("/")
    return f"{PATHS}{root}{TREE}"


def looked_at(words: Iterable[str]) -> list[str]:
    """The words with a tree named by its folder, as it counts where files are only read: to search a tree is everyday."""
    return [_folder(word) if word.startswith(PATHS) and word.endswith(TREE) else word for word in words]


def _folder(word: str) -> str:
    return word.removesuffix(TREE) if word != PATHS + TREE else "/"

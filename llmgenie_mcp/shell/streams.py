"""What is known of a stream whose text is not: the files that it is made of, or that git made it of its own commits."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Self

from llmgenie_mcp.shell.arguments import UNKNOWN
from llmgenie_mcp.shell.pattern import lazily

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgenie_mcp.shell.call import Call

_MOST = 32
"""Files of a stream."""
MAGIC = frozenset("*?[")
_ELSEWHERE = lazily(r"[\w.@-]+:")
"""Begins the name of an archive on another machine (GNU tar's manual, "Remote Tape Server")."""


class Stream(str):
    """`UNKNOWN`, with what is known of where it comes from; whatever is done to it makes a plain `UNKNOWN` of it.

    Attributes:
        paths: the files whose bytes it is, one behind the other; as seen from where the whole text starts.
        of_git: whether git wrote it, and nothing in it but what was committed or changed here.
    """

    __slots__ = ("of_git", "paths")

    paths: tuple[str, ...]
    of_git: bool

    def __new__(cls, paths: Sequence[str] = (), *, of_git: bool = False) -> Self:
        """Make one."""
        made = super().__new__(cls, UNKNOWN)
        made.paths = tuple(paths)
        made.of_git = of_git
        return made


def of_files(call: Call, words: Sequence[str]) -> str:
    """The output of a program that passes on the files of those words."""
    paths = [call.path(word) for word in words[:_MOST]]
    if not paths or len(words) > _MOST or any(path is None or call.scope.written(path) is not None for path in paths):
        return UNKNOWN
    return Stream([path for path in paths if path is not None])


def given(call: Call, words: Sequence[str]) -> list[str | None]:
    """The files that those words of a call name, `-` for what its standard input is made of; None for one that is not known."""
    found: list[str | None] = []
    for word in words:
        if word != "-":
            path = call.path(word)
            copied = path is not None and call.scope.copies and call.scope.written(path) is None
            found.append(call.scope.copies.get(posixpath.normpath(path), path) if copied and path is not None else path)
        elif isinstance(call.stdin, Stream):
            found.extend(call.stdin.paths or [None])
        elif call.stdin:
            found.append(None)
    return found


def absent(call: Call, paths: Sequence[str | None]) -> bool:
    """Whether there is none of those files, so that nothing is done with them."""
    return all(
        path is not None
        and MAGIC.isdisjoint(path)
        and not _ELSEWHERE.match(path)
        and call.scope.written(path) is None
        and not call.reader.surroundings.exists(posixpath.normpath(path))
        for path in paths
    )

"""Words that a shell evaluates once more although they are quoted: subscripts, and what only zsh knows."""

from __future__ import annotations

from collections.abc import Iterable

from llmgenie_mcp.shell.pattern import lazily

_SUBSCRIPT = lazily(r"\[[^\]]*(?:\$\(|`)")
_QUALIFIER = lazily(r"\([^()]*e([^\w\s()])(.+?)\1[^()]*\)$")
_MOST = 2_000
"""Characters of a word that is looked into."""


def program_name(name: str) -> str:
    """The name without what zsh takes off it: `=git` is the file of git, `zf_rm` the rm of its module zsh/files."""
    return name.removeprefix("=").removeprefix("zf_") or name


def in_subscripts(words: Iterable[str]) -> list[str]:
    """Commands in words that are evaluated as arithmetic expressions, or name a variable: `a[$(command)]`.

    The subscript of a name is expanded then, whatever quoted it before (bash(1), "Arithmetic Evaluation" and "Arrays").
    """
    return [f': "{word[word.index("[") :]}"' for word in words if "[" in word and _SUBSCRIPT.search(word[:_MOST])]


def in_qualifiers(words: Iterable[str]) -> list[str]:
    """Commands in patterns of zsh that are run for each file: `*(e:'command':)` (zshexpn(1), "Glob Qualifiers")."""
    found = (_QUALIFIER.search(word[:_MOST]) for word in words if word[-1:] == ")" and "(" in word)
    return [match[2].strip("'\"") for match in found if match is not None]

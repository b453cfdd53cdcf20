"""What the operators of `${name operator argument}` make of a value that is known (POSIX.1-2024 section 2.6.2, bash 3.5.3)."""

from __future__ import annotations

import fnmatch

from llmgenie_mcp.shell.arguments import UNKNOWN

MOST = 256
"""Characters of a value that is cut; each could be where a pattern matches."""
_MAGIC = frozenset("*?[")
_STEMS = frozenset({("%", ".*"), ("%", "/*"), ("##", "*/")})
"""Operators and patterns that leave of a pattern one that matches all that they leave of what it stands for."""


def applied(operator: str, value: str, argument: str) -> str:
    """The value that `operator` makes of `value`; `UNKNOWN` where that is not worked out."""
    if UNKNOWN in argument or len(value) > MOST or len(argument) > MOST:
        return UNKNOWN
    magic = not _MAGIC.isdisjoint(argument)
    if not _MAGIC.isdisjoint(value) and magic and (operator, argument) not in _STEMS:
        return UNKNOWN  # the value may be a pattern that stands for files
    if operator in ("%", "%%", "#", "##"):
        return _cut(operator, value, argument)
    if operator in ("/", "//") and not magic and argument[:1] not in ("/", "#", "%", ""):
        old, _, new = argument.partition("/")
        return value.replace(old, new, 1 if operator == "/" else -1)
    return {"^^": value.upper(), ",,": value.lower()}.get(operator if not argument else "", UNKNOWN)


def _cut(operator: str, value: str, pattern: str) -> str:
    """Without the shortest, or the longest (a sign twice), beginning or end that the pattern matches."""
    sizes = range(len(value) + 1)
    for size in reversed(sizes) if len(operator) == 2 else sizes:
        at = len(value) - size
        if operator[0] == "%" and fnmatch.fnmatchcase(value[at:], pattern):
            return value[:at]
        if operator[0] == "#" and fnmatch.fnmatchcase(value[:size], pattern):
            return value[size:]
    return value

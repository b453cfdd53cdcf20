"""Patterns with `*`, for paths and for names, matched in time proportional to pattern times value."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache, partial
from itertools import pairwise
from typing import TypeAlias

from llmgenie_mcp.errors import shorten

MAX_PATTERN = 500

# A character, or a set of characters: whether it is negated, and its ranges.
Sign: TypeAlias = str | tuple[bool, tuple[tuple[str, str], ...]]

_SET = re.compile(r"\[(?:!(.[^\]]*)|([^!][^\]]*))\]", re.DOTALL)
_RANGE = re.compile(r"(.)(?:-(.))?", re.DOTALL)


@lru_cache(maxsize=1024)
def compile_glob(pattern: str) -> Callable[[str], bool]:
    """The matcher of a path pattern.

    `*` stands for any characters but `/`, `?` for one of those, `[abc]` and `[!abc]` for one of a set, and `**` as a
    whole segment for any number of segments, none included: `src/**` covers `src` and all below it, `**/*.env` covers
    `.env` at every depth. Upper and lower case differ. The rules are those of gitignore and of
    `pathlib.PurePath.full_match` (Python 3.13). Takes time proportional to value times pattern, whatever either holds.

    Raises:
        ValueError: `**` beside other characters in one segment, or more than 500 characters.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern has at most {MAX_PATTERN} characters")
    segments = pattern.split("/")
    for segment in segments:
        if "**" in segment and segment != "**":
            found = shorten(pattern)
            raise ValueError(f"in the pattern {found!r} `**` must stand alone between slashes, as in `**/*.env`")
    stars = [-1, *(index for index, segment in enumerate(segments) if segment == "**"), len(segments)]
    runs = [[name_pattern(segment) for segment in segments[start + 1 : end]] for start, end in pairwise(stars)]
    if len(runs) == 2 and not runs[0] and len(runs[1]) == 1:
        # `**/name`, the most frequent of all: only the last segment matters.
        [last] = runs[1]
        return lambda value: last(value[value.rfind("/") + 1 :])
    return lambda value: _matches(runs, value.split("/"))


def _matches(runs: list[list[Callable[[str], bool]]], parts: list[str]) -> bool:
    """Match runs of segments with any segments between them; to take each run as early as possible is enough."""
    head, *rest = runs
    if not rest:
        return len(parts) == len(head) and _fits(head, parts, 0)
    tail = rest.pop()
    end = len(parts) - len(tail)
    position = len(head)
    if position > end or not _fits(head, parts, 0) or not _fits(tail, parts, end):
        return False
    for run in rest:
        while position + len(run) <= end and not _fits(run, parts, position):
            position += 1
        position += len(run)
        if position > end:
            return False
    return True


def _fits(run: list[Callable[[str], bool]], parts: list[str], start: int) -> bool:
    for matcher in run:
        if not matcher(parts[start]):
            return False
        start += 1
    return True


def name_pattern(pattern: str) -> Callable[[str], bool]:
    """The matcher of a pattern without segments: `*` is any characters, `?` one, `[abc]` and `[!abc]` one of a set.

    No regular expression is made, because compiling one takes longer than most patterns are ever used.
    """
    if "?" in pattern or "[" in pattern:
        return partial(_matches_signs, tuple(_signs(pattern)))
    pieces = pattern.split("*")
    return pattern.__eq__ if len(pieces) == 1 else partial(_matches_pieces, pieces[0], pieces[1:-1], pieces[-1])


def covers(actions: Iterable[str], modes: Collection[str], action: str, mode: str | None) -> bool:
    """Whether patterns of actions and of modes cover `action` in `mode`; None is outside any mode, where only `*` applies."""
    return any(name_pattern(p)(action) for p in actions) and (
        "*" in modes or (mode is not None and any(name_pattern(p)(mode) for p in modes))
    )


def _matches_pieces(head: str, pieces: list[str], tail: str, text: str) -> bool:
    position, end = len(head), len(text) - len(tail)
    if position > end or not text.startswith(head) or not text.endswith(tail):
        return False
    for piece in pieces:
        position = text.find(piece, position, end)
        if position < 0:
            return False
        position += len(piece)
    return True


def _signs(pattern: str) -> Iterator[Sign]:
    """`*` and single characters as they are, `?` as any character, a set as (negated, ranges)."""
    position = 0
    while position < len(pattern):
        char = pattern[position]
        found = _SET.match(pattern, position)
        if found:
            ranges = _RANGE.findall(found[1] or found[2])
            yield bool(found[1]), tuple((first, last or first) for first, last in ranges)
            position = found.end()
            continue
        yield (True, ()) if char == "?" else char
        position += 1


def _matches_signs(signs: tuple[Sign, ...], text: str) -> bool:
    """Let each `*` take as little as possible, and when stuck let the last one take one character more."""
    position = at = 0
    star, mark = -1, 0
    while position < len(text):
        sign = signs[at] if at < len(signs) else None
        if sign == "*":
            star, mark = at, position
            at += 1
        elif sign is not None and _fits_sign(sign, text[position]):
            at += 1
            position += 1
        elif star >= 0:
            mark += 1
            at, position = star + 1, mark
        else:
            return False
    return all(sign == "*" for sign in signs[at:])


def _fits_sign(sign: Sign, char: str) -> bool:
    if isinstance(sign, str):
        return sign == char
    negated, ranges = sign
    return any(first <= char <= last for first, last in ranges) is not negated

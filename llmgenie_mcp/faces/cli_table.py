"""Tables for people: columns that stand below each other also with wide characters, and lines that fit the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

GAP = 2
LEAST = 12
"""No column is made narrower than this, however narrow the terminal."""
LONGEST = 1000
"""Characters of a cell in a pipe, where no line has to fit."""
WIDE_SIGN = 0xFE0F
"""Variation selector 16: what stands before it is drawn as an emoji, two columns wide."""
JOINER = 0x200D
"""Zero width joiner: what follows belongs to the sign before it, as in a family emoji."""


def width(text: str) -> int:
    """How many columns of a terminal `text` takes: two for East Asian wide characters and emoji, none for combining ones.

    By Unicode Standard Annex 11 (https://www.unicode.org/reports/tr11/); terminals differ on few signs.
    """
    if text.isascii():
        return len(text)
    return sum(_widths(text))


def _widths(text: str) -> list[int]:
    import unicodedata

    found: list[int] = []
    joined = False
    for sign in text:
        code = ord(sign)
        if code == WIDE_SIGN and found and found[-1] == 1:
            found[-1] = 2
            found.append(0)
        elif joined or unicodedata.category(sign) in ("Mn", "Me", "Cf"):
            found.append(0)
        else:
            found.append(2 if unicodedata.east_asian_width(sign) in "WF" else 1)
        joined = code == JOINER
    return found


def fit(text: str, columns: int) -> str:
    """`text` in at most so many columns; what is cut ends with an ellipsis."""
    if width(text) <= columns:
        return text
    taken, end = 0, 0
    for size in _widths(text):
        if taken + size > columns - 1:
            break
        taken, end = taken + size, end + 1
    return f"{text[:end].rstrip()}…"


def room() -> int | None:
    """Columns of the terminal that stdout is; None for a pipe or a file."""
    try:
        terminal = sys.stdout.isatty()
    except ValueError:  # closed
        terminal = False
    return max(shutil.get_terminal_size().columns, 20) if terminal else None


def layout(rows: Sequence[Sequence[str]], columns: int | None) -> list[str]:
    """Cells in columns as wide as their longest one; the widest columns give way until a line fits.

    Args:
        rows: all of the same length.
        columns: of the terminal; None: as wide as it gets.
    """
    widths = [max(width(row[index]) for row in rows) for index in range(len(rows[0]))]
    if columns is not None:
        over = sum(widths) + GAP * (len(widths) - 1) - columns
        while over > 0 and (widest := max(widths)) > LEAST:
            at = widths.index(widest)
            second = max([size for index, size in enumerate(widths) if index != at] or [0])
            cut = min(over, max(widest - max(second, LEAST), 1))
            widths[at] -= cut
            over -= cut
    lines = []
    for row in rows:
        cells = [fit(cell, size) for cell, size in zip(row, widths, strict=True)]
        padded = (cell + " " * (size - width(cell)) for cell, size in zip(cells, widths, strict=True))
        lines.append((" " * GAP).join(padded).rstrip())
    return lines


def cells(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], form: Any) -> tuple[list[str], list[list[str]]]:
    """The names of the columns that are not empty everywhere, and the rows with those alone.

    Args:
        rows: by name.
        columns: names, in order.
        form: makes a value a text in one line.
    """
    every = [[form(row.get(name)) for name in columns] for row in rows]
    kept = [index for index in range(len(columns)) if any(row[index] for row in every)]
    return [columns[index] for index in kept], [[row[index] for index in kept] for row in every]

"""Marked blocks of lines in text files: put in, replaced in their place, and taken out with what was put before them."""

from __future__ import annotations

import re
from collections.abc import Sequence

BEGIN = "llmgenie: begin (written by `llmgenie init`, taken out by `llmgenie uninstall`)"
END = "llmgenie: end"

_NEWLINE = re.compile(r"\r\n|\n")


class BlockError(ValueError):
    """The marks of a block do not pair up. `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"{line}: {message}")
        self.line = line
        self.message = message


def find(text: str, comment: Sequence[str]) -> tuple[int, int] | None:
    """Start and end of the block in `text`, its last line end included; None where there is none. Raises BlockError."""
    before, after = map(re.escape, comment)
    begins = list(re.finditer(rf"^{before}llmgenie: begin\b.*{after}\r?$\n?", text, re.MULTILINE))
    ends = list(re.finditer(rf"^{before}llmgenie: end{after}\r?$\n?", text, re.MULTILINE))
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or ends[0].start() < begins[0].end():
        odd = next(iter(begins[1:] or ends[1:] or begins or ends))
        line = text.count("\n", 0, odd.start()) + 1
        raise BlockError(
            line, "the marks `llmgenie: begin` and `llmgenie: end` do not pair up; delete them and the lines between."
        )
    return begins[0].start(), ends[0].end()


def get(text: str, comment: Sequence[str]) -> str | None:
    """The block with its marks as it is written; None where there is none. Raises BlockError."""
    place = find(text, comment)
    return None if place is None else text[place[0] : place[1]]


def put(text: str, lines: str, comment: Sequence[str], at: int | None = None) -> tuple[str, str]:
    """`text` with the block in it, and what had to be put before it.

    Args:
        text: of the file.
        lines: what stands between the marks.
        comment: how a comment begins and ends.
        at: where a new block goes, the start of a line; None: behind the end, after an empty line.

    Raises:
        BlockError: the marks that are there do not pair up.
    """
    newline = newline_of(text)
    before, after = comment
    block = "\n".join([f"{before}{BEGIN}{after}", *lines.strip("\n").split("\n"), f"{before}{END}{after}", ""])
    block = block.replace("\n", newline)
    if (place := find(text, comment)) is not None:
        return text[: place[0]] + block + text[place[1] :], ""
    if at is not None:
        lead = "" if at == 0 or text.endswith("\n", 0, at) else newline
        return text[:at] + lead + block + text[at:], lead
    lead = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + lead + block, lead


def take_out(text: str, comment: Sequence[str], lead: str, before: str | None = None) -> str:
    """`text` without its block, and without `lead` before it; with `before` in its place when that is given.

    Raises:
        BlockError: the marks do not pair up.
    """
    place = find(text, comment)
    if place is None:
        return text
    head, rest = text[: place[0]], text[place[1] :]
    if before is not None:
        return head + before + rest
    if lead and head.endswith(lead):
        head = head[: -len(lead)]
        if rest and not head.endswith("\n"):  # the file had no line end at its end; now something follows there
            head += newline_of(text)
    return head + rest


def newline_of(text: str) -> str:
    """The line end that `text` uses first."""
    found = _NEWLINE.search(text)
    return found[0] if found else "\n"

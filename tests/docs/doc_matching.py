"""Whether what was printed is what a page shows, but for what differs from run to run."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

VARYING = (
    (re.compile(r"^(Judging|Looking at) .* …\n", re.MULTILINE), ""),  # told only when it takes long
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "HASH"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|seconds?)\b"), "DURATION"),
    (re.compile(r"\bseconds: \d+(\.\d+)?"), "DURATION"),
    (re.compile(r"\bin \d+(\.\d+)?s\b"), "DURATION"),
    (re.compile(r"\btype \w+ (\(anything else [^)]*\)): ?\w*"), r"type WORD \1: WORD"),
    (re.compile(r" {2,}"), "  "),
    (re.compile(r"-{4,}"), "----"),
)
ANY = "…"
"""Alone in a line: any lines; within a line: any characters."""


def plain(text: str, names: Mapping[str, str] = {}) -> list[str]:
    """The lines of a text without what varies.

    Args:
        text: what was printed or is shown.
        names: what stands in a page for what is there in a run: `{"/tmp/x/app": "/home/ada/app"}`.
    """
    for real, shown in names.items():
        text = text.replace(real, shown)
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def same(shown: list[str], printed: list[str]) -> bool:
    """Whether the printed lines are the shown ones; `…` stands for anything."""
    reached = {0}  # so many printed lines may be behind us
    for line in shown:
        if line.strip() == ANY:
            reached = set(range(min(reached), len(printed) + 1))
        else:
            wanted = re.compile(".*".join(map(re.escape, line.split(ANY))))
            reached = {at + 1 for at in reached if at < len(printed) and wanted.fullmatch(printed[at])}
        if not reached:
            return False
    return len(printed) in reached


def difference(shown: list[str], printed: list[str]) -> str:
    """Both, for somebody who has to mend one of them."""
    return "\n".join(difflib.unified_diff(shown, printed, "the page", "what was printed", lineterm="", n=20))

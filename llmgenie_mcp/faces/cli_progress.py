"""What a slow command tells meanwhile: one line on stderr, after a second, and only when that is a terminal."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import TracebackType
from typing import Self

from llmgenie_mcp.faces.cli_text import line, no_styles

WAIT = 1.0
"""Seconds before anything is told, and between two looks."""


class Working:
    """Use as a context manager around what may take long; `say` tells what it is at.

    Args:
        doing: in a few words, such as "Judging commits".
        quiet: tell nothing, because a program reads the answer.
    """

    def __init__(self, doing: str, *, quiet: bool = False) -> None:
        self._doing, self._told = doing, ""
        self._shown = not quiet and _terminal()
        self._moves = os.environ.get("TERM", "dumb") != "dumb"
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._written = False

    def say(self, message: str) -> None:
        """Tell what it is at now; may be called from any thread."""
        self._told = message

    def __enter__(self) -> Self:
        if self._shown:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._shown:
            self._thread.join()
            if self._written and self._moves:
                _write("\r\x1b[K")

    def _run(self) -> None:
        began, before = time.monotonic(), ""
        while not self._ended.wait(WAIT):
            told = no_styles(line(f"{self._doing}: {self._told}" if self._told else self._doing, 100))
            if self._moves:
                _write(f"\r\x1b[K{told} … {time.monotonic() - began:.0f} s")
            elif told != before:
                _write(f"{told} …\n")
            self._written, before = True, told


def _terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # none, or closed
        return False


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):  # the terminal went away; the work goes on
        return

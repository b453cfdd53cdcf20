"""What no server may do to us, and why a connection ended."""

from __future__ import annotations

import time
from collections.abc import Callable

MESSAGE_BYTES = 16_000_000
"""Of one message; a longer one ends the connection."""
WINDOW = 10.0
"""Seconds over which a flood is measured."""
WINDOW_BYTES = 100_000_000
WINDOW_MESSAGES = 20_000
"""More than that within a window ends the connection: no work of ours needs it, and reading it keeps a processor busy."""
GARBAGE = 200
"""So many lines that are no JSON-RPC are passed over; then the connection ends."""


class Broken:
    """Whether, and why, a connection must end; what counts towards it.

    Attributes:
        why: for people; "" while nothing is wrong.
        ending: whether its end is under way, though why may not be known yet.
    """

    def __init__(self) -> None:
        self.why, self.ending = "", False
        self._since = time.monotonic()
        self._bytes = self._messages = self._garbage = 0
        self._told: Callable[[], None] | None = None

    def when(self, told: Callable[[], None]) -> None:
        """Call `told`, from the thread of the connection, at the first reason."""
        self._told = told

    def because(self, why: str) -> None:
        """A reason to end; the first one counts."""
        self.ending = True
        if not self.why:
            self.why = why
            if self._told is not None:
                self._told()

    def count(self, length: int, messages: int = 0) -> None:
        """So many bytes, and whole messages, have come."""
        now = time.monotonic()
        if now - self._since > WINDOW:
            self._since, self._bytes, self._messages = now, 0, 0
        self._bytes += length
        self._messages += messages
        if self._bytes > WINDOW_BYTES or self._messages > WINDOW_MESSAGES:
            what = f"{self._messages:,} messages" if self._messages > WINDOW_MESSAGES else f"{self._bytes:,} bytes"
            self.because(f"It sent {what} within {now - self._since:.0f} s, and nothing here asked for so much.")

    def garbage(self) -> bool:
        """A line came that is no JSON-RPC; whether that was one too many."""
        self._garbage += 1
        if self._garbage > GARBAGE:
            self.because(f"It wrote more than {GARBAGE} lines to stdout that are no JSON-RPC.")
        return self._garbage > GARBAGE

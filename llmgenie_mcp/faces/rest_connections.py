"""Connections that nobody uses: ended in time, and bounded in number, for the store needs open files too.

uvicorn ends a connection that is quiet after an answer. One that never sends a whole request, or that takes nothing of an
answer, it keeps for ever; and when no file can be opened any more, asyncio logs tens of megabytes about it.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from time import monotonic as clock
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

LOOK_EVERY = 5.0
"""Seconds between looks at a connection."""
HEAD_SECONDS = 20.0
"""So long may it take until the head of a request is there, from the connection or the answer before."""
UNREAD_SECONDS = 60.0
"""So long may an answer lie there of which the reader takes nothing."""
SPARE = 256
"""Files that may be open beside connections: of the store, of programs that run, and connections about to be made."""
FEWEST, MOST = 64, 4000
"""Connections at the same time, whatever the system allows."""
COMPLAINTS = 60.0
"""Seconds in which a warning of the HTTP parser is logged once: anybody can cause it."""


def bound() -> int:
    """So many connections may be open at the same time."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST if files == resource.RLIM_INFINITY else min(MOST, max(FEWEST, files - SPARE))


class Connection(H11Protocol):
    """A connection of HTTP that is ended when nobody uses it.

    Of uvicorn's two parsers this one bounds the head of a request, and is there always.

    Attributes:
        quiet: since when it waits for a request.
    """

    opened: ClassVar[set[Connection]] = set()
    """Those of this process: the bound on open files is the process's."""

    def connection_made(self, transport: Any) -> None:
        """Take it in; where there are too many, in the place of the one that waited for a request the longest."""
        super().connection_made(transport)
        self._last: object = None
        self.quiet = self._stuck = clock()
        if len(self.opened) >= bound():
            idle = [one for one in self.opened if not (one.answers or one.transport.is_closing())]
            (min(idle, key=lambda one: one.quiet) if idle else self).transport.abort()
        self.opened.add(self)
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self.opened.discard(self)
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something came; a request that began with it begins a new time."""
        super().data_received(data)
        self._note_request()

    def pause_writing(self) -> None:
        """The reader is slower than we are."""
        self._stuck = clock()
        super().pause_writing()

    @property
    def answers(self) -> bool:
        """Whether a request is here and its answer is not at its end."""
        return self.cycle is not None and not self.cycle.response_complete

    def _note_request(self) -> None:
        if self.cycle is not self._last:
            self._last, self.quiet = self.cycle, clock()

    def _look(self) -> None:
        now, waits = clock(), self._lies_unread()
        self._note_request()
        if self.answers:
            self.quiet = now
        if not waits:
            self._stuck = now
        if now - self._stuck > UNREAD_SECONDS or (not waits and now - self.quiet > HEAD_SECONDS):
            self.transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)

    def _lies_unread(self) -> bool:
        """Whether the reader is what is waited for: nothing more is written, or all was."""
        return self.transport.get_write_buffer_size() > 0 and (self.transport.is_closing() or self.flow.write_paused)


class Seldom(logging.Filter):
    """Lets each warning through once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log it."""
        if record.levelno != logging.WARNING or record.args:
            return True
        now, said = clock(), str(record.msg)
        if now - self._last.get(said, now - COMPLAINTS) < COMPLAINTS:
            return False
        self._last[said] = now
        return True


__all__ = ["Connection", "Seldom", "bound"]

"""GET /events: what happens, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

Every message is one event of the meta-log in CloudEvents' attribute names, and its id says where in the log it stands:
`SEQ.N`, the Nth event of line SEQ, from 1. A client that comes back with the id of the last one gets what follows, once
each. Nothing is queued for a reader: each reads the log at its own pace, and one that does not read at all is let go.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse, SendTimeoutError

from llmgenie_mcp.errors import BadParams, shorten
from llmgenie_mcp.expressions.patterns import name_pattern
from llmgenie_mcp.faces.rest_asked import known_query
from llmgenie_mcp.faces.rest_routes import answers
from llmgenie_mcp.faces.rest_running import Running, running
from llmgenie_mcp.outbox import events_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

KEEP_ALIVE = 15
"""Seconds between comments when nothing happens."""
TOO_SLOW = 30.0
"""Seconds that a reader may leave a message lying before it is let go."""
RETRY = 2000
"""Milliseconds after which a browser comes back."""
BATCH = 50
"""Lines of the log read at a time: what is held for one reader."""

Position = tuple[int, int]
log = logging.getLogger(__name__)
router = APIRouter(dependencies=[Depends(known_query)])

STREAM = answers(None)
STREAM[200] = {"description": "Events, without end.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}


@router.get("/events", responses=STREAM, response_class=EventSourceResponse, summary="What happens, as it happens")
async def events(
    request: Request,
    types: Annotated[
        str | None, Query(max_length=2000, description="Types with commas between, `*` for any characters.")
    ] = None,
    after: Annotated[int | None, Query(ge=0, le=10**15, description="Begin after this line of the log.")] = None,
    last_event_id: Annotated[str | None, Header(description="Go on after this event.")] = None,
) -> EventSourceResponse:
    """A message for every event, from now on or from where one was."""
    here = running(request)
    fits = [name_pattern(part.strip()) for part in types.split(",") if part.strip()] if types else []
    stream = Stream(here, lambda kind: not fits or any(fit(kind) for fit in fits))
    await stream.begin(_position(last_event_id, after))
    return _Patient(
        stream.messages(),
        ping=KEEP_ALIVE,
        ping_message_factory=lambda: ServerSentEvent(comment="still here"),
        send_timeout=TOO_SLOW,
    )


class Stream:
    """What one reader is sent.

    Args:
        here: the open app.
        wanted: whether events of a type are to be sent.
    """

    def __init__(self, here: Running, wanted: Callable[[str], bool]) -> None:
        self._here = here
        self._wanted = wanted
        self._woken = asyncio.Event()
        self._at: Position = (0, 0)

    async def begin(self, after: Position | None) -> None:
        """Begin after an event, None: now.

        Raises:
            BadParams: the log does not reach so far.
        """
        newest = await self._here.ask(self._here.engine.storage.refresh)
        self._at = (newest + 1, 0) if after is None else after
        if self._at > (newest + 1, 0):
            hint = "Leave out Last-Event-ID and `after` to begin now: it is the position of another project, or of an older log."
            raise BadParams(f"The log ends at line {newest}, before {self._id()}.", hint)

    async def messages(self) -> AsyncIterator[ServerSentEvent]:
        """The messages, until the server ends."""
        stopping = self._here.stopping
        stop = asyncio.create_task(stopping.wait())
        unsubscribe = await self._here.ask(self._here.engine.subscribe, self._written)
        try:
            yield ServerSentEvent(id=self._id(), retry=RETRY)
            told = self._at[0]
            while not stopping.is_set():
                self._woken.clear()
                lines = await self._here.ask(self._lines)
                for line in lines:
                    for message in self._of(line):
                        yield message
                        told = line["seq"]
                        if stopping.is_set():
                            return
                    self._at = (line["seq"] + 1, 0)
                if self._at[0] - told > BATCH:  # what was filtered out is not to be read again by one who comes back
                    told = self._at[0]
                    yield ServerSentEvent(id=self._id())
                if not lines:
                    woken = asyncio.create_task(self._woken.wait())
                    try:
                        await asyncio.wait({woken, stop}, return_when=asyncio.FIRST_COMPLETED)
                    finally:  # also when the reader left
                        woken.cancel()
        finally:
            unsubscribe()
            stop.cancel()

    def _lines(self) -> list[dict[str, Any]]:
        return self._here.engine.storage.log(after=self._at[0] - 1, limit=BATCH).items

    def _of(self, line: Mapping[str, Any]) -> list[ServerSentEvent]:
        """The messages of a line that this reader has not had."""
        seq, (at, done) = int(line["seq"]), self._at
        source = f"llmgenie/{self._here.engine.project.name}"
        found = []
        for number, event in enumerate(events_of(line, source, seq), 1):
            if (seq, number) > (at, done) and self._wanted(event.type):
                data = json.dumps(event.to_dict(), ensure_ascii=False, default=str)
                found.append(ServerSentEvent(_printable(data), id=f"{seq}.{number}"))
        return found

    def _written(self, _line: Mapping[str, Any]) -> None:
        """Called from the Engine's thread."""
        with suppress(RuntimeError):  # the loop is closed: the server is ending
            self._here.loop.call_soon_threadsafe(self._woken.set)

    def _id(self) -> str:
        return f"{self._at[0]}.{self._at[1]}"


class _Patient(EventSourceResponse):
    """A stream whose reader may be slow, but not for ever."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.warning("a reader of /events took nothing for %g s and was let go", TOO_SLOW)


def _position(last_event_id: str | None, after: int | None) -> Position | None:
    """Where to go on; the header goes before the parameter, for a browser that comes back sends both."""
    if not last_event_id:
        return None if after is None else (after + 1, 0)
    found = re.fullmatch(r"(\d{1,15})\.(\d{1,6})", last_event_id)
    if found is None:
        hint = "Send back the id of the last event, such as 12.1, or leave it out."
        raise BadParams(f"Last-Event-ID is {shorten(last_event_id)!r}.", hint)
    return int(found[1]), int(found[2])


def _printable(text: str) -> str:
    """Lone surrogates, which have no UTF-8 form, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()

"""Telling clients that something was committed, by this process or another, in both eras of the protocol."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent
from mcp_types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from llmgenie_mcp.engine import Engine

STATE = "llmgenie://state"
MAX_SUBSCRIPTIONS = 1000
"""Handshake-era subscriptions kept at once; beyond that, whoever has the most of them loses the oldest."""
LONGEST = 1000
"""Characters of a resource that can be subscribed to: none of ours is as long."""

Request = ServerRequestContext[Any, Any]


class Changes(InMemorySubscriptionBus):
    """The SDK's bus for `subscriptions/listen`, fed by the Engine, and the subscribers of the handshake era beside it.

    The Engine is listened to from the first subscriber on: before that, nobody pays for watching the log.
    """

    def __init__(self) -> None:
        super().__init__()
        self._engine: Engine | None = None
        self._stop: Callable[[], None] | None = None
        self._wanted = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[str] = set()
        self._wake = anyio.Event()
        self._legacy: dict[tuple[str, int], ServerSession] = {}
        self._watched: set[int] = set()
        self._untold: dict[int, set[str]] = {}
        self._telling: set[int] = set()

    @property
    def waiting(self) -> int:
        """So many subscribers of the handshake era have not taken yet what they were to be told."""
        return sum(bool(uris) for uris in self._untold.values())

    def opened(self, engine: Engine) -> None:
        """The project is open: its commits can be listened to."""
        self._engine = engine
        self._listen()

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """A 2026-07-28 client listens; called by the SDK."""
        self._wanted = True
        self._listen()
        return super().subscribe(listener)

    async def deliver(self) -> None:
        """Send what was committed to whom it concerns, until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._listen()
        try:
            async with anyio.create_task_group() as group:
                while True:
                    await self._wake.wait()
                    self._wake = anyio.Event()
                    waiting, self._waiting = self._waiting, set()
                    for uri in sorted(waiting):
                        await self.publish(ResourceUpdated(uri=uri))
                    for (wanted, number), session in self._legacy.items():
                        if wanted in waiting:
                            self._untold.setdefault(number, set()).add(wanted)
                            if number not in self._telling:
                                self._telling.add(number)
                                group.start_soon(self._tell, number, session)
        finally:
            if self._stop is not None:
                self._stop()
            self._stop = self._engine = None
            self._legacy.clear()

    async def _tell(self, number: int, session: ServerSession) -> None:
        """Send one connection what it is to be told, at its own pace: one that takes nothing holds up no other.

        Nothing is queued: what changes once more before it was told is told once.
        """
        try:
            while uris := self._untold.get(number):
                uris.remove(uri := min(uris))  # before it is sent: what changes meanwhile is told again
                await session.send_resource_updated(uri)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):  # it left
            pass
        finally:
            self._telling.discard(number)
            self._untold.pop(number, None)

    def _listen(self) -> None:
        if self._wanted and self._engine is not None and self._loop is not None and self._stop is None:
            self._stop = self._engine.subscribe(self._committed)

    def _committed(self, entry: Mapping[str, Any]) -> None:
        """Called from the Engine's thread."""
        assert self._loop is not None  # noqa: S101 - set before anything is subscribed
        try:
            self._loop.call_soon_threadsafe(self._note, touched(entry))
        except RuntimeError:  # the loop is closed: the server is ending
            return

    def _note(self, uris: Iterable[str]) -> None:
        self._waiting.update(uris)
        self._wake.set()

    async def _subscribe_legacy(self, ctx: Request, params: SubscribeRequestParams) -> EmptyResult:
        self._wanted = True
        self._listen()
        number, ended = _connection(ctx)
        if number not in self._watched:
            self._watched.add(number)
            ended.callback(self._forget, number)
        if len(uri := str(params.uri)) <= LONGEST:
            self._legacy[uri, number] = ctx.session
        while len(self._legacy) > MAX_SUBSCRIPTIONS:
            [(most, _)] = Counter(number for _, number in self._legacy).most_common(1)
            del self._legacy[next(key for key in self._legacy if key[1] == most)]
        return EmptyResult()

    async def _unsubscribe_legacy(self, ctx: Request, params: UnsubscribeRequestParams) -> EmptyResult:
        self._legacy.pop((str(params.uri), _connection(ctx)[0]), None)
        return EmptyResult()

    def _forget(self, number: int) -> None:
        """A connection ended, by whichever side: a server over HTTP outlives most of its clients."""
        self._watched.discard(number)
        self._untold.pop(number, None)
        for key in [key for key in self._legacy if key[1] == number]:
            del self._legacy[key]

    def serve_legacy(self, server: Server[Any]) -> None:
        """Serve `resources/subscribe` of the handshake era.

        MCPServer 2.3 has no way to say so: it answers -32601 and advertises `subscribe: false`, while clients of today
        subscribe at their start. The low-level server derives the capability from the handlers added here.
        """
        server.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe_legacy)
        server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe_legacy)


def _connection(ctx: Request) -> tuple[int, AsyncExitStack]:
    """What tells one client's subscriptions from another's (`ctx.session` is new with every request), and what its end runs."""
    connection = ctx.session._connection  # noqa: SLF001 - the SDK has no public name for it
    return id(connection), connection.exit_stack


def touched(entry: Mapping[str, Any]) -> set[str]:
    """The resources that a line of the meta-log makes stale."""
    uris = {STATE, "llmgenie://context/meta-log"}
    for table, id_, *_ in entry.get("changes") or ():
        uris.add(f"llmgenie://context/{table}")
        uris.add(f"llmgenie://context/{table}/{id_}")
    return uris

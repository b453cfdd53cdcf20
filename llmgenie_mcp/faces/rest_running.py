"""What serves a REST app while it is open: the Engine, the one who delivers, the hooks, the MCP server, and threads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import anyio.to_thread

from llmgenie_mcp.faces.background import Background
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Actor

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.requests import Request

    from llmgenie_mcp.engine import Engine

P = ParamSpec("P")
T = TypeVar("T")
THREADS = 32
"""So many questions are asked of the Engine at once; slow actions have threads of their own."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """An open app.

    Attributes:
        engine: the project's.
        background: where slow actions run.
        mcp: serves /mcp.
        loop: the event loop it runs in.
        stopping: set when the server ends; streams end then.
        limiter: of the threads in which the Engine is asked.
    """

    engine: Engine
    background: Background
    mcp: StreamableHTTPSessionManager
    loop: asyncio.AbstractEventLoop
    stopping: asyncio.Event
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(THREADS))

    async def ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask the Engine in a thread; the event loop never waits for a disk."""
        return await anyio.to_thread.run_sync(partial(question, *args, **kwargs), limiter=self.limiter)


class House:
    """Opens an app, once in each event loop, and closes what it opened."""

    def __init__(self, project: str | Path | None, engine: Engine | None, *, dispatcher: bool) -> None:
        """What to open.

        Args:
            project: the project's folder; None to look for it.
            engine: an open Engine, which stays its giver's to close.
            dispatcher: whether this process may be the one that delivers.
        """
        self.given = engine
        self._project = project
        self._dispatcher = dispatcher
        self._running: Running | None = None
        self._holder: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None

    @property
    def running(self) -> Running | None:
        """What serves now; None while it is closed."""
        return self._running

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """The app's lifespan: opens, and closes at the end."""
        async with self._opened(app):
            yield

    async def ensure(self, app: Any) -> Running:
        """What serves; opened now where nobody entered the app's lifespan, and then closed when the event loop ends.

        Starlette runs the lifespan of the app that it serves and not of those mounted in it.

        Raises:
            LlmgenieError: the project cannot be opened.
        """
        loop = asyncio.get_running_loop()
        if self._running is not None and self._running.loop is loop:
            return self._running
        if self._holder is None or self._holder.done() or self._holder.get_loop() is not loop:
            self._ready = loop.create_future()
            self._holder = loop.create_task(self._hold(app, self._ready))
        assert self._ready is not None  # noqa: S101 - made with the holder
        await asyncio.shield(self._ready)
        assert self._running is not None  # noqa: S101 - as the holder says by being ready
        return self._running

    async def _hold(self, app: Any, ready: asyncio.Future[None]) -> None:
        try:
            async with self._opened(app):
                ready.set_result(None)
                await asyncio.Event().wait()
        except Exception as error:
            if ready.done():
                log.exception("the app broke off")
            else:
                ready.set_exception(error)

    @asynccontextmanager
    async def _opened(self, app: Any) -> AsyncIterator[None]:
        from llmgenie_mcp.engine.dispatcher import Dispatcher
        from llmgenie_mcp.faces.mcp_project import serve_hooks
        from llmgenie_mcp.faces.rest_mcp import mcp_sessions

        in_thread = anyio.to_thread.run_sync
        async with AsyncExitStack() as stack:
            engine = self.given
            if engine is None:
                engine = await in_thread(_open, self._project)
                stack.push_async_callback(in_thread, engine.close)
            hooks = await in_thread(serve_hooks, engine)
            stack.push_async_callback(in_thread, hooks.stop)
            if self._dispatcher:
                dispatcher = Dispatcher(engine)
                dispatcher.start()
                stack.push_async_callback(partial(in_thread, dispatcher.stop))
            background = Background()
            stack.push_async_callback(background.stop)
            manager = mcp_sessions(engine, background)
            await stack.enter_async_context(manager.run())
            stopping = asyncio.Event()
            stack.callback(stopping.set)
            self._running = Running(engine, background, manager, asyncio.get_running_loop(), stopping)
            app.state.engine = engine
            try:
                yield
            finally:
                self._running = None


def _open(project: str | Path | None) -> Engine:
    from llmgenie_mcp import plugins
    from llmgenie_mcp.engine import Engine

    plugins.load()
    return Engine.open(project)


def running(request: Request) -> Running:
    """What serves the app that `request` was sent to; the app's front has opened it."""
    found: Running | None = request.app.state.house.running
    assert found is not None  # noqa: S101 - see `rest.Front`
    return found


def role(request: Request) -> str:
    """What the caller may do, as the guard found out."""
    return str(request.scope.get("llmgenie.role") or "reader")


def token(request: Request) -> str | None:
    """The name of the caller's token; None without one."""
    found: str | None = request.scope.get("llmgenie.token")
    return found


def actor(request: Request) -> Actor:
    """Who acts: a person by a person's token, else an agent."""
    name = token(request)
    return Actor("human", name) if name and role(request) in ("human", "admin") else Actor("agent", name or "rest")

"""One connection to an upstream, in a thread with an event loop of its own: whatever happens there stays there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.upstream import offers
from llmgenie_mcp.upstream.asking import Asking, OpenCalls
from llmgenie_mcp.upstream.limits import Broken
from llmgenie_mcp.upstream.tools import Tool, tools_of

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

T = TypeVar("T")
Report = Callable[[float, float | None, str], None]
PAGES, TOOLS = 50, 2_000
"""Of a list of tools, at most."""
CHANGES = ("ToolListChangedNotification", "PromptListChangedNotification", "ResourceListChangedNotification")
FRESH = 300.0
"""Seconds for which a list of tools is believed without asking again, unless the server says that it changed."""


SETTLING = 0.3
"""Seconds in which the end of a connection, when it is under way, gets to say why."""


class Lost(Exception):
    """The connection is not there, or ended; the text says why."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a connection is started with.

    Attributes:
        name: of the upstream.
        root: the project's folder, which the server may know.
        start_timeout, idle: seconds until it must be up, and without a call until it ends.
        argv, cwd, env: of a program.
        url, headers, allow_private: of a server elsewhere; `url` is empty for a program.
        auth: makes what signs requests there, given who is told what breaks the connection; None: nothing does.
    """

    name: str
    root: Path
    start_timeout: float
    idle: float
    argv: tuple[str, ...] = ()
    cwd: Path = Path()
    env: Mapping[str, str] | None = None
    url: str = ""
    headers: Mapping[str, str] | None = None
    allow_private: bool = False
    auth: Callable[[Broken], Any] | None = None


class Connection:
    """A connection that is started once, used from any thread, and then over.

    Attributes:
        tools: the usable tools as they were listed last, by name.
        problems: what was wrong with others.
        server: what the server calls itself.
        kept: the `tools` that were written down, by whoever does that.
    """

    def __init__(self, start: Start) -> None:
        self.tools: Mapping[str, Tool] = {}
        self.problems: tuple[str, ...] = ()
        self.server = ""
        self.kept: object = None
        self._start = start
        self._broken = Broken()
        self._said: Callable[[], tuple[str, str]] = lambda: ("", "")
        self._lock = threading.Lock()
        self._pending: set[Future[Any]] = set()
        self._ready: Future[None] = Future()
        self._over = False
        self._used = time.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._main_task: asyncio.Task[Any] | None = None
        self._client: Client | None = None
        self._stale, self._listed = False, 0.0
        self._questions = OpenCalls(start.name)
        self._thread = threading.Thread(target=self._run, name=f"llmgenie-upstream-{start.name}", daemon=True)
        self._thread.start()

    # -- from any thread -----------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether it cannot be used any more, though its end may still be under way."""
        with self._lock:
            return self._over or self._broken.ending

    @property
    def ready(self) -> Future[None]:
        """Done when it is up; raises Lost when it did not come up."""
        return self._ready

    def call(
        self, tool: str, arguments: Mapping[str, Any], timeout: float, report: Report, asking: Asking | None = None
    ) -> Future[CallToolResult]:
        """Call a tool; `report` is called from the connection's thread. Cancel the answer to break off.

        What the server asks a person meanwhile goes to `asking`.

        Raises, from the answer: Lost, MCPError, TimeoutError, RuntimeError, ValueError (what the SDK finds wrong).
        """
        return self._submit(lambda: self._call(tool, arguments, timeout, report, asking or Asking()))

    def list_tools(self) -> Future[None]:
        """Ask for the tools again, when that was long ago or the server said that they changed. Raises as `call`."""
        return self._submit(self._list_again)

    def stop(self) -> None:
        """End it soon; `join` waits for that."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._interrupt)
            self._over = True

    def join(self, timeout: float) -> bool:
        """Wait until its thread is gone; whether it is."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def has_reason(self) -> bool:
        """Whether it is known why it ends."""
        return bool(self._broken.why)

    def why(self) -> str:
        """Why it ended, for people, with the last that the program said; not redacted."""
        stderr, garbage = self._said()
        told = [self._broken.why or "The connection broke off."]
        if garbage:
            told.append(f"It wrote to stdout what is no JSON-RPC: {garbage!r}.")
        return " ".join(told) + (f"\nIts last words on stderr: {stderr}" if stderr else "")

    def _submit(self, work: Callable[[], Any]) -> Future[Any]:
        answer: Future[Any] = Future()
        with self._lock:
            if self._over or self._broken.ending or self._loop is None:
                answer.set_exception(Lost(self.why()))
                return answer
            self._pending.add(answer)
            self._used = time.monotonic()
            self._loop.call_soon_threadsafe(lambda: _follow(work(), answer))
        answer.add_done_callback(self._forget)
        return answer

    def _forget(self, answer: Future[Any]) -> None:
        with self._lock:
            self._pending.discard(answer)
            self._used = time.monotonic()

    # -- in its own thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - nothing that happens here may reach others
            self._broken.because(_told(error))
        with self._lock:
            self._over, self._loop = True, None
            left, self._pending = self._pending, set()
        for answer in (self._ready, *left):
            if not answer.done():
                answer.set_exception(Lost(self.why()))

    async def _main(self) -> None:
        logging.getLogger("mcp.client").setLevel(logging.CRITICAL)  # it logs what servers say, secrets and all
        stop, limit = asyncio.Event(), self._start.start_timeout
        with self._lock:
            if self._over:
                return
            self._loop, self._main_task = asyncio.get_running_loop(), asyncio.current_task()
            self._stop = stop
        self._broken.when(self._interrupt)
        async with AsyncExitStack() as stack:
            late = f"It did not answer within {limit:g} s of its start."
            clock = self._loop.call_later(limit, self._broken.because, late)
            await self._begin(stack)
            clock.cancel()
            with self._lock:
                self._used = time.monotonic()  # whoever had it started may have waited longer than it may be idle
            self._ready.set_result(None)
            while not stop.is_set() and not self._idle():
                await _until(stop, min(1.0, self._start.idle / 4))

    def _interrupt(self) -> None:
        """End, whether it is up already or not."""
        if self._ready.done() and self._stop is not None:
            self._stop.set()
        elif self._main_task is not None:
            self._main_task.cancel()

    def _idle(self) -> bool:
        """Whether nobody needed it for long; it is over from then on."""
        with self._lock:
            idle = not self._pending and time.monotonic() - self._used > self._start.idle
            if idle:
                self._over = True
                self._broken.because("It was not used, and was stopped.")
            return idle

    async def _begin(self, stack: AsyncExitStack) -> None:
        """Connect, say who we are, and ask for the tools."""
        from mcp import Client
        from mcp_types import Implementation, ListRootsResult, Root
        from pydantic import FileUrl

        from llmgenie_mcp import __version__

        roots = ListRootsResult(roots=[Root(uri=FileUrl(self._start.root.as_uri()), name=self._start.root.name)])

        async def list_roots(context: object) -> ListRootsResult:  # noqa: ARG001 - the SDK calls it by that name
            return roots

        async def hear(message: Any) -> None:
            if type(message).__name__ in CHANGES:
                self._stale = True

        client = Client(
            self._transport(),
            client_info=Implementation(name="llmgenie", version=__version__),
            list_roots_callback=list_roots,  # asked to sample, the SDK refuses for us
            elicitation_callback=self._questions.answer,
            message_handler=hear,
            cache=None,
        )
        self._client = await stack.enter_async_context(client)
        server = client.server_info
        self.server = f"{server.name} {server.version}" if server else ""
        await self._list()

    def _transport(self) -> Any:
        start = self._start
        if start.url:
            from llmgenie_mcp.upstream.web import web_transport

            auth = partial(start.auth, self._broken) if start.auth else None
            return web_transport(start.url, start.headers or {}, start.allow_private, self._broken, auth)
        from llmgenie_mcp.upstream.stdio import Said, stdio_transport

        said = Said()
        self._said = lambda: (said.text(), said.garbage)
        return stdio_transport(start.argv, start.cwd, start.env or {}, self._broken, said)

    async def _list_again(self) -> None:
        if self._stale or time.monotonic() - self._listed > FRESH:
            await self._list()

    async def _list(self) -> None:
        client, found, cursor = self._connected(), [], None
        for _ in range(PAGES):
            page = await _lost(self, client.list_tools(cursor=cursor))
            self._stale = False
            found += [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None or len(found) > TOOLS:
                break
        tools, problems = tools_of(found[:TOOLS])
        if cursor is not None or len(found) > TOOLS:
            problems.append(f"It has more than {TOOLS:,} tools, or lists them on more than {PAGES} pages.")
        more, wrong = await _lost(self, offers.offered(client))
        tools, problems = [*tools, *more], [*problems, *wrong]
        self.tools, self.problems = {tool.name: tool for tool in tools}, tuple(problems)
        self._listed = time.monotonic()

    async def _call(
        self, tool: str, arguments: Mapping[str, Any], timeout: float, report: Report, asking: Asking
    ) -> CallToolResult:
        async def told(progress: float, total: float | None, message: str | None) -> None:
            report(progress, total, message or "")

        client = self._connected()
        with self._questions.during(asking):
            if offers.is_offer(tool):
                async with asyncio.timeout(timeout):
                    return await _lost(self, offers.ask(client, tool, arguments))
            call = client.call_tool(tool, dict(arguments), read_timeout_seconds=timeout, progress_callback=told)
            return await _lost(self, call)

    def _connected(self) -> Client:
        if self._client is None:
            raise Lost(self.why())
        return self._client


async def _lost(connection: Connection, work: Awaitable[T]) -> T:
    """What comes of `work`; Lost when the connection closed under it."""
    from mcp import MCPError
    from mcp_types import CONNECTION_CLOSED

    try:
        return await work
    except MCPError as error:
        if error.code == CONNECTION_CLOSED:
            await asyncio.sleep(0 if connection.has_reason else SETTLING)
            raise Lost(connection.why()) from None
        raise


async def _until(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _follow(work: Coroutine[Any, Any, Any], answer: Future[Any]) -> None:
    """Have `answer` get what comes of `work`, and `work` broken off when `answer` is cancelled."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

    def done(_task: object) -> None:
        with contextlib.suppress(InvalidStateError):
            if task.cancelled():
                return  # by the end of the loop; who waits is told then
            if (error := task.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result())

    def given_up(_answer: object) -> None:
        if answer.cancelled():
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(task.cancel)

    task.add_done_callback(done)
    answer.add_done_callback(given_up)


def _told(error: BaseException) -> str:
    """What went wrong, in the error's own words; the first one of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, asyncio.CancelledError):
        return "It was stopped."
    return f"{type(error).__name__}: {shorten(str(error), 300)}"

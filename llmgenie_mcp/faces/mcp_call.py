"""One call of a tool: who asks, and the Engine at work in a thread while the connection goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import anyio

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.faces.mcp_project import AnyContext

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.records import Actor

T = TypeVar("T")

_threads = ThreadPoolExecutor(32, "llmgenie-action")
"""Threads of their own, so that slow actions never take those in which questions are answered."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a tool has at hand: the open Engine and the client's request."""

    engine: Engine
    context: AnyContext

    @property
    def actor(self) -> Actor:
        """The agent, by the name that its client gives itself. Never a person: nothing here has seen one."""
        from llmgenie_mcp.records import Actor

        if self.context.protocol_version is None:
            return Actor()
        client = self.context.session.client_params
        return Actor("agent", shorten(client.client_info.name, 60)) if client and client.client_info.name else Actor()


class Slow:
    """What a slow action gets: where to report to, and the sign to stop. Used from its thread."""

    def __init__(self, call: Call) -> None:
        self.cancel = threading.Event()
        self._context = call.context
        self._loop = asyncio.get_running_loop()
        self._reports: list[Future[None]] = []

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell the client, when it asked to be told; does not wait for it."""
        if not self.cancel.is_set():
            report = self._context.report_progress(done, total, message or None)
            self._reports.append(asyncio.run_coroutine_threadsafe(report, self._loop))

    async def reported(self) -> None:
        """Wait until every report is on its way, so that none follows the answer."""
        for report in self._reports:
            with suppress(Exception):  # a client that is gone
                await asyncio.wrap_future(report)


async def run_slowly(call: Call, work: Callable[[Slow], T]) -> T:
    """Run `work` in a thread. When the client cancels, it is told to stop and waited for: its end gets recorded."""
    slow = Slow(call)
    working = asyncio.get_running_loop().run_in_executor(_threads, work, slow)
    try:
        answer = await asyncio.shield(working)
    except anyio.get_cancelled_exc_class():
        slow.cancel.set()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({working})
        raise
    await slow.reported()
    return answer

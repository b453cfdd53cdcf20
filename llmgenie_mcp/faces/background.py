"""The Engine at work beside the event loop: slow actions in threads of their own, so that questions get answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import anyio

from llmgenie_mcp.faces.workers import Workers

T = TypeVar("T")
THREADS = 32
"""So many actions run at once; the next ones wait for their turn."""
ANSWERS = 40
"""So many questions are answered at once; over stdio nobody waits for a turn."""
PATIENCE = 30.0
"""Seconds for a slow action to end once it was told to."""


class Background:
    """What works in the background for one server, and how it is told to stop."""

    def __init__(self) -> None:
        self._threads = Workers(THREADS, "llmgenie-action")
        self._answering = Workers(ANSWERS, "llmgenie-answer")
        self._running: dict[asyncio.Future[Any], threading.Event] = {}
        self._stopped = False
        self.parked: dict[str, Any] = {}
        """Actions that go on while a question of theirs lies with the client, by its mark (`mcp_question`)."""

    async def answer(self, question: Callable[[], T]) -> T:
        """Ask something that is answered at once, in a thread all the same: another process may hold the store's lock."""
        return await self._answering.run(question)

    async def run(self, work: Callable[[], T], cancel: threading.Event) -> T:
        """Run `work` in a thread. When the caller is cancelled, `work` is told to stop and waited for: its end gets recorded.

        Args:
            work: what to do.
            cancel: what tells it to stop.
        """
        if self._stopped:
            cancel.set()
        working = self._threads.start(work)
        self._running[working] = cancel
        working.add_done_callback(lambda done: self._running.pop(done, None))
        try:
            return await asyncio.shield(working)
        except anyio.get_cancelled_exc_class():
            cancel.set()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({working})
            raise

    def cancel(self) -> None:
        """Tell everything to stop, and whatever comes later at once."""
        self._stopped = True
        for event in list(self._running.values()):
            event.set()

    async def stop(self) -> None:
        """Tell everything to stop and wait until its end was recorded."""
        self.cancel()
        if self._running:
            await asyncio.wait(set(self._running), timeout=PATIENCE)

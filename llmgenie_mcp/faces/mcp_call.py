"""One call of a tool: who asks, and the Engine at work in a thread while the connection goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, MutableMapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from llmgenie_mcp.errors import NotReadable, shorten
from llmgenie_mcp.faces.background import Background
from llmgenie_mcp.faces.mcp_project import AnyContext
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.markers import client_named

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.records import Actor, Document

T = TypeVar("T")
READER = "reader"
"""The role whose callers only look."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a tool has at hand: the open Engine, the client's request, and where slow actions run."""

    engine: Engine
    context: AnyContext
    background: Background

    @property
    def role(self) -> str | None:
        """What the caller may do: reader, agent, human or admin, by its token; None over stdio, which has no tokens."""
        return None if (scope := self._scope()) is None else str(scope.get("llmgenie.role") or "reader")

    @property
    def token(self) -> str | None:
        """The name of the token that came over HTTP, if any."""
        return None if (scope := self._scope()) is None else scope.get("llmgenie.token")

    def _scope(self) -> MutableMapping[str, Any] | None:
        """This very request over HTTP, with what its guard found out about it."""
        if self.context.protocol_version is None:
            return None
        request = self.context.request_context.request
        return None if request is None else request.scope

    @property
    def actor(self) -> Actor:
        """The agent, by the name of its token, whatever its role; without one by that which its client gives itself.

        Never a person: nothing here has seen one. A person's token only says whose client it is.
        """
        from llmgenie_mcp.records import Actor

        if self.context.protocol_version is None:
            return Actor()
        if self.token:
            return Actor("agent", self.token)
        client = self.context.session.client_params
        name = client.client_info.name if client else ""
        return Actor("agent", shorten(client_named(name), 60)) if name else Actor()

    def read(self, key: str, query: str | None = None, limit: int = 50, cursor: str | None = None) -> Document:
        """Context data, as the caller may have it. Raises NotReadable, and what `Engine.context_data` raises."""
        from llmgenie_mcp.engine.elsewhere import asks

        if self.role == READER and asks(key):
            hint = "Whoever runs the server makes a token that may act: llmgenie token create."
            raise NotReadable(
                "To read what another server has is to have it asked, and your token is a reader's.", hint
            )
        return self.engine.context_data(key, query, limit, cursor, actor=self.actor)


class Slow:
    """What a slow action gets: where to report to, and the sign to stop. Used from its thread."""

    def __init__(self, call: Call) -> None:
        self.cancel = threading.Event()
        self._context = call.context
        self._loop = asyncio.get_running_loop()
        self._reports: list[Future[None]] = []
        self._muted = False

    def mute(self) -> None:
        """Report nothing any more: the call that asked for it was answered."""
        self._muted = True

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell the client, when it asked to be told; does not wait for it."""
        if not self.cancel.is_set() and not self._muted:
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
    answer = await call.background.run(partial(work, slow), slow.cancel)
    await slow.reported()
    return answer

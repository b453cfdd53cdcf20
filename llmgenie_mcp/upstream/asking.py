"""Questions that another server asks during a call: to the person behind that call, if there is one, else declined.

Nothing here knows approvals, and no answer goes anywhere but back to the server that asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import redact
from llmgenie_mcp.engine.asking import Answer, Ask
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.upstream.question import Unfit, question

if TYPE_CHECKING:
    from mcp_types import ElicitResult

MOST = 5
"""Questions during one call that are passed on, at most."""
NOBODY = "There is no person at a dialogue behind this call."
PAGE = "It wanted a page opened in a browser, and only forms are passed on."
WHOSE = "Several calls of it are open, so it is not known whose question it is."
LATE = "The call ended before anybody answered."
OUTSIDE = "It asked outside of any call."
OFTEN = f"It asked more than {MOST} questions during one call."
SECRET_GIVEN = "The answer holds what looks like a secret, so it was not passed on."  # noqa: S105 - no secret


@dataclass(eq=False)
class Asking:
    """The questions of one call.

    Attributes:
        ask: puts a question to the person behind the call; None: there is none.
        told: what came of each question, in the order in which they were asked.
    """

    ask: Ask | None = None
    told: list[Answer] = field(default_factory=list)
    _open: set[Future[Answer]] = field(default_factory=set)

    @property
    def unasked(self) -> str:
        """Why the last question was not answered by a person; "" when it was, or there was none."""
        return self.told[-1].why if self.told else ""

    def notes(self, server: str) -> list[str]:
        """For the log: that something was asked and how it was answered, never what."""
        return [f"{server} asked a person: {one.action}{f' ({one.why})' if one.why else ''}" for one in self.told]

    async def put(self, server: str, params: Any) -> Answer:
        """Put a question to the person, and wait for the answer as long as the call lasts."""
        if self.ask is None:
            return Answer("decline", why=NOBODY)
        if len(self.told) + len(self._open) >= MOST:
            return Answer("decline", why=OFTEN)
        if params.mode != "form":
            return Answer("decline", why=PAGE)
        try:
            put = self.ask(question(server, params.message, params.requested_schema))
        except Unfit as error:
            return Answer("decline", why=str(error))
        self._open.add(put)
        try:
            answer = await asyncio.wrap_future(put)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return Answer("cancel", why=LATE)  # the call ended, and `end` took the question back
        finally:
            self._open.discard(put)
            put.cancel()
        return Answer("decline", why=SECRET_GIVEN) if redact.find(dict(answer.content)) else answer

    def end(self) -> None:
        """The call is over: what was not answered is taken back."""
        for put in tuple(self._open):
            put.cancel()


class OpenCalls:
    """The open calls of one connection, with the questions asked during them. Used in the connection's own thread.

    Args:
        server: what the settings call the server.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._calls: list[Asking] = []
        self._mine: ContextVar[Asking | None] = ContextVar("llmgenie_asking", default=None)

    @contextmanager
    def during(self, asking: Asking) -> Iterator[None]:
        """While a call is open, its questions go to `asking`."""
        self._calls.append(asking)
        mark = self._mine.set(asking)
        try:
            yield
        finally:
            self._mine.reset(mark)
            self._calls.remove(asking)
            asking.end()

    async def answer(self, context: object, params: Any) -> ElicitResult:  # noqa: ARG002 - the SDK calls it by that name
        """What the SDK calls for a question.

        Since 2026-07-28 it does so within the call that is asked about. Before, nothing in the question says to which
        call it belongs, so that it is known only while there is one.
        """
        from mcp_types import ElicitResult

        mine = self._mine.get()
        found = tuple(self._calls) if mine is None else (mine,)
        if len(found) == 1:
            answer = await found[0].put(self._server, params)
        else:
            answer = Answer("decline", why=WHOSE if found else OUTSIDE)
        for asking in found:
            asking.told.append(answer)
        if answer.action != "accept":
            return ElicitResult(action=answer.action)
        known = params.requested_schema.get("properties", {})
        return ElicitResult(action="accept", content={k: v for k, v in answer.content.items() if k in known})

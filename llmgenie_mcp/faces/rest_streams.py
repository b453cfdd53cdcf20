"""Answers that never end by themselves, and what ends them: the server, or the end of what they were asked for with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOK_EVERY = 5.0
"""Seconds: so often it is looked whether the token of an open stream is still good, beside before each message."""


async def while_good(good: Callable[[], bool], app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run `app` for as long as a request like the one that opened the stream would be let in.

    Args:
        good: whether it would be.
        app, scope, receive, send: as in ASGI.
    """

    async def lapsed() -> None:
        while good():
            await asyncio.sleep(LOOK_EVERY)

    async def told(message: Message) -> None:
        if not good():
            await asyncio.Event().wait()  # nothing more is told; it is about to be broken off
        await send(message)

    await until(lapsed(), app, scope, receive, told, end=send)


async def until(
    ending: Coroutine[Any, Any, object],
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    end: Send | None = None,
) -> None:
    """Run `app`; when `ending` is done, break it off and end the answer that it had begun.

    Args:
        ending: waits for what ends it.
        app, scope, receive, send: as in ASGI.
        end: sends the end of what was broken off; None: as `send` does.
    """
    started = ended = False

    async def watched(message: Message) -> None:
        nonlocal started, ended
        started = started or message["type"] == "http.response.start"
        ended = ended or (message["type"] == "http.response.body" and not message.get("more_body", False))
        await send(message)

    async def stream() -> None:
        await app(scope, receive, watched)

    streaming, stop = asyncio.create_task(stream()), asyncio.create_task(ending)
    try:
        await asyncio.wait({streaming, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
        if not streaming.done():
            streaming.cancel()
    with suppress(asyncio.CancelledError):
        await streaming
    if started and not ended:
        await (end or send)({"type": "http.response.body", "body": b"", "more_body": False})

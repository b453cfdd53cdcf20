"""The body of a request, as far as it may be read: so many bytes, in so much time."""

from __future__ import annotations

import time

import anyio
from starlette.types import Message, Receive, Scope

from llmgenie_mcp.faces.rest_callers import header
from llmgenie_mcp.faces.rest_problem import Problem

SECONDS = 30.0
"""So long may the whole body take: who sends a byte a minute holds a place that others need."""
DISCARDED, DISCARD_SECONDS = 8_000_000, 1.0
"""Bytes and seconds of a refused body that are read and thrown away: a client that is cut off while it sends sees a broken
connection instead of the answer."""
CLOSE = {"Connection": "close"}
"""What is left of the body may still come, and would be taken for the next request."""


class Refused(Exception):
    """Raised to whoever reads a body that goes beyond its bounds; the guard answers."""


class Body:
    """`receive`, bounded.

    Args:
        scope, receive: of the request.
        seconds: for the whole body.

    Attributes:
        limit: bytes.
        problem: what the caller is to be told, once a bound was met.
    """

    def __init__(self, scope: Scope, receive: Receive, seconds: float = SECONDS) -> None:
        self._scope = scope
        self._receive = receive
        self._size = 0
        self._ends = time.monotonic() + seconds
        self._whole = False
        self.limit = 0
        self.problem: Problem | None = None

    def check(self) -> None:
        """Look at the length that the request itself tells. Raises Problem."""
        told = header(self._scope, b"content-length")
        if told is not None and told.isascii() and told.isdecimal() and int(told[:20]) > self.limit:
            raise self._too_large()

    async def __call__(self) -> Message:
        """The next piece. Raises Refused."""
        if self._whole:
            return await self._receive()
        if self.problem is not None:
            raise Refused
        message: Message | None = None
        with anyio.move_on_after(self._ends - time.monotonic()):
            message = await self._receive()
        if message is None:
            hint = f"The whole body has to be here within {SECONDS:g} s."
            detail = "The body did not come to its end in time."
            self.problem = Problem(408, "too_slow", "Body too slow", detail, hint, headers=CLOSE)
            raise Refused
        self._size += len(message.get("body", b""))
        self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        if self._size > self.limit:
            self.problem = self._too_large()
            raise Refused
        return message

    async def discard(self) -> None:
        """Read what is left of a refused body, within bounds; a client that waits for leave to send has nothing to read."""
        if self._whole or not self._given(b"content-length", b"transfer-encoding") or self._given(b"expect"):
            return
        left = DISCARDED
        with anyio.move_on_after(DISCARD_SECONDS):
            while left > 0:
                message = await self._receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return

    def _given(self, *names: bytes) -> bool:
        return any(key in names for key, _ in self._scope["headers"])

    def _too_large(self) -> Problem:
        hint = "Send less, or have a person set rest: {body_bytes: …} in llmgenie.yaml."
        detail = f"The body has more than {self.limit} bytes."
        return Problem(413, "too_large", "Body too large", detail, hint, headers=CLOSE, limit=self.limit)

"""Where a browser is sent when a person has logged in: one address on loopback, for one redirect (RFC 8252, section 7.3).

Every process of the machine can connect to it. Only a redirect that carries the `state` of this login counts (RFC 6749,
sections 4.1.2 and 10.12); whatever else comes is answered, and the wait goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from urllib.parse import parse_qs, urlsplit

from mcp.shared.auth import AuthorizationCodeResult

PATH = "/callback"
LINE = 8_192
"""Bytes of a request's first line at most."""
SLOW = 10.0
"""Seconds for a request to come in."""
_PAGE = """HTTP/1.1 {status}\r
content-type: text/html; charset=utf-8\r
content-security-policy: default-src 'none'\r
cache-control: no-store\r
connection: close\r
\r
<!doctype html><title>llmgenie</title><p>{text}</p>
"""


class NotLoggedIn(Exception):
    """The authorization server sent the browser back without a code; the text says why."""


class Loopback:
    """A listening address.

    Args:
        url: of it.
        answer: what the redirect brought.
    """

    def __init__(self, url: str, answer: asyncio.Future[AuthorizationCodeResult]) -> None:
        self.url = url
        self.answer = answer
        self._state: bytes | None = None

    def expect(self, address: str) -> None:
        """Take from now on the redirect of the login that begins at `address`, and no other."""
        self._state = parse_qs(urlsplit(address).query).get("state", [""])[0].encode()

    def take(self, line: list[str]) -> tuple[str, str]:
        """Read a request's first line, split at spaces; returns status and text of the page."""
        parts = urlsplit(line[1]) if len(line) == 3 and line[0] == "GET" else None
        if parts is None or parts.path != PATH:
            return "404 Not Found", "There is nothing here."
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not self._state or not hmac.compare_digest(given.get("state", "").encode(), self._state):
            return "400 Bad Request", "This belongs to no login that is waited for."
        if self.answer.done():
            return "410 Gone", "This was answered already."
        if "code" not in given:
            why = " ".join(filter(None, (given.get("error"), given.get("error_description")))) or "it gave no code"
            self.answer.set_exception(NotLoggedIn(why[:300]))
            return "400 Bad Request", "You are not logged in. Look into the terminal."
        self.answer.set_result(AuthorizationCodeResult(code=given["code"], state=given["state"], iss=given.get("iss")))
        return "200 OK", "llmgenie has the login; go back to the terminal and close this page."


@asynccontextmanager
async def listening() -> AsyncIterator[Loopback]:
    """Listen on a free port of 127.0.0.1 until the context ends."""
    here = Loopback("", asyncio.get_running_loop().create_future())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError, ValueError, ConnectionError):
            async with asyncio.timeout(SLOW):
                line = (await reader.readuntil(b"\r\n")).decode("latin-1").split(" ")
                status, text = here.take(line)
                writer.write(_PAGE.format(status=status, text=escape(text)).encode())
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=LINE)
    async with server:
        here.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{PATH}"
        yield here

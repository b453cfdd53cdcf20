"""How an upstream is reached by Streamable HTTP: to checked addresses alone, and with no answer beyond a bound.

As in `network`, every address is checked where the connection is opened and is not looked up again; there are no proxies,
no netrc, no decompression, and redirects only within the same origin (the SDK's rule).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpcore2
import httpx2
from mcp.client.streamable_http import streamable_http_client

from llmgenie_mcp import network
from llmgenie_mcp.errors import shorten
from llmgenie_mcp.upstream.limits import MESSAGE_BYTES, Broken

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

CONNECT = 30.0
"""Seconds to connect, and to send."""
READ = 7200.0
"""Seconds for which an answer may be silent: calls have a time limit of their own."""


UNAUTHORIZED = 401
LOGIN = "It wants to know who calls: 401."


@asynccontextmanager
async def web_transport(
    url: str,
    headers: Mapping[str, str],
    allow_private: bool,
    broken: Broken,
    auth: Callable[[], httpx2.Auth | None] | None = None,
) -> AsyncIterator[TransportStreams]:
    """The streams of a connection to `url`.

    Args:
        url: of the server's endpoint.
        headers: to send, secrets among them.
        allow_private: whether the host may have a private address.
        broken: is told when the server did what ends the connection.
        auth: makes what signs the requests, if somebody logged in.
    """
    signing = auth() if auth is not None else None
    sent = {"accept-encoding": "identity", **{name.lower(): value for name, value in headers.items()}}
    timeout = httpx2.Timeout(CONNECT, read=READ)
    async with (
        httpx2.AsyncClient(
            headers=sent,
            timeout=timeout,
            transport=_Transport(allow_private, broken, signed=signing is not None),
            trust_env=False,
            auth=signing,
        ) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MESSAGE_BYTES) as streams,
    ):
        yield streams


class _Transport(httpx2.AsyncBaseTransport):
    """Sends requests over connections to checked addresses."""

    def __init__(self, allow_private: bool, broken: Broken, *, signed: bool) -> None:
        self._signed = signed
        self._pool = httpcore2.AsyncConnectionPool(network_backend=_Net(allow_private, broken), max_connections=20)
        self._broken = broken

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer; its body is read as it comes."""
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        asked = httpcore2.Request(
            request.method, target, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        with _as_httpx(request, self._broken):
            found = await self._pool.handle_async_request(asked)
        answer = httpx2.Response(
            found.status, headers=found.headers, stream=_Body(found, request, self._broken), extensions=found.extensions
        )
        if answer.status_code == UNAUTHORIZED and not self._signed:
            given = "Authorization" if "authorization" in request.headers else ""
            self._broken.because(f"It did not take the header {given}: 401." if given else LOGIN)
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            await answer.aclose()
            self._broken.because("It sent a compressed answer, though it was asked for a plain one.")
            raise httpx2.RemoteProtocolError("a compressed answer is not read", request=request)
        return answer

    async def aclose(self) -> None:
        """End all connections."""
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    """A body that may not be longer than a message; in a stream of events no event may."""

    def __init__(self, found: httpcore2.Response, request: httpx2.Request, broken: Broken) -> None:
        self._found, self._request, self._broken = found, request, broken
        self._events = any(k.lower() == b"content-type" and b"event-stream" in v for k, v in found.headers)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        with _as_httpx(self._request, self._broken):
            async for part in self._found.aiter_stream():
                self._broken.count(len(part))
                read = 0 if self._events and (b"\n\n" in part or b"\r\n\r\n" in part) else read + len(part)
                if read > MESSAGE_BYTES:
                    self._broken.because(f"It sent an answer of more than {MESSAGE_BYTES:,} bytes.")
                    raise httpx2.ReadError("the answer is too long", request=self._request)
                yield part

    async def aclose(self) -> None:
        """Read no more."""
        await self._found.aclose()


class _Net(httpcore2.AsyncNetworkBackend):
    """Opens connections to checked addresses."""

    def __init__(self, allow_private: bool, broken: Broken) -> None:
        self._allow_private, self._broken = allow_private, broken
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first address of the host that answers."""
        try:
            with anyio.fail_after(timeout):
                found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError) as error:
            self._broken.because(f"{host} has no address: {getattr(error, 'strerror', None) or type(error).__name__}.")
            raise httpcore2.ConnectError(str(error)) from None
        addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))[: network.PLACES]
        if not self._allow_private:
            for address in addresses:
                if not network.public(address):
                    why = f"{host} is at {address}, which is no public address"
                    self._broken.because(f"{why}; only `allow_private: true` in its settings allows that.")
                    raise httpcore2.ConnectError("not a public address")
        for number, address in enumerate(addresses):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                if number + 1 == len(addresses):
                    self._broken.because(f"{host}:{port} cannot be reached: {error or type(error).__name__}.")
                    raise
        raise httpcore2.ConnectError("it has no address")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)


@contextlib.contextmanager
def _as_httpx(request: httpx2.Request, broken: Broken) -> Any:
    """Errors of the wire as those that who uses httpx2 expects. A stream that only listens may end, and is opened again."""
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise httpx2.ReadTimeout(str(error), request=request) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        if request.method == "POST":
            broken.because(f"It broke off: {shorten(str(error).rstrip('.') or type(error).__name__)}.")
        raise httpx2.ReadError(str(error), request=request) from error

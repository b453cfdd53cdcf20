"""MCP over Streamable HTTP at /mcp, in both eras of the protocol, behind the same guard as everything else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from llmgenie_mcp.faces.background import Background
from llmgenie_mcp.faces.mcp_face import Face

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from llmgenie_mcp.engine import Engine

PATH = "/mcp"
METADATA = "/.well-known/oauth-protected-resource"
"""Where clients look, after a 401, for how to get a token (RFC 9728)."""
SESSIONS = 1000
"""So many clients of the handshake era are connected at once."""
STREAMS = frozenset({"subscriptions/listen"})
"""Methods whose answer never ends by itself, by the header that every request of 2026-07-28 has."""


def mcp_sessions(engine: Engine, background: Background) -> StreamableHTTPSessionManager:
    """What serves the MCP face over HTTP; for one run.

    The SDK's own check of Host and Origin is off: the guard before it makes that check for every address alike.
    """
    face = Face(engine=engine, background=background)
    face.streamable_http_app(
        streamable_http_path=PATH,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        max_sessions=SESSIONS,
    )
    return face.session_manager


class Endpoint:
    """The ASGI app at /mcp: hands each request to the SDK, and ends open streams when the server stops."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        running = scope["app"].state.house.running
        if (name := scope.get("llmgenie.token")) is not None:
            # The SDK then lets nobody else into a session, nor bring back a dialogue that another was asked.
            known = AccessToken(token="-", client_id=name, scopes=[scope["llmgenie.role"]])  # noqa: S106 - not needed
            scope["user"] = AuthenticatedUser(known)
        app = AuthContextMiddleware(running.mcp.asgi_app)
        if scope["method"] == "GET" or Headers(scope=scope).get("mcp-method") in STREAMS:
            await _until(running.stopping, app, scope, receive, send)
        else:
            await app(scope, receive, send)


async def _until(stopping: asyncio.Event, app: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Run `app`; when `stopping` is set, break it off and end the answer that it had begun."""
    started = ended = False

    async def watched(message: Message) -> None:
        nonlocal started, ended
        started = started or message["type"] == "http.response.start"
        ended = ended or (message["type"] == "http.response.body" and not message.get("more_body", False))
        await send(message)

    streaming = asyncio.create_task(app(scope, receive, watched))
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({streaming, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
        if not streaming.done():
            streaming.cancel()
    with suppress(asyncio.CancelledError):
        await streaming
    if started and not ended:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _metadata(request: Request) -> JSONResponse:
    """How one gets in, for a client that was turned away: with a token that was made for it, there is no OAuth here."""
    base = str(request.base_url).rstrip("/")
    return JSONResponse(
        {
            "resource": f"{base}{PATH}",
            "resource_name": "llmgenie",
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["reader", "agent", "human", "admin"],
        }
    )


def routes() -> list[BaseRoute]:
    """The addresses of MCP: `/mcp` itself answers, and does not send a client on to `/mcp/`."""
    return [
        Route(PATH, Endpoint()),
        Route(f"{METADATA}{PATH}", _metadata),
        Route(METADATA, _metadata),
    ]

"""MCP over Streamable HTTP at /mcp, in both eras of the protocol, behind the same guard as everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from llmgenie_mcp.faces.background import Background
from llmgenie_mcp.faces.mcp_face import Face
from llmgenie_mcp.faces.rest_problem import Problem
from llmgenie_mcp.faces.rest_streams import until

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from llmgenie_mcp.engine import Engine

PATH = "/mcp"
METADATA = "/.well-known/oauth-protected-resource"
"""Where clients look, after a 401, for how to get a token (RFC 9728)."""
SESSIONS = 1000
"""So many clients of the handshake era are connected at once."""
SESSIONS_EACH = 200
"""So many of them with the same token: whoever has one must not lock out the others."""
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
            _check_sessions(running.mcp, name, scope)
        if scope["method"] == "GET":
            # Nothing is kept for who comes back, and the SDK answers nothing at all to who asks for it.
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"last-event-id"]}
        app = AuthContextMiddleware(running.mcp.asgi_app)
        if scope["method"] == "GET" or Headers(scope=scope).get("mcp-method") in STREAMS:
            await until(running.stopping.wait(), app, scope, receive, send)
        else:
            await app(scope, receive, send)


def _check_sessions(manager: StreamableHTTPSessionManager, token: str, scope: Scope) -> None:
    """Whether a token may open one more session, where a request would open one. Raises Problem."""
    given = Headers(scope=scope)
    if "mcp-session-id" in given or given.get("mcp-protocol-version", "") not in ("", *HANDSHAKE_PROTOCOL_VERSIONS):
        return
    owners = getattr(manager, "_session_owners", {})  # the SDK has no public name for it, and may call it otherwise
    if sum(owner["client_id"] == token for owner in owners.values()) >= SESSIONS_EACH:
        detail = f"{SESSIONS_EACH} sessions of MCP are open with this token."
        hint = "End those that are not needed (DELETE /mcp); one that is quiet ends after half an hour."
        raise Problem(429, "busy", "Too many sessions", detail, hint, headers={"Retry-After": "60"})


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

"""An MCP server behind OAuth for tests, with an authorization server of its own beside it, over HTTP.

    python keeper_server.py PORT SPEC

SPEC is a JSON file read at every request: {"lasts": seconds, "refuse": bool, "revoked": bool}. Everybody is let in at
the login page. What was asked at the token endpoint is written to SPEC.log, a line each.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

PORT, SPEC = int(sys.argv[1]), Path(sys.argv[2])
ISSUER = f"http://127.0.0.1:{PORT}"
CLIENTS: dict[str, dict[str, Any]] = {"robot": {"client_secret": "robots-own-secret", "redirect_uris": []}}
CODES: dict[str, dict[str, str]] = {}
REFRESH: dict[str, str] = {}
ACCESS: dict[str, tuple[str, float]] = {}


def spec() -> dict[str, Any]:
    """The file as it is now."""
    found: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
    return found


class Verifier:
    """Takes the tokens that were given out and have not ended."""

    async def verify_token(self, token: str) -> AccessToken | None:
        """What a token stands for."""
        client, ends = ACCESS.get(token, ("", 0.0))
        if spec().get("revoked") or time.time() >= ends:
            return None
        return AccessToken(token=token, client_id=client, scopes=["books"], resource=f"{ISSUER}/mcp")


settings = AuthSettings(
    issuer_url=ISSUER,  # type: ignore[arg-type]
    resource_server_url=f"{ISSUER}/mcp",  # type: ignore[arg-type]
    required_scopes=["books"],
    validate_token_resource=True,
)
server = MCPServer("keeper", version="1.0", token_verifier=Verifier(), auth=settings)


@server.tool()
def fetch(book: str) -> str:
    """Fetch a book."""
    return f"here is {book}"


@server.tool()
async def wait_for(path: str) -> str:
    """Answer when a file is there."""
    Path(f"{path}.waiting").touch()
    while not Path(path).exists():
        await asyncio.sleep(0.02)
    return "it is there"


@server.tool()
def leak() -> str:
    """Say the tokens that are in use."""
    return " ".join([*ACCESS, *REFRESH])


@server.custom_route("/.well-known/oauth-authorization-server", methods=["GET"])
async def metadata(_request: Request) -> Response:
    """RFC 8414."""
    return JSONResponse(
        {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "registration_endpoint": f"{ISSUER}/register",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
        }
    )


@server.custom_route("/register", methods=["POST"])
async def register(request: Request) -> Response:
    """RFC 7591."""
    asked, name = await request.json(), f"client-{secrets.token_hex(4)}"
    CLIENTS[name] = asked
    told = {**asked, "client_id": name, "token_endpoint_auth_method": "none"}
    return JSONResponse(told, status_code=201)


@server.custom_route("/authorize", methods=["GET"])
async def authorize(request: Request) -> Response:
    """The login page: lets everybody in at once, or nobody."""
    asked = dict(request.query_params)
    if asked["redirect_uri"] not in CLIENTS[asked["client_id"]]["redirect_uris"]:
        return JSONResponse({"error": "invalid_request"}, status_code=400)
    told = {"state": asked["state"], "iss": ISSUER}
    if spec().get("refuse"):
        told |= {"error": "access_denied", "error_description": "You shall not read."}
    else:
        code = secrets.token_urlsafe(16)
        CODES[code] = asked
        told["code"] = code
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(told)}", status_code=302)


@server.custom_route("/token", methods=["POST"])
async def token(request: Request) -> Response:
    """Gives tokens for a code, a refresh token, or a client's secret."""
    given = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
    with Path(f"{SPEC}.log").open("a", encoding="utf-8") as log:
        log.write(json.dumps({"grant": given["grant_type"], "resource": given.get("resource")}) + "\n")
    match given["grant_type"]:
        case "authorization_code":
            asked = CODES.pop(given["code"], {})
            digest = hashlib.sha256(given["code_verifier"].encode()).digest()
            fits = base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked.get("code_challenge")
            client = asked.get("client_id", "")
            good = fits and client == given["client_id"] and asked["redirect_uri"] == given["redirect_uri"]
        case "refresh_token":
            client = REFRESH.pop(given["refresh_token"], "")
            good = bool(client)
        case "client_credentials":
            word = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
            client, good = "robot", word == "robot:robots-own-secret"
        case _:
            client, good = "", False
    if not good or given.get("resource") != f"{ISSUER}/mcp":
        return JSONResponse({"error": "invalid_grant"}, status_code=400)
    access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    lasts = spec().get("lasts", 3600)
    ACCESS[access] = client, time.time() + lasts
    told = {"access_token": access, "token_type": "Bearer", "expires_in": lasts, "scope": "books"}
    if given["grant_type"] != "client_credentials":
        REFRESH[refresh] = client
        told["refresh_token"] = refresh
    return JSONResponse(told)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(server.streamable_http_app(json_response=True), host="127.0.0.1", port=PORT, log_level="warning")

"""A real server on loopback with the guard before a small app, and requests to it exactly as they are written down."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from llmgenie_mcp import Engine
from llmgenie_mcp.faces import rest_guard, rest_metrics, rest_problem

PATIENCE = 20.0
"""Seconds to wait for what must come; a test that waits that long has failed."""


@dataclass
class Reply:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def bearer(token: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {token}"}


def told(reply: Reply, status: int, code: str) -> Reply:
    """A problem of that status and code, which says what to do."""
    assert (reply.status, reply.data["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.data["type"] == f"urn:llmgenie:error:{code}"
    assert reply.data["detail"]
    assert reply.data["hint"]
    return reply


@dataclass
class Site:
    """A running server."""

    port: int
    app: FastAPI
    gate: threading.Event = field(default_factory=threading.Event)
    inside: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def ask(
        self, path: str = "/who", *, method: str = "GET", body: bytes | None = None, host: str = "", **headers: str
    ) -> Reply:
        """One request on a connection of its own; underscores in names of headers stand for `-`."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body is not None else []
        return self.raw("\r\n".join([*lines, "", ""]).encode() + (body or b""))

    def raw(self, data: bytes) -> Reply:
        """Send bytes, read to the end."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as there:
            there.sendall(data)
            return read_reply(there)


def read_reply(there: socket.socket) -> Reply:
    """Read an answer to the end of the connection."""
    data = b""
    while piece := there.recv(65536):
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        rest = b"".join(_chunks(rest))
    return Reply(int(first.split()[1]), headers, rest)


def _chunks(data: bytes) -> Iterator[bytes]:
    while data:
        size, _, data = data.partition(b"\r\n")
        yield data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]


def small_app(engine: Engine, site: Site) -> FastAPI:
    """Routes that tell what came through, wait, stream, read a body, and break."""
    app = FastAPI()
    app.state.engine = engine
    rest_problem.install(app)
    app.include_router(rest_metrics.router)
    app.add_middleware(rest_guard.Guard, engine=engine)

    @app.get("/who")
    async def who(request: Request) -> dict[str, Any]:
        return {name: request.scope[f"llmgenie.{name}"] for name in ("role", "token", "request_id")}

    @app.post("/webhooks/{name}")
    async def webhook(request: Request, name: str) -> dict[str, Any]:
        return {"name": name, "role": request.scope["llmgenie.role"], "bytes": len(await request.body())}

    @app.get("/for/{role}")
    async def needs(request: Request, role: str) -> dict[str, bool]:
        rest_guard.require(request, role)
        return {"ok": True}

    @app.post("/echo")
    async def echo(request: Request) -> JSONResponse:
        return JSONResponse({"bytes": len(await request.body())}, headers={"Cache-Control": "max-age=1"})

    @app.get("/wait")
    def wait() -> dict[str, bool]:
        site.inside.release()
        assert site.gate.wait(PATIENCE)
        return {"ok": True}

    @app.get("/events")
    async def events() -> StreamingResponse:
        async def told() -> AsyncIterator[bytes]:
            import anyio.to_thread

            yield b"data: first\n\n"
            site.inside.release()
            await anyio.to_thread.run_sync(site.gate.wait, PATIENCE)
            yield b"data: last\n\n"

        return StreamingResponse(told(), media_type="text/event-stream")

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("lgt_secret")

    return app


@contextmanager
def served(engine: Engine, **options: Any) -> Iterator[Site]:
    """The small app on a port of its own, in a thread."""
    listener = socket.create_server((options.pop("host", "127.0.0.1"), 0))
    site = Site(listener.getsockname()[1], FastAPI())
    site.app = small_app(engine, site)
    config = uvicorn.Config(site.app, log_level="critical", proxy_headers=False, lifespan="on", **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.gate.set()
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
        assert not thread.is_alive()

"""The REST face on a real port: an app served by uvicorn in a thread, a client of it, and readers of its events."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx2
import uvicorn
from fastapi import FastAPI

from llmgenie_mcp import tokens

PATIENCE = 20.0
"""Seconds to wait for what must come; a test that waits that long has failed."""


class _Server(uvicorn.Server):
    """One that sees soon that it is to stop."""

    async def main_loop(self) -> None:
        await self.on_tick(0)
        while not self.should_exit:
            await asyncio.sleep(0.005)


@contextmanager
def serving(app: FastAPI, *, buffer: int | None = None, **config: Any) -> Iterator[httpx2.Client]:
    """A client of `app`, which is served on a port of its own.

    Args:
        app: what is served.
        buffer: bytes that the system holds for a slow reader.
        config: further settings of uvicorn.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every answer takes 40 ms
    if buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    server = _Server(uvicorn.Config(app, log_level="critical", lifespan="on", ws="none", **config))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx2.Client(base_url=address, timeout=PATIENCE, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
        assert not thread.is_alive()


def as_role(role: str, folder: Path) -> dict[str, str]:
    """The header of a new token of that role, which is called after it."""
    _, secret = tokens.create(folder / ".llmgenie", f"an-{role}", role)
    return {"Authorization": f"Bearer {secret}"}


def act(client: httpx2.Client, action: str, headers: dict[str, str] | None = None, **params: Any) -> Any:
    """Run an action that must succeed; returns its Outcome."""
    answer = client.post("/action", json={"action": action, "params": params}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


class Reader:
    """Reads the events of a server, as a browser would."""

    def __init__(self, client: httpx2.Client, **asked: Any) -> None:
        self._stream = client.stream("GET", "/events", **asked)

    def __enter__(self) -> Self:
        self.response = self._stream.__enter__()
        self._lines = self.response.iter_lines() if self.response.status_code == 200 else iter(())
        return self

    def __exit__(self, *why: object) -> None:
        self._stream.__exit__(*why)

    def block(self) -> dict[str, str] | None:
        """The fields of the next message, of which comments are none; None at the end of the stream."""
        found: dict[str, str] = {}
        for line in self._lines:
            if not line and found:
                return found
            name, _, value = line.partition(": ")
            if name:
                found[name] = value
        return None

    def event(self) -> tuple[str, dict[str, Any]]:
        """Id and event of the next message with one."""
        while (found := self.block()) is not None:
            if "data" in found:
                return found["id"], json.loads(found["data"])
        raise AssertionError("the stream ended")


def mcp_session(client: httpx2.Client, headers: dict[str, str] | None = None) -> str:
    """The id of a new session of MCP in the handshake era."""
    who = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bare", "version": "1"}}
    told = {"Accept": "application/json, text/event-stream", **(headers or {})}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": who}
    answer = client.post("/mcp", json=asked, headers=told)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["mcp-session-id"])

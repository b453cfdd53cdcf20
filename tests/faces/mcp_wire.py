"""What the tests of the MCP face say to a server: through a client in memory, or as raw lines to a process."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jsonschema
from mcp.client import Client
from mcp_types import CallToolResult, TextContent

import llmgenie_mcp
from llmgenie_mcp.faces.mcp_tools import TOOLS

PATIENCE = 20.0
"""Seconds to wait for what must come; a test that waits that long has failed."""
REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN = "2026-07-28"
RUN = "import sys; from llmgenie_mcp.faces.mcp_server import run; run(*sys.argv[1:])"
SOURCE = Path(llmgenie_mcp.__file__).parent.parent


def git(folder: Path, *words: str) -> str:
    """Run git as a developer with a name."""
    who = ["-c", "user.name=Dev", "-c", "user.email=dev@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def text_of(result: CallToolResult) -> str:
    """The text of a tool's answer, which is one block."""
    assert len(result.content) == 1
    block = result.content[0]
    assert isinstance(block, TextContent)
    return block.text


async def call(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    """Call a tool; whatever it answers fits its schema and its budget."""
    result = await client.call_tool(tool, arguments)
    if result.structured_content is not None:
        jsonschema.validate(result.structured_content, TOOLS[tool].answer)
        assert len(result.model_dump_json(by_alias=True)) <= 10_240 or "limit" in arguments
    return result


async def data(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured answer of a tool that must not fail."""
    result = await call(client, tool, **arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


async def run_action(client: Client, action: str, session: str | None = None, **params: Any) -> dict[str, Any]:
    """The outcome of an action that must be allowed."""
    more = {"session": session} if session else {}
    outcome = await data(client, "run_action", action=action, params=params, **more)
    assert outcome["status"] == "ok", outcome
    return outcome


async def start_session(client: Client, **params: Any) -> str:
    """The id of a new session."""
    outcome = await run_action(client, "start_session", **params)
    return str(outcome["result"]["session"]["id"])


def _clients_environment() -> dict[str, str]:
    """Ours, but with compiled modules kept, as wherever a client starts the server, and with the source at hand."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = os.environ.get("PYTHONPATH")
    return {**kept, "PYTHONPATH": f"{SOURCE}{os.pathsep}{path}" if path else str(SOURCE)}


class Wire:
    """The server as a process; one JSON-RPC message a line, nothing in between."""

    def __init__(self, folder: Path | None, code: str = RUN, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, *([str(folder)] if folder else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**_clients_environment(), **environment},
            cwd=folder,
        )
        self._last_id = 0
        self._buffer = b""

    def write(self, line: bytes) -> None:
        """Send raw bytes and a newline."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """The next message."""
        assert self.process.stdout is not None
        until = time.monotonic() + PATIENCE
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))
            assert ready, "the server says nothing"
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            assert chunk, f"the server has ended: {self.errors()}"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    def send(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Send a request; returns its id."""
        self._last_id += 1
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params or {}}
        self.write(json.dumps(message).encode())
        return self._last_id

    def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Send a notification."""
        self.write(json.dumps({"jsonrpc": "2.0", "method": method, "params": params or {}}).encode())

    def answer_to(self, id_: int) -> dict[str, Any]:
        """The answer to one request; other messages before it are dropped."""
        while True:
            message = self.read()
            if message.get("id") == id_ and "method" not in message:
                return message

    def request(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        return self.answer_to(self.send(method, params))

    def tool(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The result of a tool."""
        result: dict[str, Any] = self.request("tools/call", {"name": name, "arguments": arguments})["result"]
        return result

    def initialize(self, revision: str = REVISIONS[-1], **capabilities: Any) -> dict[str, Any]:
        """The handshake; returns its result."""
        client = {"name": "wire", "version": "1"}
        asked = {"protocolVersion": revision, "capabilities": capabilities, "clientInfo": client}
        result: dict[str, Any] = self.request("initialize", asked)["result"]
        self.notify("notifications/initialized")
        return result

    def end(self) -> int:
        """Close stdin, as a client does that is done; returns the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def errors(self) -> str:
        """What it wrote to stderr; waits for its end."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()


def envelope(**capabilities: Any) -> dict[str, Any]:
    """The `_meta` that every request of 2026-07-28 carries."""
    prefix = "io.modelcontextprotocol/"
    return {
        f"{prefix}protocolVersion": MODERN,
        f"{prefix}clientInfo": {"name": "wire", "version": "1"},
        f"{prefix}clientCapabilities": capabilities,
    }


@contextmanager
def spawned(folder: Path | None, code: str = RUN, **environment: str) -> Iterator[Wire]:
    """A server process that is gone afterwards, whatever happened."""
    wire = Wire(folder, code, **environment)
    try:
        yield wire
    finally:
        wire.process.kill()
        wire.process.wait()
        for pipe in (wire.process.stdin, wire.process.stdout, wire.process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()

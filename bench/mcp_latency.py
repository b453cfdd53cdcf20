"""What the MCP server costs over stdio beside a bare echo server on the same SDK: `python -m bench mcp`.

Both servers run at the same time and are asked in turns, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmgenie_mcp.engine import Engine

SPAWNS = 9
CALLS = 400
ROOT = Path(__file__).parent.parent
OURS = ["-c", "import sys; from llmgenie_mcp.faces.mcp_server import run; run(sys.argv[1])"]
ECHO = [str(ROOT / "bench" / "echo_server.py")]
TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "read: get_context_data, one task": ("get_context_data", {"key": "tasks/TSK-1"}),
    "read: get_context_data, a list of 20 tasks": ("get_context_data", {"key": "tasks"}),
    "read: get_workflow_state": ("get_workflow_state", {}),
    "read: get_policy": ("get_policy", {"policy_name": "logging"}),
    "read: get_available_actions": ("get_available_actions", {}),
    "write: update_context, a note": ("update_context", {"key": "notes/bench", "value": {"a": 1}}),
    "write: run_action log_entry": ("run_action", {"action": "log_entry", "params": {"text": "bench"}}),
}


class Server:
    """A server process that is asked one thing after the other."""

    def __init__(self, words: list[str]) -> None:
        self.started = time.perf_counter()
        # As a client starts it: with compiled modules.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self._process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, "PYTHONPATH": str(ROOT)},
        )

    def initialize(self) -> float:
        """Seconds from the spawn to the answer."""
        client = {"name": "bench", "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
        taken = time.perf_counter() - self.started
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return taken

    def tool(self, name: str, arguments: dict[str, Any]) -> float:
        """Seconds that a call takes; it must succeed."""
        begin = time.perf_counter()
        answer = self.ask("tools/call", {"name": name, "arguments": arguments})
        taken = time.perf_counter() - begin
        if answer["result"].get("isError") or answer["result"].get("structuredContent", {}).get("status") == "denied":
            raise RuntimeError(f"{name} failed: {answer}")
        return taken

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self._write({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def end(self) -> None:
        """Close it and wait."""
        self._process.communicate()

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


def rows() -> list[dict[str, Any]]:
    """Every measurement: name, value (a median), unit, and the ratio to its baseline."""
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder))
        return [*_starts(folder), *_calls(folder)]


def _fill(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", "--template=", str(folder)], check=True)
    with Engine.open(folder) as engine:
        for number in range(20):
            engine.run_action("create_task", {"title": f"Task number {number}"})


def _starts(folder: str) -> list[dict[str, Any]]:
    """Spawn → initialize, and spawn → the first answered call."""
    taken: dict[str, list[float]] = {"echo init": [], "echo first": [], "init": [], "first": []}
    for _ in range(SPAWNS):
        for name, words, tool, arguments in (
            ("echo ", ECHO, "echo", {"text": "hello"}),
            ("", [*OURS, folder], "get_workflow_state", {}),
        ):
            server = Server(words)
            taken[f"{name}init"].append(server.initialize())
            server.tool(tool, arguments)
            taken[f"{name}first"].append(time.perf_counter() - server.started)
            server.end()
    medians = {name: statistics.median(values) * 1e3 for name, values in taken.items()}
    return [
        _row("echo: spawn → initialize", medians["echo init"]),
        _row("spawn → initialize (budget 1.15)", medians["init"], "the echo server", medians["echo init"]),
        _row("echo: spawn → first answered call", medians["echo first"]),
        _row("spawn → first answered call", medians["first"], "the echo server", medians["echo first"]),
    ]


def _calls(folder: str) -> list[dict[str, Any]]:
    """Calls of warm servers; the write is beside what an append costs on the same disk."""
    ours, echo = Server([*OURS, folder]), Server(ECHO)
    ours.initialize()
    echo.initialize()
    measures: dict[str, Callable[[], float]] = {
        "echo": lambda: echo.tool("echo", {"text": "hello"}),
        "echo async": lambda: echo.tool("echo_async", {"text": "hello"}),
        "append": _appender(Path(folder) / "bench.bin"),
        **{name: _asking(ours, *tool) for name, tool in TOOLS.items()},
    }
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for turn in range(CALLS + 20):
        for name, measure in measures.items():
            seconds = measure()
            if turn >= 20:
                taken[name].append(seconds)
    ours.end()
    echo.end()
    medians = {name: statistics.median(values) * 1e3 for name, values in taken.items()}
    write = medians["echo"] + 2 * medians["append"]
    made = [
        _row("echo tool", medians["echo"]),
        _row("echo tool without a worker thread", medians["echo async"]),
        _row("append of 300 bytes + fdatasync", medians["append"]),
    ]
    for name in TOOLS:
        if name.startswith("read"):
            made.append(_row(f"{name} (budget 1.25)", medians[name], "the echo tool", medians["echo"]))
        else:
            made.append(_row(f"{name} (budget 1)", medians[name], "echo + 2 appends", write))
    return made


def _asking(server: Server, name: str, arguments: dict[str, Any]) -> Callable[[], float]:
    return lambda: server.tool(name, arguments)


def _appender(path: Path) -> Callable[[], float]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append() -> float:
        begin = time.perf_counter()
        os.write(descriptor, b"x" * 300)
        os.fdatasync(descriptor)
        return time.perf_counter() - begin

    return append


def _row(name: str, value: float, baseline: str = "", beside: float = 0) -> dict[str, Any]:
    ratio = {"ratio": round(value / beside, 2), "baseline": baseline} if baseline else {}
    return {"name": name, "value": round(value, 3), "unit": "ms", **ratio}


if __name__ == "__main__":
    for row in rows():
        print(row)

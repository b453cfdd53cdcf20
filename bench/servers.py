"""MCP servers as a client starts them: processes that are spoken to in JSON-RPC, a line a message."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.measure import Sampler, Seconds

ROOT = Path(__file__).parent.parent
OURS = ("-c", "import sys; from llmgenie_mcp.faces.mcp_server import run; run(sys.argv[1])")
ECHO = (str(ROOT / "bench" / "echo_server.py"),)
CLIENT = {"name": "bench", "version": "1"}


def environment() -> dict[str, str]:
    """As a client has it: compiled modules are kept."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT)}


class Server:
    """A server process; a context manager that ends it."""

    def __init__(self, words: Sequence[str]) -> None:
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )

    @classmethod
    def ours(cls, project: Path) -> Self:
        """llmgenie for a project."""
        return cls([*OURS, str(project)])

    @classmethod
    def echo(cls) -> Self:
        """The least server on the same SDK."""
        return cls(ECHO)

    def __enter__(self) -> Self:
        self.initialize()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def initialize(self) -> Seconds:
        """Greet it; returns seconds from the spawn to the answer."""
        self.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT})
        taken = time.perf_counter() - self.started
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return taken

    def tool(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool; it must succeed."""
        return good(self.ask("tools/call", {"name": name, "arguments": arguments}))

    def calling(self, name: str, arguments: Mapping[str, Any]) -> Sampler:
        """A sampler of one call."""

        def sample() -> Seconds:
            start = time.perf_counter()
            answer = self.ask("tools/call", {"name": name, "arguments": arguments})
            taken = time.perf_counter() - start
            good(answer)
            return taken

        return sample

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self._write({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return self.read()

    def send_calls(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Send many calls at once, with ids from 0 on, without waiting."""
        for number, (name, arguments) in enumerate(calls):
            params = {"name": name, "arguments": arguments}
            self._write({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}, flush=False)
        assert self.process.stdin is not None
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """The next answer; notifications are passed over."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            answer: dict[str, Any] = json.loads(line)
            if "id" in answer:
                return answer
        raise RuntimeError(f"the server ended with {self.process.wait()}")

    def end(self) -> None:
        """Close its input and wait."""
        self.process.communicate()

    def memory(self) -> dict[str, float]:
        """Megabytes (2^20): `rss`, and `pss`, in which shared pages are shared out; empty where the system does not tell."""
        try:
            lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        except OSError:
            return {}
        sizes = {line.split(":")[0].lower(): float(line.split()[1]) / 1024 for line in lines if line.endswith(" kB")}
        return {name: sizes[name] for name in ("rss", "pss")}

    def cpu(self) -> Seconds:
        """CPU time it has used so far; 0 where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _write(self, message: Mapping[str, Any], *, flush: bool = True) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        if flush:
            self.process.stdin.flush()


def good(answer: dict[str, Any]) -> dict[str, Any]:
    """The result of a call that succeeded."""
    result: dict[str, Any] = answer.get("result", {})
    if not result or result.get("isError") or result.get("structuredContent", {}).get("status") == "denied":
        raise RuntimeError(f"a call failed: {json.dumps(answer)[:2000]}")
    return result

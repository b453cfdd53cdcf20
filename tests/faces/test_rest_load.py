"""A thousand clients at once: each is answered or told to come back, none is hung up on, and the server is well afterwards."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import pytest
from cli_fixtures import environment
from scene import configure

from llmgenie_mcp import Engine

CLIENTS = 1000
PATIENCE = 60.0
"""Seconds for a client to have its answer; one that waits longer was hung up on."""
HEADROOM = 96_000_000
"""Bytes of memory that a thousand clients may leave behind in the server."""


@dataclass
class Seen:
    """What the clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def at(self, share: float) -> float:
        """Seconds within which that share of the answers came."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * share))]


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CLIENTS + 200:
        pytest.skip(f"this process may open {hard} files only")
    wanted = max(soft, CLIENTS * 2 if hard == resource.RLIM_INFINITY else min(hard, CLIENTS * 2))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def server(repo: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """`llmgenie serve --http` as a process; gives its port."""
    words = ["serve", "--http", "--port", "0", "--json", "--project", str(repo)]
    with subprocess.Popen(
        [sys.executable, "-m", "llmgenie_mcp", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield int(json.loads(line)["data"]["url"].rpartition(":")[2]), process
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said
            assert "Traceback" not in said
        finally:
            process.kill()


async def client(port: int, path: str, start: asyncio.Event, seen: Seen, requests: int) -> None:
    """One client: connects when all start, asks some times on one connection."""
    await start.wait()
    try:
        async with asyncio.timeout(PATIENCE):
            began = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(requests):
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").lower().split("\r\n")
                length = next(int(line[15:]) for line in lines if line.startswith("content-length:"))
                await reader.readexactly(length)
                status = int(lines[0].split()[1])
                seen.statuses[status] += 1
                seen.seconds.append(time.perf_counter() - began)
                if status == 429 and not any(line.startswith("retry-after:") for line in lines):
                    seen.faults.append("429 without Retry-After")
                began = time.perf_counter()
            writer.close()
    except (OSError, EOFError, TimeoutError) as fault:
        seen.faults.append(f"{type(fault).__name__}: {fault}")


async def crowd(port: int, path: str, requests: int) -> tuple[Seen, float]:
    """All clients at once; what they saw, and the seconds it took."""
    seen, start = Seen(), asyncio.Event()
    clients = [asyncio.create_task(client(port, path, start, seen, requests)) for _ in range(CLIENTS)]
    await asyncio.sleep(0)
    began = time.perf_counter()
    start.set()
    await asyncio.gather(*clients)
    return seen, time.perf_counter() - began


def resident(process: subprocess.Popen[str]) -> int:
    """Bytes of memory that a process has now."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def answered_at_once(port: int, path: str) -> float:
    """Seconds until a request after the crowd has its answer."""
    began = time.perf_counter()
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
        assert answer.status == 200
    return time.perf_counter() - began


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("per_minute", [1200, 1_000_000], ids=["as set by default", "without a rate"])
def test_a_thousand_clients_are_answered_or_told_to_come_back(repo: Path, per_minute: int) -> None:
    with Engine.open(repo) as engine:
        for number in range(20):
            engine.run_action("create_task", {"title": f"Task {number}"})
    configure(repo, rest={"per_minute": per_minute})
    with server(repo) as (port, process):
        answered_at_once(port, "/workflow/state")
        before = resident(process)
        seen, took = asyncio.run(crowd(port, "/context/tasks", 2))
        after = answered_at_once(port, "/health")
        grown = resident(process) - before
    told = (
        f"{sum(seen.statuses.values()) / took:.0f} requests/s, "
        f"p50 {seen.at(0.5) * 1000:.0f} ms, p99 {seen.at(0.99) * 1000:.0f} ms, {dict(seen.statuses)}, "
        f"next answer after {after * 1000:.0f} ms, memory {grown / 1e6:+.0f} MB"
    )
    print(told)
    assert seen.faults == []
    assert set(seen.statuses) <= {200, 429}, told
    assert sum(seen.statuses.values()) == 2 * CLIENTS
    assert seen.statuses[200] >= 64, told
    assert after < 20, told
    assert grown < HEADROOM, told

"""Much at once: 64 calls in flight over one session, and eight servers that write to one project: `python -m bench load`."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.filling import place, repository
from bench.measure import Effort, Found, Row, Seconds, Spread, against, alone
from bench.servers import Server, good
from llmgenie_mcp import Engine

FLIGHT = 64
SERVERS = 8
STATE: tuple[str, dict[str, Any]] = ("get_workflow_state", {})
ENTRY: tuple[str, dict[str, Any]] = ("run_action", {"action": "log_entry", "params": {"text": "at once"}})

Calls = Sequence[tuple[str, Mapping[str, Any]]]


def measure(effort: Effort) -> Found:
    """One session, then many processes."""
    with place() as folder:
        return [*_in_flight(repository(folder / "one"), effort), *_together(repository(folder / "many"), effort)]


def _in_flight(project: Path, effort: Effort) -> Found:
    taken: dict[str, list[Seconds]] = {"echo": [], "reads": [], "writes": [], "one by one": []}
    with Server.echo() as echo, Server.ours(project) as ours:
        for _ in range(effort.of(20, 2)):
            taken["echo"].append(_flight(echo, [("echo", {"text": "hello"})] * FLIGHT))
            taken["reads"].append(_flight(ours, [STATE] * FLIGHT))
            taken["writes"].append(_flight(ours, [ENTRY] * FLIGHT))
            start = time.perf_counter()
            for _ in range(FLIGHT):
                ours.tool(*ENTRY)
            taken["one by one"].append((time.perf_counter() - start) / FLIGHT)
    return [
        alone(f"echo, {FLIGHT} calls in flight: each", taken["echo"], "ms"),
        against(
            f"get_workflow_state, {FLIGHT} in flight: each", taken["reads"], "echo", taken["echo"], "ms", short=True
        ),
        against(
            f"log_entry, {FLIGHT} in flight: each", taken["writes"], "one by one", taken["one by one"], "ms", short=True
        ),
    ]


def _flight(server: Server, calls: Calls) -> Seconds:
    """Seconds a call takes when all are sent before the first answer is read; every one must be answered, once."""
    start = time.perf_counter()
    # Both pipes have 64 KiB: who sends without reading would wait for a server that waits for its reader.
    sending = threading.Thread(target=server.send_calls, args=(calls,))
    sending.start()
    answered = set()
    for _ in calls:
        answer = server.read()
        good(answer)
        answered.add(answer["id"])
    sending.join()
    if answered != set(range(len(calls))):
        raise RuntimeError(f"{len(calls)} calls, answers to {len(answered)}")
    return (time.perf_counter() - start) / len(calls)


def _together(project: Path, effort: Effort) -> Found:
    """Eight servers write as fast as they can, beside one server with as many writes."""
    each, rounds, count = effort.of(40, 5), effort.of(10, 1), effort.of(SERVERS, 2)
    many, one, slowest = [], [], []
    with ExitStack() as ending:
        servers = [ending.enter_context(Server.ours(project)) for _ in range(count)]
        for server in servers:
            server.tool(*STATE)
        for _ in range(rounds):
            waits: list[Seconds] = []
            threads = [threading.Thread(target=_writes, args=(server, each, waits)) for server in servers]
            start = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            many.append((time.perf_counter() - start) / (each * count))
            slowest.append(max(waits))
            alone_waits: list[Seconds] = []
            _writes(servers[0], each * count, alone_waits)
            one.append(sum(alone_waits) / len(alone_waits))
    with Engine.open(project, read_only=True) as engine:
        kept = engine.storage.last_seq()
        sound = engine.storage.verify().ok
    wanted = 2 * rounds * each * count
    lost = Spread.of([float(wanted - kept)])
    if not sound:
        raise RuntimeError("the log of the project is damaged")
    return [
        against(f"{count} servers writing at once: a write", many, "one server", one, "ms", short=True),
        alone(f"{count} servers writing at once: the slowest write", slowest, "ms"),
        Row(
            f"{count} servers: of {wanted:,} acknowledged writes lost", "", lost, budget=0.0, bounds="value", short=True
        ),
    ]


def _writes(server: Server, count: int, waits: list[Seconds]) -> None:
    write = server.calling(*ENTRY)
    waits += [write() for _ in range(count)]

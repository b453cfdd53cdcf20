"""How a server starts, and what it takes while idle, beside the echo server: `python -m bench startup`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bench.filling import Filling, place, repository
from bench.measure import Effort, Found, Row, Spread, against, alone
from bench.servers import Server, environment

BUDGET = 1.15
LINES = 100_000
IMPORTS = "import mcp.server.mcpserver"
ECHO, OURS, LONG = "echo", "llmgenie", "llmgenie, 100,000 log lines"

Samples = dict[str, list[float]]


def measure(effort: Effort) -> Found:
    """From the spawn to the first answers, and memory after them."""
    with place() as folder:
        projects = {OURS: repository(folder / "small"), LONG: repository(folder / "long")}
        for name, project in projects.items():
            filling = Filling(project)
            filling.tasks(20)
            filling.lines(effort.of(LINES, 1_000) if name == LONG else 20)
            filling.finish()
        starts: dict[str, Samples] = {name: {} for name in (ECHO, *projects)}
        imports: list[float] = []
        for number in range(effort.of(15, 1) + 1):
            for name, kept in starts.items():
                found = _start(projects.get(name))
                if number:  # the first writes compiled modules
                    for what, value in found.items():
                        kept.setdefault(what, []).append(value)
            imports += [_import()] if number else []
        return [*_times(starts, imports), *_sizes(starts)]


def _start(project: Path | None) -> dict[str, float]:
    server = Server.echo() if project is None else Server.ours(project)
    found = {"initialize": server.initialize()}
    if project is None:
        server.tool("echo", {"text": "hello"})
    else:
        server.tool("get_workflow_state", {})
    found["first"] = time.perf_counter() - server.started
    found["cpu"] = server.cpu()
    found |= server.memory()
    server.end()
    return found


def _import() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, env=environment())
    return time.perf_counter() - start


def _times(starts: Mapping[str, Samples], imports: list[float]) -> Found:
    echo, ours, long = (starts[name] for name in (ECHO, OURS, LONG))
    added = [mine - theirs for mine, theirs in zip(long["first"], ours["first"], strict=True)]
    return [
        alone(f"python -c '{IMPORTS}'", imports, "ms"),
        against("spawn → initialize", ours["initialize"], "echo", echo["initialize"], "ms", budget=BUDGET, short=True),
        against("spawn → first answered call", ours["first"], "echo", echo["first"], "ms", short=True),
        against("CPU until then", ours["cpu"], "echo", echo["cpu"], "ms"),
        alone("100,000 log lines add to the first answered call", added, "ms", budget=100.0),
    ]


def _sizes(starts: Mapping[str, Samples]) -> Found:
    found: Found = []
    for name in (OURS, LONG):
        for kind in ("rss", "pss"):
            if kind not in starts[name]:
                continue  # only Linux tells
            value, echo = Spread.of(starts[name][kind]), Spread.of(starts[ECHO][kind])
            ratio = Spread(value.median / echo.median, value.low / echo.high, value.high / echo.low, value.count)
            shown = kind == "pss" and name == OURS
            found.append(Row(f"memory, {kind.upper()}: {name}", "MiB", value, "echo", echo, ratio, short=shown))
    return found

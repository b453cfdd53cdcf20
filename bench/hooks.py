"""Agent hooks as whole processes beside `python -I -S -c pass`: a server running, none running, allowed and denied."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from bench.filling import place, repository
from bench.measure import Effort, Found, Sampler, Seconds, against, interleaved
from llmgenie_mcp import Engine
from llmgenie_mcp.faces import hook
from llmgenie_mcp.faces.hook_answer import answer
from llmgenie_mcp.faces.hook_server import HookServer

ALONE, SERVED = 20.0, 2.0
"""Budgets: times `python -I -S -c pass` when no server runs, and when one does."""
PASS = "python -I -S -c pass"
COMMANDS = {"allowed": "git status && pytest -q", "denied and logged": "cd . && git push origin HEAD:main"}


def measure(effort: Effort) -> Found:
    """Runs of both sides alternate."""
    with place() as folder:
        project = repository(folder / "project")
        found = _cases("no server", project, ALONE, effort)
        with Engine.open(project) as engine:
            server = HookServer(project, lambda request: answer(request, lambda: nullcontext(engine.guard())))
            server.start()
            try:
                found += _cases("server running", project, SERVED, effort)
            finally:
                server.stop()
    return found


def _cases(where: str, project: Path, budget: float, effort: Effort) -> Found:
    sides: dict[str, Sampler] = {PASS: lambda: _run(["-c", "pass"], b"")}
    for name, command in COMMANDS.items():
        words = [str(hook.__file__), "--project", str(project), "claude-code"]
        sides[name] = partial(_run, words, _payload(project, command))
    taken = interleaved(sides, effort.of(60, 2))
    return [
        against(f"agent hook, {where}: {name}", taken[name], PASS, taken[PASS], "ms", budget=budget, short=True)
        for name in COMMANDS
    ]


def _payload(project: Path, command: str) -> bytes:
    told = {
        "session_id": "bench",
        "cwd": str(project),
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": command},
    }
    return json.dumps(told).encode()


def _run(words: Sequence[str], given: bytes) -> Seconds:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", *words], input=given, capture_output=True, check=False)
    return time.perf_counter() - start

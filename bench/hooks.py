"""Agent hooks as whole processes beside `python -I -S -c pass`: a server running, none running, allowed and denied."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from llmgenie_mcp import Engine
from llmgenie_mcp.faces import hook
from llmgenie_mcp.faces.hook_answer import answer
from llmgenie_mcp.faces.hook_server import HookServer

ROUNDS = 40
COMMANDS = {"allowed": "git status && pytest -q", "denied": "cd . && git push origin HEAD:main"}


def rows() -> list[dict[str, Any]]:
    """One row per case: {name, value, unit, baseline, ratio}; runs of both sides alternate."""
    with tempfile.TemporaryDirectory(prefix="llmgenie-bench-") as folder:
        project = Path(folder) / "project"
        subprocess.run(["git", "init", "-q", "-b", "main", str(project)], check=True)
        os.environ |= {"LLMGENIE_STATE_DIR": f"{folder}/state", "LLMGENIE_RUNTIME_DIR": f"{folder}/run"}
        Path(folder, "run").mkdir(mode=0o700)
        found = [_compare(f"hook, no server, {name}", command, project) for name, command in COMMANDS.items()]
        with Engine.open(project) as engine:
            server = HookServer(project, lambda request: answer(request, lambda: nullcontext(engine.guard())))
            server.start()
            try:
                found += [_compare(f"hook, server running, {name}", c, project) for name, c in COMMANDS.items()]
            finally:
                server.stop()
    return found


def _compare(name: str, command: str, project: Path) -> dict[str, Any]:
    payload = {
        "session_id": "bench",
        "cwd": str(project),
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": command},
    }
    ours, bare = [], []
    words = [str(hook.__file__), "--project", str(project), "claude-code"]
    for number in range(ROUNDS + 3):
        timed = _run(words, json.dumps(payload).encode()), _run(["-c", "pass"], b"")
        if number >= 3:
            ours.append(timed[0])
            bare.append(timed[1])
    value, baseline = statistics.median(ours), statistics.median(bare)
    return {
        "name": f"{name} (p95 {statistics.quantiles(ours, n=20)[-1]:.0f} ms)",
        "value": round(value, 1),
        "unit": "ms",
        "baseline": f"python -I -S -c pass ({baseline:.1f} ms)",
        "ratio": round(value / baseline, 2),
    }


def _run(words: Sequence[str], given: bytes) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", *words], input=given, capture_output=True, check=False)
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    for row in rows():
        print(row)

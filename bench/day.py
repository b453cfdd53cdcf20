"""A day's work of an agent, replayed on one server: 10,000 hook decisions and 2,000 actions: `python -m bench day`.

The hooks ask over the server's socket what the agents' hosts would ask, with the commands of `tests/shell/corpus.txt`
that it reads as ordinary work or refuses, in turn; the processes of the hooks themselves are measured by `hooks`.
The actions are those of a working agent, each a durable write.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bench.filling import place, repository
from bench.measure import Effort, Found, Row, Seconds, Spread, alone
from bench.servers import ROOT, Server
from llmgenie_mcp import Engine
from llmgenie_mcp.faces import hook

HOOKS, ACTIONS, BLOCKS = 10_000, 2_000, 20
"""BLOCKS is into how many parts the day is cut: CPU time is told in hundredths of a second only."""


def measure(effort: Effort) -> Found:
    """Wall and CPU time an item, and what is left of the day: memory and log."""
    with place() as folder:
        project = repository(folder / "project")
        hooks, actions = effort.of(HOOKS, 40), effort.of(ACTIONS, 20)
        blocks = effort.of(BLOCKS, 2)
        asked, cpu_asked, acted, cpu_acted, waits = [], [], [], [], list[Seconds]()
        with Server.ours(project) as server:
            server.tool("get_workflow_state", {})
            commands, work = cycle(_commands()), _work(server)
            for _ in range(200 if not effort.quick else 2):
                _ask(project, next(commands))
            before = server.memory().get("rss", 0.0)
            for _ in range(blocks):
                start, cpu = time.perf_counter(), server.cpu()
                for command in islice(commands, hooks // blocks):
                    waits.append(_ask(project, command))
                asked.append((time.perf_counter() - start) / (hooks // blocks))
                cpu_asked.append((server.cpu() - cpu) / (hooks // blocks))
                start, cpu = time.perf_counter(), server.cpu()
                for _ in islice(work, actions // blocks):
                    pass
                acted.append((time.perf_counter() - start) / (actions // blocks))
                cpu_acted.append((server.cpu() - cpu) / (actions // blocks))
            after = server.memory().get("rss", 0.0)
        with Engine.open(project, read_only=True) as engine:
            lines = engine.storage.last_seq()
        size = sum(path.stat().st_size for path in (project / ".llmgenie" / "meta-log").iterdir())
    return [
        alone(f"{hooks:,} hook decisions: each", asked, "ms", short=True),
        alone("a hook decision: CPU of the server", cpu_asked, "ms"),
        alone("a hook decision: the slowest in a hundred", sorted(waits)[-max(1, len(waits) // 100) :][:1], "ms"),
        alone(f"{actions:,} actions: each", acted, "ms", short=True),
        alone("an action: CPU of the server", cpu_acted, "ms"),
        Row("memory that the day added", "MiB", Spread.of([after - before]), bounds="value", short=True),
        Row(f"log after the day ({lines:,} lines)", "MiB", Spread.of([size / 2**20]), bounds="value"),
    ]


def _commands() -> list[str]:
    sys.path.insert(0, str(ROOT / "tests"))
    return [entry.command for entry in importlib.import_module("shell_corpus").entries()]


def _ask(project: Path, command: str) -> Seconds:
    """Ask as the hook of a host does, without its process."""
    payload = {
        "session_id": "bench",
        "cwd": str(project),
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": command},
    }
    start = time.perf_counter()
    request = hook.pack("claude-code", str(project), str(project), [], {}, json.dumps(payload).encode())
    answered = hook._ask(str(project), request)  # noqa: SLF001 - what the process of a hook does
    taken = time.perf_counter() - start
    if answered is None:
        raise RuntimeError("the server did not answer its hook")
    return taken


def _work(server: Server) -> Iterator[None]:
    """One action after the other, for ever: a session, tasks that are made, claimed, noted about and completed."""
    act = _actor(server, None)
    session = act("start_session", {"mode": "code", "role": "developer"})["session"]["id"]
    act = _actor(server, session)
    while True:
        task = act("create_task", {"title": "One more thing to do"})["id"]
        yield
        act("claim_task", {"id": task})
        yield
        for number in range(5):
            act("log_entry", {"text": f"{task}: step {number} is done."})
            yield
        act("record_note", {"key": "progress", "value": {"task": task}})
        yield
        act("update_task", {"id": task, "description": "As it turned out."})
        yield
        act("complete_task", {"id": task, "summary": "It works; the tests pass."})
        yield


def _actor(server: Server, session: str | None) -> Any:
    def act(action: str, params: Mapping[str, Any]) -> Any:
        asked = {"action": action, "params": params, **({"session": session} if session else {})}
        return server.tool("run_action", asked)["structuredContent"]["result"]

    return act

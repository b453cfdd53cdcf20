"""Slow actions: progress, cancelling, and everybody else meanwhile."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp_wire import MODERN, PATIENCE, Wire, call, data, envelope, git, run_action, spawned, start_session

from llmgenie_mcp.engine import Engine

pytestmark = pytest.mark.anyio
Connect = Callable[..., Client]
Commands = Callable[..., None]

WAITS = """
import os, sys, time
with open("pid.tmp", "w") as file: file.write(str(os.getpid()))
os.replace("pid.tmp", "pid")
while not os.path.exists("go"): time.sleep(0.01)
"""
"""A program that says who it is and runs until it is let go."""


@pytest.fixture
def waiting(commands: Commands, project: Path) -> Path:
    """A project whose tests run until the file `go` is there."""
    commands(test=[sys.executable, "-c", WAITS])
    with (project / ".gitignore").open("a", encoding="utf-8") as ignored:
        ignored.write("pid*\ngo\n")
    git(project, "commit", "-qam", "ignore")
    return project


async def appears(path: Path) -> str:
    """What is in `path` once it is there."""
    with anyio.fail_after(PATIENCE):
        while not path.exists():
            await anyio.sleep(0.01)
    return path.read_text(encoding="utf-8")


async def gone(pid: int) -> None:
    """Wait until the process has ended."""
    with anyio.fail_after(PATIENCE):
        while _runs(pid):
            await anyio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def in_mode_code(client: Client) -> str:
    return await start_session(client, mode="code")


async def test_a_slow_action_does_not_keep_others_waiting(client: Connect, waiting: Path) -> None:
    async with client() as c:
        session = await in_mode_code(c)
        outcome: list[dict[str, Any]] = []

        async def test() -> None:
            outcome.append(await run_action(c, "run_tests", session))

        async with anyio.create_task_group() as group:
            group.start_soon(test)
            await appears(waiting / "pid")
            await data(c, "get_workflow_state")
            await run_action(c, "create_task", title="meanwhile")
            assert outcome == []
            (waiting / "go").touch()
    assert outcome[0]["result"]["passed"]


async def test_progress_is_reported_before_the_answer(client: Connect, commands: Commands, project: Path) -> None:
    commands(test=["true"])
    git(project, "switch", "-q", "-c", "feature/x")
    reports: list[tuple[float, float | None, str | None]] = []

    async def report(done: float, total: float | None, message: str | None) -> None:
        reports.append((done, total, message))

    async with client() as c:
        session = await start_session(c, mode="review")
        await run_action(c, "start_review", session)
        await run_action(c, "run_tests", session)
        await run_action(c, "submit", session)
        asked = await run_action(c, "request_approval", session)
        with Engine.open(project) as person:
            person.decide_approval(asked["result"]["approval"]["id"], True, person="dev", channel="terminal")
        arguments = {"action": "merge", "params": {"branch": "main"}, "session": session}
        result = await c.call_tool("run_action", arguments, progress_callback=report)
        seen = list(reports)
    assert (result.structured_content or {})["status"] == "ok"
    assert seen == [(1, 3, "checking out main"), (2, 3, "merging feature/x")]


async def test_a_client_that_gives_up_ends_the_program_and_the_end_is_recorded(client: Connect, waiting: Path) -> None:
    async with client() as c:
        session = await in_mode_code(c)
        async with anyio.create_task_group() as group:
            group.start_soon(run_action, c, "run_tests", session)
            pid = int(await appears(waiting / "pid"))
            group.cancel_scope.cancel()
        await gone(pid)
        run = await _ended_run(c)
    assert run["status"] == "cancelled"


async def _ended_run(client: Client) -> dict[str, Any]:
    with anyio.fail_after(PATIENCE):
        while True:
            (run,) = (await data(client, "get_context_data", key="runs"))["items"]
            if run["status"] != "running":
                return dict(run)
            await anyio.sleep(0.01)


@pytest.mark.parametrize("era", ["handshake", MODERN])
async def test_a_cancelled_notification_on_the_wire_ends_the_program(waiting: Path, era: str) -> None:
    with spawned(waiting) as wire:
        meta: dict[str, Any] = {}
        if era == MODERN:
            meta = {"_meta": envelope()}
        else:
            wire.initialize()
        asked = {"action": "start_session", "params": {"mode": "code"}}
        started = wire.request("tools/call", {"name": "run_action", "arguments": asked, **meta})["result"]
        session = started["structuredContent"]["session"]
        asked = {"action": "run_tests", "session": session}
        running = wire.send("tools/call", {"name": "run_action", "arguments": asked, **meta})
        pid = int(await appears(waiting / "pid"))
        wire.notify("notifications/cancelled", {"requestId": running, "reason": "enough", **meta})
        await gone(pid)
        still = wire.request("tools/call", {"name": "get_workflow_state", "arguments": {}, **meta})
        assert still["result"]["structuredContent"]["mode"] == "discuss"
        assert wire.end() == 0
        assert wire.errors() == ""
    with Engine.open(waiting) as engine:
        assert engine.context_data("runs")["items"][0]["status"] == "cancelled"


@pytest.mark.parametrize("how", ["stdin", "signal"])
async def test_the_end_of_the_server_ends_the_program_and_is_recorded(waiting: Path, wire: Wire, how: str) -> None:
    wire.initialize()
    started = wire.tool("run_action", action="start_session", params={"mode": "code"})
    wire.send(
        "tools/call",
        {
            "name": "run_action",
            "arguments": {"action": "run_tests", "session": started["structuredContent"]["session"]},
        },
    )
    pid = int(await appears(waiting / "pid"))
    if how == "signal":
        wire.process.terminate()
        assert wire.process.wait(PATIENCE) == 0
    else:
        assert wire.end() == 0
    assert wire.errors() == ""
    assert not _runs(pid)
    with Engine.open(waiting) as engine:
        assert engine.context_data("runs")["items"][0]["status"] == "cancelled"


async def test_thirty_calls_at_once_are_all_answered(client: Connect) -> None:
    async with client() as c:
        done: list[str] = []

        async def make(number: int) -> None:
            outcome = await call(c, "run_action", action="create_task", params={"title": f"t{number}"})
            done.append((outcome.structured_content or {})["result"]["id"])

        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(make, number)
    assert sorted(done, key=lambda id_: int(id_[4:])) == [f"TSK-{n}" for n in range(1, 31)]

"""Other servers' tools as a client of ours meets them: eight tools to load, hundreds to find and run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp_wire import Wire, call, data, run_action, text_of
from scene import configure
from upstream_scene import PATIENCE, SHOP, accept, alive, children, raw, tool, wait_until

from llmgenie_mcp import Engine
from llmgenie_mcp.upstream import pool

pytestmark = pytest.mark.anyio
Connect = Callable[..., Client]
TITLE = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No server behind ours outlives a test."""
    yield
    pool.close_all()
    assert not children()


def behind(project: Path, **upstreams: Any) -> None:
    """Upstreams whose tools are accepted."""
    configure(project, upstreams=upstreams)
    with Engine.open(project) as engine:
        for name in upstreams:
            accept(engine, name)


async def test_a_client_loads_eight_tools_and_finds_a_hundred(client: Connect, project: Path, tmp_path: Path) -> None:
    others = [tool(f"{verb}_{number}") for verb in ("get", "list") for number in range(50)]
    behind(project, hub=raw(tmp_path, *others, tool("create_issue", description="Open an issue.", schema=TITLE)))
    async with client() as c:
        assert len((await c.list_tools()).tools) == 8
        listed = await call(c, "get_available_actions")
        assert "hub.* (102)" in text_of(listed)
        found = await call(c, "get_available_actions", query="create issue")
        first = (found.structured_content or {})["actions"][0]
        assert first["name"] == "hub.create_issue"
        assert first["schema"]["required"] == ["title"]
        assert "hub.create_issue(title): Open an issue." in text_of(found)
        outcome = await run_action(c, "hub.create_issue", title="broken")
        assert '"title": "broken"' in outcome["result"]["text"]
        wrong = await call(c, "run_action", action="hub.create_issue", params={"titel": "x"})
        assert wrong.is_error
        assert "hub.create_issue takes: title." in text_of(wrong)


async def test_progress_of_another_server_reaches_the_client(client: Connect, project: Path) -> None:
    behind(project, shop={"command": [sys.executable, str(SHOP)]})
    reports: list[tuple[float, float | None, str | None]] = []

    async def report(done: float, total: float | None, message: str | None) -> None:
        reports.append((done, total, message))

    async with client() as c:
        arguments = {"action": "shop.count", "params": {"to": 3, "pause": 0.25}}
        result = await c.call_tool("run_action", arguments, progress_callback=report)
    assert not result.is_error
    assert reports[0] == (0, 3, "at 0")


async def test_an_answer_is_passed_on_as_long_as_the_settings_allow(client: Connect, project: Path) -> None:
    behind(project, shop={"command": [sys.executable, str(SHOP)], "max_answer": 30_000})
    async with client() as c:
        result = await c.call_tool("run_action", {"action": "shop.big", "params": {"size": 25_000}})
    assert (result.structured_content or {})["result"]["text"] == "x" * 25_000
    assert "x" * 25_000 in text_of(result)


async def test_a_refusal_by_policy_names_the_rule(client: Connect, project: Path, tmp_path: Path) -> None:
    behind(project, files=raw(tmp_path, "write_file"))
    async with client() as c:
        given = {"path": ".llmgenie/llmgenie.yaml", "content": "x"}
        refused = await data(c, "run_action", action="files.write_file", params=given)
    assert refused["status"] == "denied"
    assert refused["reasons"][0]["rule"] == "security/definitions-need-a-person"


@pytest.mark.crash
@pytest.mark.parametrize("end", ["closed", "killed"])
async def test_servers_behind_ours_end_with_it(wire: Wire, project: Path, tmp_path: Path, end: str) -> None:
    behind(project, shop=raw(tmp_path, "pid"))
    pool.close_all()
    wire.initialize()
    pid = int(wire.tool("run_action", action="shop.pid")["structuredContent"]["result"]["text"])
    assert alive(pid)
    if end == "closed":
        assert wire.end() == 0
        assert wire.errors() == ""
    else:
        wire.process.kill()
        wire.process.wait(PATIENCE)
    wait_until(lambda: not alive(pid), "the end of the server")

"""Clients are told of every commit, of this process and of others, in both eras."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp_types import ResourceUpdatedNotification
from mcp_wire import PATIENCE, Wire, envelope, run_action, spawned

from llmgenie_mcp.engine import Engine
from llmgenie_mcp.faces.mcp_changes import touched
from llmgenie_mcp.faces.mcp_server import create_server

pytestmark = pytest.mark.anyio
old = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
"""For what the SDK's client calls old and clients of today do at their start."""
STATE, TASKS = "llmgenie://state", "llmgenie://context/tasks"


def inbox() -> tuple[Callable[[Any], Any], Callable[[], Any]]:
    """A message handler for a client, and how to wait for the next changed resource."""
    came: asyncio.Queue[str] = asyncio.Queue()

    async def handler(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            came.put_nowait(str(message.params.uri))

    async def next_uri() -> str:
        with anyio.fail_after(PATIENCE):
            return await came.get()

    return handler, next_uri


@old
async def test_a_handshake_client_that_subscribed_hears_of_its_own_and_other_commits(project: Path) -> None:
    handler, next_uri = inbox()
    async with Client(create_server(str(project)), mode="legacy", message_handler=handler) as c:
        assert c.server_capabilities.resources is not None
        assert c.server_capabilities.resources.subscribe
        await c.subscribe_resource(TASKS)
        await run_action(c, "create_task", title="mine")
        assert await next_uri() == TASKS
        with Engine.open(project) as other:
            other.run_action("create_task", {"title": "theirs"})
        assert await next_uri() == TASKS
        await c.unsubscribe_resource(TASKS)
        await c.subscribe_resource(STATE)
        await run_action(c, "create_task", title="mine")
        assert await next_uri() == STATE


async def test_a_modern_client_that_listens_hears_of_its_own_and_other_commits(project: Path) -> None:
    wanted = [TASKS, "llmgenie://context/tasks/TSK-1"]
    async with (
        Client(create_server(str(project)), mode="auto") as c,
        c.listen(resource_subscriptions=wanted) as changes,
    ):
        await run_action(c, "create_task", title="mine")
        with anyio.fail_after(PATIENCE):
            assert {(await anext(changes)).uri, (await anext(changes)).uri} == set(wanted)
        with Engine.open(project) as other:
            other.run_action("create_task", {"title": "theirs"})
        with anyio.fail_after(PATIENCE):
            assert (await anext(changes)).uri == TASKS


@old
async def test_two_clients_of_one_process_hear_only_what_they_asked_for(project: Path) -> None:
    """As behind HTTP: one server, several connections."""
    with Engine.open(project) as engine:
        server = create_server(engine=engine)
        one, next_of_one = inbox()
        two, next_of_two = inbox()
        async with Client(server, mode="legacy", message_handler=one) as a:
            await a.subscribe_resource(TASKS)
            await run_action(a, "create_task", title="x")
            assert await next_of_one() == TASKS
        async with Client(server, mode="legacy", message_handler=two) as b:
            await b.subscribe_resource(STATE)
            await run_action(b, "create_task", title="x")
            assert await next_of_two() == STATE
        assert engine.context_data("tasks")["total"] == 2


@old
async def test_subscribing_to_a_project_that_cannot_be_opened_is_answered(project: Path) -> None:
    handler, next_uri = inbox()
    late = project.parent / "late"
    async with Client(create_server(str(late)), mode="legacy", message_handler=handler) as c:
        await c.subscribe_resource(TASKS)
        late.mkdir()
        await run_action(c, "create_task", title="x")
        assert await next_uri() == TASKS


async def test_a_client_is_never_told_that_tools_changed(project: Path) -> None:
    async with Client(create_server(str(project)), mode="legacy") as c:
        assert c.server_capabilities.tools is not None
        assert not c.server_capabilities.tools.list_changed


def test_changes_reach_a_listening_process_over_stdio(project: Path, wire: Wire) -> None:
    listening = wire.send(
        "subscriptions/listen", {"notifications": {"resourceSubscriptions": [STATE]}, "_meta": envelope()}
    )
    assert wire.read()["method"] == "notifications/subscriptions/acknowledged"
    with Engine.open(project) as other:
        other.run_action("create_task", {"title": "theirs"})
    told = wire.read()
    assert told["method"] == "notifications/resources/updated"
    assert told["params"]["uri"] == STATE
    assert told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == listening
    assert wire.end() == 0


def test_changes_reach_a_subscribed_process_of_the_handshake_era(project: Path) -> None:
    with spawned(project) as wire:
        assert wire.initialize("2025-06-18")["capabilities"]["resources"]["subscribe"] is True
        assert wire.request("resources/subscribe", {"uri": STATE})["result"] == {}
        with Engine.open(project) as other:
            other.run_action("create_task", {"title": "theirs"})
        told = wire.read()
        assert (told["method"], told["params"]["uri"]) == ("notifications/resources/updated", STATE)


def test_a_commit_touches_the_state_the_log_the_lists_and_the_documents() -> None:
    entry = {"changes": [["tasks", "TSK-1", {}], ["notes", "a/b", None]]}
    assert touched(entry) == {
        STATE,
        "llmgenie://context/meta-log",
        TASKS,
        "llmgenie://context/tasks/TSK-1",
        "llmgenie://context/notes",
        "llmgenie://context/notes/a/b",
    }

"""MCP at /mcp: both eras over a real socket, roles by token, and who may answer a dialogue."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult, ResourceUpdatedNotification
from mcp_wire import call, data, run_action, text_of
from rest_place import PATIENCE, as_role
from scene import configure, lines
from upstream_scene import accept, raw

from llmgenie_mcp import Engine
from llmgenie_mcp.faces.mcp_changes import Changes
from llmgenie_mcp.faces.mcp_tools import TOOLS
from llmgenie_mcp.upstream import pool

pytestmark = pytest.mark.anyio
ASK = {"action": "request_approval", "params": {"action": "file.delete", "params": {"path": "old.txt"}}}
TASKS = "llmgenie://context/tasks"
Connect = Callable[..., Any]


@pytest.fixture
def connect(rest: httpx2.Client, mode: str) -> Connect:
    """Connects the SDK's client, in the era of `mode`."""

    @asynccontextmanager
    async def make(headers: dict[str, str] | None = None, **more: Any) -> AsyncIterator[Client]:
        async with httpx2.AsyncClient(headers=headers or {}, trust_env=False, timeout=20) as http:
            transport = streamable_http_client(f"{rest.base_url}/mcp", http_client=http)
            async with Client(transport, mode=mode, **more) as client:
                yield client

    return make


async def yes(_context: object, _question: object) -> ElicitResult:
    """A program that says yes to every dialogue, or a person."""
    return ElicitResult(action="accept", content={"decision": "approve"})


async def test_the_eight_tools_are_there_and_act_for_an_agent(connect: Connect, engine: Engine) -> None:
    async with connect() as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOLS)
        assert (await run_action(client, "create_task", title="Log in"))["result"]["id"] == "TSK-1"
        assert (await data(client, "get_workflow_state"))["tasks"] == {"todo": 1}
        contents = (await client.read_resource("llmgenie://context/tasks/TSK-1")).contents
    assert json.loads(contents[0].text)["value"]["title"] == "Log in"
    assert lines(engine)[-1]["actor"]["kind"] == "agent"


async def test_the_log_names_the_agents_token(connect: Connect, engine: Engine, repo: Path) -> None:
    async with connect(as_role("agent", repo)) as client:
        await run_action(client, "create_task", title="Log in")
    assert lines(engine)[-1]["actor"] == {"kind": "agent", "id": "an-agent"}


async def test_a_persons_token_does_not_make_their_client_a_person(
    connect: Connect, engine: Engine, repo: Path
) -> None:
    async with connect(as_role("human", repo)) as client:
        await run_action(client, "create_task", title="Log in")
    assert lines(engine)[-1]["actor"] == {"kind": "agent", "id": "an-human"}, "and not what the client calls itself"


async def test_a_reader_calls_only_tools_that_read(connect: Connect, repo: Path) -> None:
    async with connect(as_role("reader", repo)) as client:
        assert (await data(client, "get_workflow_state"))["mode"] == "discuss"
        assert (await data(client, "enforce_policy", policy="all", action="merge"))["allowed"] is False
        for name, arguments in (
            ("run_action", {"action": "create_task", "params": {"title": "x"}}),
            ("update_context", {"key": "notes/n", "value": 1}),
            ("trigger_event", {"event": "ci.finished", "params": {}}),
        ):
            result = await client.call_tool(name, arguments)
            assert result.is_error
            assert "llmgenie token create" in text_of(result)
        assert (await data(client, "get_context_data", key="meta-log"))["total"] == 0


async def test_what_another_server_has_is_read_by_who_may_act_and_in_their_name(
    connect: Connect, engine: Engine, repo: Path, rest: httpx2.Client, tmp_path: Path
) -> None:
    configure(repo, upstreams={"shop": raw(tmp_path, "buy", how=("--offers",))})
    accept(engine, "shop")
    before = len(lines(engine))
    reader, agent, key = as_role("reader", repo), as_role("agent", repo), "upstream/shop/x:blob"
    try:
        for spelt in (key, f"/{key}", f"//{key}", "upstream/shop", "upstream/shop/"):
            assert rest.get(f"/context/{spelt}", headers=reader).status_code == 403
        assert rest.get("/context/upstream", headers=reader).json()["items"][0]["id"] == "shop"
        async with connect(reader) as client:
            assert "a reader's" in text_of(await client.call_tool("get_context_data", {"key": key}))
            for uri in (f"llmgenie://context/{key}", "llmgenie://context/%75pstream/shop/x:a"):
                with pytest.raises(MCPError, match="a reader's"):
                    await client.read_resource(uri)
        assert len(lines(engine)) == before, "nobody was asked"
        assert rest.get(f"/context/{key}", headers=agent).status_code == 200
        async with connect(agent) as client:
            await data(client, "get_context_data", key=key)
            await client.read_resource(f"llmgenie://context/{key}")
        assert [line["actor"]["id"] for line in lines(engine)[before:] if line["type"] == "action.completed"] == [
            "an-agent"
        ] * 3
    finally:
        await anyio.to_thread.run_sync(pool.close_all)


async def test_a_person_answers_in_the_dialogue_of_their_own_client(
    connect: Connect, engine: Engine, repo: Path
) -> None:
    async with connect(as_role("human", repo), elicitation_callback=yes) as client:
        assert "a person approved" in text_of(await call(client, "run_action", **ASK))
    kept = engine.context_data("approvals/APR-1")["value"]
    assert (kept["status"], kept["decided_by"], kept["channel"]) == ("granted", "an-human", "elicitation")


@pytest.mark.parametrize("has_token", [True, False])
async def test_an_agents_client_cannot_answer_its_own_dialogue(
    connect: Connect, engine: Engine, repo: Path, *, has_token: bool
) -> None:
    async with connect(as_role("agent", repo) if has_token else None, elicitation_callback=yes) as client:
        result = await call(client, "run_action", **ASK)
    assert "llmgenie approve APR-1" in text_of(result)
    assert engine.context_data("approvals/APR-1")["value"]["status"] == "pending"


async def test_a_question_of_another_server_reaches_a_persons_own_client_and_no_agents(
    connect: Connect, engine: Engine, repo: Path, tmp_path: Path
) -> None:
    form = {"type": "object", "properties": {"decision": {"type": "string"}}}
    question = {"mode": "form", "message": "Which way?", "requestedSchema": form}
    asks = {"action": "shop.elicit", "params": {"question": question}}
    configure(repo, upstreams={"shop": raw(tmp_path, "elicit")})
    accept(engine, "shop")
    try:
        for role, answer in (("human", "accept"), ("agent", "decline")):
            async with connect(as_role(role, repo), elicitation_callback=yes) as client:
                result = await call(client, "run_action", **asks)
            told = (result.structured_content or {})["result"]
            assert json.loads(told["text"])["action"] == told["asked"][0]["answer"] == answer
        assert "only a person's own token" in told["asked"][0]["why"]
    finally:
        await anyio.to_thread.run_sync(pool.close_all)


async def test_without_its_token_nobody_gets_in_once_there_is_one(connect: Connect, repo: Path) -> None:
    as_role("agent", repo)
    with pytest.raises(BaseExceptionGroup) as raised:
        async with connect():
            pass
    assert raised.group_contains((MCPError, httpx2.HTTPError))


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_a_client_that_listens_hears_of_commits(connect: Connect, engine: Engine, mode: str) -> None:
    came = anyio.Event()

    async def handler(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            came.set()

    async with connect(message_handler=handler) as client, AsyncExitStack() as stack:
        if mode == "legacy":
            await client.subscribe_resource(TASKS)
            waiting: Any = came.wait
        else:
            changes = await stack.enter_async_context(client.listen(resource_subscriptions=[TASKS]))
            waiting = changes.__anext__
        await anyio.to_thread.run_sync(engine.run_action, "create_task", {"title": "Log in"})
        with anyio.fail_after(PATIENCE):
            await waiting()


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("mode", ["legacy"], indirect=True)
async def test_a_client_that_subscribed_and_left_is_not_kept(
    connect: Connect, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, forget = threading.Event(), Changes._forget

    def noted(changes: Changes, number: int) -> None:
        forget(changes, number)
        gone.set()

    monkeypatch.setattr(Changes, "_forget", noted)
    async with connect() as staying:
        await staying.subscribe_resource(TASKS)
        async with connect() as leaving:
            await leaving.subscribe_resource(TASKS)
            await leaving.subscribe_resource("llmgenie://state")
            (changes,) = (it for it in gc.get_objects() if isinstance(it, Changes) and it._engine is engine)
            assert len(changes._legacy) == 3
        assert await anyio.to_thread.run_sync(gone.wait, PATIENCE)
        assert [uri for uri, _ in changes._legacy] == [TASKS], "of the one that stays"


# -- the address itself -----------------------------------------------------------------------------------------------


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


async def test_the_address_answers_itself_and_sends_nobody_on(rest: httpx2.Client) -> None:
    answer = rest.post("/mcp", json=INITIALIZE, headers=ACCEPT)
    assert answer.status_code == 200
    assert answer.history == []


@pytest.mark.parametrize(
    ("headers", "status"), [({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403)]
)
async def test_a_foreign_page_does_not_reach_it(rest: httpx2.Client, headers: dict[str, str], status: int) -> None:
    answer = rest.post("/mcp", json=INITIALIZE, headers={**ACCEPT, **headers})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_session_is_for_the_token_that_began_it(rest: httpx2.Client, repo: Path) -> None:
    human, agent = as_role("human", repo), as_role("agent", repo)
    session = rest.post("/mcp", json=INITIALIZE, headers={**ACCEPT, **human}).headers["mcp-session-id"]
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    told = {**ACCEPT, "Mcp-Session-Id": session}
    assert rest.post("/mcp", json=listing, headers={**told, **human}).status_code == 200
    assert rest.post("/mcp", json=listing, headers={**told, **agent}).status_code == 404


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"])
async def test_a_client_that_looks_for_oauth_is_told_that_a_bearer_token_is_all(rest: httpx2.Client, path: str) -> None:
    answer = rest.get(path)
    assert answer.json()["resource"] == f"{rest.base_url}/mcp"
    assert "authorization_servers" not in answer.json()

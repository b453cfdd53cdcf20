"""What is not as it should be, said to a server over stdio and to hooks: an answer, and the next good call works."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from fuzz_scene import LEAVES, changed, damaged, examples, nested, quickly
from hook_runs import run
from hypothesis import given
from hypothesis import strategies as st
from mcp_wire import REVISIONS, Wire, envelope, spawned
from scene import copy_repository, define

from llmgenie_mcp import Engine, agents
from llmgenie_mcp.agents._common import EVENT
from llmgenie_mcp.engine import conversations
from llmgenie_mcp.faces.hook_answer import HookRequest, answer
from llmgenie_mcp.hosts import HookEvent, PayloadError, Reply

DRAW = st.data()
GOLDEN = Path(__file__).parent.parent / "agents" / "golden"


# -- JSON-RPC ------------------------------------------------------------------------------------------------------------


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"method": "tools/call", "params": {"name": tool, "arguments": arguments}}


PROMPT = {"type": "ref/prompt", "name": "review"}
CLIENT = {"name": "x", "version": "1"}
REQUESTS: list[dict[str, Any]] = [
    {"method": "ping"},
    {"method": "tools/list", "params": {"cursor": "x"}},
    {"method": "resources/list"},
    {"method": "resources/read", "params": {"uri": "llmgenie://context/tasks"}},
    {"method": "resources/templates/list"},
    {"method": "prompts/list"},
    {"method": "prompts/get", "params": {"name": "review", "arguments": {"branch": "x"}}},
    {"method": "completion/complete", "params": {"ref": PROMPT, "argument": {"name": "branch", "value": ""}}},
    {"method": "logging/setLevel", "params": {"level": "debug"}},
    {"method": "initialize", "params": {"protocolVersion": REVISIONS[-1], "capabilities": {}, "clientInfo": CLIENT}},
    {"method": "server/discover", "params": {"_meta": envelope()}},
    {"method": "notifications/cancelled", "params": {"requestId": 1, "reason": "x"}},
    {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}},
    {"method": "notifications/roots/list_changed"},
    {"result": {"action": "accept", "content": {"decision": "approve"}}},
    {"error": {"code": -32000, "message": "no"}},
    call("get_available_actions", context="review", query="x", include_blocked=True),
    call("get_workflow_state", session="SES-1"),
    call("get_policy", policy_name="security"),
    call("get_context_data", key="tasks/TSK-1", query="x", limit=3, cursor="x"),
    call("run_action", action="create_task", params={"title": "x", "labels": ["a"]}, idempotency_key="k"),
    call("run_action", action="record_note", params={"key": "a", "value": {"b": [1, None]}}),
    call("run_action", action="merge", params={"branch": "main"}),
    call("update_context", key="notes/x", value={"a": 1}, expected_version=1),
    call("trigger_event", event="ci.finished", params={"status": "passed"}),
    call("enforce_policy", policy="security", action="file.read", params={"path": ".env"}),
]  # fmt: skip
"""Messages as clients send them, without `jsonrpc` and `id`."""
HUGE = [
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + b"x" * 5_000_000 + b'"}}',
    b"[" * 1_000_000,
    b'{"a":' * 200_000,
    b'{"jsonrpc":"2.0","id":' + b"9" * 1_000_000 + b',"method":"ping"}',
    b'"' + b"\\u0041" * 500_000 + b'"',
    b"\x00" * 1_000_000,
    b"\xff" * 1_000_000,
    b"[" + b",".join([b'{"jsonrpc":"2.0","id":1,"method":"ping"}'] * 20_000) + b"]",
    json.dumps({"jsonrpc": "2.0", "id": 2, **call("update_context", key="notes/deep", value=nested(900))}).encode(),
    json.dumps({"jsonrpc": "2.0", "id": 3, **call("update_context", key="notes/" + "k" * 900_000, value=1)}).encode(),
    json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 4,
            **call("run_action", action="create_task", params={f"p{n}": n for n in range(60_000)}),
        }
    ).encode(),
]
"""Lines of megabytes."""


@pytest.fixture(scope="module")
def server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """One server for all that is said here; at the end it ends in order and has complained of nothing."""
    repo = copy_repository(template, tmp_path_factory.mktemp("wire") / "demo")
    with spawned(repo, LLMGENIE_STATE_DIR=str(tmp_path_factory.mktemp("state"))) as wire:
        wire.initialize()
        yield wire
        assert wire.end() == 0
        assert "Traceback" not in wire.errors()
    with Engine.open(repo) as engine:
        assert engine.storage.verify().ok


NUMBERS = itertools.count()


def goes_on(wire: Wire) -> None:
    """Whatever was said before: all that comes is JSON-RPC, and a good call is answered."""
    id_ = f"good-{next(NUMBERS)}"
    wire.write(json.dumps({"jsonrpc": "2.0", "id": id_, **call("get_policy", policy_name="security")}).encode())
    while (message := wire.read()).get("id") != id_:
        assert {"method", "result", "error"} & message.keys(), message
        if (error := message.get("error")) is not None:
            assert isinstance(error["code"], int), message
            assert error["message"], message
            assert "Traceback" not in str(error), message
    assert message["result"]["structuredContent"]["name"] == "security", message


IDS = st.one_of(st.sampled_from([1, 1, 2, "a", None, True, 1.5, -1, 10**30, [], {}, "x" * 5000]), st.integers(), LEAVES)


@given(DRAW)
@examples(120)
def test_a_server_outlives_every_message_and_the_next_call_is_answered(server: Wire, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        message = {"jsonrpc": "2.0", "id": data.draw(IDS), **data.draw(st.sampled_from(REQUESTS))}
        if data.draw(st.booleans()):
            message = changed(data.draw, message)
        line = json.dumps([message] * 2 if data.draw(st.integers(0, 9)) == 0 else message).encode()
        if data.draw(st.integers(0, 2)) == 0:
            line = damaged(data.draw, line)
        for part in line.split(b"\n"):
            server.write(part)
    goes_on(server)


@pytest.mark.parametrize("number", range(len(HUGE)))
def test_a_server_outlives_lines_of_megabytes(server: Wire, number: int) -> None:
    server.write(HUGE[number])
    goes_on(server)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
@examples(40)
def test_a_server_outlives_any_bytes(server: Wire, lines: list[bytes]) -> None:
    for line in lines:
        server.write(line)
    goes_on(server)


# -- hooks ---------------------------------------------------------------------------------------------------------------

NOTHING_GOES = """
name: nothing_goes
level: always_on
applies_to: {actions: ["*"], modes: ["*"]}
rules:
  - {id: at-all, effect: deny, when: "true", reason: "Nothing at all is done here: wait until it is opened again."}
"""
WHICH = frozenset(
    {EVENT, "hook_event_name", "hookEventName", "agent_action_name", "tool_name", "toolName", "mcp_tool_name"}
)
"""Keys that say which event and which tool it is: with others in their place it is another event."""


def payload_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["payload"]
    return found


def acts(event: HookEvent) -> bool:
    return event.can_deny and any(call.kind != "other" and not conversations.is_ours(call) for call in event.calls)


def read(host: str, payload: Any) -> HookEvent | None:
    try:
        return agents.find(host).read(payload)
    except PayloadError:
        return None


ACTING = [
    (path.parent.name, payload_of(path), event)
    for path in sorted(GOLDEN.glob("*/*.json"))
    if (event := read(path.parent.name, payload_of(path))) is not None and acts(event)
]
"""What hosts send before something is done: (host, payload, as it is read)."""


@pytest.fixture(scope="module")
def closed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which nothing may be done."""
    repo = copy_repository(template, tmp_path_factory.mktemp("closed") / "demo")
    define(repo, "policies", "nothing_goes", NOTHING_GOES)
    return repo


@pytest.fixture(scope="module")
def ask(closed: Path) -> Iterator[Callable[[str, tuple[str, ...], bytes], Reply]]:
    """What the hook answers, by the server's own way in this process."""
    with Engine.open(closed) as engine:

        def asked(host: str, arguments: tuple[str, ...], payload: bytes) -> Reply:
            request = HookRequest(host, closed, closed, arguments, {}, payload)
            with quickly(payload):
                return answer(request, lambda: nullcontext(engine.guard()))

        yield asked


def told(payload: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What stands on the command line, and what on stdin."""
    given = {name: value for name, value in payload.items() if name != EVENT}
    return ((str(payload[EVENT]),) if EVENT in payload else ()), given


@given(st.sampled_from(ACTING), DRAW)
@examples(200)
def test_a_payload_with_another_structure_is_refused_or_judged(ask: Any, case: Any, data: st.DataObject) -> None:
    host, payload, event = case
    sent = changed(data.draw, payload, WHICH)
    arguments, given_ = told(sent)
    reply = ask(host, arguments, json.dumps(given_).encode())
    assert "Traceback" not in reply.stdout + reply.stderr
    if not agents.find(host).denied(event.name, reply):
        # Some hosts search without saying where; that reads nothing that is known, and changes nothing.
        assert {call.kind for call in event.calls} == {"read"}, (given_, reply)
        assert (found := read(host, sent)) is not None
        assert not acts(found), (given_, reply)


@given(st.sampled_from(ACTING), DRAW)
@examples(200)
def test_a_payload_whose_bytes_are_damaged_is_refused_unless_it_says_something_else(
    ask: Any, case: Any, data: st.DataObject
) -> None:
    host, payload, event = case
    arguments, given_ = told(payload)
    sent = damaged(data.draw, json.dumps(given_, ensure_ascii=False).encode())
    reply = ask(host, arguments, sent)
    assert "Traceback" not in reply.stdout + reply.stderr
    try:
        arrived = json.loads(sent.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        arrived = None
    found = (
        read(host, {**arrived, **({EVENT: arguments[0]} if arguments else {})}) if isinstance(arrived, dict) else None
    )
    if found is None:  # of a permission dialogue that cannot even be parsed, 2 leaves the person with the question
        name = event.name if isinstance(arrived, dict) or event.name != "PermissionRequest" else "PreToolUse"
        assert agents.find(host).denied(name, reply), (sent, reply)
    elif acts(found):
        assert agents.find(host).denied(found.name, reply), (sent, reply)


@pytest.mark.parametrize(
    "case", {host: (host, payload, event) for host, payload, event in ACTING}.values(), ids=lambda c: c[0]
)
def test_the_hook_s_own_process_refuses_what_it_cannot_read(closed: Path, case: Any) -> None:
    host, payload, event = case
    first = next(name for name in payload if name not in WHICH)
    for worse in ({**payload, first: nested(900)}, {**payload, "tool_input": 7, "toolArgs": 7, "tool_info": 7}):
        reply = run(closed, host, worse)
        assert agents.find(host).denied(event.name, reply), (worse, reply)
        assert "Traceback" not in reply.stdout + reply.stderr

"""The server as a process: every revision of the protocol, every kind of broken line, and a clean end."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import JSONRPCError, JSONRPCRequest, JSONRPCResponse
from mcp_wire import MODERN, PATIENCE, REVISIONS, RUN, Wire, envelope, spawned

from llmgenie_mcp.engine import Engine
from llmgenie_mcp.faces.mcp_stdio import Lines, Unreadable, encode, parse, without_surrogates

HELLO = {
    "protocolVersion": REVISIONS[-1],
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


@pytest.fixture(scope="module")
def patient(first_commit: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """One server for all that must not end it."""
    folder = shutil.copytree(first_commit, tmp_path_factory.mktemp("patient") / "demo")
    with spawned(folder, LLMGENIE_STATE_DIR=str(folder)) as wire:
        wire.initialize()
        yield wire
        assert wire.end() == 0


def tool_call(id_: int, policy_name: str) -> bytes:
    """A call with `policy_name` put in as it is, between the quotes."""
    return (
        b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_policy","arguments":{"policy_name":"%s"}}}'
        % (id_, policy_name.encode())
    )


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_client_of_every_handshake_revision_is_served_in_its_own(project: Path, revision: str) -> None:
    with spawned(project) as wire:
        hello = wire.initialize(revision)
        assert hello["protocolVersion"] == revision
        assert hello["serverInfo"]["name"] == "llmgenie"
        assert "get_workflow_state" in hello["instructions"]
        assert len(wire.request("tools/list")["result"]["tools"]) == 8
        result = wire.tool("run_action", action="create_task", params={"title": "x"})
        assert "create_task: done." in result["content"][0]["text"]
        assert result["structuredContent"]["status"] == "ok"
        assert wire.end() == 0
        assert wire.errors() == ""


def test_a_client_of_2026_07_28_is_served_without_a_handshake(wire: Wire) -> None:
    found = wire.request("server/discover", {"_meta": envelope()})["result"]
    assert MODERN in found["supportedVersions"]
    assert found["capabilities"]["resources"]["subscribe"] is True
    asked = {"name": "get_workflow_state", "arguments": {}, "_meta": envelope()}
    result = wire.request("tools/call", asked)["result"]
    assert result["resultType"] == "complete"
    assert result["structuredContent"]["mode"] == "discuss"
    assert wire.end() == 0
    assert wire.errors() == ""


def test_a_future_revision_is_answered_with_one_that_is_known(wire: Wire) -> None:
    assert wire.initialize("2031-01-01")["protocolVersion"] == REVISIONS[-1]


BROKEN: dict[str, tuple[bytes, int | None, int]] = {
    "no JSON": (b"hello", None, -32700),
    "half a message": (b'{"jsonrpc":"2.0","id":50,"method":"tools/li', 50, -32700),
    "10,000 lists in each other": (
        b'{"jsonrpc":"2.0","id":51,"method":"ping","params":{"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}}",
        51,
        -32700,
    ),
    "a number of 5,000 digits": (
        b'{"jsonrpc":"2.0","id":52,"method":"ping","params":{"x":' + b"9" * 5000 + b"}}",
        52,
        -32700,
    ),
    "an id among the parameters": (b'{"jsonrpc":"2.0","method":"x","params":{"id":1,"x":"' + b"y" * 200, None, -32700),
    "an id at the end": (b'{"jsonrpc":"2.0","method":"x","params":{"id":1,"x":01},"id":58}', 58, -32700),
    "a batch": (b'[{"jsonrpc":"2.0","id":53,"method":"ping"}]', None, -32600),
    "no method": (b'{"jsonrpc":"2.0","id":54}', 54, -32600),
    "parameters in a list": (b'{"jsonrpc":"2.0","id":55,"method":"ping","params":[1]}', 55, -32600),
    "arguments that are text": (
        b'{"jsonrpc":"2.0","id":56,"method":"tools/call","params":{"name":"get_policy","arguments":"x"}}',
        56,
        -32602,
    ),
    "an unknown method": (b'{"jsonrpc":"2.0","id":57,"method":"tools/destroy"}', 57, -32601),
}


def test_every_broken_line_is_answered_and_the_server_goes_on(patient: Wire) -> None:
    for what, (line, id_, code) in BROKEN.items():
        patient.write(line)
        answer = patient.read()
        assert (answer["id"], answer["error"]["code"]) == (id_, code), what
        assert patient.request("ping")["result"] == {}, what


def test_hostile_text_reaches_the_tools_and_the_server_goes_on(patient: Wire) -> None:
    texts = ["\\ud800", "a\\u0000b", "x" * 1_000_000, "\u2028\u0085", "\\ud83d\\ude00", "{}[]\\n\\r"]
    for id_, text in enumerate(texts, 100):
        patient.write(tool_call(id_, text))
        result = patient.answer_to(id_)["result"]
        assert result["isError"]
        assert result["content"][0]["text"].startswith("Unknown policy")
        assert len(result["content"][0]["text"]) < 300
    patient.write(b"\xff\xfe\xfa")
    assert patient.read()["error"]["code"] == -32700
    patient.write(b"")
    patient.write(b"   \r")
    patient.write(tool_call(200, "security") + b"\r")
    assert patient.answer_to(200)["result"]["structuredContent"]["name"] == "security"


def test_a_message_in_many_pieces_and_many_messages_in_one_are_both_read(patient: Wire) -> None:
    assert patient.process.stdin is not None
    line = tool_call(60, "security") + b"\n"
    for place in range(0, len(line), 7):
        patient.process.stdin.write(line[place : place + 7])
        patient.process.stdin.flush()
    assert patient.answer_to(60)["result"]["structuredContent"]["name"] == "security"
    patient.write(b"\n".join(tool_call(id_, "security") for id_ in range(70, 90)))
    assert {patient.read()["id"] for _ in range(20)} == set(range(70, 90))


def test_an_answer_larger_than_the_pipe_arrives_whole_while_the_client_does_not_read(project: Path) -> None:
    with Engine.open(project) as engine:
        engine.run_action("create_task", {"title": "x", "description": "ä" * 20_000})
    with spawned(project) as wire:
        wire.initialize()
        ids = [
            wire.send("tools/call", {"name": "get_context_data", "arguments": {"key": "tasks/TSK-1", "limit": 1}})
            for _ in range(10)
        ]
        seen = [wire.read() for _ in ids]
        assert sorted(message["id"] for message in seen) == ids
        assert all(len(m["result"]["structuredContent"]["value"]["description"]) == 20_000 for m in seen)


def test_stdout_carries_nothing_but_the_protocol(project: Path) -> None:
    plugin = "import os, sys; print('printed'); os.write(1, b'written\\n'); sys.stdout.flush()"
    code = f"""
import sys
from llmgenie_mcp.engine import Engine
ask = Engine.policy
def policy(self, name):
    exec({plugin!r})
    return ask(self, name)
Engine.policy = policy
from llmgenie_mcp.faces.mcp_server import run
run({str(project)!r})
"""
    with spawned(project, code=code) as wire:
        wire.initialize()
        assert wire.tool("get_policy", policy_name="security")["structuredContent"]["name"] == "security"
        assert wire.end() == 0
        assert sorted(wire.errors().split()) == ["printed", "written"]


@pytest.mark.parametrize("kind", ["file", "socket"])
def test_stdin_that_is_no_pipe_is_read_to_its_end(project: Path, tmp_path: Path, kind: str) -> None:
    asked = {"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": HELLO}
    text = b"\n" + json.dumps(asked).encode()  # the last line is not ended
    with ExitStack() as opened:
        if kind == "socket":
            mine, its = (opened.enter_context(one) for one in socket.socketpair())
            mine.sendall(text)
            mine.shutdown(socket.SHUT_WR)
            its.setblocking(False)  # as some programs give it to their children
            stdin = its.fileno()
        else:
            (tmp_path / "asked").write_bytes(text)
            stdin = opened.enter_context((tmp_path / "asked").open("rb")).fileno()
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(project)], stdin=stdin, capture_output=True, timeout=60, check=True
        )
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["hello"]


@given(st.lists(st.sampled_from([b"{", b"}", b"\n", b"\n\n", b" ", b"ab", b"\xc3", b"\xa4", b"\r"])), st.data())
def test_lines_are_the_same_however_the_text_arrives(pieces: list[bytes], data: st.DataObject) -> None:
    text = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    lines, found = Lines(), []
    for start, end in itertools.pairwise([0, *cuts, len(text)]):
        if start < end:  # an empty read is the end
            found += lines.of(text[start:end])
    found += lines.of(b"")
    assert found == [line for line in text.split(b"\n") if line.strip()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order(wire: Wire, number: signal.Signals, project: Path) -> None:
    wire.initialize()
    wire.tool("run_action", action="create_task", params={"title": "x"})
    wire.process.send_signal(number)
    assert wire.process.wait(PATIENCE) == 0
    assert wire.errors() == ""
    assert "TSK-1" in (project / ".llmgenie" / "db.json").read_text(encoding="utf-8")


def test_the_end_of_stdin_ends_the_server_in_order_and_closes_the_store(wire: Wire, project: Path) -> None:
    wire.initialize()
    wire.tool("run_action", action="create_task", params={"title": "x"})
    assert wire.end() == 0
    assert wire.errors() == ""
    assert "TSK-1" in (project / ".llmgenie" / "db.json").read_text(encoding="utf-8")


def test_a_client_that_never_says_anything_is_left_in_order(wire: Wire) -> None:
    assert wire.end() == 0
    assert wire.errors() == ""


def test_a_client_that_stops_reading_and_closes_its_side_ends_the_server(wire: Wire) -> None:
    wire.initialize()
    assert wire.process.stdout is not None
    wire.process.stdout.close()
    wire.send("ping")
    assert wire.process.wait(PATIENCE) == 0


def test_a_blocked_stdout_does_not_keep_a_server_alive_that_is_told_to_end(project: Path) -> None:
    with Engine.open(project) as engine:
        engine.run_action("create_task", {"title": "x", "description": "ä" * 20_000})
    with spawned(project) as wire:
        wire.initialize()
        for _ in range(10):
            wire.send("tools/call", {"name": "get_context_data", "arguments": {"key": "tasks/TSK-1", "limit": 1}})
        assert wire.process.stdout is not None
        first = os.read(wire.process.stdout.fileno(), 10)
        wire.process.send_signal(signal.SIGTERM)
        assert wire.process.wait(PATIENCE) == 0
        assert first.startswith(b'{"jsonrpc"')


def test_the_log_goes_to_stderr_and_only_when_asked_for(project: Path) -> None:
    with spawned(project, LLMGENIE_LOG="debug") as wire:
        wire.initialize()
        assert wire.end() == 0
        assert "DEBUG" in wire.errors()


def test_messages_are_parsed_mended_or_refused() -> None:
    good = parse(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    assert isinstance(good, JSONRPCRequest)
    mended = parse(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"\\ud800":["\\udfff"]}}')
    assert isinstance(mended, JSONRPCRequest)
    assert mended.params == {"\\ud800": ["\\udfff"]}
    theirs = parse(b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}')
    assert isinstance(theirs, JSONRPCError)
    assert isinstance(parse(b"{"), Unreadable)


@pytest.mark.parametrize("bad", ["a\ud800", {"k\udc00": ["\ud800"]}])
def test_what_utf8_cannot_say_is_escaped_on_its_way_out(bad: Any) -> None:
    line = encode(JSONRPCResponse(jsonrpc="2.0", id=1, result={"x": bad}))
    assert json.loads(line)["result"]["x"] == without_surrogates(bad)
    assert line.count(b"\n") == 1


def test_an_answer_nested_too_deep_becomes_an_error_for_its_request() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    answer = json.loads(encode(JSONRPCResponse(jsonrpc="2.0", id=7, result={"x": deep})))
    assert (answer["id"], answer["error"]["code"]) == (7, -32603)

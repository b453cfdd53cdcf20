"""What an attacker tries on the REST face that needs no luck: odd requests, frames, streams that outlive their token, places."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue

import httpx2
import pytest
from guarded import bearer, served
from rest_place import PATIENCE, Reader, act, as_role, mcp_session, serving
from scene import configure, lines

from llmgenie_mcp import Engine, tokens
from llmgenie_mcp.faces import mcp_changes, rest_guard, rest_mcp, rest_streams
from llmgenie_mcp.faces.mcp_changes import STATE, Changes
from llmgenie_mcp.faces.rest import create_app

Open = Callable[..., Engine]
LOG, NOTES = "llmgenie://context/meta-log", "llmgenie://context/notes"
BOTH = {"Accept": "application/json, text/event-stream"}
BODY = {"action": "record_note", "params": {"key": "plan", "value": 1}}


def exchange(client: httpx2.Client, text: str) -> bytes:
    """Send a request as it is written, without a Host; returns all that came until the end of the connection."""
    port = client.base_url.port or 0
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as there:
        there.sendall(text.replace("\n", f"\nHost: 127.0.0.1:{port}\n", 1).replace("\n", "\r\n").encode())
        came = b""
        while piece := there.recv(65536):
            came += piece
    return came


def told(stream: httpx2.Response) -> SimpleQueue[str]:
    """The messages of a stream as they come, and "" at its end; comments keep it open, so that no read times out."""
    came: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        with suppress(httpx2.HTTPError):
            for line in stream.iter_lines():
                if line.startswith("data"):
                    came.put(line)
        came.put("")

    threading.Thread(target=read, daemon=True).start()
    return came


def test_a_request_id_given_twice_is_no_fault(rest: httpx2.Client) -> None:
    came = exchange(rest, "GET /health HTTP/1.1\nX-Request-Id: one\nX-Request-Id: two\nConnection: close\n\n")
    assert came.startswith(b"HTTP/1.1 200 ")
    assert b"x-request-id: one" not in came.lower()


def test_a_body_whose_end_is_told_in_two_ways_is_refused_and_what_follows_is_no_request(rest: httpx2.Client) -> None:
    inner = "GET /health HTTP/1.1\nHost: 127.0.0.1\n\n"
    head = "POST /enforce HTTP/1.1\nContent-Type: application/json\nTransfer-Encoding: chunked\n"
    came = exchange(rest, f"{head}Content-Length: {len(inner) + 5}\n\n0\n\n{inner}")
    assert came.startswith(b"HTTP/1.1 400 ")
    assert came.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("kind", ["iframe", "frame", "embed", "object"])
def test_a_foreign_page_frames_no_answer(engine: Engine, kind: str) -> None:
    with served(engine) as here:
        asked = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": kind}
        assert here.ask("/events", **asked).status == 403
        assert here.ask("/who", **{**asked, "Sec_Fetch_Dest": "document"}).status == 200


@pytest.mark.parametrize("path", ["/health", "/docs", "/workflow/state", "/nowhere", "/webhooks/none"])
def test_every_answer_says_that_no_page_may_frame_or_embed_it(rest: httpx2.Client, path: str) -> None:
    given = rest.get(path).headers
    assert "frame-ancestors 'none'" in given["content-security-policy"]
    assert given["x-frame-options"] == "DENY"
    assert given["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("how", ["revoked", "replaced", "expired", "first"])
def test_a_stream_ends_soon_after_what_it_was_opened_with_does(
    rest: httpx2.Client, engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(rest_streams, "LOOK_EVERY", 0.01)
    store, headers = repo / ".llmgenie", {}
    if how != "first":
        headers = bearer(tokens.create(store, "gone", "agent", timedelta(days=1))[1])
    with ExitStack() as stack:
        events = stack.enter_context(rest.stream("GET", "/events", headers=headers))
        session = {**headers, "Mcp-Session-Id": mcp_session(rest, headers), "Accept": "text/event-stream"}
        listening = stack.enter_context(rest.stream("GET", "/mcp", headers=session))
        assert (events.status_code, listening.status_code) == (200, 200)
        if how == "expired":
            file = tokens.path(store)
            file.write_text(
                file.read_text(encoding="utf-8").replace('"expires_at": "2', '"expires_at": "1'), encoding="utf-8"
            )
        if how in ("revoked", "replaced"):
            tokens.revoke(store, "gone")
        if how in ("replaced", "first"):
            tokens.create(store, "gone", "agent")
        engine.run_action("record_note", {"key": "plan", "value": 1})
        for open_once in (events, listening):
            assert told(open_once).get(timeout=PATIENCE) == "", "it ended"
    assert rest.get("/workflow/state", headers=headers).status_code == 401


def test_a_stream_goes_on_while_other_tokens_come_and_go(
    rest: httpx2.Client, engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_streams, "LOOK_EVERY", 0.01)
    headers = as_role("agent", repo)
    with Reader(rest, headers=headers) as reader:
        reader.block()
        for _ in range(5):
            tokens.create(repo / ".llmgenie", "other", "reader")
            tokens.revoke(repo / ".llmgenie", "other")
        act(rest, "record_note", headers, key="plan", value=1)
        assert reader.event()[1]["subject"] == "record_note"


def test_one_token_takes_neither_every_stream_nor_every_place(
    repo: Path, open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_guard, "STREAMS", 4)
    configure(repo, rest={"at_once": 4})
    mine, yours = as_role("reader", repo), as_role("agent", repo)
    with serving(create_app(engine=open_engine(repo), dispatcher=False)) as rest, ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(Reader(rest, headers=mine)).response.status_code == 200
        with Reader(rest, headers=mine) as one_more:
            assert one_more.response.status_code == 429
        assert stack.enter_context(Reader(rest, headers=yours)).response.status_code == 200

        port = rest.base_url.port or 0
        head = f"POST /enforce HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {mine['Authorization']}\r\n"
        head += (
            "Content-Type: application/json\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n"
        )
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)) for _ in range(3)]
        for there in slow:
            there.sendall(head.encode())
            assert there.recv(12) == b"HTTP/1.1 100"  # the body is waited for, so it has its place
        assert rest.get("/policies", headers=mine).status_code == 429
        assert rest.get("/policies", headers=yours).status_code == 200


def test_one_token_does_not_take_every_session_of_mcp(
    rest: httpx2.Client, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_mcp, "SESSIONS_EACH", 3)
    mine, yours = as_role("reader", repo), as_role("agent", repo)
    sessions = [mcp_session(rest, mine) for _ in range(3)]
    with pytest.raises(AssertionError, match="busy"):
        mcp_session(rest, mine)
    assert mcp_session(rest, yours)
    assert rest.delete("/mcp", headers={**mine, "Mcp-Session-Id": sessions[0]}).status_code == 200
    assert mcp_session(rest, mine)


def test_a_client_that_comes_back_for_what_it_missed_of_mcp_gets_a_stream(rest: httpx2.Client) -> None:
    asked = {"Mcp-Session-Id": mcp_session(rest), "Accept": "text/event-stream", "Last-Event-ID": "7"}
    with rest.stream("GET", "/mcp", headers=asked) as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize("other", ["human", "agent"])
def test_a_key_of_one_actor_answers_no_other(rest: httpx2.Client, engine: Engine, repo: Path, other: str) -> None:
    first = as_role("agent", repo)
    other_one = bearer(tokens.create(repo / ".llmgenie", "other", other)[1])
    asked = {**BODY, "idempotency_key": "once"}
    assert rest.post("/action", json=asked, headers=first).status_code == 200
    refused = rest.post("/action", json=asked, headers=other_one)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_params")
    assert "somebody else" in refused.json()["detail"]
    assert rest.post("/action", json=asked, headers=first).json()["replayed"]
    assert len(lines(engine)) == 1


def test_a_client_of_mcp_that_takes_nothing_keeps_no_notification_from_others(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[Changes] = []
    serve_legacy = Changes.serve_legacy
    monkeypatch.setattr(
        Changes, "serve_legacy", lambda self, server: (changes.append(self), serve_legacy(self, server))
    )
    lazy, keen, key = as_role("reader", repo), as_role("agent", repo), "long-" * 20
    with serving(create_app(engine=engine, dispatcher=False), buffer=4096) as rest, socket.socket() as there:
        for headers, uris in ((lazy, (STATE, LOG, NOTES, f"{NOTES}/{key}")), (keen, (STATE,))):
            headers["Mcp-Session-Id"] = mcp_session(rest, headers)
            for uri in uris:
                asked = {"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": uri}}
                assert rest.post("/mcp", json=asked, headers={**headers, **BOTH}).status_code == 200
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        there.connect(("127.0.0.1", rest.base_url.port or 0))
        head = "".join(f"{name}: {value}\r\n" for name, value in {**lazy, **BOTH}.items())
        there.sendall(f"GET /mcp HTTP/1.1\r\nHost: 127.0.0.1:{rest.base_url.port}\r\n{head}\r\n".encode())
        assert there.recv(12) == b"HTTP/1.1 200"
        with rest.stream("GET", "/mcp", headers={**keen, **BOTH}) as stream:
            heard, stuck, number = told(stream), 0, 0
            while stuck < 20:
                assert number < 3000, "it never got stuck"
                engine.run_action("record_note", {"key": key, "value": number})
                assert STATE in heard.get(timeout=PATIENCE)
                stuck = stuck + 1 if changes[-1].waiting else 0
                number += 1


def test_a_client_of_mcp_that_subscribes_to_everything_takes_nobodys_subscription(
    rest: httpx2.Client, engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_changes, "MAX_SUBSCRIPTIONS", 5)
    greedy, keen = as_role("reader", repo), as_role("agent", repo)

    def subscribe(headers: dict[str, str], uri: str) -> None:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": uri}}
        assert rest.post("/mcp", json=asked, headers={**headers, **BOTH}).status_code == 200

    for headers in (greedy, keen):
        headers["Mcp-Session-Id"] = mcp_session(rest, headers)
    subscribe(keen, STATE)
    for number in range(20):
        subscribe(greedy, f"{NOTES}/{number}")
    with rest.stream("GET", "/mcp", headers={**keen, **BOTH}) as stream:
        engine.run_action("record_note", {"key": "plan", "value": 1})
        assert STATE in told(stream).get(timeout=PATIENCE)


def test_a_query_that_would_take_long_on_a_long_log_is_refused(rest: httpx2.Client) -> None:
    for path in ("/context/meta-log", "/context/tasks"):
        assert rest.get(path, params={"query": "a " * 250}).status_code == 200
        refused = rest.get(path, params={"query": "a " * 250 + "b"})
        assert (refused.status_code, refused.json()["code"]) == (422, "bad_params")

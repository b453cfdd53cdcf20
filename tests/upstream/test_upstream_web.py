"""Servers elsewhere: a real one over Streamable HTTP, and others that only look like one."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from scene import configure
from shop_server import server as shop_server
from upstream_scene import PATIENCE, behind, tool, wait_until

from llmgenie_mcp import Engine
from llmgenie_mcp.upstream import pool


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The address of a server made with the SDK."""
    import uvicorn

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(shop_server.streamable_http_app(), port=port, log_level="critical", lifespan="on")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    wait_until(lambda: running.started, "the server")
    yield f"http://127.0.0.1:{port}/mcp"
    running.should_exit = True
    thread.join(PATIENCE)


def test_tools_of_a_server_elsewhere_are_called_with_progress(repo: Path, shop: str) -> None:
    with behind(repo, shop={"url": shop, "allow_private": True}) as engine:
        reports: list[str] = []
        outcome = engine.run_action(
            "shop.count", {"to": 3, "pause": 0.25}, progress=lambda _d, _t, message: reports.append(message)
        )
        assert outcome.result["text"] == "counted to 3"
        assert reports[0] == "at 0"
        failed = engine.run_action("shop.fail", {"why": "sold out"})
        assert failed.error is not None
        assert "sold out" in failed.error["message"]


def test_a_private_address_is_refused_unless_the_settings_allow_it(repo: Path, shop: str) -> None:
    configure(repo, upstreams={"shop": {"url": shop}})
    with Engine.open(repo) as engine:
        assert "allow_private" in message(engine, "shop.list_tools")


def test_cancelling_a_call_ends_it_there(repo: Path, shop: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with behind(repo, shop={"url": shop, "allow_private": True}) as engine:
        cancel, outcomes = threading.Event(), []
        caller = threading.Thread(
            target=lambda: outcomes.append(engine.run_action("shop.hang", {"mark": str(mark)}, cancel=cancel))
        )
        caller.start()
        wait_until(mark.exists, "the call")
        cancel.set()
        caller.join(PATIENCE)
        assert outcomes[0].status == "failed"
        wait_until(lambda: mark.read_text(encoding="utf-8") == "cancelled", "the cancellation")


def test_a_server_that_is_not_there_is_told_and_found_when_it_is(repo: Path, shop: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configure(repo, upstreams={"shop": {"url": f"http://127.0.0.1:{port}/mcp", "allow_private": True}})
    with Engine.open(repo) as engine:
        assert f"127.0.0.1:{port} cannot be reached" in message(engine, "shop.list_tools")
        configure(repo, upstreams={"shop": {"url": shop, "allow_private": True}})
        assert engine.run_action("shop.list_tools").ok


Reply = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


@contextmanager
def answering(how: Reply) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that shakes hands and lists one tool as it should, and answers a call by `how`; with the headers it got."""
    headers: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers.append(dict(self.headers))
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            about = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "w", "version": "1"},
            }
            match asked.get("method"):
                case "initialize":
                    send(self, {"jsonrpc": "2.0", "id": asked["id"], "result": about})
                case "tools/list":
                    send(self, {"jsonrpc": "2.0", "id": asked["id"], "result": {"tools": [tool("go"), tool("ok")]}})
                case "tools/call" if asked["params"]["name"] == "go":
                    how(self, asked)
                case "tools/call":
                    send(self, {"jsonrpc": "2.0", "id": asked["id"], "result": {"content": []}})
                case _ if "id" in asked:
                    send(self, {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "no"}})
                case _:
                    send(self, None, status=202)

        def do_GET(self) -> None:
            send(self, None, status=405)

        def do_DELETE(self) -> None:
            send(self, None, status=405)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/mcp", headers
        finally:
            pool.close_all()
            server.shutdown()


def send(handler: BaseHTTPRequestHandler, document: Any, status: int = 200, **headers: str) -> None:
    """A JSON answer."""
    body = b"" if document is None else document if isinstance(document, bytes) else json.dumps(document).encode()
    handler.send_response(status)
    for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    try:
        handler.wfile.write(body)
    except OSError:
        handler.close_connection = True


def stream(handler: BaseHTTPRequestHandler, chunk: bytes, times: int) -> None:
    """A stream of events that goes on."""
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header("connection", "close")
    handler.end_headers()
    handler.close_connection = True
    try:
        for _ in range(times):
            handler.wfile.write(chunk)
    except OSError:
        return


def result(text: str) -> Any:
    """A result of a call."""
    return {"content": [{"type": "text", "text": text}]}


NOTICE = b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"%s"}}\n\n' % (
    b"x" * 20_000
)
MISDEEDS: dict[str, tuple[Reply, str]] = {
    "50 MB of JSON": (
        lambda h, a: send(h, {"jsonrpc": "2.0", "id": a["id"], "result": result("x" * 50_000_000)}),
        "16,000,000",
    ),
    "50 MB in one event": (lambda h, _: stream(h, b"data: " + b"x" * 50_000_000, 1), "16,000,000"),
    "events for ever": (lambda h, _: stream(h, NOTICE, 10**6), "nothing here asked for so much"),
    "compressed": (lambda h, _: send(h, gzip.compress(b"0" * 10**6), **{"content-encoding": "gzip"}), "compressed"),
    "no JSON": (lambda h, _: send(h, b"<html>"), ""),
    "no JSON-RPC": (lambda h, _: send(h, {"hello": 1}), ""),
    "an error page": (lambda h, _: send(h, b"<html>down</html>", 503, **{"content-type": "text/html"}), ""),
    "a redirect elsewhere": (lambda h, _: send(h, None, 307, location="http://127.0.0.1:9/"), ""),
    "it hangs up": (lambda h, _: h.connection.shutdown(socket.SHUT_RDWR), "It broke off"),
    "it hangs": (lambda _h, _a: time.sleep(1.5), "did not answer in time"),
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_a_bad_answer_costs_its_call_alone(repo: Path, misdeed: str) -> None:
    how, part = MISDEEDS[misdeed]
    with (
        answering(how) as (url, _),
        behind(repo, web={"url": url, "allow_private": True, "timeout": 1 if "hangs" in misdeed else 20}) as engine,
    ):
        assert part in message(engine, "web.go")
        assert engine.run_action("web.ok").ok


def test_headers_are_sent_and_secrets_among_them_are_told_nobody(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_AUTH", "Bearer s3cr3t-s3cr3t-s3cr3t")

    def echo(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        send(handler, {"jsonrpc": "2.0", "id": asked["id"], "result": result(str(handler.headers["authorization"]))})

    with (
        answering(echo) as (url, headers),
        behind(
            repo,
            web={
                "url": url,
                "allow_private": True,
                "headers": {"x-team": "cats"},
                "secret_headers": {"Authorization": {"env": "WEB_AUTH"}},
            },
        ) as engine,
    ):
        outcome = engine.run_action("web.go")
        assert "s3cr3t" not in json.dumps(outcome.to_dict())
        sent = {name.lower(): value for name, value in headers[-1].items()}
        assert sent["authorization"] == "Bearer s3cr3t-s3cr3t-s3cr3t"
        assert sent["x-team"] == "cats"


def message(engine: Engine, action: str) -> str:
    """The message of an action that fails."""
    outcome = engine.run_action(action)
    assert outcome.status == "failed", outcome
    assert outcome.error is not None
    return str(outcome.error["message"])

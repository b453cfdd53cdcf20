"""REST beside a bare FastAPI app, and how fast webhooks are delivered: `python -m bench live`."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench.filling import place, repository
from bench.measure import Effort, Found, Sampler, Seconds, against, alone, appending, interleaved
from bench.servers import ROOT, environment
from llmgenie_mcp import Engine, outbox, trust
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.outbox import Delivery

PATIENCE = 120.0
DELIVERIES = 300
LANES = {"one after the other": 1, "to eight at once": 8}


def measure(effort: Effort) -> Found:
    """Answers over HTTP, then deliveries."""
    with place() as folder:
        return [*_rest(repository(folder / "rest"), effort), *_webhooks(folder, effort)]


def _rest(project: Path, effort: Effort) -> Found:
    store = project / ".llmgenie"
    store.mkdir()
    (store / "llmgenie.yaml").write_text(json.dumps({"rest": {"per_minute": 1_000_000}}), encoding="utf-8")
    trust.trust(store)
    ours = [sys.executable, "-m", "llmgenie_mcp", "--project", str(project), "serve", "--http", "--port", "0"]
    bare = [sys.executable, str(ROOT / "bench" / "echo_http.py")]
    note = json.dumps({"value": {"seen": 1}})
    with _serving(bare) as echo, _serving(ours) as rest:
        sides: dict[str, Sampler] = {
            "echo": _asking(echo, "GET", "/echo"),
            "append": appending(project.parent / "appended"),
            "state": _asking(rest, "GET", "/workflow/state"),
            "note": _asking(rest, "POST", "/context/notes/bench", note),
        }
        taken = interleaved(sides, effort.of(300, 3), warm=effort.of(20, 2))
    return [
        alone("bare FastAPI echo", taken["echo"], "ms"),
        against("REST: GET /workflow/state", taken["state"], "FastAPI echo", taken["echo"], "ms", short=True),
        against("REST: POST /context, a durable note", taken["note"], "FastAPI echo", taken["echo"], "ms", short=True),
    ]


@contextmanager
def _serving(words: Sequence[str]) -> Iterator[http.client.HTTPConnection]:
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
    try:
        assert process.stdout is not None
        connection = None
        for line in process.stdout:
            if found := re.search(r"(?:127\.0\.0\.1:|^)(\d{2,5})\b", line):
                connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=PATIENCE)
                break
        if connection is None:
            raise RuntimeError(f"{words} did not say where it serves")
        yield connection
        connection.close()
    finally:
        process.terminate()
        process.communicate()


def _asking(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> Sampler:
    headers = {"Content-Type": "application/json"} if body else {}

    def ask() -> Seconds:
        start = time.perf_counter()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        taken = time.perf_counter() - start
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {said[:500]!r}")
        return taken

    return ask


class _Counting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


def _webhooks(folder: Path, effort: Effort) -> Found:
    count, rounds = effort.of(DELIVERIES, 20), effort.of(4, 1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        project = repository(folder / "webhooks")
        store = project / ".llmgenie"
        store.mkdir()
        url = f"http://127.0.0.1:{server.server_port}/"
        settings = {"webhooks": {"board": {"url": url, "events": ["bench.none"], "allow_private": True}}}
        (store / "llmgenie.yaml").write_text(json.dumps(settings), encoding="utf-8")
        trust.trust(store)
        taken: dict[str, list[Seconds]] = {name: [] for name in LANES}
        for _ in range(rounds):
            for name, lanes in LANES.items():
                taken[name].append(_delivered(project, count, lanes))
    finally:
        server.shutdown()
        server.server_close()
    return [alone(f"a webhook delivered, {name}", some, "ms", short=True) for name, some in taken.items()]


def _delivered(project: Path, count: int, lanes: int) -> Seconds:
    """Seconds a delivery takes of `count` that wait."""
    with Engine.open(project) as engine:
        with engine.storage.begin() as tx:
            for number in range(count):
                outbox.put(tx, Delivery("webhook", "board", {"n": number}, lane=f"lane-{number % lanes}"))
            tx.commit({"type": "bench.filled", "actor": {"kind": "system", "id": "bench"}})
        start = time.perf_counter()
        if not Dispatcher(engine, sources=False).drain(PATIENCE):
            raise RuntimeError("not everything was delivered")
        return (time.perf_counter() - start) / count

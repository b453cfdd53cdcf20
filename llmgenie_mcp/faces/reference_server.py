"""What the examples of the reference talk to: a model, a CI system and a team's own service, on loopback.

Each answers one thing, in the words of the protocol that it stands for: OpenAI's Chat Completions, GitHub's workflow dispatch.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OPINION = {
    "findings": [],
    "summary": "The change adds a file with the parser and touches nothing else.",
    "verdict": "approve",
}
NAME = "split_tokens"
STARTED = {"workflow_run_id": 160_001, "html_url": "https://github.com/ada/app/actions/runs/160001"}


@contextmanager
def answering() -> Iterator[str]:
    """The server's address, `http://127.0.0.1:PORT`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer by the path."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8")
        if self.path.endswith("/chat/completions"):
            said = json.dumps(OPINION) if "verdict" in body else NAME
            self._say(_completion(said, streamed=bool(json.loads(body).get("stream"))))
        else:
            self._say(json.dumps(STARTED if self.path.startswith("/repos/") else {"deployment": 7}), "application/json")

    def _say(self, text: str, kind: str = "") -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header(
            "Content-Type", kind or ("text/event-stream" if text.startswith("data:") else "application/json")
        )
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _completion(said: str, *, streamed: bool) -> str:
    usage = {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24}
    part: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    head = {"id": "c1", "model": "small", "usage": usage}
    if not streamed:
        return json.dumps({**head, "choices": [{**part, "message": {"role": "assistant", "content": said}}]})
    chunk = {**head, "choices": [{**part, "delta": {"role": "assistant", "content": said}}]}
    return f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"

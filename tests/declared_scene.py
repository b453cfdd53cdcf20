"""What tests of declared actions set up: definitions, steps, a server to call, and what came of it."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from scene import PYTHON, define, documents, lines

from llmgenie_mcp import Engine, trust


def declare(repo: Path, name: str, *, trusted: bool = True, **fields: Any) -> None:
    """Write a declared action (JSON is YAML)."""
    define(repo, "actions", name, json.dumps({"name": name, "description": f"Do {name}.", **fields}))
    if trusted:
        trust.trust(repo / ".llmgenie")


def steps(*given: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps with ids a, b, c … where they have none."""
    return [{"id": "abcdefgh"[number], **step} for number, step in enumerate(given)]


def program(code: str, **more: Any) -> dict[str, Any]:
    """A step that runs Python code."""
    return {"command": {"argv": [PYTHON, "-c", code]}, **more}


def note(text: str, **more: Any) -> dict[str, Any]:
    """A step that writes into the log."""
    return {"action": "log_entry", "params": {"text": text}, **more}


def noted(engine: Engine) -> list[str]:
    """What was written into the log."""
    done = (line for line in lines(engine) if line["type"] == "action.completed")
    return [line["params"]["text"] for line in done if line["action"] == "log_entry"]


def came_of(engine: Engine, run: str = "RUN-1") -> list[tuple[str, str]]:
    """Id and status of each step, as the Run has them."""
    return [(entry["id"], entry["status"]) for entry in documents(engine)["runs"][run]["steps"]]


class Asked:
    """A real HTTP server that remembers what it was asked, and answers with JSON."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.bodies: list[Any] = []
        self.statuses: list[int] = []
        asked = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.paths.append(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                asked.bodies.append(json.loads(body) if body else None)
                self.send_response(asked.statuses.pop(0) if asked.statuses else 200)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(b'{"id": "T-7", "tags": ["x", "y"]}')

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


def policy(actions: str, when: str) -> str:
    """A policy that denies actions where a condition holds."""
    rule = f"{{id: no, effect: deny, when: '{when}', reason: Not here.}}"
    return f"name: mine\nlevel: situational\napplies_to: {{actions: [{actions}]}}\nrules: [{rule}]"

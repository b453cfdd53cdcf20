"""Hooks over HTTP, for a host that can call an address instead of starting a process (Claude Code's handler `http`).

On loopback only, with a token, served by the process that serves the project's socket. The host takes nothing but a 2xx
answer with a JSON body for a refusal and lets everything else pass, so every answer is a 200: a request that is not
understood is refused in its body. What no server answers is refused only with `onFailure: block` (Claude Code 2.1.295).
Source: code.claude.com/docs/en/hooks.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from llmgenie_mcp.faces import hook
from llmgenie_mcp.faces.hook_answer import HookRequest
from llmgenie_mcp.hosts import Reply
from llmgenie_mcp.trust import state_folder

HOST = "claude-code"
"""The one host that has such a handler and takes plain http for it."""
PATH = f"/hook/{HOST}"
READ_SECONDS = 5.0

log = logging.getLogger(__name__)


def token() -> str:
    """The token that hooks over HTTP show: this user's own, made at the first call and kept in the state folder."""
    path = state_folder() / "hook.token"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return token()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii").strip()


def handler_settings(port: int, timeout: int) -> dict[str, Any]:
    """The entry for `hooks.PreToolUse` in Claude Code's settings.

    Args:
        port: as in the project's settings, `hooks.http_port`.
        timeout: seconds.
    """
    return {
        "hooks": [
            {
                "type": "http",
                "url": f"http://127.0.0.1:{port}{PATH}",
                "headers": {"Authorization": f"Bearer {token()}"},
                "timeout": timeout,
                "onFailure": "block",
            }
        ]
    }


class HttpHooks:
    """Serves one port until it is stopped.

    Args:
        port: on loopback; 0 for any, see `port`.
        project: the project's folder.
        answer: what a request is answered; must not raise.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, port: int, project: Path, answer: Callable[[HookRequest], Reply]) -> None:
        expected = f"Bearer {token()}"

        class Handler(BaseHTTPRequestHandler):
            timeout = READ_SECONDS
            server_version, sys_version = "llmgenie", ""

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                given = self.rfile.read(int(length)) if length.isdigit() and int(length) <= hook.LONGEST else b""
                self._say(_judged(given) if self._may_ask() else _refusal(given, "the request shows no valid token"))

            def _may_ask(self) -> bool:
                shown = self.headers.get("Authorization", "")
                local = self.headers.get("Host", "").rpartition(":")[0] in ("127.0.0.1", "localhost")
                return local and self.path == PATH and hmac.compare_digest(shown.encode(), expected.encode())

            def _say(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
                log.debug(format, *args)

        def _judged(given: bytes) -> bytes:
            reply = answer(HookRequest(HOST, project, project, (), {}, given))
            if reply.code == 0:
                return reply.stdout.encode() or b"{}"
            return _refusal(given, reply.stderr)

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="llmgenie-http-hooks")
        self._thread.daemon = True
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=READ_SECONDS)


def _refusal(given: bytes, why: str) -> bytes:
    try:
        event = json.loads(given)["hook_event_name"]
    except (ValueError, KeyError, TypeError, RecursionError):
        event = "PreToolUse"
    reason = why.strip() or "llmgenie refuses this, and gave no reason."
    if event != "PreToolUse":
        return json.dumps({"decision": "block", "reason": reason}).encode()
    said = {"hookEventName": event, "permissionDecision": "deny", "permissionDecisionReason": reason}
    return json.dumps({"hookSpecificOutput": said}).encode()

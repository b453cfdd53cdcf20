"""The hook as its hosts run it, and a server that answers hooks in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from llmgenie_mcp import Engine
from llmgenie_mcp.agents._common import EVENT
from llmgenie_mcp.faces import hook
from llmgenie_mcp.faces.hook_answer import HookRequest, answer, answer_here
from llmgenie_mcp.faces.hook_server import HookServer
from llmgenie_mcp.hosts import Reply

PATIENCE = 60
"""Seconds after which a hook that does not end has failed the test."""


def command(repo: Path, host: str, *more: str) -> list[str]:
    """What a host runs."""
    return [sys.executable, "-I", "-S", str(Path(hook.__file__)), "--project", str(repo), host, *more]


def sent(payload: Mapping[str, Any]) -> tuple[list[str], bytes]:
    """What goes onto the command line and into stdin; an event that the payload does not name stands on the command line."""
    given = {name: value for name, value in payload.items() if name != EVENT}
    return [str(payload[EVENT])] if EVENT in payload else [], json.dumps(given).encode()


def run(repo: Path, host: str, payload: Mapping[str, Any], env: Mapping[str, str] | None = None) -> Reply:
    """What the hook does with a payload, as a process of its own."""
    more, given = sent(payload)
    done = subprocess.run(
        command(repo, host, *more),
        input=given,
        capture_output=True,
        cwd=repo,
        env={**os.environ, **(env or {})},
        timeout=PATIENCE,
    )
    return Reply(done.stdout.decode(), done.stderr.decode(), done.returncode)


def decided_here(repo: Path, host: str, payload: Mapping[str, Any]) -> Reply:
    """What the hook decides when no server runs, in this process: the imports are what is slow in one of its own."""
    more, given = sent(payload)
    code, stdout, stderr = answer_here(hook.pack(host, str(repo), str(repo), more, {}, given))
    return Reply(stdout.decode(), stderr.decode(), code)


@contextmanager
def serving(engine: Engine) -> Iterator[list[HookRequest]]:
    """A server for the engine's project, in this process; the requests that it answered."""
    served: list[HookRequest] = []

    def reply(request: HookRequest) -> Reply:
        served.append(request)
        return answer(request, lambda: nullcontext(engine.guard()))

    server = HookServer(engine.project.root, reply)
    server.start()
    try:
        assert server.serving.is_set()
        yield served
    finally:
        server.stop()

"""The load of `bench.soak`: who asks what of a project, at a rate that leaves most of a core free."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from bench.servers import CLIENT, ROOT, Server, environment
from llmgenie_mcp import Engine, trust
from llmgenie_mcp.faces import hook
from llmgenie_mcp.upstream import listing

Call: TypeAlias = Callable[[str, Callable[[], Any]], Any]
Loop: TypeAlias = Callable[[threading.Event], None]
Step: TypeAlias = tuple[str, dict[str, Any]]

PAUSE = 0.1
"""Seconds between the calls of an agent."""
TASKS = 8
"""Tasks of each agent: done and opened again."""
SUMMARY = "Wrote it and ran the tests; nothing is left."
GOODBYES = 20
"""Of so many MCP sessions one is left without a word; the server keeps such a one for half an hour."""
REFUSED = 1000
"""Of so many webhooks one is refused, which holds the others up for five seconds: were it one in fifty, they would come
faster than they could be delivered, and what waits would grow."""
DENIED = {"merge"}
"""What is refused here."""


def prepared(project: Path, sink: str) -> None:
    """Give the project its settings, which a person accepted, and its tasks."""
    git = ("git", "-C", str(project), "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    store = project / ".llmgenie"
    store.mkdir()
    settings = {
        "commands": {"test": {"argv": ["true"]}},
        "webhooks": {"board": {"url": sink, "events": ["*"], "allow_private": True}},
        "triggers": {"noted": {"on": "deploy.done", "run": [{"action": "log_entry", "params": {"text": "deployed"}}]}},
        "upstreams": {"echo": {"command": [sys.executable, str(ROOT / "bench" / "echo_server.py")], "idle": 5}},
    }
    (store / "llmgenie.yaml").write_text(json.dumps(settings), encoding="utf-8")
    trust.trust(store)
    with Engine.open(project) as engine:
        engine.run_action("echo.list_tools")
        upstream = engine.definitions.settings.upstreams["echo"]
        listing.accept(store, "echo", upstream, list(listing.load(store, "echo", upstream).tools.values()))
        for number in range(2 * TASKS):
            engine.run_action("create_task", {"title": f"Part {number}"})


def _day(first: int, session: str) -> Iterator[Step]:
    """What an agent asks, for ever; `first` is the number of its first task."""
    for number in itertools.count():
        task = f"TSK-{first + number % TASKS}"
        act = {"session": session}
        yield "get_available_actions", act
        yield "run_action", {"action": "claim_task", "params": {"id": task}, **act}
        yield "update_context", {"key": f"notes/{session}-{number % 5}", "value": {"seen": number}}
        yield "get_context_data", {"key": "tasks"}
        yield "run_action", {"action": "log_entry", "params": {"text": f"looked at part {number}"}, **act}
        yield "run_action", {"action": "merge", "params": {"branch": "main"}, **act}
        yield "get_workflow_state", act
        yield "trigger_event", {"event": "deploy.done", "params": {"number": number}}
        yield "enforce_policy", {"policy": "branch_protection", "action": "git.push", "params": {"branch": "main"}}
        if number % 40 == 5:
            yield "run_action", {"action": "run_tests", "params": {}, **act}
        if number % 24 == 2:
            yield "run_action", {"action": "echo.echo", "params": {"text": "hello"}, **act}
        yield "run_action", {"action": "complete_task", "params": {"id": task, "summary": SUMMARY}, **act}
        yield "run_action", {"action": "move_task", "params": {"id": task, "trigger": "reopen"}, **act}
        yield "get_context_data", {"key": "meta-log"}


class _Agent:
    """Asks step after step, with a pause after each."""

    kind = ""
    first = 1

    def __init__(self, call: Call) -> None:
        self._call = call
        self.loops: tuple[Loop, ...] = (self._work,)

    def ask(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool; its answer."""
        raise NotImplementedError

    def _work(self, stop: threading.Event) -> None:
        outcome = self.ask("run_action", {"action": "start_session", "params": {"mode": "code"}})
        session = outcome["result"]["session"]["id"]
        for tool, arguments in _day(self.first, session):
            name = arguments.get("action", "")
            kind = f"{self.kind} {name if tool == 'run_action' else tool}"
            self._call(kind, lambda tool=tool, arguments=arguments: self._checked(tool, arguments))  # type: ignore[misc]
            if stop.wait(PAUSE):
                return

    def _checked(self, tool: str, arguments: dict[str, Any]) -> None:
        answer = self.ask(tool, arguments)
        denied = answer.get("status") == "denied" and arguments.get("action") in DENIED
        if answer.get("status") not in (None, "ok", "allow", "deny") and not denied:
            raise RuntimeError(json.dumps(answer)[:400])


class StdioAgent(_Agent):
    """An agent whose client started a server of its own."""

    kind, first = "stdio", 1

    def __init__(self, project: Path, call: Call) -> None:
        super().__init__(call)
        self._server = Server.ours(project)
        self.pid = self._server.process.pid

    def __enter__(self) -> Self:
        self._server.initialize()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.end()

    def ask(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool; its answer."""
        result = self._server.ask("tools/call", {"name": tool, "arguments": arguments})["result"]
        found: dict[str, Any] = result.get("structuredContent") or {"status": result["content"][0]["text"]}
        return found


class RestAgent(_Agent):
    """An agent that speaks REST to the HTTP server, which it starts."""

    kind, first = "rest", TASKS + 1

    def __init__(self, project: Path, call: Call) -> None:
        super().__init__(call)
        words = [sys.executable, "-m", "llmgenie_mcp", "--project", str(project), "serve", "--http", "--port", "0"]
        self._process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment()
        )
        self.pid, self.port = self._process.pid, 0

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                break
        self._there = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._there.close()
        self._process.terminate()
        self._process.communicate()

    def ask(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The request that does what the tool does; its answer."""
        match tool:
            case "get_available_actions":
                return self._asked("GET", f"/actions?session={arguments['session']}")
            case "get_workflow_state":
                return self._asked("GET", f"/workflow/state?session={arguments['session']}")
            case "get_context_data":
                return self._asked("GET", f"/context/{arguments['key']}")
            case "update_context":
                return self._asked("POST", f"/context/{arguments['key']}", {"value": arguments["value"]})
            case "trigger_event":
                return self._asked("POST", "/event", arguments)
            case "enforce_policy":
                return self._asked("POST", "/enforce", arguments)
            case _:
                return self._asked("POST", "/action", arguments)

    def _asked(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} if body else {}
        self._there.request(method, path, json.dumps(body) if body else None, headers)
        answer = self._there.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        if answer.status >= 300 and answer.status != 403:
            raise RuntimeError(f"{method} {path}: {answer.status} {json.dumps(found)[:300]}")
        return found


class HookCaller:
    """An agent's host: asks its hook before every command."""

    COMMANDS = (("git status && pytest -q", 0), ("cd . && git push origin HEAD:main", 2), ("cat README.md | wc -l", 0))

    def __init__(self, project: Path, call: Call) -> None:
        self._project, self._call = project, call
        self.loops: tuple[Loop, ...] = (self._work,)

    def _work(self, stop: threading.Event) -> None:
        for number in itertools.count():
            command, _ = self.COMMANDS[number % len(self.COMMANDS)]
            self._call("hook", lambda command=command: self._ask(command))  # type: ignore[misc]
            if stop.wait(2):
                return

    def _ask(self, command: str) -> None:
        told = {
            "session_id": "soak",
            "cwd": str(self._project),
            "hook_event_name": "PreToolUse",
            "tool_name": "Bash",
            "tool_input": {"command": command},
        }
        words = [sys.executable, "-I", "-S", str(hook.__file__), "--project", str(self._project), "claude-code"]
        done = subprocess.run(words, input=json.dumps(told).encode(), capture_output=True, check=False)
        refused = b'"deny"' in done.stdout or done.returncode == 2
        if refused != ("push" in command):
            raise RuntimeError(f"{command}: {done.returncode} {done.stdout!r} {done.stderr!r}"[:400])


class Bystander:
    """Clients of the HTTP server that come and go: MCP sessions, readers of events, a scraper of metrics."""

    def __init__(self, port: int, call: Call) -> None:
        self._port, self._call = port, call
        self.loops: tuple[Loop, ...] = (self._sessions, self._events, self._metrics)

    def _sessions(self, stop: threading.Event) -> None:
        for number in itertools.count():
            self._call("mcp session", lambda number=number: self._session(end=number % GOODBYES != 0))  # type: ignore[misc]
            if stop.wait(5):
                return

    def _session(self, *, end: bool) -> None:
        """Greet, subscribe, call a tool, and say goodbye, or be gone without a word."""
        there = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        try:
            greeting = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}
            asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": greeting}
            there.request("POST", "/mcp", json.dumps(asked), headers)
            answer = there.getresponse()
            answer.read()
            if session := answer.headers["Mcp-Session-Id"]:
                headers["Mcp-Session-Id"] = session
            headers["MCP-Protocol-Version"] = "2025-11-25"
            news = {"uri": "llmgenie://state"}  # as clients of today do at their start
            asked = {"jsonrpc": "2.0", "id": 3, "method": "resources/subscribe", "params": news}
            there.request("POST", "/mcp", json.dumps(asked), headers)
            if (answer := there.getresponse()).status != 200 or b'"error"' in (said := answer.read()):
                raise RuntimeError(f"{answer.status} {said[:300]!r}")
            wanted = {"name": "get_workflow_state", "arguments": {}}
            there.request(
                "POST",
                "/mcp",
                json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": wanted}),
                headers,
            )
            answer = there.getresponse()
            if answer.status != 200 or b'"mode"' not in (said := answer.read()):
                raise RuntimeError(f"{answer.status} {said[:300]!r}")
            if end and session:
                there.request("DELETE", "/mcp", headers=headers)
                there.getresponse().read()
        finally:
            there.close()

    def _events(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._call("event stream", lambda: self._some_events(stop))
            stop.wait(1)

    def _some_events(self, stop: threading.Event) -> None:
        there = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            there.request("GET", "/events")
            answer = there.getresponse()
            for _ in range(100):
                answer.readline()
                if stop.is_set():  # nothing happens any more but a sign of life now and then
                    break
        finally:
            there.close()

    def _metrics(self, stop: threading.Event) -> None:
        while not stop.wait(10):
            self._call("metrics", self._scrape)

    def _scrape(self) -> None:
        there = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            there.request("GET", "/metrics")
            answer = there.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {answer.read()[:300]!r}")
            answer.read()
        finally:
            there.close()


class _Receiving(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received += 1  # type: ignore[attr-defined]
        self.send_response(503 if self.server.received % REFUSED == 0 else 204)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


class Web:
    """A receiver of webhooks on this machine, of which one in REFUSED is refused for now."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiving)
        self._server.received = 0  # type: ignore[attr-defined]
        self.address = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def received(self) -> int:
        """Webhooks that came in."""
        return int(self._server.received)  # type: ignore[attr-defined]

"""Agents of a page: Claude Code and Cursor as llmgenie sees them. Their hooks are asked, then they act.

`claude> run_action {"action": …}` calls the server that the project's own files name, through the SDK's client;
`claude> Bash {"command": …}` is put to the hook that stands in the project's files, and done when that does not refuse.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.from_thread
from doc_terminal import PATIENCE, Shell
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import Implementation

from llmgenie_mcp import agents
from llmgenie_mcp.faces.mcp_tools import TOOLS
from llmgenie_mcp.hosts import Reply

HOSTS = {
    "claude": ("claude-code", ".mcp.json", ".claude/settings.local.json", {"CLAUDECODE": "1"}),
    "cursor": ("cursor", ".cursor/mcp.json", ".cursor/hooks.json", {"CURSOR_AGENT": "1"}),
}
LINE = re.compile(r"^(claude|cursor)> (\w+) (\{.*\})$")


@dataclass(frozen=True, slots=True)
class Call:
    """What an agent does on a page, and what it is answered there."""

    line: str
    host: str
    tool: str
    arguments: dict[str, Any]
    shown: list[str]


def calls(text: str) -> Iterator[Call]:
    """The calls of a block, in order."""
    call: Call | None = None
    for line in text.splitlines():
        if found := LINE.match(line):
            if call is not None:
                yield call
            call = Call(line, found[1], found[2], json.loads(found[3]), [])
        else:
            assert call is not None, f"{line!r} stands below no call"
            call.shown.append(line)
    if call is not None:
        yield call


class Agents:
    """The agents that work in one project; their connections stay open until the end."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._open = ExitStack()
        self._portal = self._open.enter_context(anyio.from_thread.start_blocking_portal())
        self._clients: dict[str, Client] = {}

    def close(self) -> None:
        """End the connections, and with them the servers."""
        self._open.close()

    def do(self, call: Call) -> str:
        """What the agent is answered."""
        if call.tool in TOOLS:
            return self._call(call)
        marks = HOSTS[call.host][3]
        refused = self._refusal(call)
        if refused is not None:
            return refused
        if "command" in call.arguments:
            return self._shell.run(call.arguments["command"], **marks)[1]
        path = self._shell.folder / call.arguments["file_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(call.arguments["content"], encoding="utf-8")
        return ""

    def _call(self, call: Call) -> str:
        client = self._client(call.host)
        result = self._portal.call(lambda: client.call_tool(call.tool, call.arguments, read_timeout_seconds=PATIENCE))
        return "\n".join(part.text for part in result.content if part.type == "text")

    def _client(self, host: str) -> Client:
        if host not in self._clients:
            title, file, _, _ = HOSTS[host]
            folder = self._shell.folder
            entry = json.loads((folder / file).read_text(encoding="utf-8"))["mcpServers"]["llmgenie"]
            words = [word.replace("${workspaceFolder}", str(folder)) for word in entry["args"]]
            errors = self._open.enter_context((self._shell.home / f"{host}.log").open("w", encoding="utf-8"))
            server = StdioServerParameters(
                command=entry["command"], args=words, env=self._shell.environment, cwd=folder
            )
            client = Client(stdio_client(server, errlog=errors), client_info=Implementation(name=title, version="1"))
            self._clients[host] = self._open.enter_context(self._portal.wrap_async_context_manager(client))
        return self._clients[host]

    def _refusal(self, call: Call) -> str | None:
        """What the hook that is installed for this host says against it; None when it says nothing."""
        title, _, file, marks = HOSTS[call.host]
        folder = self._shell.folder
        agent = agents.find(title)
        probe = agent.probe(folder)
        payload = dict(probe.payload)
        if call.host == "claude":
            payload |= {"session_id": "docs", "tool_name": call.tool, "tool_input": call.arguments}
            line = _hooks(folder / file, probe.event)[0]["hooks"][0]["command"]
        else:
            assert "command" in call.arguments, "Cursor's other tools are not played"
            payload |= {"conversation_id": "docs", **call.arguments}
            line = _hooks(folder / file, probe.event)[0]["command"]
        done = subprocess.run(
            ["bash", "-c", line],
            input=json.dumps(payload).encode(),
            capture_output=True,
            cwd=folder,
            env={**self._shell.environment, **marks},
            timeout=PATIENCE,
        )
        reply = Reply(done.stdout.decode(), done.stderr.decode(), done.returncode)
        if not agent.denied(probe.event, reply):
            assert done.returncode == 0, reply
            return _words(reply) if '"ask"' in reply.stdout else None
        return _words(reply)


def _hooks(file: Path, event: str) -> list[Mapping[str, Any]]:
    return json.loads(file.read_text(encoding="utf-8"))["hooks"][event]


def _words(reply: Reply) -> str:
    """What the model reads of a refusal."""
    if not reply.stdout.strip():
        return reply.stderr
    said = json.loads(reply.stdout)
    inner = said.get("hookSpecificOutput", said)
    return str(inner.get("permissionDecisionReason") or inner.get("agent_message") or inner)

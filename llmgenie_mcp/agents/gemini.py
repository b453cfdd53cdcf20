"""Gemini CLI: hooks of `.gemini/settings.json`.

Source: google-gemini/gemini-cli, docs/hooks/reference.md and docs/reference/tools.md, 2026, and packages/core/src/hooks.

Denial: the JSON on stdout, the reason on stderr, and exit code 2. Older versions took the JSON of stdout whatever the
code was, newer ones take stderr at any code but 0, and code 2 with nothing written denied nothing: all three deny.
Timeouts are in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmgenie_mcp.agents import Probe, Site
from llmgenie_mcp.agents._common import BaseAgent, Form, answered, at, dumped, first, nested, text
from llmgenie_mcp.agents._tools import as_object
from llmgenie_mcp.edits import Edit
from llmgenie_mcp.hosts import PROBE, HookEvent, Kind, Reply, ToolCall, Verdict

_KINDS: dict[str, Kind] = {
    "BeforeTool": "before",
    "AfterTool": "after",
    "SessionStart": "session_start",
    "SessionEnd": "session_end",
    "BeforeAgent": "prompt",
    "AfterAgent": "stop",
}
_OTHER_EVENTS = ("BeforeModel", "AfterModel", "BeforeToolSelection", "Notification", "PreCompress")
_FORMER_SWITCHES = ("enabled", "disabled", "notifications")
_FILE = ".gemini/settings.json"


class Gemini(BaseAgent):
    """The adapter of Gemini CLI. Its documents know no `ask`."""

    name = "gemini"
    title = "Gemini CLI"
    checked = "Run with a scripted model, version 0.61.0."
    kinds = _KINDS
    deniable = frozenset({"BeforeTool"})
    signs = (".gemini", "GEMINI.md")
    home_signs = (".gemini",)

    def calls(self, payload: Mapping[str, Any], event: str) -> tuple[ToolCall, ...]:
        """As of all hosts, but that `mcp_context` names server and tool of an MCP tool better than its name does."""
        context, name = payload.get("mcp_context"), text(payload, "tool_name")
        if name and (server := at(context, "server_name")) and isinstance(server, str):
            tool = at(context, "tool_name")
            given = as_object(first(payload, "tool_input"), f"{self.name} {event}, tool {name!r}")
            return (
                ToolCall("mcp", name, server=server, tool=tool if isinstance(tool, str) else name, arguments=given),
            )
        return super().calls(payload, event)

    def answer(self, form: Form, event: HookEvent, words: Verdict) -> Reply:
        """How this host writes it; see BaseAgent."""
        if form == "context" and event.name in {"SessionStart", "BeforeAgent", "AfterTool"}:
            return Reply(dumped(nested(event.name, additionalContext=words.context)))
        if form == "go on":  # the reason is the agent's next prompt
            return Reply(dumped({"decision": "deny", "reason": words.reason}))
        if form != "deny":
            return Reply()
        return Reply(dumped({"decision": "deny", "reason": words.reason}), f"{words.reason}\n", 2)

    def denied(self, event: str, reply: Reply) -> bool:
        """A decision in the JSON of stdout, or exit code 2 with something written."""
        if event != "BeforeTool":
            return False
        if reply.code == 2:
            return bool(reply.stdout.strip() or reply.stderr.strip())
        value = answered(reply)
        return reply.code == 0 and at(value, "decision") in {"deny", "block"} and bool(at(value, "reason"))

    def probe(self, folder: Path) -> Probe:
        """`git push origin main`, as the shell tool is asked for it."""
        payload = {
            "session_id": PROBE,
            "transcript_path": str(folder / "transcript.json"),
            "cwd": str(folder),
            "hook_event_name": "BeforeTool",
            "timestamp": "2026-01-01T00:00:00.000Z",
            "tool_name": "run_shell_command",
            "tool_input": {"command": "git push origin main"},
        }
        return Probe(payload, "BeforeTool")

    def edits(self, site: Site) -> Sequence[Edit]:
        """Server and hooks in the project's settings, and the rules."""
        from llmgenie_mcp.agents import _files

        line = _files.command(site, self.name)
        plain = {"name": "llmgenie", "type": "command", "command": line, "timeout": site.timeout * 1000}
        groups: dict[str, dict[str, Any]] = {
            "BeforeTool": {"matcher": ".*", "hooks": [{**plain, "command": _files.closed(site, self.name)}]},
            "AfterTool": {"matcher": "mcp_+llmgenie_.*", "hooks": [plain]},
            "SessionStart": {"hooks": [plain]},
            "AfterAgent": {"hooks": [plain]},
        }
        hooks = [_files.hook(_FILE, event, group, site) for event, group in groups.items()]
        return [_files.server(_FILE, site, stdio=False), *hooks, _files.rules_block("GEMINI.md")]

    def complaints(self, root: Path) -> Sequence[str]:
        """What is wrong in the project's settings; the switches that turn hooks off are there too."""
        from llmgenie_mcp.agents import _files

        events = (*_KINDS, *_OTHER_EVENTS, *_FORMER_SWITCHES)
        form = _files.HookFile(_FILE, events, {"BeforeTool"}, grouped=True, per_second=1000)
        found = [s for s in _files.complaints(root, form) if not any(f", {name}: " in s for name in _FORMER_SWITCHES)]
        settings, _ = _files.load(root, _FILE)
        for place in ("hooksConfig", "hooks"):
            if at(settings, place, "enabled") is False:
                found.append(f"{_FILE}: `{place}.enabled` is false: no hook runs. Remove it.")
            off = at(settings, place, "disabled")
            if isinstance(off, list) and "llmgenie" in off:
                found.append(f"{_FILE}: `{place}.disabled` names llmgenie: its hook does not run. Take it out.")
        return found


AGENT = Gemini()

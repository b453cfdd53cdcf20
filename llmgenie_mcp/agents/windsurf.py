"""Windsurf (Devin Desktop): Cascade hooks of `.windsurf/hooks.json`, which `.devin/hooks.json` is the new name of.

Source: docs.windsurf.com/windsurf/cascade/hooks, 2026. A hook speaks by its exit code alone: 2 stops a `pre_` event, and
stderr is what the agent is told; stdout is never read. Any other code, a crash and a timeout let it go through, there is
no switch for that, no way to ask, no event for a session's start or end, and no place for context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmgenie_mcp.agents import Probe, Site
from llmgenie_mcp.agents._common import BaseAgent, Form, at, first, is_absolute, text, whole
from llmgenie_mcp.agents._tools import as_object, paths_in
from llmgenie_mcp.edits import Edit
from llmgenie_mcp.hosts import PROBE, HookEvent, Kind, PayloadError, Reply, ToolCall, Verdict

_ACTIONS = ("read_code", "write_code", "run_command", "mcp_tool_use")
_KINDS: dict[str, Kind] = {
    **{f"pre_{action}": "before" for action in _ACTIONS},
    **{f"post_{action}": "after" for action in _ACTIONS},
    "pre_user_prompt": "prompt",
}
_OTHER_EVENTS = ("post_cascade_response", "post_cascade_response_with_transcript", "post_setup_worktree")
_FILES = (".windsurf/hooks.json", ".devin/hooks.json")


class Windsurf(BaseAgent):
    """The adapter of Windsurf."""

    name = "windsurf"
    title = "Windsurf"
    checked = "By its documentation of 2026; not run against the real program."
    kinds = _KINDS
    deniable = frozenset(f"pre_{action}" for action in _ACTIONS)
    signs = (".windsurf", ".devin", ".windsurfrules")
    home_signs = (".codeium/windsurf",)

    def read(self, payload: Mapping[str, Any]) -> HookEvent:
        """Translate what the host wrote. Raises PayloadError: it is not a payload of this host."""
        given = whole(payload, self.title)
        name = text(given, "agent_action_name")
        if name is None:
            raise PayloadError("Windsurf: the payload does not name its event (agent_action_name).")
        kind, info = self.kinds.get(name, "other"), given.get("tool_info")
        known = info if isinstance(info, Mapping) else {}
        calls: tuple[ToolCall, ...] = ()
        if kind == "before":
            calls = self.calls(given, name)
        elif kind == "after":
            calls = self.known_calls(given, name)
        folder = text(known, "cwd")
        return HookEvent(
            host=self.name,
            name=name,
            kind=kind,
            folder=folder if folder and is_absolute(folder) else None,
            conversation=text(given, "trajectory_id"),
            calls=calls,
            result=first(known, "mcp_result", "output") if kind == "after" else None,
            prompt=text(known, "user_prompt") or "" if kind == "prompt" else "",
            can_deny=name in self.deniable,
        )

    def calls(self, payload: Mapping[str, Any], event: str) -> tuple[ToolCall, ...]:
        """The use that an event is about; the event's name says what it is. Raises PayloadError."""
        where = f"{self.name} {event}"
        info = as_object(payload.get("tool_info"), where)
        action = event.partition("_")[2]
        if action == "run_command":
            command = info.get("command_line")
            if not isinstance(command, str):
                raise PayloadError(f"{where}: the text of the command is missing (tool_info.command_line).")
            return (ToolCall("shell", action, command=command),)
        if action == "mcp_tool_use":
            tool = text(info, "mcp_tool_name")
            if tool is None:
                raise PayloadError(f"{where}: it does not name its tool (tool_info.mcp_tool_name).")
            given = as_object(info.get("mcp_tool_arguments"), where)
            return (ToolCall("mcp", action, server=text(info, "mcp_server_name") or "", tool=tool, arguments=given),)
        return (ToolCall("write" if action == "write_code" else "read", action, paths=paths_in(info, where)),)

    def answer(self, form: Form, event: HookEvent, words: Verdict) -> Reply:
        """How this host writes it; see BaseAgent."""
        return Reply(stderr=f"{words.reason}\n", code=2) if form == "deny" and event.can_deny else Reply()

    def denied(self, event: str, reply: Reply) -> bool:
        """Exit code 2 of an event before something."""
        return event in self.deniable and reply.code == 2

    def probe(self, folder: Path) -> Probe:
        """`git push origin main`, as a command that is to be run."""
        payload = {
            "agent_action_name": "pre_run_command",
            "trajectory_id": PROBE,
            "execution_id": "1",
            "timestamp": "2026-01-01T00:00:00Z",
            "model_name": "none",
            "tool_info": {"command_line": "git push origin main", "cwd": str(folder)},
        }
        return Probe(payload, "pre_run_command")

    def edits(self, site: Site) -> Sequence[Edit]:
        """The hooks and the rules; its MCP servers are a person's own settings, outside of projects."""
        from llmgenie_mcp.agents import _files

        plain = {"command": _files.command(site, self.name), "show_output": True}
        stopping = {**plain, "command": _files.closed(site, self.name)}
        hooks = [_files.hook(_FILES[0], event, stopping, site) for event in sorted(self.deniable)]
        hooks.append(_files.hook(_FILES[0], "post_mcp_tool_use", plain, site))
        return [*hooks, _files.rules_block("AGENTS.md")]

    def complaints(self, root: Path) -> Sequence[str]:
        """What is wrong in the hooks file, under both of its names."""
        from llmgenie_mcp.agents import _files

        found = []
        for path in _FILES:
            form = _files.HookFile(path, (*_KINDS, *_OTHER_EVENTS), self.deniable, timeouts=())
            found.extend(_files.complaints(root, form))
            hooks = at(_files.load(root, path)[0], "hooks")
            if path == _FILES[1] and isinstance(hooks, Mapping) and hooks and (root / _FILES[0]).exists():
                found.append(f"{path} and {_FILES[0]} both have hooks: which one is read depends on the version.")
        return found


AGENT = Windsurf()

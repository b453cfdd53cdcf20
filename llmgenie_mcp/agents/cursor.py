"""Cursor: hooks of `.cursor/hooks.json`.

Source: cursor.com/docs/hooks and cursor.com/docs/reference/third-party-hooks, August 2026; issues are named beside what
they taught. One event name that it does not know voids the whole file without a word (receptron/mulmoterminal#2064).

Denial: the documented JSON with exit code 0, because only the JSON has a place for what the agent is told; our hooks are
`failClosed`, so that output which is lost stops the action too. Only `deny` is enforced: `ask` falls through to Cursor's
own list of allowed commands (ldayton/Dippy#129) and is not enforced for preToolUse. Hooks that it took from a Claude Code
file (their events begin with a capital) are answered with exit code 2, which both document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmgenie_mcp.agents import Probe, Site
from llmgenie_mcp.agents._common import BaseAgent, Form, answered, at, dumped, first, is_absolute, text
from llmgenie_mcp.agents._tools import as_object, decoded, paths_in
from llmgenie_mcp.edits import Edit, SetMember, WholeFile
from llmgenie_mcp.hosts import PROBE, CallKind, HookEvent, Kind, PayloadError, Reply, ToolCall, Verdict

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("preToolUse", "beforeShellExecution", "beforeMCPExecution"), "before"),
    **dict.fromkeys(("beforeReadFile", "beforeTabFileRead"), "before"),
    **dict.fromkeys(("postToolUse", "postToolUseFailure", "afterShellExecution", "afterMCPExecution"), "after"),
    **dict.fromkeys(("afterFileEdit", "afterTabFileEdit"), "after"),
    "sessionStart": "session_start",
    "sessionEnd": "session_end",
    "beforeSubmitPrompt": "prompt",
    "stop": "stop",
}
_OF_CLAUDE_CODE: dict[str, Kind] = {
    "PreToolUse": "before",
    "PostToolUse": "after",
    "SessionStart": "session_start",
    "SessionEnd": "session_end",
    "UserPromptSubmit": "prompt",
    "Stop": "stop",
}
_ALL = {**_KINDS, **_OF_CLAUDE_CODE}
_OTHER_EVENTS = (
    *("subagentStart", "subagentStop", "preCompact", "afterAgentResponse", "afterAgentThought", "workspaceOpen"),
)
_SHELL, _MCP = ("beforeShellExecution", "afterShellExecution"), ("beforeMCPExecution", "afterMCPExecution")
_FILES: dict[str, CallKind] = {
    "beforeReadFile": "read",
    "beforeTabFileRead": "read",
    "afterFileEdit": "write",
    "afterTabFileEdit": "write",
}
_TELLS_AGENT = ("preToolUse", "beforeShellExecution", "beforeMCPExecution")
_WRITING = "Write|Edit|StrReplace|MultiEdit|EditNotebook|ApplyPatch|Delete|Grep"
"""Tools that no event of their own stops before they are done."""

_FILE = ".cursor/hooks.json"


class Cursor(BaseAgent):
    """The adapter of Cursor."""

    name = "cursor"
    title = "Cursor"
    checked = "By its documentation of August 2026 and users' reports; not run against the real program."
    kinds = _ALL
    deniable = frozenset({*(name for name, kind in _ALL.items() if kind == "before"), "subagentStart"})
    signs = (".cursor", ".cursorrules")
    home_signs = (".cursor",)

    def read(self, payload: Mapping[str, Any]) -> HookEvent:
        """Translate what the host wrote. Raises PayloadError: it is not a payload of this host."""
        event = super().read(payload)
        if event.kind == "stop" and payload.get("status") in {"aborted", "error"}:
            return replace(event, kind="other")  # a person's own stop is not argued with
        if event.kind != "after":
            return event
        given = first(payload, "result_json", "output") if event.result is None else event.result
        return replace(event, result=decoded(given))

    def calls(self, payload: Mapping[str, Any], event: str) -> tuple[ToolCall, ...]:
        """The use that an event is about: most events are about one tool. Raises PayloadError."""
        where = f"{self.name} {event}"
        if event in _SHELL:
            command = payload.get("command")
            if not isinstance(command, str):
                raise PayloadError(f"{where}: the text of the command is missing (`command`).")
            return (ToolCall("shell", "Shell", command=command),)
        if event in _MCP:
            tool = text(payload, "tool_name")
            if tool is None:
                raise PayloadError(f"{where}: it does not name its tool (`tool_name`).")
            given = as_object(payload.get("tool_input"), where)
            return (ToolCall("mcp", tool, tool=tool.removeprefix("MCP:").strip(), arguments=given),)
        if event in _FILES:
            files = paths_in({"file_path": payload.get("file_path")}, where)
            return (ToolCall(_FILES[event], _FILES[event].title(), paths=files),)
        return super().calls(payload, event)

    def folder(self, payload: Mapping[str, Any], calls: tuple[ToolCall, ...]) -> str | None:
        """The folder of the event, else the first of the workspace."""
        here, roots = super().folder(payload, calls), payload.get("workspace_roots")
        if here is None and isinstance(roots, list) and roots and isinstance(roots[0], str) and is_absolute(roots[0]):
            return roots[0]
        return here

    def answer(self, form: Form, event: HookEvent, words: Verdict) -> Reply:
        """How this host writes it; see BaseAgent."""
        if form == "context" and event.name in {"sessionStart", "postToolUse"}:
            return Reply(dumped({"additional_context": words.context}))
        if form == "go on":  # sent as the person's message; `permission` is ignored here (failproofai#318)
            return Reply(dumped({"followup_message": words.reason}))
        if form != "deny":
            return Reply()
        answer = {"permission": "deny"}
        if event.name in _TELLS_AGENT:
            answer |= {"user_message": words.summary, "agent_message": words.reason}
        elif event.name in {"beforeReadFile", "subagentStart"}:
            answer |= {"user_message": words.reason}
        return Reply(dumped(answer), f"{words.reason}\n", 2 if event.name in _OF_CLAUDE_CODE else 0)

    def denied(self, event: str, reply: Reply) -> bool:
        """Exit code 2, or code 0 with the permission denied; `ask` is a denial for subagentStart alone."""
        if event not in self.deniable:
            return False
        permission = at(answered(reply), "permission")
        asked = event == "subagentStart" and permission == "ask"
        return reply.code == 2 or (reply.code == 0 and (permission == "deny" or asked))

    def probe(self, folder: Path) -> Probe:
        """`git push origin main`, as a command that is to be run."""
        payload = {
            "conversation_id": PROBE,
            "generation_id": "1",
            "model": "none",
            "hook_event_name": "beforeShellExecution",
            "cursor_version": "2.0.0",
            "workspace_roots": [str(folder)],
            "user_email": None,
            "transcript_path": None,
            "command": "git push origin main",
            "cwd": str(folder),
            "sandbox": False,
        }
        return Probe(payload, "beforeShellExecution")

    def edits(self, site: Site) -> Sequence[Edit]:
        """The server's entry, the hooks, and the rules as a rule of the project.

        afterMCPExecution tells which session llmgenie gave this conversation; preToolUse is for the tools that no event of
        their own stops.
        """
        from llmgenie_mcp.agents import _files

        plain = {"command": _files.command(site, self.name), "timeout": site.timeout}
        closed = {**plain, "failClosed": True}
        hooks = {
            "beforeShellExecution": closed,
            "beforeMCPExecution": closed,
            "beforeReadFile": closed,
            "preToolUse": {**closed, "matcher": _WRITING},
            "afterMCPExecution": plain,
            "sessionStart": plain,
            "stop": {**plain, "loop_limit": 3},
        }
        front = "---\ndescription: How work is done in this project\nalwaysApply: true\n---\n"
        return [
            _files.server(".cursor/mcp.json", site, "--project", "${workspaceFolder}"),
            SetMember(_FILE, ("version",), 1, weak=True),
            *(_files.hook(_FILE, event, item, site) for event, item in hooks.items()),
            WholeFile(".cursor/rules/llmgenie.mdc", f"{front}\n{_files.rules()}\n"),
        ]

    def complaints(self, root: Path) -> Sequence[str]:
        """What is wrong in `hooks.json`."""
        from llmgenie_mcp.agents import _files

        form = _files.HookFile(
            _FILE,
            (*_KINDS, *_OTHER_EVENTS),
            self.deniable,
            closed=("failClosed", True),
            versioned=True,
            unknown="and Cursor then runs no hook of the file at all",
        )
        return _files.complaints(root, form)


AGENT = Cursor()

"""Claude Code: hooks of `.claude/settings*.json`.

Source: code.claude.com/docs/en/hooks, as of August 2026, and issues of anthropics/claude-code that are named beside what
they taught. The settings files are read by Cursor, VS Code and Copilot CLI too, so that a payload of another host may
come in here; one that says so is read and answered by that host's adapter.

Denial: exit code 2 and the reason on stderr, and nothing on stdout. It blocks whatever the JSON says, it is the one form
that the other readers of these files honour as well, and beside JSON it was reported not to block (#43407) and did not
before 2.1.214 when the JSON did not fit the schema. The dialogue of PermissionRequest does not honour it: that is JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmgenie_mcp.agents import Probe, Site
from llmgenie_mcp.agents._common import BaseAgent, Form, answered, at, dumped, nested, permission_denied, text, whole
from llmgenie_mcp.edits import Edit
from llmgenie_mcp.hosts import PROBE, HookEvent, Kind, Reply, Verdict

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("PreToolUse", "PermissionRequest"), "before"),
    **dict.fromkeys(("PostToolUse", "PostToolUseFailure"), "after"),
    "SessionStart": "session_start",
    "SessionEnd": "session_end",
    "UserPromptSubmit": "prompt",
    "Stop": "stop",
}
_OTHER_EVENTS = (
    *("Setup", "InstructionsLoaded", "UserPromptExpansion", "MessageDisplay", "PostToolBatch", "PermissionDenied"),
    *("Notification", "SubagentStart", "SubagentStop", "TaskCreated", "TaskCompleted", "StopFailure", "TeammateIdle"),
    *("ConfigChange", "CwdChanged", "DirectoryAdded", "FileChanged", "WorktreeCreate", "WorktreeRemove"),
    *("PreCompact", "PostCompact", "Elicitation", "ElicitationResult"),
)
_ASKING_MODES = ("default", "plan", "acceptEdits")
"""`ask` went through without a person under bypassPermissions (#77212) and auto (#79356); dontAsk asks nobody.

Another host that reads these settings sends no mode, and is not asked to ask. Nor is any for MCP tools: `ask` let them
through (#81569).
"""

ON_FAILURE = (2, 1, 295)
"""The version that knows `onFailure` (its changelog, October 2026)."""
_MATCHER = "^(Bash|PowerShell|Monitor|Read|Write|Edit|MultiEdit|NotebookEdit|NotebookRead|Grep|Glob|LS|mcp__.*)$"
_SETTINGS = (".claude/settings.local.json", ".claude/settings.json")


class ClaudeCode(BaseAgent):
    """The adapter of Claude Code."""

    name = "claude-code"
    title = "Claude Code"
    checked = "Run with a scripted model, version 2.1.330; `onFailure` also with 2.1.294 and 2.1.295."
    kinds = _KINDS
    deniable = frozenset({"PreToolUse", "PermissionRequest"})
    asking = frozenset({"PreToolUse"})
    program = ("claude", "--version")
    signs = (".claude", "CLAUDE.md", ".mcp.json")
    home_signs = (".claude", ".claude.json")

    def read(self, payload: Mapping[str, Any]) -> HookEvent:
        """Translate what the host wrote. Raises PayloadError: it is not a payload of this host."""
        from llmgenie_mcp.agents import find

        given = whole(payload, self.title)
        if text(given, "cursor_version"):
            return find("cursor").read(given)
        if text(given, "hookEventName"):
            return find("vscode").read(given)
        if _of_copilot(given):
            return replace(find("copilot").read(given), can_ask=False)
        event = super().read(given)
        mode = given.get("permission_mode")
        asks = mode in _ASKING_MODES and all(call.kind != "mcp" for call in event.calls)
        return event if asks or not event.can_ask else replace(event, can_ask=False)

    def answer(self, form: Form, event: HookEvent, words: Verdict) -> Reply:
        """How this host writes it; see BaseAgent."""
        if form == "context" and event.name in {"SessionStart", "UserPromptSubmit", "PostToolUse"}:
            return Reply(dumped(nested(event.name, additionalContext=words.context)))
        if form == "go on":  # the host ends the turn anyway after 8 in a row
            return Reply(dumped({"decision": "block", "reason": words.reason}))
        if form == "ask":
            return Reply(dumped(nested(event.name, permissionDecision="ask", permissionDecisionReason=words.reason)))
        if form != "deny":
            return Reply()
        if event.name == "PermissionRequest":
            return Reply(dumped(permission_denied(words.reason)), f"{words.reason}\n")
        return Reply(stderr=f"{words.reason}\n", code=2)

    def denied(self, event: str, reply: Reply) -> bool:
        """Exit code 2 unless there is broken JSON beside it; else the wrapped decision, whatever the other code."""
        value = answered(reply)
        if event == "PermissionRequest":
            return bool(at(value, "hookSpecificOutput", "decision", "behavior") == "deny")
        if event != "PreToolUse":
            return False
        if reply.code == 2:
            return value is not None or not reply.stdout.lstrip().startswith("{")
        inner = at(value, "hookSpecificOutput")
        return (at(inner, "hookEventName"), at(inner, "permissionDecision")) == (event, "deny")

    def outdated(self, version: str) -> str:
        """Before 2.1.295 a hook that crashes or takes too long lets the tool run, whatever `onFailure` says."""
        import re

        found = re.search(r"(\d+)\.(\d+)\.(\d+)", version)
        if found is None or tuple(map(int, found.groups())) >= ON_FAILURE:
            return ""
        return f"Claude Code {found[0]} lets a tool run when its hook crashes: from 2.1.295 on it does not. Update it."

    def probe(self, folder: Path) -> Probe:
        """`git push origin main`, as the Bash tool is asked for it."""
        payload = {
            "session_id": PROBE,
            "transcript_path": str(folder / "transcript.jsonl"),
            "cwd": str(folder),
            "permission_mode": "default",
            "hook_event_name": "PreToolUse",
            "tool_name": "Bash",
            "tool_input": {"command": "git push origin main", "description": "Push"},
            "tool_use_id": "toolu_1",
        }
        return Probe(payload, "PreToolUse")

    def edits(self, site: Site) -> Sequence[Edit]:
        """The personal settings, because a hook names this machine's Python; the server's entry; the rules.

        A command line and not the exec form (`command` and `args`): the other readers of this file know `command` alone
        and would start a bare Python with the payload as its program. The server gets no `--project`: it asks the client
        for its roots, and Copilot CLI, which reads `.mcp.json` too, does not expand `${CLAUDE_PROJECT_DIR}`.
        """
        from llmgenie_mcp.agents import _files

        line = _files.command(site, self.name)
        plain = {"type": "command", "command": line, "timeout": site.timeout}
        groups: dict[str, dict[str, Any]] = {
            "PreToolUse": {
                "matcher": _MATCHER,
                "hooks": [{**plain, "command": _files.closed(site, self.name), "onFailure": "block"}],
            },
            "PostToolUse": {"matcher": "^mcp__llmgenie__.*$", "hooks": [plain]},
            "SessionStart": {"hooks": [plain]},
            "Stop": {"hooks": [plain]},
        }
        hooks = [_files.hook(_SETTINGS[0], event, group, site) for event, group in groups.items()]
        return [_files.server(".mcp.json", site), *hooks, _files.rules_block("CLAUDE.md")]

    def complaints(self, root: Path) -> Sequence[str]:
        """What is wrong in both settings files of the project."""
        from llmgenie_mcp.agents import _files

        events = (*_KINDS, *_OTHER_EVENTS)
        forms = [
            _files.HookFile(path, events, {"PreToolUse"}, grouped=True, closed=("onFailure", "block"))
            for path in _SETTINGS
        ]
        return [sentence for form in forms for sentence in _files.complaints(root, form)]


def _of_copilot(payload: Mapping[str, Any]) -> bool:
    """Whether Copilot CLI wrote it (seen with 1.0.102). It takes neither a reason from stderr nor the wrapped form."""
    if text(payload, "timestamp") is None:
        return False
    unnumbered = text(payload, "tool_name") is not None and text(payload, "tool_use_id") is None
    return unnumbered or text(payload, "stop_reason", "initial_prompt") is not None


AGENT = ClaudeCode()

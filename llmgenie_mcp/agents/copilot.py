"""GitHub Copilot CLI and cloud agent: hooks of `.github/hooks/*.json`.

Source: docs.github.com/copilot/reference/hooks-reference, November 2026. The payload's members are written in camelCase
when the event's name is (`preToolUse`), and then no member names the event: our command line names it instead, and
without that it is told by the members. VS Code reads the same files and sends payloads of its own; those are read and
answered by its adapter.

Denial: the flat JSON and exit code 2, which are documented to be merged: the code denies whatever the JSON is, and the
JSON carries the reason to the agent. Any other code but 0 denies as well; a timeout never does, even for a policy hook.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmgenie_mcp.agents import Probe, Site
from llmgenie_mcp.agents._common import EVENT, BaseAgent, Form, answered, at, dumped, text, whole
from llmgenie_mcp.agents._tools import read_calls
from llmgenie_mcp.edits import Edit, WholeFile
from llmgenie_mcp.hosts import PROBE, HookEvent, Kind, PayloadError, Reply, ToolCall, Verdict

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("preToolUse", "PreToolUse", "permissionRequest", "PermissionRequest"), "before"),
    **dict.fromkeys(("postToolUse", "PostToolUse", "postToolUseFailure", "PostToolUseFailure"), "after"),
    **dict.fromkeys(("sessionStart", "SessionStart"), "session_start"),
    **dict.fromkeys(("sessionEnd", "SessionEnd"), "session_end"),
    **dict.fromkeys(("userPromptSubmitted", "UserPromptSubmit"), "prompt"),
    **dict.fromkeys(("agentStop", "Stop"), "stop"),
}
_OTHER_EVENTS = (
    *("subagentStart", "subagentStop", "SubagentStart", "SubagentStop", "errorOccurred", "ErrorOccurred"),
    *("preCompact", "PreCompact", "notification", "Notification", "userPromptTransformed"),
)
_TAKES_CONTEXT = ("sessionStart", "SessionStart", "postToolUse", "PostToolUse")
"""What is said about a prompt is dropped."""

_TOLD_BY = (
    ("toolResult", "postToolUse"),
    ("toolInput", "permissionRequest"),
    ("toolArgs", "preToolUse"),
    ("toolName", "preToolUse"),
    ("agentName", "subagentStop"),
    ("stopReason", "agentStop"),
    ("errorContext", "errorOccurred"),
    ("transformedPrompt", "userPromptTransformed"),
    ("prompt", "userPromptSubmitted"),
    ("source", "sessionStart"),
    ("trigger", "preCompact"),
    ("reason", "sessionEnd"),
)
"""Which member tells the event of a camelCase payload: the first that is there."""

_CONVERTED = {
    "preToolUse": "PreToolUse",
    "postToolUse": "PostToolUse",
    "sessionStart": "SessionStart",
    "agentStop": "Stop",
}
"""VS Code runs hooks under its own names of these events, and names them in the payload as Copilot never does here."""

HOOKS = ".github/hooks/llmgenie.json"


class Copilot(BaseAgent):
    """The adapter of Copilot CLI. The cloud agent takes `ask` as a denial.

    A permission request is not for asking: one that is not denied may be granted by a rule, with nobody asked.
    """

    name = "copilot"
    title = "GitHub Copilot CLI"
    checked = "Copilot CLI run with a scripted model, version 1.0.102; the cloud agent by its documentation."
    kinds = _KINDS
    deniable = frozenset(name for name, kind in _KINDS.items() if kind == "before")
    asking = frozenset({"preToolUse", "PreToolUse"})
    signs = (".github/copilot-instructions.md", ".github/hooks", ".github/copilot")
    home_signs = (".copilot",)

    def read(self, payload: Mapping[str, Any]) -> HookEvent:
        """Translate what the host wrote. Raises PayloadError: it is not a payload of this host."""
        given = whole(payload, self.title)
        named, told = text(given, "hook_event_name"), text(given, EVENT)
        if text(given, "hookEventName") or (told in _CONVERTED and named == _CONVERTED[told]):
            from llmgenie_mcp.agents import find

            return find("vscode").read({key: value for key, value in given.items() if key != EVENT})
        if named or told:
            return super().read(given)
        return super().read({**given, EVENT: _event(given)})

    def calls(self, payload: Mapping[str, Any], event: str) -> tuple[ToolCall, ...]:
        """As of all hosts; a permission request has the arguments as `toolInput`. Raises PayloadError."""
        if "toolInput" in payload and (name := text(payload, "toolName")):
            return read_calls(name, payload["toolInput"], self.name, event)
        return super().calls(payload, event)

    def answer(self, form: Form, event: HookEvent, words: Verdict) -> Reply:
        """How this host writes it; see BaseAgent."""
        if form == "context" and event.name in _TAKES_CONTEXT:
            return Reply(dumped({"additionalContext": words.context}))
        if form == "go on":  # Copilot ends the turn anyway after 8 in a row
            return Reply(dumped({"decision": "block", "reason": words.reason}))
        if form == "ask":
            return Reply(dumped({"permissionDecision": "ask", "permissionDecisionReason": words.reason}))
        if form != "deny":
            return Reply()
        if event.name in self.asking:
            answer = {"permissionDecision": "deny", "permissionDecisionReason": words.reason}
        else:
            answer = {"behavior": "deny", "message": words.reason}
        return Reply(dumped(answer), f"{words.reason}\n", 2)

    def denied(self, event: str, reply: Reply) -> bool:
        """Before a tool any code but 0, or the decision with its reason; a permission request by code 2 or its behavior."""
        if event not in self.deniable:
            return False
        if reply.code:
            return event in self.asking or reply.code == 2
        value = answered(reply)
        if event in self.asking:
            return at(value, "permissionDecision") == "deny" and bool(at(value, "permissionDecisionReason"))
        return bool(at(value, "behavior") == "deny")

    def probe(self, folder: Path) -> Probe:
        """`git push origin main`, as the shell tool is asked for it."""
        payload = {
            "sessionId": PROBE,
            "timestamp": 1767225600000,
            "cwd": str(folder),
            "toolName": "bash",
            "toolArgs": {"command": "git push origin main", "description": "Push"},
        }
        return Probe(payload, "preToolUse")

    def edits(self, site: Site) -> Sequence[Edit]:
        """The server's entry (`.mcp.json`, as for Claude Code), a file of hooks of our own, and the rules."""
        from llmgenie_mcp.agents import _files

        return [_files.server(".mcp.json", site), hooks_file(site), _files.rules_block("AGENTS.md")]

    def complaints(self, root: Path) -> Sequence[str]:
        """What is wrong in the files of `.github/hooks`, and hooks that the repository's settings turned off."""
        from llmgenie_mcp.agents import _files

        found = []
        for path in sorted((root / ".github" / "hooks").glob("*.json")):
            name = path.relative_to(root).as_posix()
            events = (*_KINDS, *_OTHER_EVENTS)
            form = _files.HookFile(name, events, self.deniable, timeouts=("timeoutSec", "timeout"), versioned=True)
            found.extend(_files.complaints(root, form))
        settings = (".github/copilot/settings.json", ".github/copilot/settings.local.json")
        off = [name for name in settings if at(_files.load(root, name)[0], "disableAllHooks") is True]
        return [*found, *(f"{name}: `disableAllHooks` is true: no hook runs here. Remove the line." for name in off)]


def hooks_file(site: Site) -> WholeFile:
    """The hooks of Copilot and VS Code in one file, since both read it.

    `bash` and not `exec`, which neither the cloud agent nor VS Code knows. Copilot refuses when the hook before a tool
    fails; VS Code does not, so that the command does.
    """
    from llmgenie_mcp.agents import _files

    def line(event: str) -> str:
        return (_files.closed if event == "preToolUse" else _files.command)(site, "copilot", event)

    events = {"preToolUse": {}, "postToolUse": {"matcher": "llmgenie-.*"}, "sessionStart": {}, "agentStop": {}}
    hooks = {
        event: [{"type": "command", "bash": line(event), "timeoutSec": site.timeout, **matcher}]
        for event, matcher in events.items()
    }
    return WholeFile(HOOKS, json.dumps({"version": 1, "hooks": hooks}, indent=2) + "\n")


def _event(payload: Mapping[str, Any]) -> str:
    event = next((event for member, event in _TOLD_BY if payload.get(member) is not None), None)
    if event is None:
        raise PayloadError("GitHub Copilot CLI: neither the command line nor the payload tells the event.")
    return "postToolUseFailure" if event == "preToolUse" and payload.get("error") is not None else event


AGENT = Copilot()

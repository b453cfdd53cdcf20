"""Agents of Visual Studio Code (Copilot Chat): hooks of `.github/hooks/*.json`.

Source: microsoft/vscode-docs, docs/agent-customization/hooks.md, June 2026 (a preview). It documents camelCase members
(`hookEventName`, `sessionId`), and GitHub's documents say snake_case of it: both are read. It reads the hooks of Claude
Code and of Copilot CLI too, without their matchers, so that every hook is called for every tool.

Denial: exit code 2 with the reason on stderr, which the model is shown, and the denying JSON beside it; the most
restrictive of all wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llmgenie_mcp.agents import Probe, Site
from llmgenie_mcp.agents._common import BaseAgent, Form, answered, at, dumped, nested
from llmgenie_mcp.agents.copilot import hooks_file
from llmgenie_mcp.edits import Edit
from llmgenie_mcp.hosts import PROBE, HookEvent, Kind, Reply, Verdict

_KINDS: dict[str, Kind] = {
    "PreToolUse": "before",
    "PostToolUse": "after",
    "SessionStart": "session_start",
    "UserPromptSubmit": "prompt",
    "Stop": "stop",
}


class VSCode(BaseAgent):
    """The adapter of VS Code."""

    name = "vscode"
    title = "VS Code"
    checked = "By its documentation of June 2026; not run against the real program."
    kinds = _KINDS
    deniable = frozenset({"PreToolUse"})
    asking = frozenset({"PreToolUse"})
    signs = (".vscode",)
    home_signs = (".vscode", ".vscode-server")

    def answer(self, form: Form, event: HookEvent, words: Verdict) -> Reply:
        """How this host writes it; see BaseAgent."""
        if form == "context" and event.name in {"SessionStart", "PostToolUse"}:
            return Reply(dumped(nested(event.name, additionalContext=words.context)))
        if form == "go on":  # inside the wrapper, other than Claude Code's
            return Reply(dumped(nested(event.name, decision="block", reason=words.reason)))
        if form == "context":
            return Reply()
        answer = nested(event.name, permissionDecision=form, permissionDecisionReason=words.reason)
        return Reply(dumped(answer)) if form == "ask" else Reply(dumped(answer), f"{words.reason}\n", 2)

    def denied(self, event: str, reply: Reply) -> bool:
        """Exit code 2, or code 0 with the wrapped decision."""
        if event != "PreToolUse":
            return False
        decision = at(answered(reply), "hookSpecificOutput", "permissionDecision")
        return reply.code == 2 or (reply.code == 0 and decision == "deny")

    def probe(self, folder: Path) -> Probe:
        """`git push origin main`, as the terminal tool is asked for it."""
        payload = {
            "timestamp": "2026-01-01T00:00:00.000Z",
            "cwd": str(folder),
            "sessionId": PROBE,
            "hookEventName": "PreToolUse",
            "transcript_path": str(folder / "transcript.json"),
            "tool_name": "run_in_terminal",
            "tool_input": {"command": "git push origin main", "explanation": "Push", "isBackground": False},
            "tool_use_id": "1",
        }
        return Probe(payload, "PreToolUse")

    def edits(self, site: Site) -> Sequence[Edit]:
        """The server's entry, the file of hooks that Copilot CLI has too, and the rules."""
        from llmgenie_mcp.agents import _files

        server = _files.server(".vscode/mcp.json", site, "--project", "${workspaceFolder}", key="servers")
        return [server, hooks_file(site), _files.rules_block("AGENTS.md")]

    def complaints(self, root: Path) -> Sequence[str]:
        """Places of hooks that the workspace turned off; the files themselves are Copilot's to judge."""
        from llmgenie_mcp.agents import _files

        path = ".vscode/settings.json"
        settings, found = _files.load(root, path)
        places = at(settings, "chat.hookFilesLocations")
        if at(places, ".github/hooks") is False:
            found.append(
                f"{path}: `chat.hookFilesLocations` turns off .github/hooks: our hook does not run. Remove it."
            )
        return found


AGENT = VSCode()

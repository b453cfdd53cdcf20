"""How an agent's commands are told from a person's: the environment variables that coding agents set."""

from __future__ import annotations

from collections.abc import Iterable

MARKERS = (
    "AI_AGENT", "ANTIGRAVITY_AGENT", "AUGMENT_AGENT", "CLAUDECODE", "CLAUDE_CODE", "CLAUDE_CODE_ENTRYPOINT", "CLINE_ACTIVE",
    "CODEX_CI", "CODEX_THREAD_ID", "CURSOR_AGENT", "CURSOR_TRACE_ID", "GEMINI_CLI", "GOOSE_TERMINAL", "OPENCODE",
    "OPENCODE_CLIENT",
)  # fmt: skip
"""Environment variables by which coding agents mark the commands they run."""
MARKER_PREFIXES = ("CODEX_SANDBOX", "COPILOT_AGENT")


def is_marker(name: str) -> bool:
    """Whether an environment variable of that name says that an agent runs the command."""
    return name in MARKERS or name.startswith(MARKER_PREFIXES)


_AGENTS = {
    "CLAUDE": "claude-code",
    "CODEX": "codex",
    "CURSOR": "cursor",
    "GEMINI": "gemini",
    "COPILOT": "copilot",
    "ANTIGRAVITY": "antigravity",
    "AUGMENT": "augment",
    "CLINE": "cline",
    "GOOSE": "goose",
    "OPENCODE": "opencode",
}
"""How the variables of an agent begin, and its name as its own hooks and clients give it."""


def agent_named(names: Iterable[str]) -> str | None:
    """The agent that set variables of these names: `claude-code` for CLAUDECODE; None when none of them is a marker.

    Lines of logs that are older than this have the marker itself, in lower case.
    """
    marks = sorted(filter(is_marker, names))
    known = (agent for mark in marks for begin, agent in _AGENTS.items() if mark.startswith(begin))
    return next(known, "agent" if marks else None)


_CLIENTS = {
    "codex-mcp-client": "codex",
    "cursor-vscode": "cursor",
    "gemini-cli-mcp-client": "gemini",
    "visual studio code": "vscode",
    "visual-studio-code": "vscode",
}
"""How the names begin that agents give themselves as MCP clients, and their names in hooks; others are the same in both."""


def client_named(name: str) -> str:
    """The agent behind an MCP client of that name: `codex` for codex-mcp-client; a name that is not known stays."""
    return next((agent for begin, agent in _CLIENTS.items() if name.lower().startswith(begin)), name)

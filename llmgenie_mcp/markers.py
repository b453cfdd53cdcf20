"""How an agent's commands are told from a person's: the environment variables that coding agents set."""

from __future__ import annotations

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

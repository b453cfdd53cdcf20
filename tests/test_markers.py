"""One name for one agent, whichever way it is seen: by its own hooks, as an MCP client, or by what git's hooks find set."""

from __future__ import annotations

import pytest

from llmgenie_mcp import agents
from llmgenie_mcp.markers import MARKERS, agent_named, client_named


@pytest.mark.parametrize(
    ("variables", "client", "name"),
    [
        ("PATH CLAUDECODE AI_AGENT CLAUDE_CODE_ENTRYPOINT", "claude-code", "claude-code"),
        ("CODEX_SANDBOX_NETWORK_DISABLED CODEX_CI", "codex-mcp-client", "codex"),
        ("CURSOR_TRACE_ID", "cursor-vscode", "cursor"),
        ("GEMINI_CLI", "gemini-cli-mcp-client-llmgenie", "gemini"),
        ("COPILOT_AGENT_SESSION_ID", "copilot", "copilot"),
        ("PATH", "Visual Studio Code", "vscode"),
        ("PATH", "windsurf", "windsurf"),
    ],
)
def test_an_agent_has_the_name_of_its_hooks(variables: str, client: str, name: str) -> None:
    assert name in agents.names()
    assert client_named(client) == name
    assert agent_named(variables.split()) == (None if variables == "PATH" else name)


def test_a_client_nobody_knows_keeps_its_name_and_every_marker_names_an_agent() -> None:
    assert client_named("my-client") == "my-client"
    assert {agent_named([marker]) for marker in MARKERS} >= {"claude-code", "codex", "cursor", "gemini", "agent"}
    assert [marker for marker in MARKERS if agent_named([marker]) == "agent"] == ["AI_AGENT"]

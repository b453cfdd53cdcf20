"""What hosts ask in tests, in the words that all of them share, and what they are answered."""

from __future__ import annotations

from typing import Any

from llmgenie_mcp import Engine
from llmgenie_mcp.engine import conversations, oversight
from llmgenie_mcp.hosts import HookEvent, ToolCall, Verdict

RUN = "run_action"


def shell(command: str) -> ToolCall:
    """A command in a shell."""
    return ToolCall("shell", "Bash", command=command)


def write(*paths: str) -> ToolCall:
    """Files written by the host's own tool."""
    return ToolCall("write", "Write", paths=paths)


def own(tool: str = RUN, server: str = "llmgenie", **arguments: Any) -> ToolCall:
    """A call to llmgenie's own server."""
    return ToolCall("mcp", f"mcp__{server}__{tool}", server=server, tool=tool, arguments=arguments)


def event(engine: Engine, *calls: ToolCall, **more: Any) -> HookEvent:
    """An event of a host before something happens, in a conversation, in the project's folder."""
    given: dict[str, Any] = {
        "host": "codex",
        "name": "PreToolUse",
        "kind": "before",
        "folder": str(engine.project.root),
        "conversation": "c-1",
        "can_deny": True,
        "calls": calls,
    }
    return HookEvent(**(given | more))


def told(engine: Engine, *calls: ToolCall, **more: Any) -> Verdict:
    """What such an event is answered."""
    return oversight.answer(engine.guard(), event(engine, *calls, **more))


def bound(engine: Engine, conversation: str = "c-1", host: str = "codex") -> str | None:
    """The session that a conversation is known to work in."""
    engine.storage.refresh()
    return (engine.storage.get(conversations.TABLE, f"{host}:{conversation}") or {}).get("session")

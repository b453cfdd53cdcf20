"""llmgenie: makes coding agents keep to a team's workflow.

The Engine is usable as a plain library; the MCP server and the command line are faces over it:

    from llmgenie_mcp import Engine

    with Engine.open("path/to/project") as engine:
        outcome = engine.run_action("create_task", {"title": "Write the parser"})
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import LlmgenieError

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.policy import Decision
    from llmgenie_mcp.records import Actor, Outcome

__version__ = "0.1.0"
__all__ = ["Actor", "Decision", "Engine", "LlmgenieError", "Outcome", "__version__"]

_LAZY = {
    "Engine": "llmgenie_mcp.engine",
    "Decision": "llmgenie_mcp.policy",
    "Actor": "llmgenie_mcp.records",
    "Outcome": "llmgenie_mcp.records",
}


def __getattr__(name: str) -> Any:
    """Import the public classes when they are first named: a hook or `--help` needs none of them."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)

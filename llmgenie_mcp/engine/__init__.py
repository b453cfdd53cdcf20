"""The Engine: the one API that every face calls. `engine.py` has it; what stands beside it are its parts.

The class is imported when it is named: the hook needs some of the parts, and not the time that all of them take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmgenie_mcp.engine.engine import AGENT, Actor, Decision, Engine, Outcome

__all__ = ["AGENT", "Actor", "Decision", "Engine", "Outcome"]


def __getattr__(name: str) -> Any:
    """Import the Engine when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.engine"), name)

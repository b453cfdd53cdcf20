"""Statuses and priorities in another tool's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgenie_mcp.exporters._content import foreign_of


def status(task: Mapping[str, Any], name: str, known: Mapping[str, str]) -> str:
    """The word for a task's state: the tool's own as long as the state is what that was read as, else one of `known`."""
    state = str(task["status"])
    said = foreign_of(task, name).get("status")
    if isinstance(said, str) and foreign_of(task, name).get("read_as") == state:
        return said
    return known.get(state, state)


def priority(task: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """The word for a task's priority."""
    level = str(task.get("priority") or "medium")
    return known.get(level, level)

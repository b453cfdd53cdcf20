"""Whether a person agreed to what is asked."""

from __future__ import annotations

from typing import Any

from llmgenie_mcp.engine import approvals
from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.plugins import signal


@signal(
    "approval",
    {
        "granted": "Whether a person granted it: for this instance or this very action, at the present commit.",
        "by": "Who granted it; null when nobody did.",
        "id": "The approval, such as APR-1; null when there is none.",
    },
    outside=False,
)
def read(field: str, situation: Situation) -> Any:
    """One fact about the approval that covers what is asked."""
    found = approvals.standing(situation)
    if field == "granted":
        return found is not None
    return found["decided_by" if field == "by" else "id"] if found else None

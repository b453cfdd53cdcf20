"""What the CI system said last, by a webhook or because `start_ci` watched it."""

from __future__ import annotations

from typing import Any

from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.outcome import CI
from llmgenie_mcp.plugins import signal
from llmgenie_mcp.signals.tests import last_run


@signal(
    "ci",
    {
        "last.passed": "Whether CI passed the last time it was told of (for this commit, if it was told of that).",
        "last.commit": "The commit it ran on.",
        "last.name": "What ran, such as the name of the workflow.",
        "last.at": "When it was told, UTC.",
    },
    outside=False,
)
def read(field: str, situation: Situation) -> Any:
    """One fact about the last end of CI; before the first, `last.passed` is False and the rest is null."""
    run = last_run(situation, CI)
    if field == "last.passed":
        return run is not None and run["status"] == "passed"
    if run is None:
        return None
    return run[{"last.commit": "commit", "last.name": "command", "last.at": "updated_at"}[field]]

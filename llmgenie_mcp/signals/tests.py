"""What the last test run showed."""

from __future__ import annotations

from typing import Any

from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.plugins import signal
from llmgenie_mcp.records import Document


@signal(
    "tests",
    {
        "last.passed": "Whether the last run_tests passed (the last one of this commit, if there is one).",
        "last.commit": "The commit it ran on; null when something was uncommitted.",
        "last.at": "When it ended, UTC.",
        "last.run": "Its id, such as RUN-3.",
    },
    outside=False,
)
def read(field: str, situation: Situation) -> Any:
    """One fact about the last ended run; before the first run, `last.passed` is False and the rest is null."""
    run = _last(situation)
    if field == "last.passed":
        return run is not None and run["status"] == "passed"
    if run is None:
        return None
    return run[{"last.commit": "commit", "last.at": "updated_at", "last.run": "id"}[field]]


def _last(situation: Situation) -> Document | None:
    """Another agent's run on another commit must not hide the one that counts here."""
    ended = [run for run in situation.reader.all("runs", {"action": "run_tests"}) if run["status"] != "running"]
    head = situation.fact("git.subject_head") if ended else None
    here = [run for run in ended if run["commit"] is not None and run["commit"] == head]
    runs = here or ended
    return runs[-1] if runs else None

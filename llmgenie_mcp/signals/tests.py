"""What the last test run showed: of run_tests here, or of the CI system that told of it."""

from __future__ import annotations

from typing import Any

from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.outcome import CI
from llmgenie_mcp.plugins import signal
from llmgenie_mcp.records import Document


@signal(
    "tests",
    {
        "last.passed": "Whether the last run of run_tests or CI passed (the last one of this commit, if there is one).",
        "last.commit": "The commit it ran on; null when something was uncommitted.",
        "last.at": "When it ended, UTC.",
        "last.run": "Its id, such as RUN-3.",
    },
    outside=False,
)
def read(field: str, situation: Situation) -> Any:
    """One fact about the last ended run; before the first run, `last.passed` is False and the rest is null."""
    run = last_run(situation, "run_tests", CI)
    if field == "last.passed":
        return run is not None and run["status"] == "passed"
    if run is None:
        return None
    return run[{"last.commit": "commit", "last.at": "updated_at", "last.run": "id"}[field]]


def last_run(situation: Situation, *actions: str) -> Document | None:
    """The run that counts: of this commit where there is one, for another agent's on another commit must not hide it.

    Of each thing that ran (each workflow of a CI system has a name) the last run counts; one that did not pass goes before
    those that did.
    """
    runs = [run for action in actions for run in situation.reader.all("runs", {"action": action})]
    ended = sorted((run for run in runs if run["status"] != "running"), key=lambda run: str(run["updated_at"]))
    head = situation.fact("git.subject_head") if ended else None
    here = [run for run in ended if run["commit"] is not None and run["commit"] == head]
    if not here:
        return ended[-1] if ended else None
    latest = list({(run["action"], run.get("command")): run for run in here}.values())
    failed = [run for run in latest if run["status"] != "passed"]
    return (failed or sorted(latest, key=here.index))[-1]

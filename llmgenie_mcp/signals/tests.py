"""What the last test run showed: of run_tests here, or of the CI system that told of it."""

from __future__ import annotations

from itertools import islice
from typing import Any

from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.outcome import CI
from llmgenie_mcp.plugins import signal
from llmgenie_mcp.records import Document

LOOKED_AT = 50
"""So many of the newest runs are looked at for the last one that ended."""


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
    those that did. Only the newest are looked at: a project has thousands of runs, and no commit has many.
    """
    ended = [run for action in actions for run in _ended(situation, {"action": action})]
    if not ended:
        return None
    head = situation.fact("git.subject_head")
    about = [run for action in actions for run in _ended(situation, {"action": action, "commit": head})]
    here = sorted(about if isinstance(head, str) else (), key=_number)
    if not here:
        return max(ended, key=_number)
    latest = list({(run["action"], run.get("command")): run for run in here}.values())
    failed = [run for run in latest if run["status"] != "passed"]
    return (failed or sorted(latest, key=here.index))[-1]


def _ended(situation: Situation, where: dict[str, object]) -> list[Document]:
    """The ended ones among the newest runs that fit `where`, in the order they began."""
    ended = (run for run in situation.reader.each("runs", where, newest_first=True) if run["status"] != "running")
    return list(islice(ended, LOOKED_AT))[::-1]


def _number(run: Document) -> int:
    """Runs are numbered as they begin. Their times say less: a clock that was put back would hide the newest."""
    return int(run["id"].rpartition("-")[2])

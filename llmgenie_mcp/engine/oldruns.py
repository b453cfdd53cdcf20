"""Runs that are kept no longer: a server that runs for years would else hold every call of a tool in memory.

Nothing is lost by it: the log keeps each run as it was written. What counts for a decision stays, and what an agent does often
takes away nothing that speaks against it: a run that failed on a commit stays until a newer one of the same thing says more.
"""

from __future__ import annotations

from llmgenie_mcp.outcome import CI
from llmgenie_mcp.records import Document
from llmgenie_mcp.storage import Transaction
from llmgenie_mcp.storage.documents import numbered

TABLE = "runs"
KEPT = 1000
"""So many newer runs later a run goes, unless it still counts; one that counts loses its output."""
KEPT_TESTS = 10_000
"""So many newer runs later the tests that passed on a commit do not count any more: run them again."""
_TESTS = ("run_tests", CI)
_ENDED_WELL = "passed"


def forget(tx: Transaction, newest: str) -> None:
    """Forget what is old enough, one or two runs.

    Args:
        tx: of the run that begins.
        newest: id of that run, such as RUN-1001; runs are numbered as they begin.
    """
    prefix, number = numbered(newest)
    old = tx.get(TABLE, f"{prefix}-{number - KEPT}")
    if old is not None and not _counts(tx, old):
        tx.delete(TABLE, old["id"])
    elif old is not None and old.get("output") and old["status"] != "running":
        tx.put(TABLE, old["id"], {**old, "output": ""})
    older = tx.get(TABLE, f"{prefix}-{number - KEPT_TESTS}")
    if older is not None and (not _counts(tx, older) or _passed_tests(older)):
        tx.delete(TABLE, older["id"])


def _counts(tx: Transaction, run: Document) -> bool:
    """Whether something may still be decided by it, or gone on with."""
    if run["status"] == "running" or "made" in run or ("steps" in run and run["status"] != _ENDED_WELL):
        return True
    if run["action"] not in _TESTS or run.get("commit") is None:
        return False
    same = tx.each(TABLE, {"action": run["action"], "commit": run["commit"]}, newest_first=True)
    ended = (other for other in same if other["status"] != "running" and other.get("command") == run.get("command"))
    return bool(next(ended)["id"] == run["id"])


def _passed_tests(run: Document) -> bool:
    return run["action"] in _TESTS and run["status"] == _ENDED_WELL

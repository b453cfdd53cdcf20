"""What a project that runs for years keeps of its runs and of its hosts' conversations, and what goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hook_talk import bound, event, own
from scene import commands, documents, git, lines, replayed, started

from llmgenie_mcp import Engine
from llmgenie_mcp.engine import conversations, oldruns, oversight
from llmgenie_mcp.records import Actor
from llmgenie_mcp.storage import Storage, open_storage

Open = Callable[..., Engine]
TESTS = {"action": "run_tests", "command": "test", "commit": "c1"}


def stored(*runs: dict[str, Any]) -> Storage:
    """A store with these runs, numbered from 1."""
    storage = open_storage("memory:")
    with storage.begin() as tx:
        for number, run in enumerate(runs, 1):
            tx.put("runs", f"RUN-{number}", {"status": "passed", "commit": None, "output": "said", **run})
        tx.commit({"type": "made"})
    return storage


def left(storage: Storage, newer: int) -> dict[str, Any] | None:
    """The first run, `newer` runs later."""
    with storage.begin() as tx:
        oldruns.forget(tx, f"RUN-{1 + newer}")
        return tx.get("runs", "RUN-1")


@pytest.mark.parametrize(
    ("runs", "after_kept", "after_tests"),
    [
        ([{"action": "echo.search"}], None, None),
        ([{"action": "run_command", "command": "lint", "commit": "c1", "status": "failed"}], None, None),
        ([{"action": "run_command", "status": "running"}], "said", "said"),
        ([{"action": "merge", "made": "c2"}], "", "said"),
        ([{"action": "ship", "steps": []}], None, None),
        ([{"action": "ship", "steps": [], "status": "interrupted"}], "", "said"),
        ([{**TESTS, "commit": None}], None, None),
        ([TESTS], "", None),
        ([{**TESTS, "status": "failed"}], "", "said"),
        ([{**TESTS, "status": "failed"}, TESTS], None, None),
        ([{**TESTS, "status": "failed"}, {**TESTS, "status": "running"}], "", "said"),
        ([{**TESTS, "status": "failed"}, {**TESTS, "command": "other"}], "", "said"),
        ([{**TESTS, "status": "failed"}, {**TESTS, "commit": "c2"}], "", "said"),
        ([{**TESTS, "status": "failed", "action": "ci"}, TESTS], "", "said"),
    ],
)
def test_a_run_goes_when_nothing_is_decided_by_it_any_more(
    runs: list[dict[str, Any]], after_kept: str | None, after_tests: str | None
) -> None:
    """The outputs that are left of the first run after each age, None: the run is gone."""
    for newer, output in ((oldruns.KEPT, after_kept), (oldruns.KEPT_TESTS, after_tests), (oldruns.KEPT - 1, "said")):
        run = left(stored(*runs), newer)
        assert (None if run is None else run["output"]) == output, newer


def test_a_project_keeps_so_many_runs_and_the_log_all_of_them(
    engine: Engine, repo: Path, open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oldruns, "KEPT", 4)
    commands(repo, test=["true"], lint=["echo", "clean"])
    session = started(engine, mode="code")
    engine.run_action("run_tests", session=session)
    for _ in range(9):
        assert engine.run_action("run_command", {"name": "lint"}, session=session).ok
    assert list(documents(engine)["runs"]) == ["RUN-1", *(f"RUN-{number}" for number in range(7, 11))]
    told = {"status": "passed", "commit": git(repo, "rev-parse", "HEAD")}
    engine.trigger_event("ci.finished", told, actor=Actor("system", "ci"))
    kept = documents(engine)["runs"]
    assert list(kept) == ["RUN-1", *(f"RUN-{number}" for number in range(8, 12))], "tests of a commit, and the newest"
    assert {line["run"] for line in lines(engine) if line["type"] == "action.completed" and "run" in line} == {
        f"RUN-{number}" for number in range(1, 11)
    }
    assert replayed(engine)["runs"] == kept
    engine.close()
    again = open_engine(repo)
    assert documents(again)["runs"] == kept
    assert again.storage.verify().ok


def test_of_a_hosts_conversations_the_last_are_remembered(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "KEPT", 3)
    first, second = started(engine, mode="code"), started(engine, mode="docs")
    for number in range(5):
        oversight.answer(
            engine.guard(), event(engine, own(action="log_entry", session=first), conversation=f"c-{number}")
        )
    oversight.answer(engine.guard(), event(engine, own(action="log_entry", session=second), conversation="c-2"))
    assert [bound(engine, f"c-{number}") for number in range(5)] == [None, None, second, first, first]
    assert engine.storage.query(conversations.TABLE).total == 3

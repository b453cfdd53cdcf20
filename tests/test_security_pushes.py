"""What a person approved may be pushed, and nothing else under its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scene import commit, git, reviewing, started

from llmgenie_mcp import Engine
from llmgenie_mcp.engine import made, oversight
from llmgenie_mcp.engine.guard import Guard
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.shell import read_command

AGENT = Actor("agent", "claude-code")
CHANGES = "# Changes\n\n## 1.0.0\n\n- All of it.\n"


@pytest.fixture
def merged(engine: Engine, repo: Path) -> tuple[str, str]:
    """A session, and the commit of a merge into main that a person approved."""
    session = reviewing(engine, repo)
    for action in ("start_review", "run_tests", "submit", "request_approval"):
        assert engine.run_action(action, session=session).ok
    assert engine.decide_approval("APR-1", True, person="ada", channel="terminal").ok
    outcome = engine.run_action("merge", {"branch": "main"}, session=session)
    assert outcome.ok, outcome
    return session, outcome.result["commit"]


def effect(guard: Guard, command: str, session: str) -> str:
    return oversight.decision_on(guard, command, actor=AGENT, session=session, only=None).effect


def pushed(engine: Engine, session: str, operation: str, **params: object) -> str:
    """What the hook `pre-push` of git would say, which knows the commit."""
    asked = [Operation(operation, {"remote": "origin", "force": False, "delete": False, **params})]
    return engine.guard().judge(asked, session=session, actor=AGENT).effect


def test_a_merge_into_a_branch_that_needs_nobody_is_no_way_to_main(engine: Engine, repo: Path) -> None:
    git(repo, "branch", "topic/harmless")
    git(repo, "switch", "-q", "-c", "feature/evil")
    commit(repo, "evil.txt")
    session = started(engine, mode="review")
    around = engine.run_action("merge", {"branch": "topic/harmless"}, session=session)
    assert around.ok, around
    guard = engine.guard()
    assert effect(guard, "git push origin topic/harmless", session) == "allow"
    assert effect(guard, "git push origin topic/harmless:main", session) == "deny"
    assert pushed(engine, session, "git.push", branch="main", commit=around.result["commit"]) == "deny"


def test_what_was_merged_into_main_is_pushed_to_main_alone(engine: Engine, repo: Path, merged: tuple[str, str]) -> None:
    session, made_commit = merged
    git(repo, "branch", "release/1", made_commit)
    assert pushed(engine, session, "git.push", branch="main", commit=made_commit) == "allow"
    assert pushed(engine, session, "git.push", branch="release/1", commit=made_commit) == "deny"


def test_the_record_of_a_merge_that_was_written_by_other_means_opens_nothing(
    engine: Engine, repo: Path, merged: tuple[str, str]
) -> None:
    session, made_commit = merged
    git(repo, "switch", "-q", "feature/x")
    evil = commit(repo, "evil.txt")
    real = engine.storage.query("runs", {"made": made_commit}).items[0]
    for mark in (None, "", real["seal"], "0" * 64, {"x": 1}):
        with engine.storage.begin() as tx:
            tx.put("runs", real["id"], {**real, "made": evil, "seal": mark})
            tx.commit({"type": "forged"})
        assert pushed(engine, session, "git.push", branch="main", commit=evil) == "deny"
    with engine.storage.begin() as tx:  # as a store of before knew no seals
        tx.put("runs", real["id"], {name: value for name, value in real.items() if name != "seal"})
        tx.commit({"type": "older"})
    assert pushed(engine, session, "git.push", branch="main", commit=made_commit) == "deny"
    assert made.seal(real) == real["seal"]


def test_the_name_of_a_released_tag_covers_no_other_commit(
    engine: Engine, repo: Path, open_engine: Callable[..., Engine]
) -> None:
    reviewing(engine, repo)
    commit(repo, "CHANGELOG.md", CHANGES)
    session = started(engine, mode="release")
    for action, params in (("start_release", {"version": "1.0.0"}), ("prepare", {}), ("run_tests", {}), ("verify", {})):
        assert (done := engine.run_action(action, params, session=session)).ok, done
    asked = {"action": "approve_release"}
    approval = engine.run_action("request_approval", asked, session=session).result["approval"]["id"]
    assert engine.decide_approval(approval, True, person="ada", channel="terminal").ok
    assert (done := engine.run_action("tag_release", {}, session=session)).ok, done
    guard, tag = engine.guard(), git(repo, "rev-parse", "refs/tags/v1.0.0")
    assert effect(guard, "git push origin v1.0.0", session) == "allow"
    assert pushed(engine, session, "git.push_tag", tag="v1.0.0", commit=tag) == "allow"
    evil = commit(repo, "evil.txt")
    assert pushed(engine, session, "git.push_tag", tag="v1.0.0", commit=evil) != "allow"
    for command in ("git push origin HEAD:refs/tags/v1.0.0", f"git push origin {evil}:refs/tags/v1.0.0"):
        assert effect(guard, command, session) != "allow", (command, read_command(command))
    git(repo, "tag", "-f", "v1.0.0", evil)
    assert effect(guard, "git push origin v1.0.0", session) != "allow"

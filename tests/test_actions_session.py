"""Sessions: spans of work with an explicit id, a mode of their own, a worktree, and an end with a summary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scene import SUMMARY, commands, commit, documents, git, lines, started

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.errors import BadParams, UnknownName

Open = Callable[..., Engine]


def stored(engine: Engine, session: str) -> dict[str, Any]:
    found = engine.storage.get("sessions", session)
    assert found is not None
    return found


def test_a_session_knows_its_task_role_mode_branch_and_worktree(engine: Engine, repo: Path) -> None:
    engine.run_action("create_task", {"title": "Write the parser"})
    session = started(engine, task="TSK-1", role="reviewer", mode="review", epic="Version 1")
    wanted = {"task": "TSK-1", "role": "reviewer", "mode": "review", "epic": "Version 1", "branch": "main"}
    assert {**wanted, "worktree": str(repo), "status": "active"}.items() <= stored(engine, session).items()
    assert lines(engine)[-1]["session"] == session


def test_without_a_mode_a_session_starts_in_the_initial_one(engine: Engine) -> None:
    assert stored(engine, started(engine))["mode"] == "discuss"


def test_two_sessions_and_the_project_have_modes_of_their_own(engine: Engine) -> None:
    one, two = started(engine), started(engine, mode="review")
    assert engine.run_action("switch_mode", {"mode": "code"}, session=one).ok
    assert engine.run_action("switch_mode", {"mode": "docs"}).ok
    modes = [engine.workflow_state(session)["mode"] for session in (one, two, None)]
    assert modes == ["code", "review", "docs"]
    assert "run_command" in engine.open_actions(one)
    assert "run_command" not in engine.open_actions(two)


def test_a_mode_switch_is_logged_and_the_new_actions_come_back(engine: Engine) -> None:
    session = started(engine)
    outcome = engine.run_action("log_mode_switch", {"mode": "review", "reason": "the code is done"}, session=session)
    assert outcome.state == {"instance": session, "workflow": "modes", "from": "discuss", "to": "review"}
    assert "start_review" in outcome.actions
    assert "roadmap_add" not in outcome.actions
    assert outcome.result["changed"] is True
    line = lines(engine)[-1]
    assert (line["seq"], line["notes"], line["action"]) == (outcome.seq, ["the code is done"], "log_mode_switch")
    again = engine.run_action("switch_mode", {"mode": "review"}, session=session)
    assert (again.ok, again.result["changed"], again.state) == (True, False, None)


@pytest.mark.parametrize(
    ("action", "params"), [("switch_mode", {"mode": "reviw"}), ("start_session", {"mode": "reviw"})]
)
def test_an_unknown_mode_teaches(engine: Engine, action: str, params: dict[str, str]) -> None:
    with pytest.raises(UnknownName) as error:
        engine.run_action(action, params)
    assert error.value.hint == "Did you mean review?"


CLOSED = [
    ("create_task", {"title": "x"}),
    ("update_task", {"id": "TSK-1", "title": "x"}),
    ("switch_mode", {"mode": "code"}),
    ("record_note", {"key": "a", "value": 1}),
    ("log_entry", {"text": "x"}),
    ("claim_task", {}),
    ("start_review", {}),
    ("request_approval", {"action": "file.delete", "params": {"path": "x"}}),
]


@pytest.mark.parametrize(("action", "params"), CLOSED)
def test_nothing_is_done_in_a_paused_or_finished_session_until_the_fix_is_followed(
    engine: Engine, action: str, params: dict[str, Any]
) -> None:
    engine.run_action("create_task", {"title": "one"})
    session = started(engine, mode="meta" if action != "start_review" else "review")
    engine.run_action("pause_session", session=session)
    before = documents(engine)
    outcome = engine.run_action(action, params, session=session)
    reason = next(r for r in outcome.reasons if r.rule == "session_management/session-is-paused")
    assert documents(engine) == before
    assert reason.fix == {"action": "resume_session", "params": {"session": session}}
    assert engine.run_action(reason.fix["action"], reason.fix["params"], session=session).ok
    assert engine.run_action("finish_session", {"summary": SUMMARY}, session=session).ok
    outcome = engine.run_action(action, params, session=session)
    reason = next(r for r in outcome.reasons if r.rule == "session_management/session-is-finished")
    assert reason.fix is not None
    fresh = engine.run_action(reason.fix["action"], reason.fix["params"], session=session).result["session"]["id"]
    assert engine.run_action("switch_mode", {"mode": "review"}, session=fresh).ok
    assert engine.run_action(action, params, session=fresh).ok


def test_reading_is_free_in_a_finished_session(engine: Engine) -> None:
    session = started(engine)
    engine.run_action("finish_session", {"summary": SUMMARY}, session=session)
    assert engine.run_action("list_tasks", session=session).ok
    assert engine.workflow_state(session)["session"]["status"] == "finished"
    assert engine.enforce(None, "file.read", {"path": "a"}, session=session).allowed


def test_a_session_ends_with_a_summary(engine: Engine) -> None:
    session = started(engine)
    for summary in ("", "done"):
        outcome = engine.run_action("finish_session", {"summary": summary}, session=session)
        assert outcome.reasons[0].rule == "logging/session-ends-with-summary"
    assert stored(engine, session)["status"] == "active"
    assert engine.run_action("finish_session", {"summary": SUMMARY}, session=session).ok
    assert stored(engine, session)["summary"] == SUMMARY


def test_finishing_tells_of_a_task_left_open(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "one"})
    session = started(engine, mode="code")
    engine.run_action("claim_task", session=session)
    outcome = engine.run_action("finish_session", {"summary": SUMMARY}, session=session)
    assert "TSK-1 is in_progress" in outcome.result["left_open"]


@pytest.mark.parametrize(
    ("before", "action", "words"),
    [
        ([], "resume_session", "is active"),
        (["pause_session"], "pause_session", "is paused"),
        (["finish_session"], "finish_session", "is finished"),
        (["finish_session"], "resume_session", "is finished"),
    ],
)
def test_a_turn_that_a_session_cannot_take_is_told(engine: Engine, before: list[str], action: str, words: str) -> None:
    session = started(engine)
    for earlier in before:
        params = {"summary": SUMMARY} if earlier == "finish_session" else {}
        assert engine.run_action(earlier, params, session=session).ok
    params = {"session": session, "summary": SUMMARY} if action == "finish_session" else {"session": session}
    with pytest.raises(BadParams) as error:
        engine.run_action(action, params)
    assert words in error.value.message


def test_sessions_have_explicit_ids_and_unknown_ones_teach(engine: Engine) -> None:
    with pytest.raises(UnknownName) as error:
        engine.run_action("log_entry", {"text": "x"}, session="SES-1")
    assert "start_session" in error.value.hint
    started(engine)
    for call in (
        lambda: engine.run_action("log_entry", {"text": "x"}, session="SES-2"),
        lambda: engine.run_action("pause_session", {"session": "SES-2"}),
        lambda: engine.run_action("finish_session", {"session": "SES-2"}),  # before the summary that is missing too
        lambda: engine.available_actions(session="SES-2"),
        lambda: engine.workflow_state("SES-2"),
        lambda: engine.enforce(None, "git.push", session="SES-2"),
    ):
        with pytest.raises(UnknownName) as error:
            call()
        assert error.value.hint.startswith("Did you mean SES-1?")
        assert error.value.details["near"] == ["SES-1"]
    with pytest.raises(BadParams):
        engine.run_action("pause_session")


def test_a_session_outlives_the_process_that_started_it(engine: Engine, repo: Path, open_engine: Open) -> None:
    session = started(engine, mode="code")
    engine.close()
    assert open_engine(repo).workflow_state(session)["session"]["id"] == session


def test_work_outside_any_session_says_how_to_start_one(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "one"})
    engine.run_action("switch_mode", {"mode": "code"})
    (reason,) = engine.run_action("claim_task").reasons
    assert reason.rule == "session_management/work-needs-a-session"
    assert reason.fix is not None
    session = engine.run_action(reason.fix["action"], reason.fix["params"]).result["session"]["id"]
    assert engine.run_action("claim_task", session=session).ok, "it is in the mode that was switched to"
    engine.run_action("create_task", {"title": "two"}, session=session)
    assert engine.run_action("claim_task", actor=Actor("human", "ada")).ok, "a person needs none"


def test_facts_come_from_the_sessions_own_worktree(engine: Engine, repo: Path, tmp_path: Path) -> None:
    commands(repo, test=["git", "rev-parse", "--abbrev-ref", "HEAD"])
    worktree = tmp_path / "second tree"
    git(repo, "worktree", "add", "-q", "-b", "feature/w", str(worktree))
    head = commit(worktree, "w.txt")
    session = started(engine, mode="review", worktree=str(worktree))
    assert stored(engine, session)["branch"] == "feature/w"
    outcome = engine.run_action("run_tests", session=session)
    assert (outcome.result["output"], outcome.result["commit"]) == ("feature/w\n", head)
    started_ = engine.run_action("start_review", session=session)
    assert started_.result["instance"]["subject"] == "feature/w"
    assert engine.run_action("submit", session=session).ok
    (repo / "dirt.txt").write_text("dirt", encoding="utf-8")
    assert engine.enforce(None, "git.commit", {}, session=session).allowed
    assert not engine.enforce(None, "git.commit", {}).allowed, "the main checkout is on main"


def test_the_store_is_shared_with_an_engine_in_a_worktree(
    engine: Engine, repo: Path, tmp_path: Path, open_engine: Open
) -> None:
    worktree = tmp_path / "wt"
    git(repo, "worktree", "add", "-q", "-b", "feature/w", str(worktree))
    other = open_engine(worktree)
    assert other.project.store == engine.project.store
    session = started(other)
    assert stored(other, session)["branch"] == "feature/w"
    assert engine.workflow_state(session)["session"]["worktree"] == str(worktree)
    assert not (worktree / ".llmgenie").exists()


def test_a_worktree_named_relative_to_the_caller_is_kept_whole(
    engine: Engine, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repo, "worktree", "add", "-q", "-b", "feature/w", str(tmp_path / "wt"))
    monkeypatch.chdir(tmp_path)
    session = started(engine, worktree="wt")
    monkeypatch.chdir(repo)
    assert stored(engine, session)["worktree"] == str(tmp_path / "wt")


def test_a_folder_that_is_no_worktree_of_this_project_is_refused(engine: Engine, repo: Path, tmp_path: Path) -> None:
    from scene import make_repository

    (repo / "src").mkdir()
    make_repository(tmp_path / "other")
    for folder in ["missing", str(tmp_path), str(tmp_path / "other"), str(repo / "src"), "${workspaceFolder}", ""]:
        with pytest.raises(BadParams) as error:
            started(engine, worktree=folder)
        assert "git worktree list" in error.value.hint
    assert documents(engine)["sessions"] == {}

"""A person's yes: who can give it, for what it holds, and when it ends."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from scene import codes, commands, commit, define, git, lines, reviewing, started

from llmgenie_mcp import Actor, Engine, trust
from llmgenie_mcp.engine import approvals
from llmgenie_mcp.errors import BadParams, DefinitionError, NotWritable, UnknownName, UsageError

Open = Callable[..., Engine]

SIGN_OFF = """
name: sign_off
description: Two people agree, one after the other.
subject: text
initial: drafted
states:
  drafted: {on: {ask: asked}}
  asked: {on: {first_yes: {target: half, approval: human}, back: drafted}}
  half: {on: {second_yes: {target: agreed, approval: human}, back: asked}}
  agreed: {final: true}
"""
CAREFUL = """
name: careful
description: Some commands need a person.
level: always_on
applies_to: {actions: [run_command]}
rules:
  - id: ask-first
    effect: ask
    when: resource.command == "deploy" and not approval.granted
    reason: A person must agree to deploy.
    fix: {action: request_approval, params: {action: run_command, params: {name: "{resource.command}"}}}
"""


@pytest.fixture
def session(engine: Engine, repo: Path) -> str:
    """A session in mode review on a branch with one commit that passed the tests."""
    return reviewing(engine, repo)


def submitted(engine: Engine, session: str, branch: str | None = None) -> str:
    """A review that waits for a person; returns its id."""
    started_ = engine.run_action("start_review", {"branch": branch}, session=session)
    assert engine.run_action("run_tests", session=session).ok
    assert engine.run_action("submit", session=session).ok
    return str(started_.result["instance"]["id"])


def asked(engine: Engine, session: str | None, **params: object) -> str:
    """The id of the approval that was asked for."""
    outcome = engine.run_action("request_approval", params, session=session)
    assert outcome.ok, outcome
    return str(outcome.result["approval"]["id"])


def say_yes(engine: Engine, approval: str) -> None:
    engine.decide_approval(approval, True, person="ada", channel="terminal")


def test_a_persons_yes_takes_the_step_in_the_persons_name(engine: Engine, session: str) -> None:
    review = submitted(engine, session)
    outcome = engine.decide_approval(asked(engine, session), True, person="ada", channel="terminal", comment="good")
    assert outcome.state == {"instance": review, "workflow": "review", "from": "in_review", "to": "approved"}
    assert outcome.result["approval"]["decided_by"] == "ada"
    granted, moved = lines(engine)[-2:]
    assert (granted["type"], granted["actor"]) == ("approval.granted", {"kind": "human", "id": "ada"})
    assert (moved["type"], moved["action"], moved["actor"]["kind"]) == ("action.completed", "approve", "human")


def test_a_persons_no_moves_nothing_and_does_not_count(engine: Engine, session: str) -> None:
    review = submitted(engine, session)
    outcome = engine.decide_approval(asked(engine, session), False, person="ada", channel="elicitation")
    assert outcome.result["approval"]["status"] == "declined"
    assert engine.storage.get("instances", review)["state"] == "in_review"
    assert codes(engine.run_action("approve", session=session)) == ["approval_required"]


def test_an_agent_that_tries_again_is_told_of_the_no_until_the_work_has_changed(
    engine: Engine, session: str, repo: Path
) -> None:
    submitted(engine, session)
    engine.decide_approval(asked(engine, session), False, person="ada", channel="terminal", comment="Name the limit.")
    for action, params in (("approve", {}), ("merge", {"branch": "main"})):
        reasons = engine.run_action(action, params, session=session).reasons
        said = [reason.message for reason in reasons if (reason.fix or {}).get("action") == "request_approval"]
        assert said, action
        assert all("APR-1 asked for it, and ada declined: Name the limit. Change what was" in each for each in said)
    commit(repo, "limit.txt", "named")
    assert "declined" not in str(engine.run_action("approve", session=session).reasons)


def test_an_agent_is_told_to_ask_and_told_the_same_question_twice_it_is_one(engine: Engine, session: str) -> None:
    submitted(engine, session)
    (reason,) = engine.run_action("approve", session=session).reasons
    assert reason.fix == {"action": "request_approval", "params": {"action": "approve", "instance": "REV-1"}}
    first = engine.run_action("request_approval", reason.fix["params"], session=session)
    again = engine.run_action("request_approval", {}, session=session)
    assert first.result["approval"] == again.result["approval"]
    assert len(engine.storage.query("approvals").items) == 1


def test_a_question_is_answered_once(engine: Engine, session: str) -> None:
    submitted(engine, session)
    approval = asked(engine, session)
    say_yes(engine, approval)
    with pytest.raises(UsageError) as error:
        engine.decide_approval(approval, False, person="bob", channel="terminal")
    assert "ada" in error.value.message
    with pytest.raises(UnknownName):
        engine.decide_approval("APR-99", True, person="ada", channel="terminal")


def test_of_two_people_who_answer_at_once_one_is_told_it_is_too_late(engine: Engine, session: str) -> None:
    submitted(engine, session)
    approval, gate = asked(engine, session), threading.Barrier(2)

    def answer(person: str) -> str:
        gate.wait()
        try:
            engine.decide_approval(approval, True, person=person, channel="terminal")
        except UsageError:
            return "late"
        return "taken"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(answer, ["ada", "bob"])) == ["late", "taken"]


def test_a_yes_holds_for_the_commit_that_the_person_saw(engine: Engine, session: str, repo: Path) -> None:
    submitted(engine, session)
    say_yes(engine, asked(engine, session))
    commit(repo, "more.txt")
    outcome = engine.run_action("merge", {"branch": "main"}, session=session)
    assert codes(outcome) == ["guard_failed", "rule_matched"]
    assert git(repo, "log", "--format=%s", "main") == "first"


def test_a_commit_made_while_the_person_thought_is_not_approved(engine: Engine, session: str, repo: Path) -> None:
    submitted(engine, session)
    approval = asked(engine, session)
    commit(repo, "more.txt")
    assert engine.run_action("run_tests", session=session).ok
    say_yes(engine, approval)
    assert engine.storage.get("instances", "REV-1")["state"] == "approved", "a person may take the step"
    assert codes(engine.run_action("merge", {"branch": "main"}, session=session)) == ["guard_failed", "rule_matched"]


def test_a_yes_for_one_branch_merges_no_other(engine: Engine, session: str, repo: Path) -> None:
    git(repo, "branch", "feature/y", "main")
    git(repo, "switch", "-q", "feature/y")
    commit(repo, "y.txt", message="not looked at")
    git(repo, "switch", "-q", "feature/x")
    submitted(engine, session)
    say_yes(engine, asked(engine, session))
    for more in ({}, {"instance": "REV-1"}):
        outcome = engine.run_action("merge", {"branch": "main", "source": "feature/y", **more}, session=session)
        assert outcome.status == "denied"
        assert outcome.reasons[-1].rule == "branch_protection/no-unapproved-merge"
    assert git(repo, "log", "--format=%s", "main") == "first"


def test_a_review_is_not_called_merged_by_merging_another_branch(engine: Engine, session: str, repo: Path) -> None:
    git(repo, "branch", "feature/y", "main")
    git(repo, "branch", "topic", "main")
    submitted(engine, session)
    say_yes(engine, asked(engine, session))
    params = {"branch": "topic", "source": "feature/y", "instance": "REV-1"}
    (reason,) = engine.run_action("merge", params, session=session).reasons
    assert reason.message == "REV-1 is about feature/x, not feature/y."
    assert engine.storage.get("instances", "REV-1")["state"] == "approved"


def test_a_yes_for_one_review_serves_no_other(engine: Engine, session: str, repo: Path) -> None:
    git(repo, "branch", "feature/y")
    submitted(engine, session)
    say_yes(engine, asked(engine, session))
    git(repo, "switch", "-q", "feature/y")
    other = started(engine, mode="review")
    second = submitted(engine, other, "feature/y")
    outcome = engine.run_action("approve", {"instance": second}, session=other)
    assert codes(outcome) == ["approval_required"], "the same commit, but another review"


def test_a_yes_to_a_harmless_action_opens_no_other_step(engine: Engine, session: str) -> None:
    submitted(engine, session)
    say_yes(engine, asked(engine, session, action="log_entry", params={"text": "hello"}, instance="REV-1"))
    assert codes(engine.run_action("approve", session=session)) == ["approval_required"]


def test_a_yes_to_the_first_of_two_questions_does_not_answer_the_second(engine: Engine, repo: Path) -> None:
    define(repo, "workflows", "sign_off", SIGN_OFF)
    session = started(engine)
    engine.run_action("start_sign_off", {"subject": "the budget"}, session=session)
    engine.run_action("ask", session=session)
    say_yes(engine, asked(engine, session))
    assert engine.storage.get("instances", "SIG-1")["state"] == "half"
    assert codes(engine.run_action("second_yes", session=session)) == ["approval_required"]
    say_yes(engine, asked(engine, session))
    assert engine.storage.get("instances", "SIG-1")["state"] == "agreed"


def test_reopening_makes_a_yes_void_also_at_the_same_commit(engine: Engine, session: str) -> None:
    submitted(engine, session)
    say_yes(engine, asked(engine, session))
    assert engine.run_action("reopen", session=session).ok
    assert engine.run_action("submit", session=session).ok
    assert codes(engine.run_action("approve", session=session)) == ["approval_required"]
    assert engine.storage.get("approvals", "APR-1")["status"] == "used"


def test_an_approval_written_into_the_store_by_other_means_does_not_count(engine: Engine, session: str) -> None:
    submitted(engine, session)
    approval = asked(engine, session)
    pending = engine.storage.get("approvals", approval)
    forged = {**pending, "status": "granted", "decided_by": "ada", "decided_at": "2026-01-01T00:00:00Z"}
    for mark in (None, "", "0" * 64, approvals.seal(pending), {"hmac": 1}):
        with engine.storage.begin() as tx:
            tx.put("approvals", approval, {**forged, "channel": "terminal", "seal": mark})
            tx.commit({"type": "forged"})
        assert codes(engine.run_action("approve", session=session)) == ["approval_required"]


@pytest.mark.parametrize(
    "change", [{"instance": "REV-2"}, {"commit": "0" * 40}, {"action": "merge"}, {"decided_by": "eve"}, {"id": "APR-2"}]
)
def test_a_real_yes_cannot_be_turned_to_something_else(engine: Engine, session: str, change: dict[str, str]) -> None:
    submitted(engine, session)
    say_yes(engine, asked(engine, session))
    real = engine.storage.get("approvals", "APR-1")
    assert approvals.is_valid(real)
    assert not approvals.is_valid({**real, **change})


def test_a_yes_copied_from_another_project_of_the_same_user_does_not_count(
    engine: Engine, session: str, repo: Path, tmp_path: Path
) -> None:
    submitted(engine, session)
    say_yes(engine, asked(engine, session))
    engine.close()
    shutil.copytree(repo, tmp_path / "copy")
    with Engine.open(repo) as here, Engine.open(tmp_path / "copy") as there:
        assert here.enforce("branch_protection", "merge", {"branch": "main"}).allowed
        assert not there.enforce("branch_protection", "merge", {"branch": "main"}).allowed


def test_another_users_key_does_not_seal_for_this_one(
    engine: Engine, session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(engine, session)
    say_yes(engine, asked(engine, session))
    monkeypatch.setenv("LLMGENIE_STATE_DIR", str(tmp_path / "another user"))
    trust.trust(engine.project.store)
    assert codes(engine.run_action("merge", {"branch": "main"}, session=session)) == ["guard_failed", "rule_matched"]


def test_asking_in_vain_is_refused_with_what_to_do_first(engine: Engine, session: str) -> None:
    engine.run_action("start_review", session=session)
    outcome = engine.run_action("request_approval", {"action": "approve"}, session=session)
    assert codes(outcome) == ["no_transition"]
    assert outcome.reasons[0].fix == {"action": "submit", "params": {"instance": "REV-1"}}
    outcome = engine.run_action("request_approval")
    assert codes(outcome) == ["not_configured"]


def test_asking_for_what_does_not_exist_teaches(engine: Engine, session: str) -> None:
    for params in ({"action": "aprove"}, {"instance": "REV-7"}, {"action": "approve", "params": {"instance": "REV-7"}}):
        with pytest.raises(UnknownName):
            engine.run_action("request_approval", params, session=session)
    with pytest.raises(BadParams):
        engine.run_action("request_approval", {"action": "create_task", "params": {"titel": "x"}}, session=session)


@pytest.mark.parametrize("operation", ["file.delete", "file.write"])
def test_following_the_fix_of_an_operation_that_needs_a_person_leads_to_a_yes_that_counts(
    engine: Engine, repo: Path, operation: str
) -> None:
    params = {"path": str(repo / ".llmgenie" / "policies" / "mine.yaml")}
    decision = engine.enforce(None, operation, params)
    assert decision.effect == "deny"
    fix = next(reason.fix for reason in decision.reasons if reason.fix)
    assert fix["action"] == "request_approval"
    say_yes(engine, asked(engine, None, **fix["params"]))
    assert engine.enforce(None, operation, params).effect == "allow"
    assert engine.enforce(None, operation, {"path": "elsewhere/.llmgenie/x"}).effect == "deny"


def test_following_the_fix_of_a_projects_own_rule_leads_to_a_yes_that_counts(engine: Engine, repo: Path) -> None:
    commands(repo, deploy=["true"], other=["true"])
    define(repo, "policies", "careful", CAREFUL)
    trust.trust(engine.project.store)
    session = started(engine, mode="code")
    outcome = engine.run_action("run_command", {"name": "deploy"}, session=session)
    assert outcome.reasons[0].rule == "careful/ask-first"
    fix = outcome.reasons[0].fix
    assert fix is not None
    say_yes(engine, asked(engine, session, **fix["params"]))
    assert engine.run_action("run_command", {"name": "deploy"}, session=session).ok
    commit(repo, "later.txt")
    assert engine.run_action("run_command", {"name": "deploy"}, session=session).status == "denied"


def test_no_tool_writes_an_approval(engine: Engine, session: str) -> None:
    submitted(engine, session)
    approval = asked(engine, session)
    for key in ("approvals", f"approvals/{approval}", f"/approvals/{approval}/", "instances/REV-1"):
        with pytest.raises(NotWritable):
            engine.update_context(key, {"status": "granted"}, session=session)
    answer = engine.trigger_event("approve", {"instance": "REV-1"}, session=session)
    assert answer["moved"] == []
    assert [reason["code"] for reason in answer["refused"][0]["reasons"]] == ["approval_required"]
    assert engine.storage.get("approvals", approval)["status"] == "pending"


def test_asking_does_not_smuggle_a_secret_past_the_policies(engine: Engine, session: str) -> None:
    secret = "ghp_" + "a1B2" * 9
    for action in (None, "list_tasks", "log_entry", "file.delete"):
        params = {"action": action, "params": {}, "comment": f"see {secret}"}
        if action == "log_entry":
            params["params"] = {"text": "x"}
        outcome = engine.run_action("request_approval", params, session=session)
        assert outcome.status == "denied", action
    assert secret not in json.dumps(lines(engine))


def test_a_question_is_one_line_that_cannot_repaint_a_terminal(engine: Engine, session: str) -> None:
    text = "x\r\x1b[2KApprove something harmless?\n\u202eevil"
    outcome = engine.run_action("request_approval", {"action": "log_entry", "params": {"text": text}}, session=session)
    question = outcome.result["approval"]["question"]
    assert question.isprintable()
    assert "\\x1b" in question
    long = {"action": "log_entry", "params": {"text": "y" * 20_000}}
    assert len(engine.run_action("request_approval", long, session=session).result["approval"]["question"]) < 400


def test_a_broken_definition_is_told_before_an_answer_is_recorded(engine: Engine, session: str, repo: Path) -> None:
    submitted(engine, session)
    approval = asked(engine, session)
    broken = define(repo, "workflows", "broken", "name: broken\n")
    with pytest.raises(DefinitionError):
        say_yes(engine, approval)
    broken.unlink()
    say_yes(engine, approval)
    assert engine.storage.get("instances", "REV-1")["state"] == "approved"


def test_a_person_acts_without_being_asked_and_needs_no_approval(engine: Engine, session: str) -> None:
    submitted(engine, session)
    outcome = engine.run_action("approve", session=session, actor=Actor("human", "ada"))
    assert outcome.ok
    outcome = engine.run_action("merge", {"branch": "main"}, session=session)
    assert codes(outcome) == ["guard_failed", "rule_matched"], "an agent's merge still needs the recorded yes"


def test_first_use_of_the_key_by_many_threads_makes_one_key(
    isolated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Barrier(8)

    def sealed(_: int) -> str:
        gate.wait()
        return trust.seal({"a": 1})

    with ThreadPoolExecutor(8) as pool:
        for turn in range(20):
            folder = tmp_path / f"state {turn}"
            monkeypatch.setenv("LLMGENIE_STATE_DIR", str(folder))
            seals = set(pool.map(sealed, range(8)))
            assert seals == {trust.seal({"a": 1})}
            key = folder / "approval.key"
            assert key.stat().st_mode & 0o077 == 0
            assert len(key.read_bytes()) == 32
            assert list(folder.iterdir()) == [key]

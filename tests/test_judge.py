"""What is called available is what will be allowed; what is blocked says why and what helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scene import SUMMARY, codes, commands, define, git, reviewing, started

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.errors import BadParams, UnknownName

EXTRA_MODES = """
name: modes
description: What kind of work is going on.
subject: session
initial: think
on:
  think: think
  build: {target: build, guards: [{expression: session.task != null, message: Take a task first.}]}
states:
  think: {actions: [create_task, claim_task]}
  build: {actions: [create_task, "*_task", run_tests]}
"""


def names(answer: dict[str, Any], part: str = "actions") -> list[str]:
    return [line["name"] for line in answer[part]]


def line(answer: dict[str, Any], name: str, part: str = "actions") -> dict[str, Any]:
    return next(line for line in answer[part] if line["name"] == name)


@pytest.fixture
def session(engine: Engine, repo: Path) -> str:
    """A session on a branch of its own, in mode review, in a project with tests."""
    return reviewing(engine, repo)


def test_a_mode_opens_its_actions_and_the_message_names_the_modes_that_open_another(engine: Engine) -> None:
    answer = engine.available_actions()
    assert answer["mode"] == "discuss"
    assert "create_task" in names(answer)
    assert "claim_task" not in names(answer)
    blocked = line(engine.available_actions(include_blocked=True), "claim_task", "blocked")
    reason = blocked["reasons"][0]
    assert reason["fix"] == {"action": "start_session", "params": {"mode": "meta"}}, "the project's mode is everybody's"
    assert "meta, code" in reason["message"]
    refused = engine.run_action("merge", {"branch": "main"})
    begin = [
        reason.fix["params"] for reason in refused.reasons if reason.fix and reason.fix["action"] == "start_session"
    ]
    assert begin == [{"mode": "review"}] * 2, "the states and the policy say the same"
    refused = engine.run_action("claim_task", session=started(engine, mode="discuss"))
    assert refused.reasons[0].fix == {"action": "switch_mode", "params": {"mode": "meta"}}


def test_a_persons_work_is_not_bound_to_the_agents_mode(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "x"})
    assert engine.run_action("claim_task", actor=Actor("human", "ada")).ok


@pytest.mark.parametrize("context", ["review", "code", "review/in_review", "release", "modes", "task", "task/done"])
def test_a_context_answers_for_a_mode_a_workflow_and_a_state(engine: Engine, session: str, context: str) -> None:
    answer = engine.available_actions(context, session)
    mode = context if context in ("review", "code", "release") else "review"
    assert (answer["mode"], answer["session"]) == (mode, session)
    assert answer["context"] == {"modes": "modes/discuss", "task": "task/todo"}.get(context, context)


def test_an_instance_is_a_context(engine: Engine, session: str) -> None:
    other = started(engine, mode="discuss")
    engine.run_action("start_review", session=session)
    answer = engine.available_actions("REV-1", other)
    assert answer["context"] == "review/draft (REV-1)"
    assert "abandon" in names(answer)
    assert line(answer, "abandon")["leads_to"] == "REV-1: draft → abandoned"


@pytest.mark.parametrize("context", ["reviw", "review/drft", "REV-7", "", "/", "review/", "x" * 100_000, "\ud800"])
def test_an_unknown_context_teaches(engine: Engine, context: str) -> None:
    if context == "review/":
        assert engine.available_actions(context)["context"] == "review/draft"
        return
    with pytest.raises(UnknownName) as error:
        engine.available_actions(context)
    assert error.value.hint
    assert len(str(error.value)) < 1500


@pytest.mark.parametrize("bad", [{"context": 5}, {"session": []}, {"query": 5}, {"limit": "5"}, {"limit": None}])
def test_what_is_no_text_or_number_is_told(engine: Engine, bad: dict[str, Any]) -> None:
    with pytest.raises(BadParams):
        engine.available_actions(**bad)


def test_a_query_finds_actions_with_their_schema(engine: Engine) -> None:
    answer = engine.available_actions(query="create tasks", include_blocked=True)
    assert names(answer)[0] == "create_task"
    assert answer["actions"][0]["schema"]["required"] == ["title"]
    assert engine.available_actions(query="zzzz")["actions"] == []
    assert len(engine.available_actions(limit=2)["actions"]) == 2
    assert engine.available_actions(limit=2)["more"] > 0


def test_what_depends_on_parameters_says_on_which(engine: Engine, session: str) -> None:
    answer = engine.available_actions(session=session)
    assert line(answer, "merge")["if"] == ["branch_protection/no-unapproved-merge: depends on resource.branch"]
    assert "if" not in line(answer, "create_task")
    assert "approve" not in names(answer)


def test_nothing_more_is_open_than_what_the_list_says_in_every_state_of_a_review(engine: Engine, session: str) -> None:
    """Each action is run right after it was listed, with parameters that mean the same place."""
    params: dict[str, dict[str, Any]] = {
        "merge": {"branch": "main"},
        "complete_task": {"id": "TSK-1", "summary": SUMMARY},
        "claim_task": {"id": "TSK-1"},
    }
    engine.run_action("create_task", {"title": "x"}, session=session)
    for way in ("start_review", "run_tests", "submit", "APPROVE", "merge"):
        answer = engine.available_actions(session=session, include_blocked=True)
        for name in ("start_review", "submit", "approve", "reject", "merge", "abandon", "reopen", "claim_task"):
            if name in names(answer, "blocked"):
                outcome = engine.run_action(name, params.get(name, {}), session=session)
                assert outcome.status == "denied", (way, name)
                shown = line(answer, name, "blocked")["reasons"][0]["code"]
                assert shown in codes(outcome), (way, name)
        if way == "APPROVE":
            engine.run_action("request_approval", session=session)
            engine.decide_approval("APR-1", True, person="ada", channel="terminal")
        else:
            assert way in names(answer), way
            assert engine.run_action(way, params.get(way, {}), session=session).ok, way


def test_what_a_policy_refuses_whatever_the_parameters_are_is_blocked(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "x"})
    engine.run_action("switch_mode", {"mode": "code"})
    blocked = line(engine.available_actions(include_blocked=True), "claim_task", "blocked")
    assert [reason["rule"] for reason in blocked["reasons"]] == ["session_management/work-needs-a-session"]


def test_completing_is_open_when_there_is_something_to_complete(engine: Engine) -> None:
    session = started(engine, mode="code")
    assert "complete_task" in names(engine.available_actions(session=session, include_blocked=True), "blocked")
    engine.run_action("create_task", {"title": "x"}, session=session)
    assert "complete_task" in names(engine.available_actions(session=session))
    outcome = engine.run_action("complete_task", {"id": "TSK-1", "summary": SUMMARY}, session=session)
    assert outcome.ok


def test_a_session_holds_to_the_state_of_the_review_it_works_on(engine: Engine, session: str) -> None:
    for action in ("start_review", "run_tests", "submit"):
        assert engine.run_action(action, session=session).ok
    outcome = engine.run_action("claim_task", session=session)
    assert outcome.reasons[0].rule == "review.in_review"
    assert "REV-1 (in_review)" in outcome.reasons[0].message


def test_nobody_is_sent_to_start_a_review_that_is_going_on(engine: Engine, session: str) -> None:
    assert engine.run_action("start_review", session=session).ok
    for done, nexts in (("run_tests", "submit"), ("submit", "request_approval")):
        assert engine.run_action(done, session=session).ok
        reasons = engine.run_action("merge", {"branch": "main"}, session=session).reasons
        assert {reason.rule for reason in reasons} > {"branch_protection/no-unapproved-merge"}
        assert {(reason.fix or {}).get("action") for reason in reasons} == {nexts}


def test_several_that_could_be_meant_are_told_and_one_is_named(engine: Engine, session: str, repo: Path) -> None:
    git(repo, "branch", "a")
    git(repo, "branch", "b")
    for branch in ("a", "b"):
        engine.run_action("start_review", {"branch": branch}, session=started(engine, mode="review"))
    outcome = engine.run_action("abandon", session=session)
    assert codes(outcome) == ["ambiguous"], "neither is about the branch checked out"
    assert "REV-1 (a, draft), REV-2 (b, draft)" in outcome.reasons[0].message
    git(repo, "switch", "-q", "a")
    assert engine.run_action("abandon", session=session).state["instance"] == "REV-1"  # type: ignore[index]
    outcome = engine.run_action("abandon", {"instance": "REV-1"}, session=session)
    assert "has ended" in outcome.reasons[0].message
    with pytest.raises(UnknownName):
        engine.run_action("abandon", {"instance": "REV-9"}, session=session)


def test_a_trigger_of_one_workflow_does_not_move_an_instance_of_another(engine: Engine, session: str) -> None:
    engine.run_action("start_review", session=session)
    for instance in ("REV-1",):
        outcome = engine.run_action("publish", {"instance": instance}, session=session)
        assert "no trigger of workflow review" in str([r.message for r in outcome.reasons])
    engine.run_action("switch_mode", {"mode": "docs"})
    outcome = engine.run_action("abandon", {"instance": "modes"}, session=session)
    assert "no workflow that abandon could move" in outcome.reasons[-1].message


def test_an_instance_whose_workflow_was_taken_away_harms_nobody(engine: Engine, session: str, repo: Path) -> None:
    flow = "name: extra\nsubject: branch\ninitial: one\nstates: {one: {on: {go_on: two}}, two: {final: true}}\n"
    path = define(repo, "workflows", "extra", flow)
    engine.run_action("start_extra", session=session)
    path.unlink()
    for context in (None, "EXT-1", "review"):
        engine.available_actions(context, session, include_blocked=True)
    engine.workflow_state(session)
    engine.trigger_event("go_on")
    assert engine.run_action("start_review", session=session).ok
    outcome = engine.run_action("abandon", {"instance": "EXT-1"}, session=session)
    assert "runs by extra" in outcome.reasons[-1].message
    for operation in ("git.push", "package.publish"):
        engine.enforce(None, operation, session=session)
    with pytest.raises(UnknownName):
        engine.run_action("go_on", session=session)


def test_an_instance_in_a_state_that_was_taken_away_says_so(engine: Engine, session: str, repo: Path) -> None:
    flow = "name: extra\nsubject: text\ninitial: one\nstates: {one: {on: {go_on: two}}, two: {final: true}}\n"
    define(repo, "workflows", "extra", flow)
    engine.run_action("start_extra", {"subject": "x"}, session=session)
    define(repo, "workflows", "extra", flow.replace("one", "uno"))
    outcome = engine.run_action("go_on", {"instance": "EXT-1"}, session=session)
    assert "no longer has" in outcome.reasons[-1].message
    engine.available_actions(session=session, include_blocked=True)
    engine.workflow_state(session)


def test_a_projects_own_modes_take_the_place_of_the_packaged_ones(
    repo: Path, open_engine: Callable[..., Engine]
) -> None:
    define(repo, "workflows", "modes", EXTRA_MODES)
    commands(repo, test=["true"])
    engine = open_engine(repo)
    assert engine.workflow_state()["mode"] == "think"
    session = started(engine)
    with pytest.raises(UnknownName):
        engine.run_action("switch_mode", {"mode": "review"}, session=session)
    outcome = engine.run_action("switch_mode", {"mode": "build"}, session=session)
    assert [(r.code, r.message) for r in outcome.reasons] == [("guard_failed", "Take a task first.")]
    engine.run_action("create_task", {"title": "x"}, session=session)
    assert engine.run_action("claim_task", session=session).ok
    assert engine.run_action("switch_mode", {"mode": "build"}, session=session).ok
    assert engine.run_action("run_tests", session=session).ok
    assert "start_review" in names(engine.available_actions(session=session)), "what no mode lists is open in all"

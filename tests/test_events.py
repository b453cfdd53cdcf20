"""Events from outside: recorded, and handed to the instances that wait for them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import commands, commit, define, documents, git, lines, started

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.errors import BadParams, UnknownName

BUILD = """
name: build
description: A build runs, and its result decides.
subject: branch
initial: running
states:
  running:
    on:
      ci.finished:
        target: green
        guards: [{expression: action.params.conclusion == "success", message: The build must be a success.}]
        effects: [{log: "{instance.subject} is green at {git.head} ({release.tag})"}, {emit: build.green}]
      ci.failed: red
      ci.approved: {target: green, approval: human}
      ci.signed: {target: green, roles: [release_lead]}
  green: {final: true}
  red: {on: {ci.retried: running, give_up: lost}}
  lost: {final: true}
"""


@pytest.fixture
def build(engine: Engine, repo: Path) -> str:
    """A build that waits for its result; returns its id."""
    define(repo, "workflows", "build", BUILD)
    session = started(engine)
    outcome = engine.run_action("start_build", session=session)
    return str(outcome.result["instance"]["id"])


def state(engine: Engine, instance: str) -> str:
    return str(engine.storage.get("instances", instance)["state"])


def test_an_event_moves_the_instance_that_waits_for_it(engine: Engine, build: str, repo: Path) -> None:
    answer = engine.trigger_event("ci.finished", {"conclusion": "success"})
    assert answer["moved"] == [{"instance": build, "workflow": "build", "from": "running", "to": "green"}]
    assert answer["refused"] == []
    line = lines(engine)[-1]
    assert (line["seq"], line["type"], line["action"]) == (answer["seq"], "event.received", "ci.finished")
    assert [event["type"] for event in line["events"]] == ["ci.finished", "build.green"]
    assert line["events"][0]["data"] == {"conclusion": "success"}
    assert line["notes"] == [f"main is green at {git(repo, 'rev-parse', 'HEAD')} (?)"]


@pytest.mark.parametrize("data", [{"conclusion": "failure"}, {}, {"conclusion": None}, {"conclusion": ["success"]}])
def test_a_guard_looks_at_the_events_data(engine: Engine, build: str, data: dict[str, object]) -> None:
    answer = engine.trigger_event("ci.finished", data)
    assert answer["moved"] == []
    (refused,) = answer["refused"]
    assert refused["instance"] == build
    assert refused["reasons"][0]["code"] == "guard_failed"
    assert state(engine, build) == "running"


def test_an_event_nobody_waits_for_is_recorded_all_the_same(engine: Engine, build: str) -> None:
    answer = engine.trigger_event("deploy.done", {"where": "production"})
    assert (answer["moved"], answer["refused"]) == ([], [])
    assert lines(engine)[-1]["events"][0]["type"] == "deploy.done"
    assert engine.trigger_event("ci.retried")["moved"] == [], "it waits for it in another state only"


def test_the_data_narrows_which_instances_are_moved(engine: Engine, build: str, repo: Path) -> None:
    git(repo, "branch", "other")
    session = started(engine)
    other = engine.run_action("start_build", {"branch": "other"}, session=session).result["instance"]["id"]
    assert engine.trigger_event("ci.failed", {"branch": "none"})["moved"] == []
    assert engine.trigger_event("ci.failed", {"instance": "BUI-99"})["moved"] == []
    assert [m["instance"] for m in engine.trigger_event("ci.failed", {"branch": "other"})["moved"]] == [other]
    assert [m["instance"] for m in engine.trigger_event("ci.failed", {"instance": build})["moved"]] == [build]
    assert [m["instance"] for m in engine.trigger_event("ci.retried")["moved"]] == [build, other]


def test_an_event_passes_neither_a_person_nor_a_role(engine: Engine, build: str) -> None:
    assert engine.trigger_event("ci.approved")["refused"][0]["reasons"][0]["code"] == "approval_required"
    assert engine.trigger_event("ci.signed")["refused"][0]["reasons"][0]["code"] == "wrong_role"
    assert state(engine, build) == "running"
    lead = started(engine, role="release_lead")
    assert engine.trigger_event("ci.signed", session=lead)["moved"][0]["to"] == "green"


def test_a_person_may_pass_by_an_event_what_needs_a_person(engine: Engine, build: str) -> None:
    answer = engine.trigger_event("ci.approved", actor=Actor("human", "ada"))
    assert answer["moved"][0]["to"] == "green"


def test_an_event_is_no_way_around_the_policies(engine: Engine, build: str, repo: Path) -> None:
    commands(repo, test=["true"])
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "x.txt")
    session = started(engine, mode="review")
    engine.run_action("start_review", session=session)
    assert engine.run_action("run_tests", session=session).ok
    (refused,) = engine.trigger_event("submit")["refused"]
    assert [reason["rule"] for reason in refused["reasons"]] == ["session_management/work-needs-a-session"]
    assert engine.trigger_event("submit", session=session)["moved"][0]["to"] == "in_review"


def test_an_event_does_not_claim_work_that_an_action_does(engine: Engine, repo: Path) -> None:
    commands(repo, test=["true"])
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "x.txt")
    session = started(engine, mode="review")
    for action in ("start_review", "run_tests", "submit", "request_approval"):
        assert engine.run_action(action, session=session).ok
    engine.decide_approval("APR-1", True, person="ada", channel="terminal")
    (refused,) = engine.trigger_event("merge", {"instance": "REV-1"}, session=session)["refused"]
    assert refused["reasons"][0]["fix"] == {"action": "merge", "params": {"instance": "REV-1"}}
    assert state(engine, "REV-1") == "approved", "nothing was merged, so it is not called merged"


def test_an_event_is_not_bound_to_the_mode_or_the_review_somebody_works_on(engine: Engine, build: str) -> None:
    session = started(engine, mode="discuss")
    assert engine.trigger_event("ci.failed", {"instance": build}, session=session)["moved"]


def test_a_secret_in_an_events_data_does_not_reach_the_disk(engine: Engine, build: str, repo: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    engine.trigger_event("ci.failed", {"log": f"token {secret}", "instance": secret, "password": "hunter2hunter2"})
    engine.storage.checkpoint()
    kept = b"".join(path.read_bytes() for path in (repo / ".llmgenie").rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert b"hunter2hunter2" not in kept


def test_long_data_is_cut_in_the_log(engine: Engine, build: str) -> None:
    engine.trigger_event("ci.log", {"lines": ["x" * 500] * 400})
    assert len(json.dumps(lines(engine)[-1])) < 10_000


@pytest.mark.parametrize(
    "name",
    ["", "CI", "ci.", ".ci", "ci..x", "ci finished", "ci.finished\n", "1ci", "a" * 101, "\ud800", "é", None, 3, []],
)
def test_what_is_no_name_of_an_event_is_told(engine: Engine, name: object) -> None:
    with pytest.raises(BadParams) as error:
        engine.trigger_event(name)  # type: ignore[arg-type]
    assert "ci.finished" in error.value.hint
    assert lines(engine) == []


@pytest.mark.parametrize("data", [[], "text", {"a": float("nan")}, {"a": "\0"}, {"a": "\ud800"}, {1: 2}, {"a": {1}}])
def test_what_is_no_data_of_an_event_is_told(engine: Engine, data: object) -> None:
    with pytest.raises(BadParams):
        engine.trigger_event("ci.finished", data)  # type: ignore[arg-type]


def test_an_unknown_session_is_told(engine: Engine) -> None:
    with pytest.raises(UnknownName):
        engine.trigger_event("ci.finished", session="SES-9")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda t: st.lists(t, max_size=3) | st.dictionaries(st.text(max_size=5), t, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["instance", "branch", "conclusion", "x"]), JSON, max_size=4))
def test_whatever_the_data_is_only_a_success_moves_the_build(data: dict[str, object]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        define(Path(folder) / "p", "workflows", "build", BUILD.replace("subject: branch", "subject: text"))
        with Engine.open(Path(folder) / "p", store="memory:") as engine:
            engine.run_action("start_build", {"subject": "x"}, session=started(engine))
            before = documents(engine)
            try:
                answer = engine.trigger_event("ci.finished", data)
            except BadParams:
                assert documents(engine) == before
                return
            right = data.get("conclusion") == "success" and data.get("instance") in (None, "BUI-1")
            assert bool(answer["moved"]) == right


@pytest.mark.parametrize(
    "name",
    ["approval.granted", "action.completed", "operation.denied", "schedule.nightly", "files.docs", "review.approved"],
)
def test_an_agent_cannot_tell_of_what_is_llmgenies_own_to_tell(engine: Engine, name: str) -> None:
    with pytest.raises(BadParams, match=re.escape(name)):
        engine.trigger_event(name, {})
    assert engine.storage.last_seq() == 0


def test_a_person_may_tell_of_what_a_workflow_emits_but_not_of_a_line_of_the_log(engine: Engine) -> None:
    ada = Actor("human", "ada")
    assert engine.trigger_event("review.approved", {}, actor=ada)["seq"] == 1
    with pytest.raises(BadParams):
        engine.trigger_event("approval.granted", {}, actor=ada)

"""Whatever agents try, in whatever order: what is listed is what is allowed, nothing lets an agent approve, nothing is lost."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scene import SUMMARY, codes, commands, commit, define, documents, git, make_repository, replayed, started

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import BadParams, LlmgenieError, NotWritable, UnknownName

FLOW = """
name: flow
description: A thing with everything that can stand in the way.
subject: text
initial: open
states:
  open:
    on:
      go: {target: going, guards: [{expression: session.task != null, message: Take a task first.}]}
      lead: {target: going, roles: [lead]}
  going:
    actions: [create_task, log_entry]
    on: {decide: {target: decided, approval: human}, back: open, outside.call: open}
  decided: {final: true}
"""
POLICY = """
name: quiet_docs
description: In docs nothing is logged, and one key is for nobody.
level: situational
applies_to: {actions: [record_note, create_task], modes: [docs, meta]}
rules:
  - {id: no-notes-in-docs, effect: deny, when: context.mode == "docs" and action.name == "record_note", reason: Not in docs.}
  - {id: no-such-key, effect: deny, when: action.params.key == "forbidden", reason: Not this key.}
"""
MODES = ["discuss", "meta", "code", "docs", "review"]
SESSIONS = [None, "SES-1", "SES-2"]
TASKS = ["TSK-1", "TSK-2", "TSK-3"]
INSTANCES = [None, "FLO-1", "FLO-2"]


def call(name: str, /, **params: Any) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """An action with parameters, each drawn from a strategy or given."""
    drawn = {k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in params.items()}
    return st.tuples(st.just(name), st.fixed_dictionaries(drawn))


ids = st.sampled_from(TASKS)
CALLS = st.one_of(
    call("create_task", title="x", dependencies=st.lists(ids, max_size=1)),
    call("update_task", id=ids, priority=st.sampled_from(["low", "high"])),
    call("claim_task"),
    call("claim_task", id=ids),
    call("complete_task", id=ids, summary=st.sampled_from([SUMMARY, "no"])),
    call("complete_task", summary=SUMMARY),
    call("move_task", id=ids, trigger=st.sampled_from(["block", "unblock", "release", "cancel", "reopen"])),
    call("record_note", key=st.sampled_from(["a", "forbidden"]), value=st.sampled_from([1, None])),
    call("record_lesson", title="x"),
    call("roadmap_add", title="x"),
    call("log_entry", text="x"),
    call("list_tasks"),
    call("run_tests"),
    call("switch_mode", mode=st.sampled_from(MODES)),
    call("start_session", role=st.sampled_from(["developer", "lead"]), mode=st.sampled_from(MODES)),
    call("pause_session", session=st.sampled_from(SESSIONS[1:])),
    call("resume_session", session=st.sampled_from(SESSIONS[1:])),
    call("finish_session", session=st.sampled_from(SESSIONS[1:]), summary=SUMMARY),
    call("start_flow", subject=st.sampled_from(["one", "two"])),
    *[call(trigger) for trigger in ("go", "lead", "back", "decide")],
    *[call(trigger, instance=st.sampled_from(INSTANCES)) for trigger in ("go", "lead", "back", "decide")],
    call(
        "request_approval", action=st.sampled_from([None, "decide", "log_entry"]), instance=st.sampled_from(INSTANCES)
    ),
    call("merge", branch=st.sampled_from(["main", "topic"])),
)
STEPS = st.lists(st.tuples(CALLS, st.sampled_from(SESSIONS)), min_size=5, max_size=25)
NAMES_ITS_OWN = {"id", "instance", "dependencies", "mode", "session", "subject", "key", "branch", "action", "trigger"}
"""Parameters that choose another thing than the one that a list of actions speaks of."""


@contextlib.contextmanager
def world(**options: Any) -> Iterator[Engine]:
    """A project with a workflow and a policy of its own, two tasks and two sessions."""
    with tempfile.TemporaryDirectory() as folder:
        define(Path(folder), "workflows", "flow", FLOW)
        define(Path(folder), "policies", "quiet_docs", POLICY)
        with Engine.open(folder, **options) as engine:
            for _ in range(2):
                engine.run_action("create_task", {"title": "x"})
                started(engine, mode="code")
            yield engine


def attempt(engine: Engine, action: str, params: dict[str, Any], session: str | None) -> Any:
    """The outcome, or None when the call itself was wrong."""
    try:
        return engine.run_action(action, params, session=session)
    except (BadParams, UnknownName):
        return None


@settings(max_examples=30, deadline=None, derandomize=True)
@given(STEPS)
def test_what_is_listed_is_what_is_allowed(steps: list[tuple[tuple[str, dict[str, Any]], str | None]]) -> None:
    with world(store="memory:") as engine:
        for (action, params), session in steps:
            answer = engine.available_actions(session=session, include_blocked=True, query=action.replace("_", " "))
            listed = {line["name"]: line for line in answer["actions"]}
            blocked = {line["name"]: line for line in answer["blocked"]}
            assert (action in listed) != (action in blocked), action
            outcome = attempt(engine, action, params, session)
            if outcome is None:
                continue
            if action in blocked and not NAMES_ITS_OWN & {k for k, v in params.items() if v is not None}:
                assert outcome.status == "denied", (action, blocked[action])
                assert blocked[action]["reasons"][0]["code"] in codes(outcome)
            if action in listed and outcome.status == "denied":
                told = listed[action].get("if", [])
                assert all(re.search(r": depends on \w", line) for line in told), told
                rules = {reason.rule for reason in outcome.reasons}
                depends = {rule for rule in rules if any(line.startswith(f"{rule}:") for line in told)}
                assert depends == rules or NAMES_ITS_OWN & params.keys(), (action, params, outcome.reasons)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(STEPS)
def test_every_act_is_one_line_and_the_log_gives_the_documents(
    steps: list[tuple[tuple[str, dict[str, Any]], str | None]],
) -> None:
    with world(store="memory:") as engine:
        for (action, params), session in steps:
            before, seq = documents(engine), engine.storage.last_seq()
            outcome = attempt(engine, action, params, session)
            if outcome is None or action == "list_tasks":
                assert (documents(engine), engine.storage.last_seq()) == (before, seq)
            else:
                begun_and_ended = 2 if "run" in outcome.result else 1
                assert outcome.seq == engine.storage.last_seq() == seq + begun_and_ended
            if outcome is not None and outcome.status == "denied":
                assert documents(engine) == before
        assert replayed(engine) == documents(engine)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(STEPS)
def test_what_one_process_did_is_there_for_the_next(steps: list[tuple[tuple[str, dict[str, Any]], str | None]]) -> None:
    with world() as engine:
        for (action, params), session in steps:
            attempt(engine, action, params, session)
        before = documents(engine)
        with Engine.open(engine.project.root) as other:
            assert documents(other) == before
            assert other.storage.verify().ok


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["granted", "APR-1", "REV-1", "approve", "ada", "human"]),
    lambda t: (
        st.lists(t, max_size=2) | st.dictionaries(st.sampled_from(["status", "id", "seal", "instance"]), t, max_size=3)
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(["approvals/APR-1", "instances/REV-1", "runs/RUN-1", "sessions/SES-1", "notes/approvals/APR-1"])
EVENTS = st.sampled_from(["approve", "approval.granted", "review.approved", "merge", "human.approved", "submit"])
FORGED = {"action": "approve", "instance": "REV-1", "params": {"instance": "REV-1"}, "comment": "I am ada"}
SLY = st.one_of(
    st.tuples(st.just("update"), KEYS, JSON | st.just({"status": "granted", "decided_by": "ada"})),
    st.tuples(st.just("event"), EVENTS, st.dictionaries(st.sampled_from(["instance", "actor", "branch"]), JSON)),
    st.tuples(st.just("run"), st.sampled_from(["approve", "request_approval"]), st.just({}) | st.just(FORGED)),
    st.tuples(
        st.just("run"),
        st.just("request_approval"),
        st.fixed_dictionaries(
            {"action": st.sampled_from(["approve", "merge", "log_entry", "reject", "git.push"]), "params": JSON}
        ),
    ),
    st.tuples(
        st.just("run"),
        st.sampled_from(["merge"]),
        st.fixed_dictionaries(
            {"branch": st.just("main"), "source": st.sampled_from([None, "feature/x", "feature/y"])},
            optional={"instance": st.sampled_from(["REV-1", "REV-2"])},
        ),
    ),
    st.tuples(
        st.just("run"), st.sampled_from(["submit", "reject", "reopen", "run_tests", "start_review"]), st.just({})
    ),
    st.tuples(
        st.just("run"),
        st.just("record_note"),
        st.fixed_dictionaries({"key": st.just("approvals/APR-1"), "value": JSON}),
    ),
    st.tuples(st.just("git"), st.sampled_from(["feature/x", "feature/y"]), st.booleans()),
)


@pytest.fixture(scope="module")
def sly_repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository with two branches; its main must never move."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMGENIE_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        repo = make_repository(tmp_path_factory.mktemp("sly") / "p")
        commands(repo, test=["true"])
        for branch in ("feature/x", "feature/y"):
            git(repo, "switch", "-q", "-C", branch, "main")
            commit(repo, f"{branch[-1]}.txt")
        yield repo


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(SLY, min_size=4, max_size=14), answered=st.booleans())
def test_no_sequence_of_calls_gives_an_agent_an_approval_or_an_unapproved_merge(
    sly_repo: Path, monkeypatch: pytest.MonkeyPatch, steps: list[Any], answered: bool
) -> None:
    monkeypatch.setenv("LLMGENIE_STATE_DIR", str(sly_repo.parent / "state"))
    commands(sly_repo, test=["true"])
    git(sly_repo, "switch", "-q", "feature/x")
    main = git(sly_repo, "rev-parse", "main")
    with Engine.open(sly_repo, store="memory:") as engine:
        session = started(engine, mode="review")
        for action in ("start_review", "run_tests", "submit"):
            assert engine.run_action(action, session=session).ok
        if answered:  # a person says yes to something harmless about this very review
            asked = {"action": "log_entry", "params": {"text": "x"}, "instance": "REV-1"}
            approval = engine.run_action("request_approval", asked, session=session).result["approval"]["id"]
            engine.decide_approval(approval, True, person="ada", channel="terminal")
        for kind, name, value in steps:
            with contextlib.suppress(BadParams, UnknownName, NotWritable):
                if kind == "update":
                    engine.update_context(name, value, session=session)
                elif kind == "event":
                    engine.trigger_event(name, value, session=session)
                elif kind == "git":
                    git(sly_repo, "switch", "-q", name)
                else:
                    engine.run_action(name, value, session=session)
        found = documents(engine)
        assert {d["state"] for d in found["instances"].values() if d["workflow"] == "review"} <= {"draft", "in_review"}
        assert [d["id"] for d in found["approvals"].values() if d["status"] == "granted"] == ["APR-1"] * answered
        assert git(sly_repo, "rev-parse", "main") == main


NOISE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda t: st.lists(t, max_size=3) | st.dictionaries(st.text(max_size=8), t, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.data())
def test_whatever_is_sent_the_answer_is_an_outcome_or_an_error_that_teaches(data: st.DataObject) -> None:
    with world(store="memory:") as engine:
        actions = sorted(engine.definitions.actions)
        for _ in range(4):
            action = data.draw(st.sampled_from(actions) | st.text(max_size=10))
            fields = engine.definitions.actions[action].params.model_fields if action in actions else {}
            known = st.dictionaries(st.sampled_from(sorted(fields)), NOISE, max_size=4) if fields else st.just({})
            params = data.draw(known | NOISE)
            session = data.draw(st.sampled_from(SESSIONS) | st.text(max_size=5))
            key = data.draw(st.none() | st.text(st.characters(codec=None), max_size=5))
            try:
                outcome = engine.run_action(action, params, session=session, idempotency_key=key)
            except LlmgenieError as error:
                told = str(error)
            else:
                told = str(outcome.to_dict())
            assert told
        assert engine.run_action("log_entry", {"text": "still here"}).ok

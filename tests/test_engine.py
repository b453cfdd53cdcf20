"""The Engine: every act is one line, a refusal changes nothing, and what was broken works again when it is mended."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from scene import DEPLOY, SUMMARY, codes, commands, commit, define, documents, git, lines, replayed, started

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.errors import ActionError, BadParams, DefinitionError, LlmgenieError, StorageError, UnknownName

Open = Callable[..., Engine]


def test_every_act_is_one_line_whose_number_is_in_the_outcome(engine: Engine) -> None:
    acts: list[tuple[str, dict[str, Any]]] = [
        ("create_task", {"title": "x"}),
        ("claim_task", {}),
        ("switch_mode", {"mode": "code"}),
        ("merge", {"branch": "main"}),
        ("record_lesson", {"title": "x", "tags": ["a"]}),
        ("start_session", {}),
    ]
    for number, (action, params) in enumerate(acts, 1):
        outcome = engine.run_action(action, params)
        line = lines(engine)[-1]
        assert outcome.seq == line["seq"] == number
        assert line["action"] == action
        assert line["type"] == ("action.denied" if outcome.status == "denied" else "action.completed")
        assert line["actor"] == {"kind": "agent", "id": "agent"}
        assert line.get("params", {}) == params


def test_a_refusal_is_logged_with_its_reasons_and_changes_nothing_else(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "x"})
    before = documents(engine)
    outcome = engine.run_action("claim_task", {"id": "TSK-1"}, idempotency_key="k")
    assert codes(outcome) == ["not_open_here", "rule_matched"]
    line = lines(engine)[-1]
    assert [reason["code"] for reason in line["reasons"]] == codes(outcome)
    assert line["changes"] == []
    assert documents(engine) == before


def test_the_changes_in_the_log_give_the_documents(engine: Engine, repo: Path) -> None:
    commands(repo, test=["true"], fail=["false"])
    session = started(engine, mode="code")
    engine.run_action("create_task", {"title": "x"}, idempotency_key="k")
    engine.run_action("claim_task", session=session)
    engine.run_action("run_tests", session=session)
    engine.run_action("run_command", {"name": "fail"}, session=session)
    engine.run_action("merge", {"branch": "main"}, session=session)
    engine.update_context("notes/a", {"b": 1})
    engine.update_context("notes/a", None)
    engine.run_action("roadmap_add", {"title": "x"})
    engine.run_action("request_approval", {"action": "file.delete", "params": {"path": "x"}}, session=session)
    engine.decide_approval("APR-1", True, person="ada", channel="terminal")
    engine.run_action("complete_task", {"summary": SUMMARY}, session=session)
    engine.run_action("finish_session", {"summary": SUMMARY}, session=session)
    assert replayed(engine) == documents(engine)
    assert engine.storage.verify().ok


def test_an_action_that_cannot_do_its_work_leaves_nothing(engine: Engine) -> None:
    before = (documents(engine), engine.storage.last_seq())
    with pytest.raises(BadParams):
        engine.run_action("create_task", {"title": "x", "dependencies": ["TSK-1"]})
    assert (documents(engine), engine.storage.last_seq()) == before
    assert engine.run_action("create_task", {"title": "x"}).result["id"] == "TSK-1", "no number was used up"


def test_who_acted_is_in_the_log(engine: Engine) -> None:
    engine.run_action("log_entry", {"text": "by hand"}, actor=Actor("human", "ada"))
    assert lines(engine)[-1]["actor"] == {"kind": "human", "id": "ada"}


def test_answers_are_json_and_cannot_reach_into_the_store(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "x", "labels": ["a"]})
    answers = [
        engine.run_action("list_tasks").to_dict(),
        engine.available_actions(include_blocked=True),
        engine.workflow_state(),
        engine.context_data("tasks/TSK-1"),
        engine.policy("security"),
        engine.policies(),
        engine.enforcement_status(),
        engine.enforce(None, "git.push").to_dict(trace=True),
        engine.action_schema("create_task"),
    ]
    for answer in answers:
        assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    value = answers[3]["value"]  # type: ignore[call-overload]
    value["labels"].append("b")
    value["title"] = "y"
    assert engine.context_data("tasks/TSK-1")["value"]["labels"] == ["a"]


def test_unknown_names_teach(engine: Engine) -> None:
    for call, hint in [
        (lambda: engine.run_action("creat_task", {}), "Did you mean create_task"),
        (lambda: engine.action_schema("creat_task"), "Did you mean create_task"),
        (lambda: engine.policy("securty"), "Did you mean security"),
        (lambda: engine.enforce("securty", "git.push"), "Did you mean security"),
        (lambda: engine.enforce(None, "git.psh"), "Did you mean git.push"),
        (lambda: engine.run_action("zzzzz", {}), "Known: "),
    ]:
        with pytest.raises(UnknownName) as error:
            call()
        assert error.value.hint.startswith(hint)
    assert engine.storage.last_seq() == 0


def test_many_threads_write_through_one_engine_and_nothing_is_lost(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        seqs = [
            outcome.seq for outcome in pool.map(lambda n: engine.run_action("log_entry", {"text": str(n)}), range(80))
        ]
    assert sorted(seqs) == list(range(1, 81))
    assert sorted(int(line["notes"][0]) for line in lines(engine)) == list(range(80))


def test_two_engines_see_each_others_work_at_once(engine: Engine, repo: Path, open_engine: Open) -> None:
    other = open_engine(repo)
    for n in range(1, 4):
        engine.run_action("create_task", {"title": "x"})
        assert other.context_data("tasks")["total"] == n
        assert other.workflow_state()["tasks"] == {"todo": n}
        assert other.run_action("list_tasks").result["total"] == n


def test_a_closed_engine_says_so_and_may_be_closed_again(engine: Engine) -> None:
    engine.close()
    engine.close()
    for call in (
        engine.workflow_state,
        engine.available_actions,
        lambda: engine.run_action("log_entry", {"text": "x"}),
    ):
        with pytest.raises(StorageError):
            call()


def test_a_workflow_of_the_projects_own_works_like_a_packaged_one(engine: Engine, repo: Path) -> None:
    define(repo, "workflows", "deploy", DEPLOY)
    session, lead = started(engine, mode="release"), started(engine, mode="release", role="lead")
    with pytest.raises(BadParams):
        engine.run_action("start_deploy", session=session)
    outcome = engine.run_action("start_deploy", {"version": "1.2.0"}, session=session)
    assert outcome.result["next"] == ["roll_out", "forget"]
    again = engine.run_action("start_deploy", {"version": "1.2.0"}, session=lead)
    assert codes(again) == ["already_open"]
    assert codes(engine.run_action("roll_out", session=session)) == ["wrong_role"]
    assert codes(engine.run_action("create_task", {"title": "x"}, session=session)) == ["not_open_here"]
    assert engine.run_action("record_note", {"key": "a", "value": 1}, session=session).ok
    (repo / "dirt").touch()
    assert codes(engine.run_action("roll_out", session=lead)) == ["guard_failed"]
    (repo / "dirt").unlink()
    assert engine.run_action("roll_out", {"comment": "now"}, session=lead).state["to"] == "rolling"  # type: ignore[index]
    line = lines(engine)[-1]
    assert line["notes"] == ["1.2.0 goes out from main by agent", "now"]
    assert line["events"][0]["type"] == "deploy.began"
    assert engine.trigger_event("smoke.failed")["moved"][0]["to"] == "waiting"
    assert engine.run_action("roll_out", session=lead).ok
    assert engine.trigger_event("smoke.passed")["moved"][0]["to"] == "live"
    assert engine.storage.get("sessions", session)["instance"] is None, "what has ended is worked on no longer"
    history = engine.storage.get("instances", "DEP-1")["history"]
    assert [step["trigger"] for step in history] == ["roll_out", "smoke.failed", "roll_out", "smoke.passed"]


@pytest.mark.parametrize(
    ("kind", "param", "good", "bad"),
    [
        ("text", "subject", "anything at all", None),
        ("task", "task", "TSK-1", "TSK-9"),
        ("version", "version", "1.0", None),
        ("branch", "branch", "main", "nowhere"),
        ("project", "project", None, None),
        ("session", "session", None, None),
    ],
)
def test_every_kind_of_subject_can_be_started(
    engine: Engine, repo: Path, kind: str, param: str, good: str | None, bad: str | None
) -> None:
    define(
        repo, "workflows", "thing", DEPLOY.replace("deploy", "thing").replace("subject: version", f"subject: {kind}")
    )
    engine.run_action("create_task", {"title": "x"})
    session = started(engine)
    if bad:
        assert codes(engine.run_action("start_thing", {param: bad}, session=session)) == ["not_configured"]
    outcome = engine.run_action("start_thing", {param: good} if good else {}, session=session)
    wanted = good or {"project": "demo", "session": session}[kind]
    assert outcome.result["instance"]["subject"] == wanted


def test_a_damaged_line_under_a_running_engine_is_named(engine: Engine, repo: Path, open_engine: Open) -> None:
    for n in range(5):
        engine.run_action("log_entry", {"text": f"entry {n}"})
    engine.close()
    (segment,) = (repo / ".llmgenie" / "meta-log").glob("*.jsonl")
    content = segment.read_bytes()
    segment.write_bytes(content.replace(b"entry 2", b"entry X"))
    (repo / ".llmgenie" / "db.json").unlink()
    with pytest.raises(StorageError) as error:
        open_engine(repo).workflow_state()
    assert re.search(r"000001\.jsonl.*3|line 3", str(error.value)), str(error.value)
    segment.write_bytes(content)
    assert open_engine(repo).context_data("meta-log")["total"] == 5


@pytest.mark.parametrize("garbage", [b"garbage\n", b"{}\n"])
def test_a_garbage_line_under_a_running_engine_is_named_and_without_it_all_is_there(
    engine: Engine, repo: Path, garbage: bytes
) -> None:
    engine.run_action("create_task", {"title": "before"})
    (segment,) = (repo / ".llmgenie" / "meta-log").glob("*.jsonl")
    good = segment.read_bytes()
    segment.write_bytes(good + garbage)
    for call in (lambda: engine.run_action("create_task", {"title": "after"}), engine.workflow_state):
        with pytest.raises(StorageError) as error:
            call()
        assert "000001.jsonl:2" in str(error.value)
    segment.write_bytes(good)
    with Engine.open(repo) as fresh:
        assert fresh.context_data("tasks/TSK-1")["value"]["title"] == "before"


@pytest.mark.parametrize("torn", [b'{"seq": 2, "ty', b"\x00" * 100 + b"\n"])
def test_a_torn_line_under_a_running_engine_is_set_aside_and_told(engine: Engine, repo: Path, torn: bytes) -> None:
    engine.run_action("create_task", {"title": "before"})
    (segment,) = (repo / ".llmgenie" / "meta-log").glob("*.jsonl")
    with segment.open("ab") as file:
        file.write(torn)
    assert engine.run_action("create_task", {"title": "after"}).seq == 2
    assert "000001.jsonl" in str(engine.workflow_state()["warnings"])
    assert engine.context_data("tasks")["total"] == 2
    assert engine.storage.verify().ok


def test_a_checkpoint_that_is_garbage_is_rebuilt_from_the_log(engine: Engine, repo: Path, open_engine: Open) -> None:
    engine.run_action("create_task", {"title": "x"})
    engine.close()
    (repo / ".llmgenie" / "db.json").write_text("{garbage", encoding="utf-8")
    fresh = open_engine(repo)
    assert fresh.context_data("tasks")["total"] == 1
    fresh.storage.checkpoint()
    assert fresh.storage.verify().ok


def test_a_slow_action_whose_instance_was_moved_meanwhile_says_so(
    engine: Engine, repo: Path, open_engine: Open
) -> None:
    git(repo, "switch", "-q", "-c", "topic")
    commit(repo, "x.txt")
    session = started(engine, mode="review")
    engine.run_action("start_review", session=session)
    commands(repo, test=["true"])
    for action in ("run_tests", "submit", "request_approval"):
        assert engine.run_action(action, session=session).ok
    engine.decide_approval("APR-1", True, person="ada", channel="terminal")
    other, moved = open_engine(repo), []

    def progress(*_: object) -> None:
        if not moved:
            moved.append(other.run_action("reopen", session=session))

    outcome = engine.run_action("merge", {"branch": "main"}, session=session, progress=progress)
    assert moved[0].ok
    assert outcome.status == "failed"
    assert "somebody moved it meanwhile" in str(outcome.error)
    assert outcome.result["into"] == "main"
    assert engine.storage.get("instances", "REV-1")["state"] == "draft"


def test_every_error_is_of_the_one_tree_with_code_message_and_hint() -> None:
    for kind in (ActionError, BadParams, DefinitionError, StorageError):
        error = kind("what", "hint", more=1)
        assert isinstance(error, LlmgenieError)
        assert error.to_dict() == {"code": kind.code, "message": "what", "hint": "hint", "more": 1}


def test_nothing_is_left_running_when_engines_are_closed(repo: Path, open_engine: Open) -> None:
    before = threading.active_count()
    for _ in range(3):
        engine = open_engine(repo)
        engine.run_action("log_entry", {"text": "x"})
        engine.close()
    assert threading.active_count() == before

"""What rules may wait for, what leads to what and where that ends, and rules that come and go."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from outbox_scene import Heard, delivering, drain, note, noted, rules, told, waiting
from scene import PYTHON, commit, configure, define, git, started

from llmgenie_mcp import Actor, Engine, trust
from llmgenie_mcp.faces import hook

RUN = "run: [{action: log_entry}]"


# -- what leads to what ------------------------------------------------------------------------------------------------


def test_rules_that_lead_to_each_other_end_at_their_depth_with_one_line_that_says_how(
    engine: Engine, repo: Path
) -> None:
    ping = {"on": "action.completed", "when": 'event.data.params.text == "pong" or event.data.params.text == "start"'}
    pong = {"on": "action.completed", "when": 'event.data.params.text == "ping"'}
    rules(repo, ping={**ping, "run": note("ping"), "max_depth": 3}, pong={**pong, "run": note("pong")})
    engine.run_action("log_entry", {"text": "start"})
    drain(engine)
    assert noted(engine) == ["start", "ping", "pong", "ping", "pong"]
    stops = [stop for line in told(engine) for stop in line.get("stopped", ())]
    assert [(stop["rule"], stop["bound"]) for stop in stops] == [("trigger:ping", "max_depth")]
    assert "trigger:ping → trigger:pong → trigger:ping → trigger:pong → trigger:ping" in stops[0]["message"]
    assert [line.get("cause", {}).get("chain", []) for line in told(engine, "action.completed")][3] == [
        "trigger:ping",
        "trigger:pong",
        "trigger:ping",
    ]
    assert waiting(engine) == []


def test_a_rule_that_leads_to_itself_ends_at_its_rate_with_one_line_that_says_so(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmgenie_mcp.outbox.now", lambda: "2026-03-10T12:00:30.000Z")  # no minute ends in this test
    rules(repo, again={"on": "action.completed", "run": note("again"), "max_depth": 20, "per_minute": 4})
    engine.run_action("log_entry", {"text": "start"})
    drain(engine)
    for _ in range(5):
        engine.run_action("log_entry", {"text": "more"})
    drain(engine)
    assert noted(engine).count("again") == 4
    stops = [stop for line in told(engine) for stop in line.get("stopped", ())]
    assert [(stop["rule"], stop["bound"]) for stop in stops] == [("trigger:again", "per_minute")]
    answer = engine.trigger_event("unrelated.thing")
    assert "deliveries" not in answer


def test_a_stopped_rule_is_told_to_who_raised_the_event(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmgenie_mcp.outbox.now", lambda: "2026-03-10T12:00:30.000Z")
    rules(repo, few={"on": "ci.*", "per_minute": 1})
    assert "stopped" not in engine.trigger_event("ci.finished")
    (stop,) = engine.trigger_event("ci.finished")["stopped"]
    assert stop["rule"] == "trigger:few"


def test_a_rule_may_wait_for_a_refusal(engine: Engine, repo: Path) -> None:
    rules(
        repo,
        tell={"on": "action.denied", "run": note("{event.subject} was denied to {event.data.actor.kind}")},
    )
    assert engine.run_action("merge", {"branch": "main"}).status == "denied"
    drain(engine)
    assert noted(engine) == ["merge was denied to agent"]


def test_a_rule_may_wait_for_a_persons_answer(engine: Engine, repo: Path) -> None:
    rules(
        repo,
        settings={"commands": {"test": {"argv": ["true"]}}},
        yes={"on": "approval.granted", "run": note("yes by {event.actor}")},
        no={"on": "approval.denied", "run": note("no")},
    )
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "x.txt")
    session = started(engine, mode="review")
    for action in ("start_review", "run_tests", "submit", "request_approval"):
        assert engine.run_action(action, session=session).ok
    engine.decide_approval("APR-1", True, person="ada", channel="terminal")
    drain(engine)
    assert noted(engine)[-1] == "yes by human:ada"
    assert "no" not in noted(engine)


@pytest.mark.usefixtures("runtime")
def test_a_rule_may_wait_for_what_a_hook_refuses_also_when_no_server_runs(engine: Engine, repo: Path) -> None:
    rules(
        repo,
        tell={"on": "operation.denied", "run": note("an agent tried {event.subject} of {event.data.params.branch}")},
    )
    payload = {
        "session_id": "abc",
        "cwd": str(repo),
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": "git push origin HEAD:main"},
    }
    command = [PYTHON, "-I", "-S", str(Path(hook.__file__)), "--project", str(repo), "claude-code"]
    done = subprocess.run(command, input=json.dumps(payload).encode(), capture_output=True, cwd=repo, timeout=60)
    assert b"denied by branch_protection" in done.stdout + done.stderr
    (item,) = waiting(engine)
    assert (item["destination"], item["event"]["type"]) == ("trigger:tell", "operation.denied")
    drain(engine)
    assert noted(engine) == ["an agent tried git.push of main"]


def test_what_a_person_raises_may_be_told_from_what_an_agent_says(engine: Engine, repo: Path) -> None:
    rules(repo, mine={"on": "ci.*", "when": 'not startswith(event.actor, "agent:")', "run": note("{event.actor}")})
    engine.trigger_event("ci.finished")
    engine.trigger_event("ci.finished", actor=Actor("human", "ada"))
    drain(engine)
    assert noted(engine) == ["human:ada"]


# -- rules that come and go ----------------------------------------------------------------------------------------------


def test_a_rule_that_nobody_accepted_never_runs(engine: Engine, repo: Path) -> None:
    rules(repo, trusted=False, mine={"on": "*"})
    define(repo, "triggers", "file", f"name: file\non: '*'\n{RUN}\n")
    assert "deliveries" not in engine.trigger_event("ci.finished")
    drain(engine)
    assert [line["type"] for line in told(engine)] == ["event.received"]
    trust.trust(repo / ".llmgenie")
    drain(engine)
    assert noted(engine) == [], "nor does it run for what was before it was accepted"
    assert engine.trigger_event("ci.finished")["deliveries"] == ["OUT-1", "OUT-2"]


def test_a_rule_that_is_no_longer_accepted_when_its_turn_comes_waits_until_it_is(engine: Engine, repo: Path) -> None:
    rules(repo, mine={"on": "ci.*"})
    engine.trigger_event("ci.finished")
    rules(repo, trusted=False, mine={"on": "ci.*", "run": note("changed by somebody")})
    drain(engine)
    assert (noted(engine), len(waiting(engine, status="pending"))) == ([], 1)
    trust.trust(repo / ".llmgenie")
    drain(engine)
    assert noted(engine) == ["changed by somebody"]


@pytest.mark.parametrize(
    ("after", "notes", "status"),
    [
        ({"mine": {"on": "ci.*", "run": note("changed")}}, ["changed"], None),
        ({"mine": {"on": "ci.*", "when": "git.branch == 'none'"}}, [], None),
        ({"mine": {"on": "ci.*", "enabled": False}}, [], "dead"),
        ({}, [], "dead"),
    ],
    ids=["changed", "narrowed", "switched off", "removed"],
)
def test_the_rule_as_it_is_when_its_turn_comes_counts(
    engine: Engine, repo: Path, after: dict[str, Any], notes: list[str], status: str | None
) -> None:
    rules(repo, mine={"on": "ci.*"})
    engine.trigger_event("ci.finished")
    rules(repo, **after)
    drain(engine)
    assert noted(engine) == notes
    assert [item["status"] for item in waiting(engine)] == ([status] if status else [])
    if status:
        assert "There is no trigger rule mine in force any more" in waiting(engine)[0]["error"]


def test_a_rule_that_is_added_while_a_server_runs_is_in_force_at_once(engine: Engine, repo: Path) -> None:
    configure(repo)
    heard = Heard(engine)
    with delivering(engine):
        engine.trigger_event("ci.finished")
        rules(repo, mine={"on": "ci.*"})
        engine.trigger_event("ci.finished")
        heard.until_told("action.completed")
    assert len(noted(engine)) == 1


def test_two_rules_at_once_and_one_rule_in_the_order_of_its_events(engine: Engine, repo: Path) -> None:
    rules(repo, a={"on": "ci.*", "run": note("a{event.data.n}")}, b={"on": "ci.*", "run": note("b{event.data.n}")})
    for number in range(10):
        engine.trigger_event("ci.finished", {"n": number})
    drain(engine)
    for name in "ab":
        assert [text for text in noted(engine) if text[0] == name] == [f"{name}{number}" for number in range(10)]

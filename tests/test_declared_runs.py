"""Declared actions at work: real commands, a real HTTP server, every step an action of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from declared_scene import Asked, came_of, declare, note, noted, program, steps
from scene import PYTHON, define, documents, lines, replayed
from upstream_scene import behind, raw

from llmgenie_mcp import Actor, Engine, trust
from llmgenie_mcp.errors import BadParams

Open = Callable[..., Engine]


@pytest.fixture
def asked() -> Iterator[Asked]:
    found = Asked()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.02,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


# -- one thing ---------------------------------------------------------------------------------------------------------


def test_a_command_runs_with_the_parameters_and_answers_as_itself(engine: Engine, session: str, repo: Path) -> None:
    schema = {
        "properties": {"word": {"type": "string", "pattern": "^[a-z]+$"}, "more": {"default": "!"}},
        "required": ["word"],
    }
    declare(repo, "say", params=schema, command={"argv": ["echo", "{word}", "{more}"]})
    outcome = engine.run_action("say", {"word": "hi"}, session=session)
    assert (outcome.status, outcome.result["output"], outcome.result["exit_code"]) == ("ok", "hi !\n", 0)
    found = engine.available_actions(query="say", session=session)["actions"][0]
    assert (found["name"], found["schema"]["required"]) == ("say", ["word"])
    with pytest.raises(BadParams, match="word"):
        engine.run_action("say", {"word": "HI"}, session=session)
    with pytest.raises(BadParams, match=r"say takes: word, more\?=!"):
        engine.run_action("say", {}, session=session)


def test_policies_and_approvals_see_the_default_of_a_parameter_that_was_left_out(
    engine: Engine, session: str, repo: Path
) -> None:
    loud = {
        "id": "calm",
        "effect": "ask",
        "when": "action.params.loud and not approval.granted",
        "reason": "It is late.",
    }
    policy = {"name": "night", "level": "always_on", "applies_to": {"actions": ["say"]}, "rules": [loud]}
    for default in (False, True):
        schema = {"properties": {"word": {"type": "string"}, "loud": {"type": "boolean", "default": default}}}
        declare(repo, "say", params=schema, command={"argv": ["echo", "{word}"]})
        define(repo, "policies", "night", json.dumps(policy))
        trust.trust(repo / ".llmgenie")
        outcome = engine.run_action("say", {"word": "hi"}, session=session)
        assert [reason.rule for reason in outcome.reasons] == ["night/calm"] * default
    asked = engine.run_action("request_approval", {"action": "say", "params": {"word": "hi"}}, session=session)
    assert engine.decide_approval(asked.result["approval"]["id"], True, person="ada", channel="terminal").ok
    assert engine.run_action("say", {"word": "ho"}, session=session).status == "denied"
    assert engine.run_action("say", {"word": "hi"}, session=session).ok


def test_a_command_that_fails_fails_with_its_output(engine: Engine, session: str, repo: Path) -> None:
    declare(repo, "fail", command={"argv": [PYTHON, "-c", "print('why'); raise SystemExit(3)"]})
    outcome = engine.run_action("fail", session=session)
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "run_command in fail failed: fail.run failed with exit code 3." in outcome.error["message"]
    assert outcome.result["output"] == "why\n"
    assert documents(engine)["runs"]["RUN-1"]["status"] == "failed"


def test_an_http_call_is_made_with_what_is_given(engine: Engine, session: str, repo: Path, asked: Asked) -> None:
    call = {"url": f"{asked.address}/items/{{id}}?q={{q}}", "allow_private": True, "body": {"text": "{text}"}}
    declare(repo, "tell", params={"properties": {"id": {}, "q": {}, "text": {}}}, call=call)
    outcome = engine.run_action("tell", {"id": "a/b?c#d&e", "text": ["x", 1]}, session=session)
    assert outcome.result["body"]["id"] == "T-7"
    assert (asked.paths, asked.bodies) == (["/items/a%2Fb%3Fc%23d%26e"], [{"text": ["x", 1]}])
    assert not engine.run_action("tell", {"id": ".."}, session=session).ok
    assert len(asked.paths) == 1


def test_another_action_is_run_with_its_own_parameters(engine: Engine, session: str, repo: Path) -> None:
    declare(
        repo,
        "todo",
        params={"properties": {"what": {}}},
        action={"action": "create_task", "params": {"title": "Do {params.what}"}},
    )
    assert engine.run_action("todo", {"what": "it"}, session=session).result["id"] == "TSK-1"
    assert documents(engine)["tasks"]["TSK-1"]["title"] == "Do it"


def test_what_a_parameter_holds_stays_one_argument(engine: Engine, session: str, repo: Path) -> None:
    hostile = '"; touch pwned; $(touch pwned) `touch pwned` {params.other} {other} --flag'
    show = "import sys, json; print(json.dumps(sys.argv[1:]))"
    given = {"properties": {"word": {}, "other": {"default": "secret"}}}
    argv = {"argv": [PYTHON, "-c", show, "{word}", "x={word}"]}
    declare(repo, "one", params=given, command=argv)
    declare(repo, "two", params=given, steps=steps({"command": argv, "params": {"word": "{params.word}"}}, program("")))
    for outcome in (
        engine.run_action("one", {"word": hostile}, session=session),
        engine.run_action("two", {"word": hostile}, session=session),
    ):
        result = outcome.result if "output" in outcome.result else outcome.result["steps"][0]["result"]
        assert json.loads(result["output"]) == [hostile, f"x={hostile}"]
    assert not (repo / "pwned").exists()


# -- several things ----------------------------------------------------------------------------------------------------


def test_what_one_step_answers_goes_into_the_next(engine: Engine, session: str, repo: Path, asked: Asked) -> None:
    call = {"url": f"{asked.address}/tickets", "allow_private": True, "body": {"output": "{output}", "code": "{code}"}}
    given = {"output": "{steps.a.result.output}", "code": "{steps.a.result.exit_code}"}
    wanted = {
        "action": "create_task",
        "params": {"title": "{steps.b.result.body.id} for {params.who}", "labels": "{steps.b.result.body.tags}"},
    }
    declare(
        repo,
        "ship",
        params={"properties": {"who": {}}},
        steps=steps(program("print('made')"), {"call": call, "params": given}, wanted),
    )
    outcome = engine.run_action("ship", {"who": "Ada"}, session=session)
    assert outcome.ok, outcome
    assert [entry["status"] for entry in outcome.result["steps"]] == ["ok", "ok", "ok"]
    assert asked.bodies == [{"output": "made\n", "code": 0}]
    task = documents(engine)["tasks"]["TSK-1"]
    assert (task["title"], task["labels"]) == ("T-7 for Ada", ["x", "y"])


def test_every_step_is_in_the_log_as_an_action_of_its_own(engine: Engine, session: str, repo: Path) -> None:
    declare(repo, "ship", steps=steps(program("print(1)"), note("one")))
    engine.run_action("ship", session=session, actor=Actor("agent", "robo"))
    seen = [(line["type"], line["action"], line.get("cause")) for line in lines(engine)[1:]]
    inner = {"runs": ["RUN-1"]}
    assert seen == [
        ("action.started", "ship", None),
        ("action.started", "run_command", {**inner, "part": "a"}),
        ("action.completed", "run_command", {**inner, "part": "a"}),
        ("action.completed", "log_entry", {**inner, "part": "b"}),
        ("action.completed", "ship", None),
    ]
    assert {(line["actor"]["id"], line["session"]) for line in lines(engine)[1:]} == {("robo", session)}
    assert replayed(engine) == documents(engine)


def test_a_condition_decides_about_its_step(engine: Engine, session: str, repo: Path) -> None:
    given = {"properties": {"n": {"type": "integer"}}}
    declare(repo, "ship", params=given, steps=steps(
        note("many", when="params.n > 1"), note("clean", when="git.clean"), program("open('new', 'w')"),
        note("dirty", when="git.clean == false"), note("ran", when='steps.a.status == "ok" and steps.c.result.exit_code == 0'),
        note("never", when="params.n == 1 and tests.last.passed"),
    ))  # fmt: skip
    engine.run_action("ship", {"n": 1}, session=session)
    assert came_of(engine) == [
        ("a", "skipped"),
        ("b", "ok"),
        ("c", "ok"),
        ("d", "ok"),
        ("e", "skipped"),
        ("f", "skipped"),
    ]
    engine.run_action("ship", {"n": 2}, session=session)
    assert noted(engine) == ["clean", "dirty", "many", "dirty", "ran"]


def test_a_step_that_fails_stops_what_follows(engine: Engine, session: str, repo: Path) -> None:
    declare(repo, "ship", steps=steps(note("one"), program("raise SystemExit(1)"), note("two")))
    outcome = engine.run_action("ship", session=session)
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "The step b of ship failed: ship.b failed with exit code 1." in outcome.error["message"]
    assert 'run_action ship {"resume": "RUN-1"}' in outcome.error["hint"]
    assert (came_of(engine), noted(engine)) == ([("a", "ok"), ("b", "failed")], ["one"])


def test_a_failure_may_be_passed_over(engine: Engine, session: str, repo: Path) -> None:
    failing = program("raise SystemExit(1)", on_failure="continue")
    declare(
        repo, "ship", steps=steps(failing, note("{steps.a.status}: {steps.a.error}", when='steps.a.status == "failed"'))
    )
    assert engine.run_action("ship", session=session).ok
    assert noted(engine) == ["failed: ship.a failed with exit code 1."]


def test_a_step_is_tried_again_as_often_as_told(engine: Engine, session: str, repo: Path, asked: Asked) -> None:
    asked.statuses = [503, 503]
    call = {"url": asked.address, "allow_private": True}
    declare(repo, "ship", steps=steps({"call": call, "retry": {"attempts": 3, "delay": 0}}, note("x")))
    outcome = engine.run_action("ship", session=session)
    assert (outcome.ok, outcome.result["steps"][0]["attempts"], len(asked.paths)) == (True, 3, 3)
    asked.statuses = [503] * 5
    assert not engine.run_action("ship", session=session).ok
    assert len(asked.paths) == 6


def test_a_name_without_a_value_fails_its_step_before_anything_is_run(engine: Engine, session: str, repo: Path) -> None:
    declare(
        repo,
        "ship",
        steps=steps(
            note("x"), {"command": {"argv": ["rm", "-r", "{dir}"]}, "params": {"dir": "{steps.a.result.gone}/y"}}
        ),
    )
    outcome = engine.run_action("ship", session=session)
    assert "There is no steps.a.result.gone to fill in." in str(outcome.error)
    assert len(documents(engine)["runs"]) == 1


def test_a_condition_that_cannot_be_evaluated_is_a_failure(engine: Engine, session: str, repo: Path) -> None:
    declare(repo, "ship", params={"properties": {"n": {}}}, steps=steps(note("x", when="params.n > 1"), note("y")))
    outcome = engine.run_action("ship", {"n": "text"}, session=session)
    assert outcome.status == "failed"
    assert "when:" in str(outcome.error)
    assert noted(engine) == []


def test_a_tool_of_another_server_is_a_step(repo: Path) -> None:
    buy = {"action": "shop.buy", "params": {"item": "{params.what}"}}
    dead = {"action": "shop.die", "on_failure": "continue"}
    with behind(repo, shop=raw(repo, "buy", "die")) as engine:
        declare(repo, "ship", params={"properties": {"what": {}}}, steps=steps(buy, dead, note("got {steps.a.result}")))
        outcome = engine.run_action("ship", {"what": {"deep": ["tea", 1]}})
        assert outcome.ok, outcome
        assert [entry["status"] for entry in outcome.result["steps"]] == ["ok", "failed", "ok"]
        assert "tea" in noted(engine)[0]

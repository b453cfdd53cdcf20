"""Declared actions at work: real commands, a real HTTP server, every step an action of its own."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from outbox_scene import drain
from scene import PYTHON, codes, configure, define, documents, lines, replayed, started
from upstream_scene import behind, raw

from llmgenie_mcp import Actor, Engine, trust
from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.providers._sequence import DEPTH, bounded

Open = Callable[..., Engine]


def declare(repo: Path, name: str, *, trusted: bool = True, **fields: Any) -> None:
    """Write a declared action (JSON is YAML)."""
    define(repo, "actions", name, json.dumps({"name": name, "description": f"Do {name}.", **fields}))
    if trusted:
        trust.trust(repo / ".llmgenie")


def steps(*given: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps with ids a, b, c … where they have none."""
    return [{"id": "abcdefgh"[number], **step} for number, step in enumerate(given)]


def program(code: str, **more: Any) -> dict[str, Any]:
    """A step that runs Python code."""
    return {"command": {"argv": [PYTHON, "-c", code]}, **more}


def note(text: str, **more: Any) -> dict[str, Any]:
    """A step that writes into the log."""
    return {"action": "log_entry", "params": {"text": text}, **more}


def noted(engine: Engine) -> list[str]:
    """What was written into the log."""
    done = (line for line in lines(engine) if line["type"] == "action.completed")
    return [line["params"]["text"] for line in done if line["action"] == "log_entry"]


def came_of(engine: Engine, run: str = "RUN-1") -> list[tuple[str, str]]:
    """Id and status of each step, as the Run has them."""
    return [(entry["id"], entry["status"]) for entry in documents(engine)["runs"][run]["steps"]]


@pytest.fixture
def session(engine: Engine) -> str:
    return started(engine, mode="code")


class Asked:
    """A real HTTP server that remembers what it was asked, and answers with JSON."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.bodies: list[Any] = []
        self.statuses: list[int] = []
        asked = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.paths.append(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                asked.bodies.append(json.loads(body) if body else None)
                self.send_response(asked.statuses.pop(0) if asked.statuses else 200)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(b'{"id": "T-7", "tags": ["x", "y"]}')

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


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


# -- who decides -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["command", "steps", "action"])
def test_nothing_is_run_before_a_person_accepted_it(repo: Path, open_engine: Open, kind: str) -> None:
    touch = {"argv": ["touch", "pwned"]}
    what = {
        "command": touch,
        "steps": steps({"command": touch}),
        "action": {"action": "log_entry", "params": {"text": "x"}},
    }
    declare(repo, "ship", trusted=False, **{kind: what[kind]})
    engine = open_engine(repo)
    outcome = engine.run_action("ship", session=started(engine, mode="code"), actor=Actor("human", "ada"))
    assert (outcome.status, codes(outcome)) == ("denied", ["not_trusted"])
    blocked = {
        line["name"]: line["reasons"][0]["code"] for line in engine.available_actions(include_blocked=True)["blocked"]
    }
    assert blocked["ship"] == "not_trusted"
    assert not (repo / "pwned").exists()


def test_patterns_that_nobody_accepted_are_not_even_tried(repo: Path, open_engine: Open) -> None:
    schema = {"properties": {"w": {"type": "string", "pattern": "^(a+)+$"}}}
    declare(repo, "ship", trusted=False, params=schema, command={"argv": ["x"]})
    assert codes(open_engine(repo).run_action("ship", {"w": "a" * 40 + "b"})) == ["not_trusted"]


def test_modes_bind_agents_and_no_person(engine: Engine, repo: Path) -> None:
    declare(repo, "ship", modes=["release"], command={"argv": ["true"]})
    session = started(engine, mode="code")
    outcome = engine.run_action("ship", session=session)
    assert codes(outcome) == ["not_open_here"]
    assert outcome.reasons[0].fix == {"action": "switch_mode", "params": {"mode": "release"}}
    assert "ship" not in [line["name"] for line in engine.available_actions(session=session)["actions"]]
    assert engine.run_action("ship", session=session, actor=Actor("human", "ada")).ok


def test_its_own_program_is_open_where_it_is_and_other_actions_are_where_they_are(engine: Engine, repo: Path) -> None:
    declare(repo, "mine", modes=["discuss"], command={"argv": ["echo", "here"]})
    declare(repo, "look", action={"action": "run_tests"})
    session = started(engine, mode="discuss")
    assert engine.run_action("mine", session=session).result["output"] == "here\n"
    outcome = engine.run_action("look", session=session)
    assert outcome.status == "failed"
    assert outcome.result["reasons"][0]["code"] == "not_configured"
    configure(repo, commands={"test": {"argv": ["true"]}})
    assert engine.run_action("look", session=session).result["reasons"][0]["code"] == "not_open_here"


def policy(actions: str, when: str) -> str:
    """A policy that denies actions where a condition holds."""
    rule = f"{{id: no, effect: deny, when: '{when}', reason: Not here.}}"
    return f"name: mine\nlevel: situational\napplies_to: {{actions: [{actions}]}}\nrules: [{rule}]"


@pytest.mark.parametrize(
    ("actions", "when", "status"),
    [
        ("ship", 'resource.type == "declared" and resource.id == "ship"', "denied"),
        ("ship", "action.destructive", "denied"),
        ("run_command", 'resource.type == "command"', "failed"),
        ("run_command", 'resource.command == "ship.a"', "failed"),
        ("log_entry", 'subject.kind == "agent"', "failed"),
    ],
)
def test_policies_decide_about_the_whole_and_about_every_step(
    engine: Engine, session: str, repo: Path, actions: str, when: str, status: str
) -> None:
    define(repo, "policies", "mine", policy(actions, when))
    declare(
        repo,
        "ship",
        destructive=True,
        steps=steps(program("open('ran', 'w')"), note("x", retry={"attempts": 3, "delay": 600})),
    )
    outcome = engine.run_action("ship", session=session)
    assert outcome.status == status
    assert noted(engine) == [] or actions == "log_entry"
    assert (repo / "ran").exists() == (actions == "log_entry")
    denied = [line for line in lines(engine) if line["type"] == "action.denied"]
    assert [line["action"] for line in denied] == [actions]


def test_a_denied_step_may_be_passed_over_and_is_told(engine: Engine, session: str, repo: Path) -> None:
    define(repo, "policies", "mine", policy("run_command", "true"))
    declare(repo, "ship", steps=steps(program("", on_failure="continue"), note("{steps.a.status}")))
    outcome = engine.run_action("ship", session=session)
    assert (outcome.ok, noted(engine)) == (True, ["denied"])
    assert outcome.result["steps"][0]["reasons"][0]["rule"] == "mine/no"


def test_trust_taken_back_in_the_middle_stops_what_follows(engine: Engine, session: str, repo: Path) -> None:
    declare(
        repo,
        "ship",
        steps=steps(program("open('.llmgenie/actions/ship.yaml', 'a').write(chr(10))"), program("open('ran', 'w')")),
    )
    outcome = engine.run_action("ship", session=session)
    assert outcome.status == "failed"
    assert "not accepted" in str(outcome.error)
    assert not (repo / "ran").exists()


def test_a_command_that_a_definition_brings_is_run_by_nobody_else(engine: Engine, session: str, repo: Path) -> None:
    configure(repo, commands={"other": {"argv": ["true"]}})
    declare(repo, "ship", steps=steps(program("")))
    with pytest.raises(Exception, match=r"Unknown command 'ship\.a'"):
        engine.run_action("run_command", {"name": "ship.a"}, session=session)


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_its_time_limit_ends_the_step_that_hangs(engine: Engine, session: str, repo: Path) -> None:
    declare(
        repo,
        "ship",
        timeout=1,
        steps=steps(note("x"), program("import threading; threading.Event().wait()"), note("y")),
    )
    outcome = engine.run_action("ship", session=session)
    assert outcome.error is not None
    assert "ship was stopped after its 1 s, at b." in outcome.error["message"]
    assert documents(engine)["runs"]["RUN-1"]["status"] == "timeout"
    assert documents(engine)["runs"]["RUN-2"]["status"] == "cancelled"


def test_the_time_limit_counts_while_it_waits_to_try_again(engine: Engine, session: str, repo: Path) -> None:
    declare(repo, "ship", timeout=0.5, steps=steps(program("raise SystemExit(1)", retry={"attempts": 9, "delay": 600})))
    assert "stopped after its 0.5 s" in str(engine.run_action("ship", session=session).error)


def test_cancelling_ends_the_running_step(engine: Engine, session: str, repo: Path) -> None:
    code = "import threading; print('up', flush=True); threading.Event().wait()"
    declare(repo, "ship", steps=steps(program(code), note("y")))
    cancel = threading.Event()

    def progress(_done: float, _total: float | None, message: str) -> None:
        if "ship: a (1 of 2): up" in message:
            cancel.set()

    outcome = engine.run_action("ship", session=session, cancel=cancel, progress=progress)
    assert "ship was cancelled at a." in str(outcome.error)
    assert documents(engine)["runs"]["RUN-1"]["status"] == "cancelled"
    assert noted(engine) == []


def test_fifty_megabytes_of_output_are_bounded(engine: Engine, session: str, repo: Path) -> None:
    code = "import sys; [sys.stdout.write('x' * 1000000) for _ in range(50)]"
    declare(repo, "ship", steps=steps(program(code), note("code {steps.a.result.exit_code}")))
    assert engine.run_action("ship", session=session).ok
    assert len(json.dumps(documents(engine)["runs"])) < 30_000
    assert max(len(json.dumps(line)) for line in lines(engine)) < 30_000


def test_what_is_too_large_is_left_out_whole_and_said_so() -> None:
    kept, left = bounded({"text": "x" * 50_000_000, "small": 1, "list": [1, 2]}, 8000)
    assert kept == {"small": 1, "list": [1, 2]}
    assert left == ["text (50,000,002 bytes)"]
    assert bounded({}, 0) == ({}, [])


def test_all_answers_together_are_bounded(engine: Engine, session: str, repo: Path) -> None:
    long = [{"id": f"s{n}", **program("print('x' * 2900)")} for n in range(50)]
    declare(repo, "ship", steps=long)
    outcome = engine.run_action("ship", session=session)
    assert (outcome.ok, len(json.dumps(outcome.result)) < 10_000) == (True, True)
    run = documents(engine)["runs"]["RUN-1"]
    assert len(json.dumps(run)) < 90_000
    assert any("output (" in name for name in run["steps"][-1]["left_out"])


def test_secrets_in_answers_and_parameters_are_not_kept(engine: Engine, session: str, repo: Path) -> None:
    token = "ghp_" + "a" * 36
    define(
        repo,
        "policies",
        "security",
        "name: security\nlevel: always_on\nrules: [{id: a, effect: deny, when: 'false', reason: x}]",
    )
    argv = {"argv": ["echo", "{t}"]}
    declare(
        repo,
        "ship",
        params={"properties": {"t": {}}},
        steps=steps({"command": argv, "params": {"t": "{params.t}"}}, program("raise SystemExit(1)")),
    )
    outcome = engine.run_action("ship", {"t": token}, session=session)
    assert token not in json.dumps([outcome.to_dict(), documents(engine), lines(engine)])
    resumed = engine.run_action("ship", {"resume": "RUN-1"}, session=session)
    assert "its parameters held a secret" in resumed.reasons[0].message


def test_actions_inside_each_other_are_bounded(engine: Engine, session: str, repo: Path) -> None:
    for number in range(DEPTH + 2):
        other = {"action": f"n{number + 1}"} if number <= DEPTH else {"action": "log_entry", "params": {"text": "deep"}}
        declare(repo, f"n{number}", action=other)
    assert engine.run_action("n2", session=session).ok
    outcome = engine.run_action("n1", session=session)
    assert f"{DEPTH} are the bound" in str(outcome.error)
    assert noted(engine) == ["deep"]


# -- going on ----------------------------------------------------------------------------------------------------------


def test_what_failed_goes_on_where_it_stopped(engine: Engine, session: str, repo: Path) -> None:
    given = {"properties": {"v": {}}, "required": ["v"]}
    code = "import os, sys; sys.exit(not os.path.exists('ok'))"
    declare(
        repo,
        "ship",
        params=given,
        steps=steps(note("one {params.v}"), program(code), note("two {params.v} {steps.a.result.logged}")),
    )
    assert engine.run_action("ship", {"v": 1}, session=session).status == "failed"
    (repo / "ok").touch()
    outcome = engine.run_action("ship", {"resume": "RUN-1"}, session=session)
    assert (outcome.ok, outcome.result["run"]) == (True, "RUN-1")
    assert noted(engine) == ["one 1", "two 1 true"]
    assert documents(engine)["runs"]["RUN-1"]["status"] == "passed"
    again = engine.run_action("ship", {"resume": "RUN-1"}, session=session)
    assert "it is passed; only one that broke off is gone on with" in again.reasons[0].message


@pytest.mark.parametrize(
    ("resume", "said"),
    [("RUN-9", "no such run of ship"), ("RUN-2", "no such run of ship"), ("RUN-1", "was changed since it stopped")],
)
def test_what_cannot_be_gone_on_with_is_refused(
    engine: Engine, session: str, repo: Path, resume: str, said: str
) -> None:
    declare(repo, "ship", steps=steps(program("raise SystemExit(1)")))
    engine.run_action("ship", session=session)
    declare(repo, "ship", steps=steps(program("raise SystemExit(0)")))
    outcome = engine.run_action("ship", {"resume": resume}, session=session)
    assert outcome.status == "denied"
    assert said in outcome.reasons[0].message


def test_one_run_is_gone_on_with_by_one_alone(engine: Engine, session: str, repo: Path) -> None:
    os.mkfifo(repo / "wait")
    code = "import os, sys; open('wait').read() if os.path.exists('ok') else sys.exit(1)"
    declare(repo, "ship", steps=steps(program(code)))
    engine.run_action("ship", session=session)
    (repo / "ok").touch()
    outcomes: list[Any] = []
    first = threading.Thread(
        target=lambda: outcomes.append(engine.run_action("ship", {"resume": "RUN-1"}, session=session))
    )
    first.start()
    with (repo / "wait").open("w"):  # opens once the step runs
        second = engine.run_action("ship", {"resume": "RUN-1"}, session=session)
    first.join()
    assert "it is running" in second.reasons[0].message
    assert [outcome.ok for outcome in outcomes] == [True]


@pytest.mark.parametrize(
    ("action", "params"),
    [("log_entry", {"text": "x"}), ("run_command", {"name": "ship.a", "params": {"n": 1}})],
)
def test_a_step_that_needs_a_person_goes_on_when_one_agreed(
    engine: Engine, session: str, repo: Path, action: str, params: dict[str, Any]
) -> None:
    asking = policy(action, "not approval.granted").replace("effect: deny", "effect: ask")
    define(repo, "policies", "mine", asking)
    declare(repo, "ship", steps=steps(program("open('trace', 'a').write('a')", params={"n": 1}), note("x")))
    assert engine.run_action("ship", session=session).status == "failed"
    approval = engine.run_action("request_approval", {"action": action, "params": params}, session=session).result[
        "approval"
    ]["id"]
    engine.decide_approval(approval, True, person="ada", channel="terminal")
    assert engine.run_action("ship", {"resume": "RUN-1"}, session=session).ok
    assert (noted(engine), (repo / "trace").read_text()) == (["x"], "a")


def test_going_on_takes_no_other_parameters(engine: Engine, session: str, repo: Path) -> None:
    declare(repo, "ship", params={"properties": {"v": {}}}, steps=steps(note("x")))
    for wrong in ({"resume": "RUN-1", "v": 1}, {"resume": 1}):
        with pytest.raises(BadParams):
            engine.run_action("ship", wrong, session=session)


def test_a_failure_is_answered_again_and_not_gone_on_with_by_its_key(engine: Engine, session: str, repo: Path) -> None:
    declare(repo, "ship", steps=steps(program("raise SystemExit(1)")))
    first = engine.run_action("ship", session=session, idempotency_key="k")
    second = engine.run_action("ship", session=session, idempotency_key="k")
    assert (first.status, second.status, second.replayed) == ("failed", "failed", True)


def test_a_trigger_rule_runs_a_declared_action(engine: Engine, repo: Path) -> None:
    configure(repo, triggers={"t": {"on": "a.b", "run": [{"action": "ship", "params": {"n": "{event.data.n}"}}]}})
    declare(repo, "ship", params={"properties": {"n": {}}}, steps=steps(note("n={params.n}")))
    engine.trigger_event("a.b", {"n": 5})
    drain(engine)
    assert noted(engine) == ["n=5"]
    causes = [line.get("cause", {}) for line in lines(engine) if line.get("action") == "log_entry"]
    assert (causes[0]["chain"], causes[0]["runs"]) == (["trigger:t"], ["RUN-1"])


def test_two_at_once_do_not_mix(repo: Path, open_engine: Open) -> None:
    engine = open_engine(repo)
    declare(
        repo,
        "ship",
        params={"properties": {"n": {}}},
        steps=steps(program("print(1)"), note("n{params.n}"), note("n{params.n}")),
    )
    session = started(engine, mode="code")
    outcomes: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: outcomes.append(engine.run_action("ship", {"n": n}, session=session)))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.ok for outcome in outcomes] == [True] * 4
    assert sorted(noted(engine)) == [f"n{n}" for n in range(4) for _ in range(2)]

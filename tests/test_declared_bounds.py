"""Who decides about a declared action and each of its steps, and the bounds of both: time, size, depth, secrets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from declared_scene import declare, note, noted, policy, program, steps
from scene import codes, configure, define, documents, lines, started

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.providers._sequence import DEPTH, bounded

Open = Callable[..., Engine]


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

"""Declared actions that go on where they stopped, are run by rules, and by several at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from declared_scene import declare, note, noted, policy, program, steps
from outbox_scene import drain
from scene import configure, define, documents, lines, started

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import BadParams

Open = Callable[..., Engine]


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

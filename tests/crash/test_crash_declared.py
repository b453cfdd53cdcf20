"""kill -9 in the middle of a declared action: what is done stays done, and it goes on at the step where it stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from outbox_scene import drain
from scene import PYTHON, configure, define, documents, lines, replayed, started
from victims import Victims, child_environment

from llmgenie_mcp import Engine, trust

Open = Callable[..., Engine]
BLOCK = """
import os
with open("trace", "a") as trace:
    trace.write("b")
if not os.path.exists("go"):
    with open("pid", "w") as file:
        file.write(str(os.getpid()))
    with open("up", "w"):
        pass
    with open("never") as wait:
        wait.read()
"""
"""Says by one pipe that it runs, and waits at another until it is killed, unless there is a file `go`."""


def declare(repo: Path, name: str, **fields: Any) -> None:
    define(repo, "actions", name, json.dumps({"name": name, "description": f"Do {name}.", **fields}))
    trust.trust(repo / ".llmgenie")


def append(letter: str) -> dict[str, Any]:
    return {"argv": [PYTHON, "-I", "-S", "-c", f"open('trace', 'a').write('{letter}')"]}


def note(text: str) -> dict[str, Any]:
    return {"action": "log_entry", "params": {"text": text}}


def noted(engine: Engine) -> list[str]:
    return [line["params"]["text"] for line in lines(engine) if line.get("action") == "log_entry"]


def killed_in_b(repo: Path, code: str) -> None:
    """Run Python code that leads to step b; kill -9 it and what it runs, once b runs."""
    for name in ("up", "never"):
        os.mkfifo(repo / name)
    with subprocess.Popen([sys.executable, "-c", code], env=child_environment(), cwd=repo) as child:
        with (repo / "up").open() as up:  # opens once the step opens its end
            up.read()
        child.send_signal(signal.SIGKILL)
    os.kill(int((repo / "pid").read_text()), signal.SIGKILL)
    (repo / "go").touch()


THREE = [
    {"id": "a", "command": append("a")},
    {"id": "n", **note("noted {params.v}")},
    {"id": "b", "command": {"argv": [PYTHON, "-c", BLOCK]}},
    {"id": "c", "command": append("c")},
    {"id": "m", **note("a {steps.a.result.exit_code} v {params.v}")},
]
GIVEN = {"properties": {"v": {"type": "integer"}}, "required": ["v"]}
RUN = "from llmgenie_mcp import Engine\nEngine.open('.').run_action({!r}, {!r}, session={!r}, idempotency_key='k')"


@pytest.fixture
def session(repo: Path) -> str:
    with Engine.open(repo) as engine:
        return started(engine, mode="code")


@pytest.mark.parametrize("by", ["key", "resume"])
def test_it_goes_on_at_the_step_where_it_was_killed(repo: Path, open_engine: Open, session: str, by: str) -> None:
    declare(repo, "ship", params=GIVEN, steps=THREE)
    killed_in_b(repo, RUN.format("ship", {"v": 1}, session))
    engine = open_engine(repo)
    runs = documents(engine)["runs"]
    assert [runs[id_]["status"] for id_ in ("RUN-1", "RUN-2", "RUN-3")] == ["interrupted", "passed", "interrupted"]
    assert [entry["id"] for entry in runs["RUN-1"]["steps"]] == ["a", "n"]
    if by == "key":
        outcome = engine.run_action("ship", {"v": 1}, session=session, idempotency_key="k")
    else:
        outcome = engine.run_action("ship", {"resume": "RUN-1"}, session=session)
    assert (outcome.ok, outcome.result["run"], outcome.replayed) == (True, "RUN-1", False)
    assert (repo / "trace").read_text() == "abbc"
    assert noted(engine) == ["noted 1", "a 0 v 1"]
    again = engine.run_action("ship", {"v": 1}, session=session, idempotency_key="k")
    assert (again.replayed, (repo / "trace").read_text()) == (True, "abbc")
    assert replayed(engine) == documents(engine)


def test_an_engine_that_lives_on_settles_what_was_killed_elsewhere(repo: Path, open_engine: Open, session: str) -> None:
    declare(repo, "ship", params=GIVEN, steps=THREE)
    engine = open_engine(repo)
    killed_in_b(repo, RUN.format("ship", {"v": 1}, session))
    assert engine.run_action("ship", {"resume": "RUN-1"}, session=session).ok
    assert (repo / "trace").read_text() == "abbc"


def test_an_action_inside_another_goes_on_too(repo: Path, open_engine: Open, session: str) -> None:
    declare(repo, "inner", params=GIVEN, steps=THREE)
    outer = [
        {"id": "x", **note("outer")},
        {"id": "y", "action": "inner", "params": {"v": "{params.v}"}},
        {"id": "z", **note("end")},
    ]
    declare(repo, "ship", params=GIVEN, steps=outer)
    killed_in_b(repo, RUN.format("ship", {"v": 2}, session))
    engine = open_engine(repo)
    assert engine.run_action("ship", {"v": 2}, session=session, idempotency_key="k").ok
    assert (repo / "trace").read_text() == "abbc"
    assert noted(engine) == ["outer", "noted 2", "a 0 v 2", "end"]


def test_a_trigger_rule_goes_on_with_what_was_killed(repo: Path, open_engine: Open, session: str) -> None:
    declare(repo, "ship", params=GIVEN, steps=THREE)
    run = [{"action": "ship", "params": {"v": "{event.data.v}"}}]
    configure(repo, triggers={"t": {"on": "a.b", "session": session, "run": run}})
    code = "from llmgenie_mcp import Engine\nfrom llmgenie_mcp.engine.dispatcher import Dispatcher\n"
    code += (
        "engine = Engine.open('.')\nengine.trigger_event('a.b', {'v': 3})\nDispatcher(engine, sources=False).drain(60)"
    )
    killed_in_b(repo, code)
    engine = open_engine(repo)
    drain(engine)
    assert (repo / "trace").read_text() == "abbc"
    assert noted(engine) == ["noted 3", "a 0 v 3"]
    assert engine.storage.query("outbox", limit=0).total == 0


class Sequencers(Victims):
    """One process that forks those who run it."""

    script = "sequencer.py"


@pytest.fixture
def sequencers() -> Iterator[Sequencers]:
    with Sequencers() as found:
        yield found


def test_killed_before_any_change_of_the_disk_nothing_is_lost_or_done_twice(
    repo: Path, session: str, sequencers: Sequencers, tmp_path: Path
) -> None:
    """What stays in the store happens once; a program runs again only if it was killed before its end was written."""
    steps = [
        {"id": "n", **note("one")},
        {"id": "a", "command": append("a")},
        {"id": "m", **note("two")},
        {"id": "o", **note("three")},
    ]
    declare(repo, "ship", steps=steps)
    deaths = 0
    for call in range(1, 400, 3):
        folder = tmp_path / "again"
        shutil.copytree(repo, folder, symlinks=True)
        trust.trust(folder / ".llmgenie")
        order = {"session": session, "key": "k"}
        first = sequencers.born("ship", folder, call=call, **order)
        died = sequencers.reap(first) == -signal.SIGKILL
        second = sequencers.born("ship", folder, **order)
        assert sequencers.reap(second) == 0, call
        assert ["came", "ok"] in sequencers.said(second), call
        with Engine.open(folder, read_only=True) as engine:
            assert Counter(noted(engine)) == {"one": 1, "two": 1, "three": 1}, call
            assert replayed(engine) == documents(engine)
            runs = documents(engine)["runs"].values()
        assert [run["status"] for run in runs if run["action"] == "ship"] == ["passed"], call
        assert (repo / "trace").read_text() in ("a", "aa"), call  # the session's worktree is the first folder
        (repo / "trace").unlink()
        shutil.rmtree(folder)
        deaths += died
        if not died:
            break
    assert deaths > 8

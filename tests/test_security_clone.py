"""A repository that was just cloned: nothing of it runs, nothing is sent, nothing is loosened before a person accepted it."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from clone_scene import clone, hostile
from hostile import Hostile
from outbox_scene import delivering, drain, told, waiting
from scene import PYTHON, commit, git, make_repository, started

from llmgenie_mcp import Engine, plugins, trust
from llmgenie_mcp.engine.guard import Guard
from llmgenie_mcp.errors import LlmgenieError, StorageError
from llmgenie_mcp.faces import hook
from llmgenie_mcp.faces.cli import cli
from llmgenie_mcp.operations import OPERATIONS, Operation
from llmgenie_mcp.outcome import Actor

AGENT = Actor("agent", "claude-code")
STRICT = {"allow": 0, "ask": 1, "deny": 2}


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    """Where the clone sends everything."""
    with Hostile() as server:
        monkeypatch.setenv("EVIL_TOKEN", "t" * 40)
        monkeypatch.setenv("EVIL_APPRISE", server.url("/").replace("http:", "json:"))
        yield server


@pytest.fixture
def cloned(tmp_path: Path, listener: Hostile) -> Path:
    """A clone of a repository of somebody who means harm."""
    return clone(hostile(tmp_path / "theirs", listener.url("/")), tmp_path / "mine")


ASKED: dict[str, dict[str, Any]] = {
    "run_command": {"name": "any"},
    "call_http": {"name": "out"},
    "start_ci": {"name": "build"},
    "ask_model": {"name": "oracle", "prompt": "Say hello."},
    "notify": {"to": "team", "message": "Hello."},
    "sync_tracker": {"name": "hub"},
    "merge": {"branch": "main"},
    "start_review": {"branch": "topic"},
    "start_release": {"version": "1.0.0"},
}
"""What actions are asked for; the others are asked for nothing."""


def use(folder: Path) -> None:
    """Do in a project whatever an agent, its hosts and a person's commands do, short of accepting it."""
    with Engine.open(folder) as engine, delivering(engine, sources=True):
        session = started(engine, mode="code")
        git(folder, "switch", "-q", "-c", "topic")
        assert ASKED.keys() < engine.definitions.actions.keys()
        for name in sorted(engine.definitions.actions, key=lambda name: not name.startswith("start_")):
            with suppress(LlmgenieError):
                engine.run_action(name, ASKED.get(name, {}), session=session)
        for key in ("upstream", "upstream/evil", "upstream/far", "runs", "approvals"):
            with suppress(LlmgenieError):
                engine.context_data(key)
        engine.available_actions(query="run", include_blocked=True)
        for event in ("ci.finished", "deploy.done", "schedule.x", "anything"):
            with suppress(LlmgenieError):
                engine.trigger_event(event, {"status": "passed", "commit": "0" * 40})
        commit(folder, "src/file.py", "x = 1\n")
        guard = engine.guard()
        ruling = guard.judge([Operation("git.push", {"branch": "main"})], actor=AGENT)
        guard.record(ruling, "deny", host="claude-code", event="PreToolUse")
    for words in (
        ["state"], ["actions"], ["doctor"], ["policy", "list"], ["trust", "--show"], ["outbox"], ["outbox", "deliver"],
        ["sync"], ["upstream", "refresh"], ["workflow", "check"], ["log", "verify"],
    ):  # fmt: skip
        result = CliRunner().invoke(cli, ["--project", str(folder), *words])
        assert result.exception is None or isinstance(result.exception, SystemExit), (words, result.exception)
    with Engine.open(folder) as engine:
        drain(engine)


def test_nothing_of_it_runs_and_nothing_is_sent_until_a_person_accepted_it(cloned: Path, listener: Hostile) -> None:
    use(cloned)
    assert not (cloned / "RAN").exists()
    assert listener.asked == []
    with Engine.open(cloned) as engine:
        assert len(waiting(engine, status="pending")) == 5, "what came with it waits, and nothing came to it"
        assert told(engine, "trigger.") == []
    trust.trust(cloned / ".llmgenie")
    with Engine.open(cloned) as engine, delivering(engine):
        engine.run_action("run_tests", session=started(engine, mode="code"))
        assert (cloned / "RAN").exists(), "this test could not fail otherwise"
        assert listener.wait(1), "nor otherwise"


def judged(folder: Path) -> dict[tuple[str, str, str], str]:
    """What every operation of an agent is answered, and what of the actions that bind is."""
    found: dict[tuple[str, str, str], str] = {}
    with Engine.open(folder) as engine:
        guard = engine.guard()
        for name, resource in itertools.product(sorted(OPERATIONS), RESOURCES):
            told_of = {key: value for key, value in resource.items() if key in OPERATIONS[name]}
            found["operation", name, str(resource)] = effect(guard, name, told_of)
        for name, params in ACTIONS:
            decision = engine.enforce(None, name, params)
            found["action", name, str(params)] = decision.effect
    return found


def effect(guard: Guard, name: str, params: dict[str, Any]) -> str:
    return guard.judge([Operation(name, params)], actor=AGENT).effect


RESOURCES: tuple[dict[str, Any], ...] = (
    {
        "branch": "main",
        "remote": "origin",
        "command": "x",
        "touches": ["git"],
        "why": "x",
        "what": "x",
        "tag": "v1.0.0",
    },
    {"branch": "main", "source": "main", "path": "README.md", "tag": "v1.0.0"},
    {"path": ".env", "force": True, "branch": "release/1"},
    {"path": ".llmgenie/llmgenie.yaml", "no_verify": True},
    {"path": "/etc/passwd", "hard": True},
    {"path": ".llmgenie/meta-log/000001.jsonl"},
)
ACTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("merge", {"branch": "main"}),
    ("finish_session", {"session": "SES-1", "summary": ""}),
    ("complete_task", {"id": "TSK-1", "summary": ""}),
    ("claim_task", {"id": "TSK-1"}),
    ("record_note", {"key": "a", "value": "ghp_" + "a1B2c3D4e5" * 4}),
)


def test_nothing_is_looser_in_it_than_in_a_project_that_says_nothing(cloned: Path, tmp_path: Path) -> None:
    plain = make_repository(tmp_path / "plain")
    commit(plain, "canary.py")
    git(plain, "tag", "v1.0.0")
    with Engine.open(plain) as engine:
        started(engine, mode="code", role="lead")
        engine.run_action("create_task", {"title": "Run the tests"})
    mine, theirs = judged(plain), judged(cloned)
    looser = {asked: (mine[asked], theirs[asked]) for asked in mine if STRICT[theirs[asked]] < STRICT[mine[asked]]}
    assert looser == {}
    assert {"deny", "ask", "allow"} == set(mine.values()), "the questions tell nothing otherwise"
    trust.trust(cloned / ".llmgenie")
    accepted = judged(cloned)
    assert any(STRICT[accepted[asked]] < STRICT[mine[asked]] for asked in mine), "nor otherwise"


@pytest.mark.parametrize("flow", ["review", "release"])
def test_a_workflow_of_its_own_asks_for_all_that_the_packaged_one_asks_for(
    cloned: Path, tmp_path: Path, flow: str
) -> None:
    with Engine.open(make_repository(tmp_path / "plain")) as engine:
        packaged = engine.definitions.workflows[flow]
    with Engine.open(cloned) as engine:
        own = engine.definitions.workflows[flow]
        assert set(own.states) < set(packaged.states), "it is the clone's own"
    asked = {
        trigger: (move.approval, {guard.expression for guard in move.guards}) for _, trigger, move in packaged.edges()
    }
    for state, trigger, move in own.edges():
        approval, guards = asked[trigger]
        assert (move.approval, guards - {guard.expression for guard in move.guards}) == (approval, set()), (
            state,
            trigger,
        )
    assert {trigger for _, trigger, _ in own.edges()} >= own.asking == packaged.asking


def test_a_link_to_a_store_that_was_accepted_brings_no_trust_along(cloned: Path, tmp_path: Path) -> None:
    trust.trust(cloned / ".llmgenie")
    other = make_repository(tmp_path / "linked")
    (other / ".llmgenie").symlink_to(cloned / ".llmgenie")
    assert trust.is_trusted(cloned / ".llmgenie")
    assert not trust.is_trusted(other / ".llmgenie")
    with Engine.open(other) as engine:
        outcome = engine.run_action("run_tests", session=started(engine, mode="code"))
    assert [reason.code for reason in outcome.reasons] == ["not_trusted"]
    (tmp_path / "way").symlink_to(cloned)
    assert trust.is_trusted(tmp_path / "way" / ".llmgenie"), "another way to the same project is the same project"


@pytest.mark.parametrize(
    "name", ["meta-log", "meta-log/000001.jsonl", "run", "lock", "db.json", "db.json.tmp", "set-aside"]
)
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_its_store_makes_us_write_nowhere_else(repo: Path, tmp_path: Path, name: str, there: bool) -> None:
    with Engine.open(repo) as engine:
        engine.run_action("log_entry", {"text": "$(touch owned)"})
    place, elsewhere = repo / ".llmgenie" / name, tmp_path / "home" / ".bash_aliases"
    elsewhere.parent.mkdir()
    if there and place.exists():
        place.rename(elsewhere)
    elif place.is_dir():
        place.rename(tmp_path / "away")
    place.unlink(missing_ok=True)
    place.symlink_to(elsewhere)
    before = snapshot(tmp_path / "home")
    with pytest.raises(StorageError, match="is a link"), Engine.open(repo) as engine:
        engine.run_action("log_entry", {"text": "$(touch owned)"})
    if name in ("run", "meta-log/000001.jsonl"):  # a process each
        refuses_a_push(repo)
    assert snapshot(tmp_path / "home") == before


def refuses_a_push(repo: Path) -> None:
    asked = {"session_id": "s", "tool_name": "Bash", "tool_input": {"command": "git push origin main"}}
    done = subprocess.run(
        [PYTHON, "-I", "-S", str(hook.__file__), "--project", str(repo), "claude-code", "PreToolUse"],
        input=json.dumps({**asked, "cwd": str(repo)}),
        capture_output=True,
        text=True,
    )
    assert "deny" in done.stdout or done.returncode == 2, done


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def test_plug_ins_that_it_switches_off_stay_in_force(cloned: Path) -> None:
    with Engine.open(cloned) as engine:
        assert engine.definitions.plugged.off == frozenset()
        assert set(engine.definitions.actions) >= set(plugins.actions())

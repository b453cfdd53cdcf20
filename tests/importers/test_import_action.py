from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from import_scene import FILES, tasks, write
from scene import define, lines

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import ActionError, UsageError

Open = Callable[..., Engine]
BEADS = (FILES / "beads/.beads/issues.jsonl").read_text(encoding="utf-8")


@pytest.fixture
def engine(tmp_path: Path, open_engine: Open) -> Engine:
    write(tmp_path / ".beads" / "issues.jsonl", BEADS)
    return open_engine(tmp_path)


def bring(engine: Engine, **params: Any) -> Any:
    return engine.run_action("import_tasks", {"path": ".", **params})


def test_agent_imports_by_an_action_that_is_logged_and_told_again_by_its_key(engine: Engine) -> None:
    outcome = engine.run_action("import_tasks", {"path": ".beads"}, idempotency_key="one")
    assert outcome.ok
    assert outcome.result | {"format": "beads", "created": 4, "problems": 1} == outcome.result
    assert outcome.result["told"][0].startswith("issues.jsonl:5:27: ")
    line = lines(engine)[-1]
    assert (line["type"], line["action"], line["actor"]["kind"]) == ("action.completed", "import_tasks", "agent")
    assert len(tasks(engine)) == 4
    assert engine.run_action("import_tasks", {"path": ".beads"}, idempotency_key="one").seq == outcome.seq
    assert bring(engine).result["unchanged"] == 4


def test_dry_run_of_the_action_tells_the_same_and_brings_nothing(engine: Engine) -> None:
    would = bring(engine, dry_run=True).result
    assert (would["dry_run"], would["created"], tasks(engine)) == (True, 4, {})
    done = bring(engine).result
    assert {**done, "dry_run": True} == would
    assert "dry run" in str(lines(engine)[-2])


def test_strict_action_brings_nothing_and_says_what_to_mend(engine: Engine) -> None:
    with pytest.raises(ActionError) as refused:
        bring(engine, strict=True)
    assert "issues.jsonl:5:27" in refused.value.hint
    assert tasks(engine) == {}


@pytest.mark.parametrize("path", ["..", "/etc/hosts", "../x/tasks.json", "out/tasks.json", "loop/tasks.json"])
def test_agent_names_no_path_outside_of_the_project(engine: Engine, tmp_path: Path, path: str) -> None:
    (tmp_path / "out").symlink_to(FILES / "taskmaster")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError) as refused:
        bring(engine, path=path)
    assert "outside of the project" in refused.value.message or "cannot be read" in refused.value.message
    assert tasks(engine) == {}


def test_mode_and_policies_bind_the_action_and_tell_nothing_of_the_file(engine: Engine, tmp_path: Path) -> None:
    assert "import_tasks" in [one["name"] for one in engine.available_actions()["actions"]]
    write(tmp_path / "secrets.json", "{broken")
    outcome = bring(engine, path="secrets.json")
    assert (outcome.status, outcome.reasons[0].rule) == ("denied", "security/no-secret-files")
    engine.run_action("switch_mode", {"mode": "test"})
    outcome = bring(engine)
    assert (outcome.status, outcome.reasons[0].rule) == ("denied", "modes.test")
    assert outcome.reasons[0].fix == {"action": "start_session", "params": {"mode": "discuss"}}


def test_policy_against_the_action_holds(tmp_path: Path, engine: Engine) -> None:
    define(
        tmp_path,
        "policies",
        "no_imports",
        "name: no_imports\nversion: 1\nlevel: always_on\napplies_to: {actions: [import_tasks], modes: ['*']}\n"
        "rules:\n  - {id: never, effect: deny, reason: Only people import.}\n",
    )
    assert bring(engine).reasons[0].rule == "no_imports/never"
    assert lines(engine)[-1]["type"] == "action.denied"


def test_caller_hears_how_far_a_long_reading_is(engine: Engine, tmp_path: Path) -> None:
    issues = [{"number": n, "title": f"I{n}", "state": "OPEN"} for n in range(1, 601)]
    heard: list[str] = []
    path = write(tmp_path / "issues.json", issues)
    engine.run_action(
        "import_tasks", {"path": path.name}, progress=lambda _done, _total, message: heard.append(message)
    )
    assert heard == ["read 250", "read 500", "checked 250 of 600", "checked 500 of 600"]

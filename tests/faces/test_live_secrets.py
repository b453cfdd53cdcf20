"""Secrets of the live part, asked for by an agent: programs that it may have written do not get them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from scene import configure

from llmgenie_mcp import Engine
from llmgenie_mcp.actions._configured import secret_variables
from llmgenie_mcp.config import Settings
from llmgenie_mcp.outcome import Actor

SETTINGS = {
    "receivers": {"hub": {"kind": "github", "secret": {"env": "HUB_SECRET"}}},
    "webhooks": {"board": {"url": "https://example.org/", "events": ["a"], "secret": {"env": "BOARD_SECRET"}}},
    "notifications": {"team": {"to": [{"env": "TEAM_URL"}, {"file": "~/team"}]}},
    "ci": {"build": {"kind": "gitlab", "project": "1", "token": {"env": "CI_TOKEN"}}},
    "calls": {"deploy": {"url": "https://example.org/", "secret_headers": {"A": {"env": "DEPLOY_KEY"}}}},
    "upstreams": {"files": {"command": ["x"], "env": {"PLAIN": "text", "KEY": {"env": "UPSTREAM_KEY"}}}},
}
HIDDEN = {"HUB_SECRET", "BOARD_SECRET", "TEAM_URL", "CI_TOKEN", "DEPLOY_KEY", "UPSTREAM_KEY"}


def test_every_variable_that_settings_call_a_secret_is_found() -> None:
    assert secret_variables(Settings.model_validate(SETTINGS)) == HIDDEN
    assert secret_variables(Settings()) == frozenset()


@pytest.mark.parametrize("action", ["run_tests", "run_command"])
def test_what_an_agent_runs_does_not_get_what_events_are_signed_with(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    for name in (*HIDDEN, "ORDINARY"):
        monkeypatch.setenv(name, f"value of {name}")
    argv = [sys.executable, "-c", "import json, os; print(json.dumps(sorted(os.environ)))"]
    configure(repo, commands={"test": {"argv": argv, "env": {"ADDED": "1"}}}, **SETTINGS)
    params = {"name": "test"} if action == "run_command" else {}
    outcome = engine.run_action(action, params, actor=Actor("human", "ada"))
    assert outcome.result is not None
    found = set(json.loads(outcome.result["output"]))
    assert {"ORDINARY", "ADDED", "PATH"} <= found
    assert not HIDDEN & found


def test_what_a_person_approved_to_be_published_gets_them(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmgenie_mcp.actions.command import run_named

    monkeypatch.setenv("CI_TOKEN", "token")
    argv = [sys.executable, "-c", "import os; print('CI_TOKEN' in os.environ)"]
    configure(repo, commands={"publish": {"argv": argv}}, **SETTINGS)
    assert run_named(_context(engine), "publish", {})["output"].strip() == "True"


def _context(engine: Engine) -> object:
    from llmgenie_mcp.engine.situation import ActionContext

    return ActionContext(engine.situation(actor=Actor("human", "ada")), None)  # type: ignore[arg-type]

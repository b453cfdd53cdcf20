"""What a person is shown of models: where prompts would go before it is accepted, and a key that is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hostile import Hostile
from model_scene import PATHS, model, saying
from scene import configure

from llmgenie_mcp.config import Settings
from llmgenie_mcp.faces.cli_doctor_live import examine_live
from llmgenie_mcp.project import resolve

BIG = {
    "kind": "openai",
    "url": "https://models.example/v1",
    "model": "gpt-x",
    "key": {"env": "BIG_KEY"},
    "allow_private": True,
}


def shown(repo: Path, *arguments: str) -> Any:
    """What the real command prints as JSON."""
    command = [sys.executable, "-m", "llmgenie_mcp", "--project", str(repo), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    return json.loads(done.stdout)


def test_who_accepts_the_settings_sees_where_prompts_and_the_key_would_go(repo: Path) -> None:
    configure(repo, trusted=False, models={"big": BIG})
    (line,) = shown(repo, "trust", "--show")["data"]["live"]
    for part in ("model big", "https://models.example/v1", "$BIG_KEY", "private addresses", "diffs", "gpt-x"):
        assert part in line


def test_a_key_that_is_missing_is_a_warning(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(repo, models={"big": BIG})
    project = resolve(repo)
    assert ["model big" in check.message for check in examine_live(project) if check.status == "warn"] == [True]
    monkeypatch.setenv("BIG_KEY", "there")
    assert [check for check in examine_live(project) if check.status == "warn"] == []


def test_what_an_agent_runs_does_not_get_the_key() -> None:
    from llmgenie_mcp.actions._configured import secret_variables

    assert "BIG_KEY" in secret_variables(Settings.model_validate({"models": {"big": BIG}}))


def test_a_model_is_asked_from_the_command_line(repo: Path) -> None:
    with Hostile() as server:
        server.on(PATHS["ollama"], saying("ollama", "Hello."))
        configure(repo, models={"local": model(server, "ollama")})
        assert shown(repo, "session", "start", "--mode", "code")["ok"]
        told = shown(repo, "run", "ask_model", "-p", "name=local", "-p", "prompt=Say hello.")
        assert told["data"]["result"]["answer"] == "Hello."

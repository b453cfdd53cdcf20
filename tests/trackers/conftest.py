"""A GitHub on loopback, and a project that is linked to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tracker_scene import TOKEN, GitHub, tracked

from llmgenie_mcp import Engine


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """GitHub Issues of acme/shop, with the token in the environment."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with GitHub() as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path, github: GitHub) -> Iterator[Engine]:
    """An engine of a project that is linked to acme/shop."""
    folder = tmp_path / "shop"
    (folder / ".git").mkdir(parents=True)
    tracked(folder, github)
    with Engine.open(folder) as engine:
        yield engine

"""A world for every test: a state folder and a home of its own, a real git repository, engines over the real store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scene import copy_repository, make_repository

from llmgenie_mcp import Engine

IDENTITY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or changes the user's own state, home or git settings."""
    place = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("LLMGENIE_STATE_DIR", str(place / "state"))
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("LLMGENIE_PROJECT", raising=False)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith("GIT_") and name not in IDENTITY]:
        monkeypatch.delenv(name)
    return place


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that `repo` is a copy of."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in IDENTITY.items():
            patch.setenv(name, value)
        return make_repository(tmp_path_factory.mktemp("template") / "demo")


@pytest.fixture
def repo(template: Path, tmp_path: Path) -> Path:
    """A git repository on branch main with one commit."""
    return copy_repository(template, tmp_path / "demo")


@pytest.fixture
def open_engine() -> Iterator[Callable[..., Engine]]:
    """Opens engines and closes them at the end."""
    opened: list[Engine] = []

    def make(folder: Path, **options: Any) -> Engine:
        opened.append(Engine.open(folder, **options))
        return opened[-1]

    yield make
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(repo: Path, open_engine: Callable[..., Engine]) -> Engine:
    """An engine over the real store of `repo`."""
    return open_engine(repo)

"""A world for every test: a state folder and a home of its own, a real git repository, engines over the real store."""

from __future__ import annotations

import compileall
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hostile import Hostile
from hypothesis.internal.conjecture import providers
from scene import copy_repository, make_repository, started

import llmgenie_mcp
from llmgenie_mcp import Engine

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
"""The same examples in every run, so that a red one is about the change; locally they are drawn anew each time."""

# A run in the background was started with Ctrl-C ignored, and so would be all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

IDENTITY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once, before workers start: a hook refuses after four seconds, and the first would compile it all."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(llmgenie_mcp.__file__).parent, quiet=2)
    if config.getoption("--hypothesis-profile", None) == "ci":
        # Hypothesis also draws constants of the modules that are loaded by then, and so others in another order of tests.
        vars(providers)["_get_local_constants"] = lambda: providers._local_constants


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for each test; `mktemp` would look through those of all tests before."""
    place = tmp_path_factory.mktemp("homes")
    return (place / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def isolated(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or changes the user's own state, home or git settings."""
    place = next(homes)
    place.mkdir(mode=0o700)
    monkeypatch.setenv("LLMGENIE_STATE_DIR", str(place / "state"))
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("LLMGENIE_PROJECT", raising=False)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith("GIT_") and name not in IDENTITY]:
        monkeypatch.delenv(name)
    return place


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the sockets of a test lie: a folder of its own, for the path of a socket must not be long."""
    folder = tmp_path_factory.mktemp("r")
    folder.chmod(0o700)
    monkeypatch.setenv("LLMGENIE_RUNTIME_DIR", str(folder))
    return folder


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


@pytest.fixture
def session(engine: Engine) -> str:
    """The id of an agent's session in mode code."""
    return started(engine, mode="code")


@pytest.fixture
def server() -> Iterator[Hostile]:
    """A server on loopback that answers as it is told."""
    with Hostile() as server:
        yield server

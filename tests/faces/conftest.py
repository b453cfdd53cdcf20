"""Projects to work on, a client in memory, one of the REST face, and the server as a process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp.client import Client
from mcp_wire import Wire, git, spawned
from scene import copy_repository

from llmgenie_mcp import Engine, trust
from llmgenie_mcp.faces.mcp_server import create_server

if TYPE_CHECKING:
    import httpx2


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def first_commit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository to copy: quicker than making one for every test."""
    folder = tmp_path_factory.mktemp("template")
    git(folder, "init", "-q", "--template=")
    (folder / "README.md").write_text("demo\n", encoding="utf-8")
    (folder / ".gitignore").write_text(".llmgenie/\n", encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def project(tmp_path: Path, first_commit: Path) -> Path:
    """A git repository with one commit on main."""
    return Path(shutil.copytree(first_commit, tmp_path / "demo"))


Commands = Callable[..., None]


@pytest.fixture
def commands(project: Path) -> Commands:
    """Give the project commands, trusted: `commands(test=["true"])`."""

    def write(**argv: list[str]) -> None:
        store = project / ".llmgenie"
        store.mkdir(exist_ok=True)
        settings = {"commands": {name: {"argv": words} for name, words in argv.items()}}
        (store / "llmgenie.yaml").write_text(json.dumps(settings), encoding="utf-8")
        trust.trust(store)

    return write


@pytest.fixture(params=["legacy", "auto"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both eras of the protocol: the handshake, and 2026-07-28."""
    return str(request.param)


@pytest.fixture
def client(project: Path, mode: str) -> Callable[..., Client]:
    """A client of a server about the project, in memory, in the era of `mode`."""

    def make(folder: Path | None = project, **more: Any) -> Client:
        return Client(create_server(None if folder is None else str(folder)), mode=mode, **more)

    return make


@pytest.fixture
def wire(project: Path) -> Iterator[Wire]:
    """A running server about the project, before any message."""
    with spawned(project) as process:
        yield process


@contextmanager
def rest_of(engine: Engine) -> Iterator[httpx2.Client]:
    """A client of the REST face of an engine."""
    from rest_place import serving

    from llmgenie_mcp.faces.rest import create_app

    with serving(create_app(engine=engine, dispatcher=False)) as client:
        yield client


@pytest.fixture
def rest(engine: Engine) -> Iterator[httpx2.Client]:
    """A client of the REST face of `engine`."""
    with rest_of(engine) as client:
        yield client


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of one REST face for all tests of a file that are in nobody's way."""
    repo = copy_repository(template, tmp_path_factory.mktemp("shared") / "demo")
    with Engine.open(repo) as engine, rest_of(engine) as client:
        yield client

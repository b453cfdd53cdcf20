"""Logging in to servers elsewhere, at a real authorization server, by a person at a real terminal with a browser."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from scene import configure
from upstream_scene import HERE, PATIENCE, accept, wait_until

from llmgenie_mcp import Engine
from llmgenie_mcp.upstream import pool
from llmgenie_mcp.upstream.keys import Keys, keys_of

sys.path.insert(0, str(HERE.parent / "faces"))
from cli_fixtures import environment, run, terminal

BROWSER = """#!/bin/sh
exec {python} {here}/browser_between_others.py "$1" {told} >/dev/null 2>&1
"""


@dataclass
class Keeper:
    """The server, and what it is told to do."""

    port: int
    spec: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def set(self, **spec: Any) -> None:
        self.spec.write_text(json.dumps(spec), encoding="utf-8")

    def grants(self) -> list[str]:
        """What was asked for at the token endpoint since this was asked last."""
        log = Path(f"{self.spec}.log")
        found = [json.loads(line)["grant"] for line in log.read_text(encoding="utf-8").splitlines()]
        log.write_text("", encoding="utf-8")
        return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keeper = Keeper(port, tmp_path_factory.mktemp("keeper") / "spec.json")
    keeper.set()
    Path(f"{keeper.spec}.log").touch()
    command = [sys.executable, str(HERE / "keeper_server.py"), str(port), str(keeper.spec)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def up() -> bool:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(up, "the server")
    yield keeper
    process.kill()
    process.communicate(timeout=PATIENCE)


@pytest.fixture
def keeper(running: Keeper, repo: Path) -> Keeper:
    running.set()
    running.grants()
    configure(repo, upstreams={"keeper": {"url": running.url, "allow_private": True}})
    return running


def log_in(repo: Path, tmp_path: Path, code: int = 0) -> str:
    """Log in at a terminal; returns what was shown."""
    browser = tmp_path / "browser"
    browser.write_text(
        BROWSER.format(python=sys.executable, here=HERE, told=tmp_path / "told-to-others"), encoding="utf-8"
    )
    browser.chmod(0o755)
    for name in ("www-browser", "lynx", "w3m"):  # what is tried next where a browser says that it failed
        other = tmp_path / "bin" / name
        other.parent.mkdir(exist_ok=True)
        other.write_text(f"#!/bin/sh\ntouch {tmp_path}/took-the-terminal\n", encoding="utf-8")
        other.chmod(0o755)
    given = environment()
    path = os.pathsep.join((str(tmp_path / "bin"), given["PATH"]))
    env = {**given, "BROWSER": str(browser), "PATH": path, "TERM": "xterm"}
    with terminal("upstream", "login", "keeper", "--project", str(repo), env=env) as screen:
        assert screen.ended() == code, screen.shown
        return str(screen.shown)


def keys(repo: Path, keeper: Keeper) -> Keys:
    return keys_of(repo / ".llmgenie", "keeper", keeper.url)


def test_a_person_logs_in_once_and_the_login_is_renewed(keeper: Keeper, repo: Path, tmp_path: Path) -> None:
    with Engine.open(repo) as engine:
        refused = engine.run_action("keeper.list_tools")
        assert refused.error is not None
        assert "It wants to know who calls: 401." in refused.error["message"]
        assert f"llmgenie upstream login keeper --project {repo}" in refused.error["hint"]
    keeper.set(lasts=31)  # of which 30 are the margin: at the next call but for a second it is over
    shown = log_in(repo, tmp_path)
    assert "logged in to keeper" in shown
    # Others that connected before the person's browser were answered, and ended nothing.
    assert (tmp_path / "told-to-others").read_text(encoding="utf-8") == "404 400 400 400 400"
    assert "3 of its tools wait for you: llmgenie upstream accept keeper" in " ".join(shown.split())
    held = keys(repo, keeper)
    assert stat.S_IMODE(held.path.stat().st_mode) == 0o600
    assert not held.path.is_relative_to(repo)
    assert keeper.grants()[0] == "authorization_code"
    first = held.load()["tokens"]
    held.save(expires_at=1.0)
    keeper.set()
    with Engine.open(repo) as engine:
        accept(engine, "keeper")
        assert keeper.grants() == ["refresh_token"]
        second = held.load()["tokens"]
        assert second["refresh_token"] != first["refresh_token"]
        assert engine.run_action("keeper.fetch", {"book": "Ulysses"}).result["text"] == "here is Ulysses"
        assert keeper.grants() == []
        # One slow answer holds up no other.
        there, answers = tmp_path / "there", []
        slow = threading.Thread(
            target=lambda: answers.append(engine.run_action("keeper.wait_for", {"path": str(there)}).result["text"])
        )
        slow.start()
        wait_until(Path(f"{there}.waiting").exists, "the slow call")
        assert engine.run_action("keeper.fetch", {"book": "Emma"}).ok
        there.touch()
        slow.join(PATIENCE)
        assert answers == ["it is there"]
        # What it knows of us is not told on.
        told = json.dumps(engine.run_action("keeper.leak").to_dict())
        assert second["access_token"] not in told
        assert second["refresh_token"] not in told
        store = b"".join(path.read_bytes() for path in (repo / ".llmgenie").rglob("*") if path.is_file())
        assert second["access_token"].encode() not in store
        # A token that the server takes no more, though its time is not over, is renewed as well.
        held.save(tokens={**second, "access_token": "nonsense"})
        assert engine.run_action("keeper.fetch", {"book": "Emma"}).ok
        assert keeper.grants() == ["refresh_token"]
        # When that is refused too, a person is asked for.
        keeper.set(revoked=True)
        pool.close_all()
        over = engine.run_action("keeper.fetch", {"book": "Emma"})
        assert over.error is not None
        assert "The login there is over." in over.error["message"]
        assert "llmgenie upstream login keeper" in over.error["hint"]
    # Another address of the same name gets no token.
    assert keys_of(repo / ".llmgenie", "keeper", "http://127.0.0.1:1/mcp").load() == {}


def test_who_is_not_let_in_is_told_why(keeper: Keeper, repo: Path, tmp_path: Path) -> None:
    keeper.set(refuse=True)
    shown = " ".join(log_in(repo, tmp_path, code=1).split())
    assert "access_denied You shall not read." in shown
    assert keys(repo, keeper).load() == {}
    assert not (tmp_path / "took-the-terminal").exists()


def test_a_client_with_a_secret_of_its_own_needs_nobody(
    keeper: Keeper, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = keeper.url.removesuffix("/mcp")
    login = {"client_id": "robot", "client_secret": {"env": "ROBOT"}, "issuer": issuer, "grant": "client_credentials"}
    configure(repo, upstreams={"keeper": {"url": keeper.url, "allow_private": True, "login": login}})
    shown = " ".join(run("trust", "--show", project=repo).stdout.split())
    assert f"logged in to as robot at {issuer}, given $ROBOT" in shown
    monkeypatch.setenv("ROBOT", "robots-own-secret")
    with Engine.open(repo) as engine:
        accept(engine, "keeper")
        assert engine.run_action("keeper.fetch", {"book": "Emma"}).ok
        assert keeper.grants() == ["client_credentials"]
        pool.close_all()
        monkeypatch.setenv("ROBOT", "another-secret")
        outcome = engine.run_action("keeper.fetch", {"book": "Emma"})
        assert outcome.error is not None
        assert "The login there failed" in outcome.error["message"]
        assert "another-secret" not in json.dumps(outcome.to_dict())
        monkeypatch.setenv("ROBOT", "robots-own-secret")
        # The secret is shown to no authorization server but the one it belongs to.
        elsewhere = {**login, "issuer": "https://auth.example.org"}
        configure(repo, upstreams={"keeper": {"url": keeper.url, "allow_private": True, "login": elsewhere}})
        keeper.grants()
        assert engine.run_action("keeper.list_tools").status == "failed"
        assert keeper.grants() == []


def test_an_agent_cannot_log_in(keeper: Keeper, repo: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llmgenie_mcp", "upstream", "login", "keeper", "--project", str(repo)],
        capture_output=True,
        text=True,
        env=environment(),
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, "needs a person" in done.stderr) == (1, True)

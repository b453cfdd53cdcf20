"""`llmgenie serve --http` as a process: what it says, what it refuses, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from rest_place import PATIENCE, Reader, act, as_role
from scene import configure

from llmgenie_mcp import Engine, errors
from llmgenie_mcp.faces import rest_serve
from llmgenie_mcp.storage import open_storage

SDK_LOOKS_EVERY = 0.5
"""Seconds: so often sse-starlette, below the SDK, looks whether uvicorn stops, to cut every stream at once."""
COMMAND = [sys.executable, "-m", "llmgenie_mcp", "serve", "--http", "--json"]


class Served:
    """A server as a process."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.client = httpx2.Client(base_url=url, timeout=PATIENCE, trust_env=False)

    def end(self, signum: int = signal.SIGTERM) -> int:
        """Tell it to stop; returns its exit code."""
        self.process.send_signal(signum)
        return self.process.wait(PATIENCE)


@contextmanager
def served(repo: Path, *options: str, port: str = "0") -> Iterator[Served]:
    """The server of a project, once it answers."""
    line = [*COMMAND, "--project", str(repo), "--port", port, *options]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert told, process.stderr.read() if process.stderr else ""
            here = Served(process, json.loads(told)["data"]["url"])
            with here.client:
                yield here
        finally:
            if process.poll() is None:
                process.kill()


def refused(repo: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and error of a server that does not start."""
    line = [*COMMAND, "--project", str(repo), *options]
    done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE)
    return done.returncode, json.loads(done.stdout)["error"]


def with_gate(repo: Path, grace: float) -> Path:
    """A project whose tests run for as long as somebody holds the gate open for writing."""
    gate = repo.parent / "gate"
    os.mkfifo(gate)
    configure(repo, commands={"test": {"argv": ["cat", str(gate)]}}, rest={"grace": grace})
    return gate


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Start `work`; returns what waits for its result."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()

    def result() -> Any:
        thread.join(PATIENCE)
        return results[0]

    return result


def last_line(repo: Path) -> dict[str, Any]:
    """The last line of the log, read without a server."""
    storage = open_storage(repo / ".llmgenie", read_only=True)
    try:
        found: dict[str, Any] = storage.log(limit=1, newest_first=True).items[0]
        return found
    finally:
        storage.close()


def test_it_serves_and_ends_with_its_streams_at_a_signal_and_leaves_the_project_free(repo: Path) -> None:
    with served(repo) as here:
        assert act(here.client, "create_task", title="Log in")["result"]["id"] == "TSK-1"
        with Reader(here.client) as reader:
            assert reader.block() is not None
            assert here.end(signal.SIGINT) == 0
            assert reader.block() is None
        assert here.process.stderr is not None
        assert here.process.stderr.read() == ""
    with Engine.open(repo) as engine:
        assert engine.run_action("create_task", {"title": "Log out"}).result["id"] == "TSK-2"


def test_what_is_being_answered_ends_within_the_grace_and_nothing_new_is_taken(repo: Path) -> None:
    gate = with_gate(repo, grace=60)
    with served(repo) as here:
        act(here.client, "switch_mode", mode="code")
        answer = in_thread(lambda: here.client.post("/action", json={"action": "run_tests"}))
        with gate.open("w", encoding="utf-8"):
            here.process.send_signal(signal.SIGTERM)
            port = int(here.url.rpartition(":")[2])
            with contextlib.suppress(ConnectionRefusedError):
                while True:
                    with contextlib.suppress(ConnectionResetError):  # it stops listening at this very moment
                        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
            assert here.process.poll() is None
        assert (answer().status_code, answer().json()["status"]) == (200, "ok")
        assert here.process.wait(PATIENCE) == 0
    assert last_line(repo)["type"] == "action.completed"


def test_what_takes_longer_than_the_grace_is_stopped_and_ends_so_in_the_log_and_for_the_caller(repo: Path) -> None:
    gate = with_gate(repo, grace=0.2)
    with served(repo) as here:
        act(here.client, "switch_mode", mode="code")
        answer = in_thread(lambda: here.client.post("/action", json={"action": "run_tests"}))
        with gate.open("w", encoding="utf-8"):
            assert here.end() == 0
        assert (answer().status_code, answer().json()["status"]) == (422, "failed")
        assert here.process.stderr is not None
        assert here.process.stderr.read() == ""
    line = last_line(repo)
    assert (line["type"], line["action"]) == ("action.failed", "run_tests")
    assert "cancelled" in json.dumps(line)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_grace(repo: Path, signum: int) -> None:
    gate = with_gate(repo, grace=600)
    with served(repo) as here:
        act(here.client, "switch_mode", mode="code")
        answer = in_thread(lambda: _or_cut_off(here.client))
        with gate.open("w", encoding="utf-8"), Reader(here.client) as reader:
            reader.block()
            here.process.send_signal(signum)
            assert reader.block() is None  # the first has arrived
            assert here.end(signum) == 0
        answer()
    line = last_line(repo)
    assert (line["type"], line["action"]) == ("action.failed", "run_tests")


def _or_cut_off(client: httpx2.Client) -> httpx2.Response | None:
    try:
        return client.post("/action", json={"action": "run_tests"})
    except httpx2.HTTPError:  # Ctrl-C twice does not wait for answers either
        return None


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_mcp_clients_do_not_hold_it_up_and_their_slow_actions_are_stopped(repo: Path, mode: str) -> None:
    gate = with_gate(repo, grace=0.2)
    with served(repo) as here:
        act(here.client, "switch_mode", mode="code")
        with anyio.fail_after(PATIENCE):
            with pytest.raises((BaseExceptionGroup, MCPError, httpx2.HTTPError, _Done)):
                await _use_until_it_ends(here, gate, mode)
            assert await anyio.to_thread.run_sync(here.process.wait, PATIENCE) == 0
        assert here.process.stderr is not None
        assert here.process.stderr.read() == ""
    line = last_line(repo)
    assert (line["type"], line["action"]) == ("action.failed", "run_tests")


@pytest.mark.anyio
async def test_an_mcp_call_that_is_being_answered_ends_within_the_grace_too(repo: Path, mode: str) -> None:
    gate = with_gate(repo, grace=60)
    with served(repo) as here:
        act(here.client, "switch_mode", mode="code")
        answers: list[Any] = []
        with anyio.fail_after(PATIENCE), contextlib.suppress(BaseExceptionGroup, MCPError, httpx2.HTTPError):
            async with Client(f"{here.url}/mcp", mode=mode) as client, anyio.create_task_group() as group:
                await client.list_tools()  # or the client would ask for them to check the answer, and find nobody

                async def ask() -> None:
                    answers.append(await client.call_tool("run_action", {"action": "run_tests"}))

                group.start_soon(ask)
                with await anyio.to_thread.run_sync(lambda: gate.open("w", encoding="utf-8")), Reader(here.client) as r:
                    r.block()
                    here.process.send_signal(signal.SIGTERM)
                    assert await anyio.to_thread.run_sync(r.block) is None  # the signal has arrived
                    await anyio.sleep(1.5 * SDK_LOOKS_EVERY)
        assert await anyio.to_thread.run_sync(here.process.wait, PATIENCE) == 0
    assert [answer.structured_content["status"] for answer in answers] == ["ok"]


class _Done(Exception):
    """The server's end was no trouble for the client."""


async def _use_until_it_ends(here: Served, gate: Path, mode: str) -> None:
    """Listens to changes and runs tests that do not end, while the server is told to stop."""
    async with Client(f"{here.url}/mcp", mode=mode) as client, anyio.create_task_group() as group:
        if mode == "legacy":
            await client.subscribe_resource("llmgenie://state")
        else:
            listening = client.listen(resource_subscriptions=["llmgenie://state"])
            await listening.__aenter__()
        group.start_soon(client.call_tool, "run_action", {"action": "run_tests"})
        held = await anyio.to_thread.run_sync(lambda: gate.open("w", encoding="utf-8"))
        with held:
            here.process.send_signal(signal.SIGTERM)
            await anyio.to_thread.run_sync(here.process.wait, PATIENCE)
    raise _Done


def test_a_port_that_is_taken_is_told(repo: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        code, error = refused(repo, "--port", str(other.getsockname()[1]))
    assert (code, error["code"]) == (2, "usage")
    assert str(other) not in error["message"]
    assert "--port 0" in error["hint"]


def test_others_are_served_only_once_there_is_a_token(repo: Path) -> None:
    code, error = refused(repo, "--host", "0.0.0.0", "--port", "0")
    assert code == 2
    assert "llmgenie token create" in error["hint"]
    agent = as_role("agent", repo)
    with served(repo, "--host", "0.0.0.0") as here:
        port = here.url.rpartition(":")[2]
        address = f"http://127.0.0.1:{port}/actions"
        assert here.client.get(address).status_code == 401
        assert here.client.get(address, headers=agent).status_code == 200
        assert here.end() == 0


def test_a_container_is_given_a_token_in_a_file(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, place = "0123456789abcdef" * 4, tmp_path / "token"
    monkeypatch.setenv("LLMGENIE_TOKEN_FILE", str(place))
    code, error = refused(repo, "--host", "0.0.0.0", "--port", "0")
    assert (code, "cannot be read" in error["message"]) == (2, True)
    place.write_text(f"{given}\n")
    with served(repo, "--host", "0.0.0.0") as here:
        address = f"http://127.0.0.1:{here.url.rpartition(':')[2]}/action"
        note = {"action": "log_entry", "params": {"text": "x"}}

        def status(token: str | None) -> int:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return int(here.client.post(address, json=note, headers=headers).status_code)

        assert [status(one) for one in (None, given[:-1], given + "0", given)] == [401, 401, 401, 200]
        line = last_line(repo)
        assert (line["actor"]["kind"], "token-file" in json.dumps(line)) == ("agent", True)
        made = as_role("reader", repo)["Authorization"].removeprefix("Bearer ")
        assert [status(made), status(given)] == [403, 200]
        other = given[::-1]
        place.write_text(other)  # heeded at the next request
        assert [status(given), status(other)] == [401, 200]
        place.unlink()
        assert [status(None), status(other), status(made)] == [401, 401, 401]
        assert here.end() == 0
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert given.encode() not in kept
    assert other.encode() not in kept


def test_what_is_not_installed_is_named_with_what_installs_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_serve, "NEEDED", ("fastapi", "no_such_module"))
    with pytest.raises(errors.UsageError) as raised:
        rest_serve.serve(repo, None, None, print)
    assert "no_such_module" in raised.value.message
    assert raised.value.hint == "pip install 'llmgenie-mcp[rest]'"


def test_a_project_that_is_none_is_told(tmp_path: Path) -> None:
    code, error = refused(tmp_path / "gone", "--port", "0")
    assert (code, error["code"]) == (2, "project")


def test_host_and_port_without_http_are_a_mistake(repo: Path) -> None:
    line = [sys.executable, "-m", "llmgenie_mcp", "serve", "--port", "1"]
    done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE)
    assert (done.returncode, "--http" in done.stderr) == (2, True)

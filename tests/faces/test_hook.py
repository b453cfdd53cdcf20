"""The hook as its hosts run it: a process of its own, with a payload on stdin, whether a server runs or not."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from scene import configure, git, lines, started

from llmgenie_mcp import Engine
from llmgenie_mcp.engine import tally
from llmgenie_mcp.faces import hook, hook_http
from llmgenie_mcp.faces.hook_answer import answer
from llmgenie_mcp.faces.hook_server import TRANSPORT, HookServer
from llmgenie_mcp.faces.mcp_project import serve_hooks
from llmgenie_mcp.project import store_of

HOOK = Path(hook.__file__)


pytestmark = pytest.mark.usefixtures("runtime")


def run(
    repo: Path, payload: Any, host: str = "claude-code", *more: str, folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the hook as an installed command does."""
    given = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return subprocess.run(
        [sys.executable, "-I", "-S", str(HOOK), "--project", str(repo), host, *more],
        input=given,
        capture_output=True,
        cwd=folder or repo,
        timeout=30,
    )


def bash(repo: Path, command: str, conversation: str = "abc") -> dict[str, Any]:
    """Claude Code's payload before a shell command."""
    return {
        "session_id": conversation,
        "transcript_path": "/dev/null",
        "cwd": str(repo),
        "permission_mode": "default",
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": command},
        "tool_use_id": "toolu_1",
    }


@contextmanager
def serving(engine: Engine) -> Iterator[HookServer]:
    """A server for the engine's project, in this process."""
    server = HookServer(engine.project.root, lambda request: answer(request, lambda: nullcontext(engine.guard())))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["no server", "server", "tcp"])
def place(request: pytest.FixtureRequest, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A project whose hooks are answered by a server, or by themselves."""
    if request.param == "no server":
        yield engine
        return
    if request.param == "tcp":
        monkeypatch.setenv(TRANSPORT, "tcp")
    with serving(engine) as server:
        assert server.serving.is_set()
        yield engine


def test_an_ordinary_command_passes_in_silence(place: Engine, repo: Path) -> None:
    done = run(repo, bash(repo, "ls -la && git status"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_push_to_a_protected_branch_is_refused_with_the_reason_and_the_next_step(place: Engine, repo: Path) -> None:
    done = run(repo, bash(repo, "cd . && git push origin HEAD:main"))
    assert done.returncode == 2
    assert b"branch_protection/no-direct-push: main is protected" in done.stderr
    assert b"Next: run_action start_review" in done.stderr
    line = lines(place)[-1]
    assert (line["type"], line["action"], line["host"]) == ("operation.denied", "git.push", "claude-code")


def test_what_is_refused_and_what_passes_is_counted_by_point_and_rule(place: Engine, repo: Path) -> None:
    run(repo, bash(repo, "git push origin main"))
    run(repo, bash(repo, "ls"))
    run(repo, b"garbage")
    found = tally.summary(place.project.store)["claude-code"]
    assert (found["deny"], found["allow"], found["fault"]) == (1, 1, 1)
    assert found["rules"] == {"branch_protection/no-direct-push": 1}
    assert set(found["events"]) == {"PreToolUse", "?"}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"garbage",
        b"[]",
        b"null",
        b'{"hook_event_name": "PreToolUse"}',
        b"{" * 100_000,
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=["nothing", "garbage", "list", "null", "no tool", "deep", "not text", "deep list"],
)
def test_what_cannot_be_read_is_refused_with_a_reason(place: Engine, repo: Path, payload: bytes) -> None:
    done = run(repo, payload)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"llmgenie cannot decide, and so refuses: ")


def test_an_unknown_host_is_refused_and_the_known_ones_are_named(place: Engine, repo: Path) -> None:
    done = run(repo, bash(repo, "ls"), "clippy")
    assert done.returncode == 2
    assert b"cursor" in done.stderr


@pytest.mark.parametrize("words", [[], ["cursor"], ["--project"], ["--project", "/nowhere/at/all", "cursor"]], ids=str)
def test_a_command_line_that_is_stale_or_broken_refuses(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-I", "-S", str(HOOK), *words], input=b"{}", capture_output=True, timeout=30)
    assert done.returncode == 2
    assert b"llmgenie" in done.stderr


def test_input_without_end_is_refused_after_all_of_it_was_read(repo: Path) -> None:
    done = run(repo, b" " * (hook.LONGEST + 2_000_000))
    assert done.returncode == 2
    assert b"bytes" in done.stderr


def test_a_server_that_hangs_or_talks_nonsense_does_not_stop_the_decision(engine: Engine, repo: Path) -> None:
    path = hook.socket_path(str(repo))
    for reply in (None, b"", b"nonsense", b"0\0", b"x\0y\0z"):
        with socket.socket(socket.AF_UNIX) as listener:
            Path(path).unlink(missing_ok=True)
            listener.bind(path)
            listener.listen()
            kept: list[socket.socket] = []
            thread = threading.Thread(target=_speak, args=(listener, reply, kept))
            thread.start()
            done = run(repo, bash(repo, "git push origin main"))
            thread.join()
            kept[0].close()
        assert done.returncode == 2
        assert b"no-direct-push" in done.stderr


def _speak(listener: socket.socket, reply: bytes | None, kept: list[socket.socket]) -> None:
    connection, _ = listener.accept()
    kept.append(connection)
    if reply is not None:
        while connection.recv(65536):
            pass
        connection.sendall(reply)
        connection.close()


def test_a_socket_in_a_folder_that_others_may_enter_is_not_believed(engine: Engine, repo: Path, runtime: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(hook.socket_path(str(repo)))
        listener.listen()
        runtime.chmod(0o755)
        done = run(repo, bash(repo, "git push origin main"))
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert b"no-direct-push" in done.stderr


def test_a_second_server_takes_over_when_the_first_ends(engine: Engine, repo: Path) -> None:
    with serving(engine) as first:
        assert first.serving.is_set()
        with serving(engine) as second:
            assert not second.serving.is_set()
            first.stop()
            assert second.serving.wait(10)
            assert run(repo, bash(repo, "git push origin main")).returncode == 2
    assert not Path(hook.socket_path(str(repo))).exists()


def test_the_socket_of_a_killed_server_is_no_obstacle(engine: Engine, repo: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(hook.socket_path(str(repo)))
    assert run(repo, bash(repo, "git push origin main")).returncode == 2
    with serving(engine) as server:
        assert server.serving.is_set()


def test_many_hooks_at_once_are_all_answered_and_all_refusals_logged(engine: Engine, repo: Path) -> None:
    with serving(engine):
        payload = json.dumps(bash(repo, "git push origin main")).encode()
        command = [sys.executable, "-I", "-S", str(HOOK), "--project", str(repo), "claude-code"]
        started_ = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=repo) for _ in range(24)
        ]
        answers = [process.communicate(payload)[1] for process in started_]
    assert {process.returncode for process in started_} == {2}
    assert all(b"no-direct-push" in text for text in answers)
    assert sum(line["type"] == "operation.denied" for line in lines(engine)) == 24


def test_the_hook_names_the_store_as_the_project_does(repo: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(repo, "worktree", "add", "-q", str(tree), "-b", "topic")
    folders = [repo, tree, tmp_path]
    for number, pointer in enumerate(["nowhere", "ring", "a\0b"]):
        folders.append(tmp_path / f"broken{number}")
        folders[-1].mkdir()
        (folders[-1] / "ring").symlink_to("ring")
        (folders[-1] / ".git").write_text(f"gitdir: {pointer}\n", encoding="utf-8")
    for folder in folders:
        assert Path(hook.store_of(str(folder))) == store_of(folder)
    assert hook.socket_path(str(tree)) == hook.socket_path(str(repo))


@pytest.mark.parametrize("serve", [False, True])
def test_the_hook_loads_no_more_than_it_needs(engine: Engine, repo: Path, serve: bool) -> None:
    command = [sys.executable, "-I", "-S", "-X", "importtime", str(HOOK), "--project", str(repo), "claude-code"]
    given = json.dumps(bash(repo, "git status")).encode()
    subprocess.run(command, input=given, capture_output=True, cwd=repo, check=True)  # keeps the compiled policies
    with serving(engine) if serve else nullcontext():
        done = subprocess.run(command, input=given, capture_output=True, cwd=repo, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}
    assert not loaded & {"pydantic", "mcp", "click", "ruamel.yaml", "jsonschema", "asyncio", "importlib.metadata"}
    if serve:
        assert not loaded & {"json", "socket", "pathlib", "typing", "re", "llmgenie_mcp", "subprocess"}


def test_a_store_that_cannot_be_locked_refuses_what_must_be_logged(
    engine: Engine, repo: Path, open_engine: Callable[..., Engine]
) -> None:
    git(repo, "switch", "-q", "-c", "topic")
    started(engine, mode="code", task=None)
    engine.run_action("create_task", {"title": "x"})
    with engine.storage.begin():
        done = run(repo, bash(repo, "git push origin main"))
        assert b"no-direct-push" in done.stderr
        logged = run(repo, bash(repo, "git commit -m 'TSK-1: x'"))
        assert (logged.returncode, b"leave no trace" in logged.stderr) == (2, True)
        assert run(repo, bash(repo, "ls")).returncode == 0
    assert run(repo, bash(repo, "git commit -m 'TSK-1: x'")).returncode == 0


def test_a_hook_that_is_out_of_time_refuses(engine: Engine, repo: Path) -> None:
    """Hosts let a tool run when its hook takes too long, so the hook keeps a time of its own, which is cut short here."""
    started(engine, mode="code", task=None)
    engine.run_action("create_task", {"title": "x"})
    git(repo, "switch", "-q", "-c", "topic")
    hurried = (
        "import sys, runpy; sys.argv = sys.argv[1:]; from llmgenie_mcp.faces import hook; hook.DEADLINE = 0.2; "
        "hook._decide_here = lambda _request: __import__('time').sleep(60); hook.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hurried, str(HOOK), "--project", str(repo), "claude-code"],
        input=json.dumps(bash(repo, "git commit -m 'TSK-1: x'")).encode(),
        capture_output=True,
        cwd=repo,
        timeout=50,
    )
    assert (done.returncode, b"no decision within 0.2 seconds" in done.stderr) == (2, True), done


def test_a_working_folder_that_vanished_does_not_let_anything_pass(engine: Engine, repo: Path) -> None:
    gone = repo / "gone"
    gone.mkdir()
    payload = json.dumps(bash(gone, "git push origin main"))
    script = f'rmdir {gone}; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-I", "-S", str(HOOK), "--project", str(repo), "claude-code"],
        input=payload.encode(),
        capture_output=True,
        cwd=gone,
        timeout=30,
    )
    assert (done.returncode, b"no-direct-push" in done.stderr) == (2, True)


def test_the_mcp_server_answers_the_hooks_of_its_project(repo: Path, runtime: Path) -> None:
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name("llmgenie-mcp")), "--project", str(repo)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    with server:
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        asked = [
            {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {
                "jsonrpc": "2.0",
                "id": 2,
                "method": "tools/call",
                "params": {"name": "get_workflow_state", "arguments": {}},
            },
        ]
        server.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in asked))
        server.stdin.flush()
        while json.loads(server.stdout.readline()).get("id") != 2:
            pass
        assert Path(hook.socket_path(str(repo))).exists()
        assert run(repo, bash(repo, "git push origin main")).returncode == 2
        server.stdin.close()
    assert not list(runtime.glob("*.sock"))


def posted(port: int, body: bytes, path: str = "/hook/claude-code", **headers: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", path, body, {"Authorization": f"Bearer {hook_http.token()}", **headers})
    answered = connection.getresponse()
    assert answered.status == 200, "a host takes nothing else for a refusal"
    return json.loads(answered.read())


@pytest.fixture
def port(engine: Engine) -> Iterator[int]:
    """Hooks served over HTTP."""
    served = hook_http.HttpHooks(
        0, engine.project.root, lambda request: answer(request, lambda: nullcontext(engine.guard()))
    )
    yield served.port
    served.stop()


def test_over_http_the_decision_is_the_same_and_allowing_says_nothing(port: int, repo: Path) -> None:
    denied = posted(port, json.dumps(bash(repo, "git push origin main")).encode())["hookSpecificOutput"]
    assert (denied["hookEventName"], denied["permissionDecision"]) == ("PreToolUse", "deny")
    assert "branch_protection/no-direct-push" in denied["permissionDecisionReason"]
    assert posted(port, json.dumps(bash(repo, "ls")).encode()) == {}


@pytest.mark.parametrize("fault", ["token", "no token", "host", "path", "garbage", "nothing", "a list"])
def test_over_http_what_is_not_understood_is_refused(port: int, repo: Path, fault: str) -> None:
    body = {"garbage": b"garbage", "nothing": b"", "a list": b"[1]"}.get(fault) or json.dumps(bash(repo, "ls")).encode()
    body = b"" if fault == "nothing" else body
    headers = {
        "token": {"Authorization": "Bearer x"},
        "no token": {"Authorization": ""},
        "host": {"Host": "evil.example"},
    }
    path = "/hook/cursor" if fault == "path" else "/hook/claude-code"
    said = posted(port, body, path, **headers.get(fault, {}))["hookSpecificOutput"]
    assert said["permissionDecision"] == "deny"


def test_the_port_of_the_settings_is_served_and_the_entry_for_the_host_names_it(engine: Engine, repo: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    configure(repo, hooks={"http_port": number})
    server = serve_hooks(engine)
    try:
        entry = hook_http.handler_settings(number, 10)["hooks"][0]
        assert entry["url"] == f"http://127.0.0.1:{number}/hook/claude-code"
        assert entry["onFailure"] == "block"
        assert posted(number, json.dumps(bash(repo, "ls")).encode(), **entry["headers"]) == {}
    finally:
        server.stop()
    with pytest.raises(ConnectionRefusedError):
        posted(number, b"{}")

"""No process outlives who needs it: not when llmgenie ends, not when it is killed, not when it is killed at a bad moment."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification
from scene import configure
from upstream_scene import PATIENCE, accept, alive, children, raw, wait_until

import llmgenie_mcp
from llmgenie_mcp import Engine
from llmgenie_mcp.upstream import leash, pool, stdio
from llmgenie_mcp.upstream.limits import Broken

USER = """
import sys
from llmgenie_mcp import Engine
with Engine.open(sys.argv[1]) as engine:
    print(engine.run_action("shop.pid").result["text"], flush=True)
    if len(sys.argv) > 2:
        engine.run_action(f"shop.{sys.argv[2]}")
        print("child", flush=True)
        sys.stdin.readline()
"""


def start(repo: Path, *words: str) -> subprocess.Popen[str]:
    """A process of its own that uses the upstream of `repo`."""
    source = str(Path(llmgenie_mcp.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(repo), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )


def prepare(repo: Path, tmp_path: Path, *how: str) -> None:
    """A project whose upstream `shop` is accepted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stdio, "GRACE", 0.2)
        configure(repo, upstreams={"shop": raw(tmp_path, "pid", "child", "hang", how=how)})
        with Engine.open(repo) as engine:
            accept(engine, "shop")
        pool.close_all()


def test_servers_end_with_the_process_that_used_them(repo: Path, tmp_path: Path) -> None:
    prepare(repo, tmp_path)
    with start(repo) as user:
        assert user.stdout is not None
        pid = int(user.stdout.readline())
        assert user.wait(PATIENCE) == 0
    wait_until(lambda: not alive(pid), "the end of the server")


@pytest.mark.crash
@pytest.mark.parametrize("how", [(), ("--stubborn",)])
def test_servers_and_what_they_started_end_when_we_are_killed(repo: Path, tmp_path: Path, how: tuple[str, ...]) -> None:
    prepare(repo, tmp_path, *how)
    with start(repo, "child") as user:
        assert user.stdout is not None
        pid = int(user.stdout.readline())
        assert user.stdout.readline() == "child\n"
        below = children(pid)
        assert below
        user.send_signal(signal.SIGKILL)
        user.wait(PATIENCE)
    for each in (pid, *below):
        wait_until(lambda each=each: not alive(each), f"the end of {each}")


@pytest.mark.crash
def test_a_run_that_was_killed_during_a_call_is_settled_at_the_next_start(repo: Path, tmp_path: Path) -> None:
    prepare(repo, tmp_path)
    with start(repo, "hang") as user:
        assert user.stdout is not None
        pid = int(user.stdout.readline())
        wait_until(lambda: '"hang"' in (tmp_path / "raw.log").read_text(encoding="utf-8"), "the call")
        user.send_signal(signal.SIGKILL)
        user.wait(PATIENCE)
    wait_until(lambda: not alive(pid), "the end of the server")
    with Engine.open(repo) as engine:
        run = engine.storage.get("runs", "RUN-3")
        assert run is not None
        assert (run["action"], run["status"]) == ("shop.hang", "interrupted")


@pytest.mark.parametrize(
    ("program", "code"),
    [(["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["sh", "-c", "kill -TERM $$"], 143)],
)
def test_the_leash_ends_as_its_program_does(program: list[str], code: int) -> None:
    line, held = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", leash.__file__, str(line), *program], pass_fds=(line,), start_new_session=True
        )
    finally:
        os.close(line)
        os.close(held)
    assert done.returncode == code


def test_what_a_program_left_behind_ends_with_whoever_asked_for_the_program() -> None:
    line, held = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-I", "-S", leash.__file__, str(line), "sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"],
        pass_fds=(line,),
        start_new_session=True,
        stdout=subprocess.PIPE,
    ) as leashed:
        os.close(line)
        assert leashed.stdout is not None
        left = int(leashed.stdout.readline())
        assert leashed.wait(PATIENCE) == 0
    assert alive(left)
    os.close(held)
    wait_until(lambda: not alive(left), "the end of what was left behind")


def test_the_program_on_the_leash_hears_signals_and_holds_nothing_of_ours() -> None:
    line, held = os.pipe()
    looks = "import os,signal,sys; print(sorted(os.listdir('/proc/self/fd')), int(signal.getsignal(signal.SIGTERM)), flush=True)"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", leash.__file__, str(line), sys.executable, "-I", "-S", "-c", looks],
            pass_fds=(line,),
            start_new_session=True,
            capture_output=True,
            text=True,
        )
    finally:
        os.close(line)
        os.close(held)
    assert done.stdout == f"['0', '1', '2', '3'] {signal.SIG_DFL:d}\n", done.stderr


LEAVER = """
import pathlib, subprocess, sys, time
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(left.pid))
time.sleep(600)
"""


def test_a_pipe_that_one_who_left_still_holds_is_let_go_of_though_nobody_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a process is not ours to end, and reads nothing: what waited to be written must not keep the pipe open."""
    monkeypatch.setattr(stdio, "GRACE", 0.1)
    noted = tmp_path / "left"

    async def use() -> None:
        argv = [sys.executable, "-c", LEAVER, str(noted)]
        async with stdio.stdio_transport(argv, tmp_path, os.environ, Broken(), stdio.Said()) as (_, write):
            flood = JSONRPCNotification(jsonrpc="2.0", method="x", params={"text": "x" * 1_000_000})
            await write.send(SessionMessage(flood))
            async with asyncio.timeout(PATIENCE):
                while not noted.exists() or not noted.read_text():
                    await asyncio.sleep(0.01)

    before = len([*Path("/proc/self/fd").iterdir()])
    asyncio.run(use())
    try:
        assert len([*Path("/proc/self/fd").iterdir()]) == before
    finally:
        os.kill(int(noted.read_text()), signal.SIGKILL)

"""The command line beside others: who follows the log, who stops reading, who interrupts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from cli_fixtures import PATIENCE, data, environment, settings

from llmgenie_mcp import Engine, trust


def test_follow_prints_at_once_what_another_process_commits_until_it_is_interrupted(repo: Path) -> None:
    data("task", "add", "First", project=repo)
    follower = subprocess.Popen(
        [sys.executable, "-m", "llmgenie_mcp", "log", "--follow", "--json", "--project", str(repo)],
        stdout=subprocess.PIPE,
        env=environment(PYTHONUNBUFFERED="1"),
        text=True,
        encoding="utf-8",
    )
    try:
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["result"]["id"] == "TSK-1"
        data("task", "add", "Second", project=repo)
        assert json.loads(follower.stdout.readline())["result"]["id"] == "TSK-2"
        waits: list[float] = []
        with Engine.open(repo) as engine:
            # Who looks twice a second is never as quick; on a busy machine one that is told at once need not be each time.
            while len(waits) < 30 and not (waits and waits[-1] < 0.3):
                assert engine.run_action("record_note", {"key": f"n{len(waits)}", "value": 1}).ok
                committed = time.monotonic()
                assert json.loads(follower.stdout.readline())["action"] == "record_note"
                waits.append(time.monotonic() - committed)
        assert min(waits) < 0.3, waits
        follower.send_signal(signal.SIGINT)
        assert follower.wait(PATIENCE) == 0
        assert follower.stdout.read() == ""
    finally:
        follower.kill()
        follower.wait(PATIENCE)
        if follower.stdout:
            follower.stdout.close()


def test_a_reader_that_goes_away_ends_the_command_quietly(repo: Path) -> None:
    for number in range(30):
        data("task", "add", f"Task {number} {'x' * 150}", project=repo)
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m llmgenie_mcp context meta-log --limit 500 --json | head -c 10"],
        cwd=repo,
        env=environment(),
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.stderr == b""


def test_who_follows_the_log_into_a_reader_that_goes_away_is_done(repo: Path) -> None:
    data("task", "add", "First", project=repo)
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m llmgenie_mcp log --follow | head -1"],
        cwd=repo,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_the_interrupt_of_a_slow_action_is_recorded(repo: Path) -> None:
    settings(repo, sys.executable, "-c", "print('begun', flush=True); import time; time.sleep(600)")
    trust.trust(repo / ".llmgenie")
    session = data("session", "start", "--mode", "code", project=repo)["result"]["session"]["id"]
    words = ["run", "run_tests", "--session", session, "--json", "--project", str(repo)]
    running = subprocess.Popen(
        [sys.executable, "-m", "llmgenie_mcp", *words],
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
        encoding="utf-8",
    )
    try:
        with Engine.open(repo, read_only=True) as engine:
            arrived: list[str] = []
            started = threading.Event()

            def seen(line: dict[str, object]) -> None:
                arrived.append(str(line["type"]))
                if line["type"] == "action.started":
                    started.set()

            engine.subscribe(seen)
            if not engine.storage.query("runs", {"status": "running"}).items:
                assert started.wait(PATIENCE), arrived
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=PATIENCE)
        assert running.returncode == 1
        assert json.loads(out)["outcome"]["status"] == "failed"
    finally:
        running.kill()
        running.wait(PATIENCE)
    assert data("context", "runs", project=repo)["items"][0]["status"] == "cancelled"

"""The kernel itself says no (strace(1) has it answer so): what was refused is not there, what was acknowledged is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llmgenie_mcp import Engine

ASK = """
import sys
from llmgenie_mcp import Engine
from llmgenie_mcp.errors import StorageError

with Engine.open(sys.argv[1]) as engine:
    for number in range(10):
        try:
            print("ok", engine.run_action("create_task", {"title": f"task {number}"}).result["task"]["title"], flush=True)
        except StorageError as error:
            print(error.code, flush=True)
"""


def traced(folder: Path, *injected: str) -> list[str]:
    """What ASK printed while the kernel answered as `injected` says, for the calls that are about the store's own files."""
    store = folder / ".llmgenie"
    files = [store / "meta-log/000001.jsonl", store / "lock", store / "db.json", store / "db.json.tmp"]
    paths = [part for file in files for part in ("-P", str(file))]
    rules = [part for rule in injected for part in ("-e", f"inject={rule}")]
    probe = ["strace", "-f", "-o", os.devnull, *rules]
    if shutil.which("strace") is None or subprocess.run([*probe, "true"], capture_output=True).returncode:
        pytest.skip("strace cannot inject errors here; the tests in which the calls fail by themselves do run")
    command = [*probe, *paths, sys.executable, "-c", ASK, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode in (0, -9, 137), done.stderr
    return done.stdout.splitlines()


def titles(folder: Path) -> list[str]:
    with Engine.open(folder) as engine:
        assert engine.storage.verify().problems == []
        return [task["title"] for task in engine.storage.query("tasks").items]


def test_what_the_kernel_refuses_is_an_error_and_nothing_else_is_touched(tmp_path: Path) -> None:
    said = traced(
        tmp_path,
        "write:error=ENOSPC:when=3",
        "fdatasync:error=EIO:when=6",
        "flock:error=ENOLCK:when=15",
        "rename,renameat,renameat2:error=EIO:when=1",
    )
    acknowledged = [line.removeprefix("ok ") for line in said if line.startswith("ok ")]
    assert len(said) == 10
    assert sorted(line for line in said if not line.startswith("ok ")) == ["storage", "storage", "storage_full"]
    assert titles(tmp_path) == acknowledged


@pytest.mark.parametrize("rule", ["fdatasync:signal=KILL:when=4", "write:signal=KILL:when=4"])
def test_what_was_acknowledged_before_a_kill_in_a_system_call_is_there(tmp_path: Path, rule: str) -> None:
    said = traced(tmp_path, rule)
    assert said == ["ok task 0", "ok task 1", "ok task 2"]
    assert titles(tmp_path) in ([f"task {n}" for n in range(3)], [f"task {n}" for n in range(4)])

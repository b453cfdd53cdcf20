"""On hosts that take a failing hook for consent, the installed command itself turns every failure into a refusal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llmgenie_mcp import agents
from llmgenie_mcp.agents import Site
from llmgenie_mcp.edits import AddItem

HOSTS = {"claude-code": "PreToolUse", "codex": "PreToolUse", "gemini": "BeforeTool", "windsurf": "pre_run_command"}
FAILURES = {
    "crashes": "raise SystemExit(1)",
    "is killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "is broken": "this is no Python",
    "ends oddly": "raise SystemExit(77)",
}


def command(name: str, folder: Path, program: str, python: str = sys.executable) -> str:
    """What the host runs before a tool, with `program` in the place of the hook."""
    place = folder / "it's a hook.py"
    place.write_text(program, encoding="utf-8")
    site = Site(folder, (python, "-I", "-S", str(place), "--project", str(folder)), ("llmgenie-mcp",))
    items = [
        edit.item for edit in agents.find(name).edits(site) if isinstance(edit, AddItem) and edit.keys[1] == HOSTS[name]
    ]
    (item,) = items
    return str(item["hooks"][0]["command"] if "hooks" in item else item["command"])


def run(line: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["sh", "-c", line], input=b"{}", capture_output=True, timeout=30)


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("how", FAILURES)
def test_a_hook_that_fails_refuses_and_says_so(tmp_path: Path, name: str, how: str) -> None:
    done = run(command(name, tmp_path, FAILURES[how]))
    assert done.returncode == 2
    assert b"llmgenie: the hook ended with" in done.stderr


@pytest.mark.parametrize("name", HOSTS)
def test_a_hook_that_is_gone_refuses_and_says_so(tmp_path: Path, name: str) -> None:
    done = run(command(name, tmp_path, "", "/nowhere/python3"))
    assert (done.returncode, b"llmgenie: the hook ended with 127" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", HOSTS)
def test_what_the_hook_answers_passes_through_as_it_is(tmp_path: Path, name: str) -> None:
    allowed = run(command(name, tmp_path, "import sys; print(sys.argv[-1], sys.stdin.read())"))
    assert (allowed.returncode, allowed.stdout, allowed.stderr) == (0, f"{name} {{}}\n".encode(), b"")
    denied = run(command(name, tmp_path, "import sys; print(1); sys.stderr.write('no'); sys.exit(2)"))
    assert (denied.returncode, denied.stdout, denied.stderr) == (2, b"1\n", b"no")

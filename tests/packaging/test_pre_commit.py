""".pre-commit-hooks.yaml: each entry runs as pre-commit runs it, in the top folder of a checkout."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from scene import git

ROOT = Path(__file__).resolve().parent.parent.parent
HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook for hook in YAML(typ="safe", pure=True).load(ROOT / ".pre-commit-hooks.yaml")
}


def run(name: str, repo: Path, *files: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a hook answers; pre-commit adds the files that the hook wants."""
    hook = HOOKS[name]
    program, *words = shlex.split(hook["entry"])
    assert (program, hook["language"], hook["always_run"]) == ("python", "python", True)
    given = files if hook.get("pass_filenames", True) else ()
    line = [sys.executable, *words, *given]
    environment = {**os.environ, **variables}
    return subprocess.run(line, cwd=repo, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_a_commit_to_a_protected_branch_is_stopped_and_one_to_a_branch_of_its_own_passes(repo: Path) -> None:
    (repo / "a.txt").write_text("a\n", encoding="utf-8")
    git(repo, "add", "-A")
    stopped = run("llmgenie-commit", repo)
    assert stopped.returncode == 1
    assert "branch_protection/no-direct-commit" in stopped.stderr
    git(repo, "switch", "-q", "-c", "feature/x")
    assert run("llmgenie-commit", repo).returncode == 0


def test_an_agents_message_has_to_name_its_task(repo: Path) -> None:
    git(repo, "switch", "-q", "-c", "feature/x")
    message = repo / ".git" / "COMMIT_EDITMSG"
    message.write_text("no task\n", encoding="utf-8")
    stopped = run("llmgenie-message", repo, ".git/COMMIT_EDITMSG", CLAUDECODE="1")
    assert stopped.returncode == 1
    assert "commits-name-their-task" in stopped.stderr
    assert {hook["stages"][0] for hook in HOOKS.values()} == {"pre-commit", "commit-msg"}

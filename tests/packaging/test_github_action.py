"""action.yml: its steps run here in bash, with the environment and the payloads that GitHub gives."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from scene import commit, git

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION: Mapping[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "action.yml")
STEPS = ACTION["runs"]["steps"]
NONE = "0" * 40
RULE = "session_management/commits-name-their-task"


@pytest.fixture
def checkout(repo: Path, tmp_path: Path) -> Path:
    """A clone, as actions/checkout leaves it: origin/main known, a commit checked out and no branch."""
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "a.py", "a\n", "TSK-1 add a")
    commit(repo, "b.py", "b\n", "no task")
    git(tmp_path, "clone", "-q", str(repo), "checkout")
    folder = tmp_path / "checkout"
    git(folder, "remote", "set-url", "origin", "https://github.com/octo/app")
    git(folder, "switch", "-q", "--detach", "feature/x")
    return folder


def pull_request(folder: Path, head: str = "feature/x", fork: str = "octo/app") -> dict[str, Any]:
    """The members of a payload that matter; `fork` is the repository of the head."""
    base = {"sha": git(folder, "rev-parse", "origin/main"), "ref": "main", "repo": {"full_name": "octo/app"}}
    repository = {"full_name": fork} if fork else None
    return {
        "pull_request": {"base": base, "head": {"sha": git(folder, "rev-parse", head), "ref": head, "repo": repository}}
    }


def judged(checkout: Path, name: str, event: Mapping[str, Any], **inputs: str) -> subprocess.CompletedProcess[str]:
    """What the last step of the action answers, its expressions filled in from the inputs."""
    temporary = checkout.parent / "runner"
    programs = temporary / "llmgenie" / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    python = programs / "python"
    if not python.exists():  # the environment that the step before makes: this one
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        python.chmod(0o755)
    (temporary / "event.json").write_text(json.dumps(event), encoding="utf-8")
    given = {key: str(value.get("default", "")) for key, value in ACTION["inputs"].items()} | inputs
    step = STEPS[-1]
    filled = {key: given[expression(value)] for key, value in step["env"].items()}
    assert set(inputs) <= set(given)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "CI"))} | {
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(temporary / "event.json"),
        "GITHUB_REF": "refs/heads/main",
        "RUNNER_TEMP": str(temporary),
    }
    line = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    where = checkout / given[expression(step["working-directory"])]
    return subprocess.run(
        line, cwd=where, env={**environment, **filled}, capture_output=True, text=True, encoding="utf-8"
    )


def expression(text: str) -> str:
    """The input that an expression asks for; nothing else may stand in it."""
    found = re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", text)
    assert found, text
    return found[1]


def test_a_pull_request_is_judged_from_its_base_and_findings_are_annotations(checkout: Path) -> None:
    done = judged(checkout, "pull_request", pull_request(checkout))
    assert done.returncode == 1, done.stderr
    assert "2 commits on feature/x: 1 denied" in done.stdout
    annotations = [line for line in done.stdout.splitlines() if line.startswith("::error ")]
    assert [line for line in annotations if f"title={RULE}" in line]


def test_inputs_reach_the_check(checkout: Path) -> None:
    inputs = {"range": "origin/main..feature/x", "branch": "feature/y", "tasks": "false", "strict": "true"}
    done = judged(checkout, "schedule", {}, **inputs)
    assert done.returncode == 0, done.stderr
    assert "2 commits on feature/y: 0 denied" in done.stdout


def test_text_that_anybody_may_write_reaches_no_shell(checkout: Path) -> None:
    event = pull_request(checkout)
    event["pull_request"]["head"]["ref"] = "$(touch pwned)`touch pwned`;touch pwned"
    judged(checkout, "pull_request", event, range="a..b;touch pwned")
    assert not list(checkout.rglob("pwned"))
    assert not [step for step in STEPS if "${{" in step.get("run", "")]


def test_an_event_about_no_commits_says_what_to_do_and_a_deleted_branch_passes(checkout: Path) -> None:
    lost = judged(checkout, "schedule", {})
    assert lost.returncode == 2
    assert "input `range`" in lost.stderr
    deleted = judged(checkout, "push", {"ref": "refs/heads/feature/x", "after": NONE, "before": "1" * 40})
    assert (deleted.returncode, deleted.stdout) == (0, "")
    assert "deleted" in deleted.stderr


def test_each_event_names_its_commits_and_their_branch(checkout: Path) -> None:
    base, head, first = (git(checkout, "rev-parse", name) for name in ("origin/main", "feature/x", "feature/x~1"))
    push = {"ref": "refs/heads/feature/x", "after": head, "repository": {"default_branch": "main"}}
    queue = "gh-readonly-queue/main/pr-1"
    group = {"base_sha": base, "head_sha": head, "head_ref": f"refs/heads/{queue}"}
    cases: list[tuple[str, dict[str, Any], str, str]] = [
        ("pull_request", pull_request(checkout), f"{base}..{head}", "feature/x"),
        ("pull_request_target", pull_request(checkout, fork="eve/app"), f"{base}..{head}", "fork/feature/x"),
        ("pull_request", pull_request(checkout, fork=""), f"{base}..{head}", "fork/feature/x"),  # the fork is gone
        ("push", {**push, "before": first}, f"{first}..{head}", "feature/x"),
        ("push", {**push, "before": NONE}, f"{base}..{head}", "feature/x"),  # a new branch: from where it left main
        ("merge_group", {"merge_group": group}, f"{base}..{head}", queue),
    ]
    of_event = runpy.run_path(str(ROOT / "packaging" / "github_check.py"))["of_event"]
    for name, event, revisions, branch in cases:
        assert of_event(name, event, checkout) == (revisions, branch), name
    shallow = checkout.parent / "shallow"
    git(checkout, "clone", "-q", "--depth", "1", f"file://{checkout.parent / 'demo'}", str(shallow))
    with pytest.raises(Exception, match="fetch-depth: 0"):
        of_event("push", {**push, "before": NONE, "repository": {"default_branch": "trunk"}}, shallow)

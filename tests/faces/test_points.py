"""`doctor` and the enforcement points: whatever keeps an installed hook from refusing is found, and mended where it can be."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cli_fixtures import answer, data, settings
from hook_runs import serving
from scene import copy_repository, git, lines

from llmgenie_mcp import Engine, agents, trust
from llmgenie_mcp.engine import tally
from llmgenie_mcp.faces import hook, points
from llmgenie_mcp.faces.cli_init import site_of

CLAUDE, CURSOR, CODEX = ".claude/settings.local.json", ".cursor/hooks.json", ".codex/hooks.json"
PRE_PUSH = ".git/hooks/pre-push"


def in_order(repo: Path, names: str) -> Path:
    """A project with these agents and git's hooks, in which nothing is wrong."""
    settings(repo)
    trust.trust(repo / ".llmgenie")
    data("init", "--yes", "--agent", names, project=repo)
    return repo


@pytest.fixture
def project(repo: Path) -> Path:
    return in_order(repo, "claude-code,cursor,codex")


def doctor(project: Path, *words: str) -> tuple[bool, list[dict[str, Any]]]:
    """Whether all is well, and what doctor says of the points."""
    _, document = answer("doctor", *words, project=project)
    found = document["data"]
    return found["healthy"], [check for check in found["checks"] if "hooks" in check["name"]]


@contextmanager
def answered(project: Path) -> Iterator[None]:
    """A server of the project answers its hooks, which is quicker than each of them alone."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, Engine.open(project) as engine:
        patch.setenv("LLMGENIE_RUNTIME_DIR", folder)
        with serving(engine):
            yield


def change(project: Path, file: str, old: str, new: str) -> None:
    """Replace text in a file, in JSON as it stands there."""
    path = project / file
    text = path.read_text(encoding="utf-8")
    before, after = (json.dumps(part)[1:-1] for part in (old, new)) if file.endswith(".json") else (old, new)
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def other_project(project: Path) -> Path:
    return copy_repository(project, project.parent / "another project")


def allowing(project: Path) -> Path:
    """A program in place of the hook that lets everything pass, in the words of every host."""
    path = project.parent / "llmgenie_mcp" / "faces" / "hook.py"
    path.parent.mkdir(parents=True)
    told = {"permission": "allow", "hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow"}}
    path.write_text(f"import sys\nsys.stdin.read()\nprint({json.dumps(told)!r})\n", encoding="utf-8")
    return path


def unknown_event(project: Path) -> None:
    path = project / CURSOR
    found = json.loads(path.read_text(encoding="utf-8"))
    found["hooks"]["beforeShelExecution"] = [{"command": "./theirs.sh"}]
    path.write_text(json.dumps(found), encoding="utf-8")


HOOK, PROJECT = hook.__file__, "--project"
# What is done to the project; the check that tells it, its status and a part of its message; whether --fix mends it.
BROKEN: dict[str, tuple[Callable[[Path], object], str, str, str, bool]] = {
    "|| true": (
        lambda p: change(p, CLAUDE, " claude-code", " claude-code || true"),
        *("hooks of claude-code", "fail", "passes (exit code 0: llmgenie: denied by"), True,
    ),
    "|| true where the answer holds without its exit code": (
        lambda p: change(p, CURSOR, " cursor", " cursor || true"),
        *("hooks of cursor", "fail", "our command stands beside `||`"), True,
    ),
    "2>&1": (
        lambda p: change(p, CODEX, " codex", " codex 2>&1; exit 0"),
        *("hooks of codex", "fail", "passes (exit code 0"), True,
    ),
    "interpreter gone": (
        lambda p: change(p, CURSOR, sys.executable, "/nowhere/bin/python3"),
        *("hooks of cursor", "fail", "/nowhere/bin/python3 is gone"), True,
    ),
    "hook gone": (
        lambda p: change(p, CODEX, HOOK, "/nowhere/llmgenie_mcp/faces/hook.py"),
        *("hooks of codex", "fail", "/nowhere/llmgenie_mcp/faces/hook.py is gone"), True,
    ),
    "another project": (
        lambda p: change(p, CLAUDE, f"{PROJECT} {p}", f"{PROJECT} {shlex.quote(str(other_project(p)))}"),
        *("hooks of claude-code", "fail", "asks about another project"), True,
    ),
    "a project that is gone": (
        lambda p: change(p, CODEX, f"{PROJECT} {p}", f"{PROJECT} /nowhere"),
        *("hooks of codex", "fail", "asks about another project"), True,
    ),
    "another Python": (
        lambda p: change(p, CODEX, f"{sys.executable} -I", f"{os.path.realpath(sys.executable)}  -I -B"),
        *("hooks of codex", "warn", "another installation"), True,
    ),
    "a hook that allows": (
        lambda p: change(p, CURSOR, HOOK, str(allowing(p))),
        *("hooks of cursor", "fail", 'passes (exit code 0: {"permission": "allow"'), True,
    ),
    "a quote that is not closed": (
        lambda p: change(p, CLAUDE, " claude-code", " claude-code '"),
        *("hooks of claude-code", "fail", "beside `a quote that is not closed`"), True,
    ),
    "hooks deleted": (
        lambda p: (p / CODEX).write_text("{}", encoding="utf-8"),
        *("hooks of codex", "fail", ".codex/hooks.json: the hooks that init wrote are not there"), True,
    ),
    "file deleted": (
        lambda p: (p / CURSOR).unlink(),
        *("hooks of cursor", "fail", ".cursor/hooks.json: the hooks that init wrote are not there"), True,
    ),
    "the one event that stops": (
        lambda p: change(p, CODEX, '"PreToolUse"'.strip('"'), "PreCompact"),
        *("hooks of codex", "fail", "None of them stands where a command can be stopped"), True,
    ),
    "unknown event": (
        unknown_event,
        *("hooks of cursor", "fail", "Is 'beforeShellExecution' meant?"), False,
    ),
    "git hook deleted": (
        lambda p: (p / PRE_PUSH).unlink(),
        *("git hooks", "fail", "pre-push is not there"), True,
    ),
    "git hook switched off": (
        lambda p: (p / PRE_PUSH).chmod(0o644),
        *("git hooks", "fail", "pre-push is not there, or may not be run"), True,
    ),
    "all git hooks deleted": (
        lambda p: [path.unlink() for path in (p / ".git" / "hooks").iterdir()],
        *("git hooks", "warn", "missing or stale: commit-msg, pre-commit, pre-push"), True,
    ),
    "exit before ours": (
        lambda p: change(p, PRE_PUSH, "#!/bin/sh\n", "#!/bin/sh\nexit 0\n"),
        *("git hooks", "fail", "passes (exit code 0: it said nothing)"), False,
    ),
    "core.hooksPath": (
        lambda p: git(p, "config", "core.hooksPath", str(p.parent / "their hooks")),
        *("git hooks", "warn", "core.hooksPath is "), False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_keeps_a_hook_from_refusing_is_found_and_mended_where_it_can_be(repo: Path, case: str) -> None:
    breaks, name, status, message, fixable = BROKEN[case]
    project = in_order(repo, "none" if name == "git hooks" else name.removeprefix("hooks of "))
    breaks(project)
    with answered(project):
        healthy, checks = doctor(project)
        told = [check for check in checks if check["name"] == name and check["status"] == status]
        assert any(message in check["message"] for check in told), checks
        assert all(check["fix"] for check in told)
        assert healthy is (status != "fail")
        healthy, checks = doctor(project, "--fix")
    assert healthy is (fixable or status == "warn"), checks
    assert ({check["status"] for check in checks if check["name"] != "hooks"} == {"ok"}) is fixable, checks


def test_a_project_in_order_is_told_so_and_its_probes_leave_no_trace(project: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in project.rglob("*") if path.is_file())
    healthy, checks = doctor(project)
    assert healthy
    assert {(check["name"], check["status"]) for check in checks} == {
        *((f"hooks of {name}", "ok") for name in ("claude-code", "codex", "cursor")),
        ("git hooks", "ok"),
    }
    assert sorted((path, path.stat().st_mtime_ns) for path in project.rglob("*") if path.is_file()) == before
    assert tally.summary(project / ".llmgenie") == {}
    with Engine.open(project) as engine:
        assert lines(engine) == []


def test_probes_that_pass_or_fault_leave_no_trace_either(project: Path) -> None:
    (project / ".llmgenie" / "policies").mkdir(exist_ok=True)
    (project / ".llmgenie" / "policies" / "branch_protection.yaml").write_text(
        "name: branch_protection\n", encoding="utf-8"
    )
    doctor(project)
    assert tally.summary(project / ".llmgenie") == {}
    with Engine.open(project) as engine:
        assert lines(engine) == []


def test_nothing_is_set_up_behind_people_s_backs(repo: Path) -> None:
    before = sorted(repo.rglob("*"))
    healthy, checks = doctor(repo, "--fix")
    assert healthy
    assert {check["status"] for check in checks} == {"warn"}
    assert [path for path in sorted(repo.rglob("*")) if ".llmgenie" not in path.parts] == before


@pytest.mark.parametrize("name", agents.names())
def test_the_hooks_of_every_agent_are_found_and_refuse(repo: Path, name: str) -> None:
    data("init", "--yes", "--agent", name, project=repo)
    found = [hook for hook in points.installed(repo, site_of(repo)) if hook.agent.name == name]
    probed = [hook for hook in found if points.is_probed(hook, repo)]
    assert probed
    assert all(hook.words[: len(site_of(repo).hook)] == list(site_of(repo).hook) for hook in found)
    for one in probed:
        refused, said = points.refuses(one, repo)
        assert refused, said
        assert "branch_protection/no-direct-push" in said or "permission" in said


@pytest.mark.parametrize(("name", "other"), [("copilot", ".vscode/mcp.json"), ("vscode", ".mcp.json")])
def test_of_two_agents_that_share_a_file_only_the_one_that_was_meant_is_mended(
    repo: Path, name: str, other: str
) -> None:
    in_order(repo, name)
    change(repo, ".github/hooks/llmgenie.json", sys.executable, "/nowhere/bin/python3")
    assert answer("doctor", "--fix", project=repo)[0] == 0
    assert not (repo / other).exists()


@pytest.mark.parametrize(
    ("version", "warned"), [("2.1.294", True), ("2.1.295", False), ("3.0.0", False), ("dev", False)]
)
def test_a_host_too_old_to_refuse_when_a_hook_crashes_is_named(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, warned: bool
) -> None:
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{version} (Claude Code)'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    project = in_order(repo, "claude-code")
    with answered(project):
        _, checks = doctor(project)
    assert any("lets a tool run when its hook crashes" in check["message"] for check in checks) is warned


def test_a_project_that_was_moved_is_one_finding_with_the_command_and_mended_at_once(project: Path) -> None:
    moved = project.rename(project.with_name("moved"))
    with answered(moved):
        healthy, found = doctor(moved)
        assert not healthy
        [stale] = [check for check in found if "asks about another project" in check["message"]]
        assert stale["name"] == "hooks of claude-code, codex, cursor"
        assert f"--project {project} HOST" in stale["message"]
        assert (str(moved) in stale["message"], stale["fix"]) == (True, "llmgenie doctor --fix")
        healthy, found = doctor(moved, "--fix")
    assert healthy
    assert {check["status"] for check in found} == {"ok"}


def test_status_in_a_worktree_tells_what_holds_there_and_what_only_the_main_checkout_has(project: Path) -> None:
    (project / "AGENTS.md").unlink()
    git(project, "add", "-A")
    git(project, "commit", "-q", "--no-verify", "-m", "rules")
    beside, inside = project.parent / "beside", project / "trees" / "inside"
    for tree in (beside, inside):
        git(project, "worktree", "add", "-q", str(tree), "-b", tree.name)
        found = data("hook", "status", project=tree)
        assert {CLAUDE, CODEX, CURSOR, ".mcp.json"} & {*found["installed"]} == set()
        assert {PRE_PUSH, "CLAUDE.md"} <= {*found["installed"]}
        [note] = [note for note in found["notes"] if "main checkout" in note]
        assert CLAUDE in note
        assert f"llmgenie init --project {tree}" in note
    data("init", "--yes", "--agent", "claude-code,cursor,codex", "--no-git-hooks", project=beside)
    found = data("hook", "status", project=beside)
    assert {CLAUDE, CODEX, CURSOR, ".mcp.json"} <= {*found["installed"]}
    assert not any("main checkout" in note for note in found["notes"])
    assert {CLAUDE, str(beside / CLAUDE)} <= {*data("hook", "status", project=project)["installed"]}

"""Git hooks, installed beside what was there, run by the real git; a program that notes how it is called stands for ours."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scene import commit, git
from trees import PYTHON_HOOK, SHELL_HOOK, difference, tree

from llmgenie_mcp.edits import githooks, ledger
from llmgenie_mcp.edits.githooks import HookPlan
from llmgenie_mcp.edits.restore import restore

STUB = """\
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
with open(here / "calls.jsonl", "a") as file:
    print(json.dumps({"argv": sys.argv[1:], "stdin": sys.stdin.read()}), file=file)
if (here / "refuse").exists():
    print("the stub refuses", file=sys.stderr)
    sys.exit(7)
"""
REFS = 'cat > "$(dirname "$0")/refs.txt"\n'


class Stub:
    """The command that the hooks run."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.path = folder / "hook.py"
        self.path.write_text(STUB, encoding="utf-8")

    def command(self, root: Path) -> tuple[str, ...]:
        return (sys.executable, "-I", "-S", str(self.path), "--project", str(root))

    def calls(self) -> list[dict[str, Any]]:
        """How it was called since this was last asked."""
        path = self.folder / "calls.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def names(self) -> list[str]:
        return [call["argv"][3] for call in self.calls()]

    def refuse(self) -> None:
        (self.folder / "refuse").touch()


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    return Stub(tmp_path / 'it\'s a "stub" ü $HOME')


@pytest.fixture
def remote(repo: Path, tmp_path: Path) -> Path:
    """A bare repository that `repo` pushes to."""
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(repo, "remote", "add", "origin", str(tmp_path / "remote.git"))
    return tmp_path / "remote.git"


def install(root: Path, stub: Stub) -> HookPlan:
    repo = githooks.repository(root)
    assert repo is not None
    plan = githooks.plan_hooks(repo, stub.command(root))
    ledger.apply(root / ".llmgenie", plan.changes)
    return plan


def hook(root: Path, name: str, text: str, mode: int = 0o755, folder: str = ".git/hooks") -> Path:
    path = root / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def attempt(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, encoding="utf-8")


def test_commits_and_pushes_are_told_with_their_arguments_and_refs(repo: Path, remote: Path, stub: Stub) -> None:
    install(repo, stub)
    tip = commit(repo, "a.txt")
    first, second = stub.calls()
    assert first == {"argv": ["--project", str(repo), "git", "pre-commit"], "stdin": ""}
    assert second == {"argv": ["--project", str(repo), "git", "commit-msg", ".git/COMMIT_EDITMSG"], "stdin": ""}
    git(repo, "push", "-q", "origin", "main")
    (push,) = stub.calls()
    assert push["argv"][3:] == ["pre-push", "origin", str(remote)]
    assert push["stdin"] == f"refs/heads/main {tip} refs/heads/main {'0' * 40}\n"


def test_what_is_refused_does_not_happen(repo: Path, remote: Path, stub: Stub) -> None:
    install(repo, stub)
    stub.refuse()
    head = git(repo, "rev-parse", "HEAD")
    done = attempt(repo, "commit", "--allow-empty", "-m", "x")
    assert (done.returncode != 0, "the stub refuses" in done.stderr, git(repo, "rev-parse", "HEAD")) == (
        True,
        True,
        head,
    )
    assert attempt(repo, "push", "origin", "main").returncode != 0
    assert git(remote, "branch", "--list") == ""


def test_hooks_that_were_there_still_run_with_their_arguments_and_their_stdin(
    repo: Path, remote: Path, stub: Stub
) -> None:
    hook(repo, "pre-commit", SHELL_HOOK)
    hook(repo, "commit-msg", PYTHON_HOOK)
    hook(repo, "pre-push", f"#!/usr/bin/env bash\nset -euo pipefail\n{REFS}")
    install(repo, stub)
    tip = commit(repo, "a.txt")
    assert (repo / "log.txt").read_text(encoding="utf-8") == "theirs: 0\npython: 1\n"
    git(repo, "push", "-q", "origin", "main")
    refs = f"refs/heads/main {tip} refs/heads/main {'0' * 40}\n"
    assert (repo / ".git/hooks/refs.txt").read_text(encoding="utf-8") == refs
    assert stub.names() == ["pre-commit", "commit-msg", "pre-push"]


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 3\n", "#!/usr/bin/env python3\nraise SystemExit(3)\n"])
def test_a_hook_that_was_there_still_refuses(repo: Path, stub: Stub, text: str) -> None:
    hook(repo, "pre-commit", text)
    install(repo, stub)
    assert attempt(repo, "commit", "--allow-empty", "-m", "x").returncode == 1
    assert stub.names() == ["pre-commit"]


SHELLS = [
    "#!/bin/sh",
    "#!/bin/sh -eu",
    "#!/usr/bin/env sh",
    "#! /bin/bash -e",
    "#!/usr/bin/env -S bash -eu",
    "#!/bin/dash",
]


@pytest.mark.parametrize("first", [*SHELLS, "#!/usr/bin/env python3", "link", ""])
def test_pre_push_passes_any_amount_of_refs_on_and_none_too(repo: Path, stub: Stub, first: str) -> None:
    body = "import pathlib, sys\npathlib.Path(sys.argv[0]).with_name('refs.txt').write_text(sys.stdin.read())\n"
    text = f"{first}\n{body if 'python' in first else REFS}".lstrip("\n")
    if first == "link":
        script = hook(repo, "push.sh", f"#!/bin/sh\n{REFS}", folder="scripts")
        (repo / ".git/hooks/pre-push").symlink_to(os.path.relpath(script, repo / ".git/hooks"))
    else:
        hook(repo, "pre-push", text)
    install(repo, stub)
    lines = [f"refs/heads/ü{n} {n:040} $(touch x) `y` \\{n} {n:040}" for n in range(4000)]
    for refs in ("\n".join([*lines, ""]), "a b c d\n", ""):
        done = subprocess.run(
            [repo / ".git/hooks/pre-push", "origin", "url with blank"], cwd=repo, input=refs, text=True, encoding="utf-8",
            capture_output=True,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert (repo / ".git/hooks/refs.txt").read_text(encoding="utf-8") == refs
        (call,) = stub.calls()
        assert (call["stdin"], call["argv"][3:]) == (refs, ["pre-push", "origin", "url with blank"])


def test_a_hook_run_by_hand_at_a_terminal_does_not_wait_for_input(repo: Path, stub: Stub) -> None:
    install(repo, stub)
    screen, theirs = pty.openpty()
    try:
        for name in githooks.HOOKS:
            subprocess.run([repo / ".git/hooks" / name, "x"], cwd=repo, stdin=theirs, check=True, timeout=60)
    finally:
        os.close(screen)
        os.close(theirs)
    assert stub.names() == list(githooks.HOOKS)


def test_without_the_program_everything_is_refused_with_what_to_do(repo: Path, remote: Path, stub: Stub) -> None:
    install(repo, stub)
    shutil.rmtree(stub.folder)
    for verb, words in (("commit", ("commit", "--allow-empty", "-m", "x")), ("push", ("push", "origin", "main"))):
        done = attempt(repo, *words)
        assert done.returncode != 0
        assert f"so this {verb} cannot be checked and is refused" in done.stderr
        assert f"llmgenie doctor --fix. A person who has to go on now: git {verb} --no-verify" in done.stderr


def test_a_hook_that_is_switched_off_stays_so(repo: Path, stub: Stub) -> None:
    hook(repo, "pre-commit", "#!/bin/sh\nexit 3\n", mode=0o644)
    install(repo, stub)
    git(repo, "commit", "-q", "--allow-empty", "-m", "x")
    assert stub.names() == ["pre-commit", "commit-msg"]


LAYOUTS = {
    "nothing": {},
    "shell": {"pre-commit": SHELL_HOOK},
    "no line end": {"pre-commit": "#!/bin/sh\ntrue"},
    "others": {"pre-commit": PYTHON_HOOK, "pre-push": "\x7fELF", "commit-msg": "true\n"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_taking_back_leaves_the_hooks_as_they_were(repo: Path, stub: Stub, layout: str) -> None:
    for name, text in LAYOUTS[layout].items():
        hook(repo, name, text, mode=0o740)
    before = tree(repo)
    install(repo, stub)
    assert install(repo, stub).changes == []
    restore(repo / ".llmgenie")
    assert difference(before, tree(repo)) == {}


def test_a_hook_that_was_changed_where_it_was_moved_to_comes_back_as_it_is_now(repo: Path, stub: Stub) -> None:
    hook(repo, "pre-commit", PYTHON_HOOK)
    install(repo, stub)
    hook(repo, f"pre-commit{githooks.ASIDE}", f"{PYTHON_HOOK}# newer\n")
    restore(repo / ".llmgenie")
    assert (repo / ".git/hooks/pre-commit").read_text(encoding="utf-8") == f"{PYTHON_HOOK}# newer\n"
    assert not (repo / f".git/hooks/pre-commit{githooks.ASIDE}").exists()


def test_what_our_script_still_runs_is_not_removed(repo: Path, stub: Stub) -> None:
    hook(repo, "pre-commit", PYTHON_HOOK)
    install(repo, stub)
    path = repo / ".git/hooks/pre-commit"
    path.write_text(f"{path.read_text(encoding='utf-8')}# mine\n", encoding="utf-8")
    restore(repo / ".llmgenie")
    git(repo, "commit", "-q", "--allow-empty", "-m", "x")
    assert (repo / "log.txt").read_text(encoding="utf-8") == "python: 0\n"
    assert stub.calls() == []


def test_a_file_in_the_way_of_moving_a_hook_is_told(repo: Path, stub: Stub) -> None:
    hook(repo, "pre-commit", PYTHON_HOOK)
    hook(repo, f"pre-commit{githooks.ASIDE}", "theirs")
    plan = install(repo, stub)
    assert [change.problem[:46] for change in plan.changes if change.problem] == [
        ".git/hooks/pre-commit.before-llmgenie is in th"
    ]
    assert (repo / ".git/hooks/pre-commit").read_text(encoding="utf-8") == PYTHON_HOOK


def test_a_folder_of_hooks_in_the_project_is_used(repo: Path, stub: Stub) -> None:
    git(repo, "config", "core.hooksPath", "my hooks")
    hook(repo, "pre-commit", SHELL_HOOK, folder="my hooks")
    git(repo, "add", "my hooks")
    plan = install(repo, stub)
    assert [change.path for change in plan.changes] == [f"my hooks/{name}" for name in githooks.HOOKS]
    git(repo / "my hooks", "commit", "-q", "--allow-empty", "-m", "x")
    assert stub.names() == ["pre-commit", "commit-msg"]
    assert (repo / "log.txt").read_text(encoding="utf-8") == "theirs: 0\n"


@pytest.mark.parametrize("value", ["/dev/null", "{outside}"])
def test_a_folder_of_hooks_for_all_repositories_is_left_alone_and_told(
    repo: Path, stub: Stub, tmp_path: Path, value: str
) -> None:
    (tmp_path / "outside").mkdir()
    git(repo, "config", "core.hooksPath", value.format(outside=tmp_path / "outside"))
    before = tree(tmp_path)
    plan = install(repo, stub)
    assert plan.changes == []
    assert "outside this repository" in plan.notes[0]
    assert "git' <name" not in plan.notes[0]
    assert difference(before, tree(tmp_path)) == {}


def test_husky_keeps_working_and_its_habit_is_told(repo: Path, stub: Stub) -> None:
    (repo / ".husky/_").mkdir(parents=True)
    (repo / ".husky/_/.gitignore").write_text("*", encoding="utf-8")
    (repo / ".husky/_/h").write_text(
        'n=$(basename "$0")\nsh -e "$(dirname "$(dirname "$0")")/$n" "$@"\n', encoding="utf-8"
    )
    for name in githooks.HOOKS:
        hook(repo, name, '#!/usr/bin/env sh\n. "$(dirname "$0")/h"', folder=".husky/_")
        hook(repo, name, f"echo {name} >> log.txt\n", folder=".husky")
    git(repo, "config", "core.hooksPath", ".husky/_")
    plan = install(repo, stub)
    assert any(note.startswith("husky writes its hooks anew") for note in plan.notes)
    git(repo, "commit", "-q", "--allow-empty", "-m", "x")
    assert stub.names() == ["pre-commit", "commit-msg"]
    assert (repo / "log.txt").read_text(encoding="utf-8") == "pre-commit\ncommit-msg\n"


def test_a_hook_that_pre_commit_made_keeps_working_and_its_habit_is_told(repo: Path, stub: Stub) -> None:
    made = "#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\n"
    hook(
        repo,
        "pre-commit",
        f'{made}ARGS=(hook-impl "--hook-dir" "$(cd "$(dirname "$0")" && pwd)" -- "$@")\necho "${{ARGS[0]}}" > log.txt\n',
    )
    plan = install(repo, stub)
    assert any(note.startswith("pre-commit writes its hooks anew") for note in plan.notes)
    git(repo, "commit", "-q", "--allow-empty", "-m", "x")
    assert (repo / "log.txt").read_text(encoding="utf-8") == "hook-impl\n"
    assert stub.names() == ["pre-commit", "commit-msg"]


def test_worktrees_share_the_hooks(repo: Path, stub: Stub, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    found = githooks.repository(tmp_path / "side")
    assert found is not None
    assert (found.top, found.common, found.hooks) == (tmp_path / "side", repo / ".git", repo / ".git/hooks")
    ledger.apply(repo / ".llmgenie", githooks.plan_hooks(found, stub.command(repo)).changes)
    git(tmp_path / "side", "commit", "-q", "--allow-empty", "-m", "x")
    assert stub.names() == ["pre-commit", "commit-msg"]
    assert install(repo, stub).changes == []


def test_an_older_command_is_replaced_in_its_place(repo: Path, stub: Stub, tmp_path: Path) -> None:
    hook(repo, "pre-commit", SHELL_HOOK)
    before = tree(repo)
    install(repo, Stub(tmp_path / "older"))
    install(repo, stub)
    assert (repo / ".git/hooks/pre-commit").read_text(encoding="utf-8").count("llmgenie: begin") == 1
    restore(repo / ".llmgenie")
    assert difference(before, tree(repo)) == {}


def test_files_of_this_machine_are_kept_out_of_git_unless_it_tracks_them(repo: Path) -> None:
    names = ["a b/[x] !*?.json", "ü.json", ".hidden/y.json", "README.md"]
    for name in names[:3]:
        hook(repo, name, "x", folder=".")
    before = tree(repo)
    found = githooks.repository(repo)
    assert found is not None
    ledger.apply(repo / ".llmgenie", githooks.exclude(found, [repo / name for name in names]))
    (repo / ".llmgenie").rename(repo.parent / "kept")
    assert git(repo, "ls-files", "--others", "--exclude-standard") == ""
    assert githooks.exclude(found, [repo / name for name in names]) == []
    (repo.parent / "kept").rename(repo / ".llmgenie")
    restore(repo / ".llmgenie")
    assert difference(before, tree(repo)) == {}


def test_outside_git_there_is_no_repository(tmp_path: Path) -> None:
    assert githooks.repository(tmp_path) is None

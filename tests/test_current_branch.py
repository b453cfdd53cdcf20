"""The branch checked out, read from files where they say it, and how often git is started to know where a push goes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from scene import git

from llmgenie_mcp.operations import Operation
from llmgenie_mcp.refs import destinations
from llmgenie_mcp.repository import current_branch, refs_in, repository_folders


def test_the_current_branch_is_read_in_every_kind_of_checkout(repo: Path, tmp_path: Path) -> None:
    def both(folder: Path) -> tuple[str | None, str]:
        return current_branch(folder), git(folder, "branch", "--show-current")

    assert both(repo) == ("main", "main")
    (repo / "a" / "b").mkdir(parents=True)
    assert current_branch(repo / "a" / "b") == "main"
    git(repo, "worktree", "add", "-q", "-b", "feature/w", str(tmp_path / "tree"))
    assert both(tmp_path / "tree") == ("feature/w", "feature/w")
    git(repo, "switch", "-q", "--orphan", "unborn/é")
    assert both(repo) == ("unborn/é", "unborn/é")
    git(repo, "switch", "-q", "--detach", "main")
    assert both(repo) == (None, "")
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(tmp_path / "bare.git"))
    git(tmp_path / "bare.git", "symbolic-ref", "HEAD", "refs/heads/main")
    assert current_branch(tmp_path / "bare.git") == "main"
    assert current_branch(tmp_path) is None
    assert current_branch(tmp_path / "missing") is None


def test_a_head_that_is_a_link_is_asked_of_git(repo: Path) -> None:
    (repo / ".git" / "HEAD").unlink()
    (repo / ".git" / "HEAD").symlink_to("refs/heads/main")
    assert current_branch(repo) == git(repo, "symbolic-ref", "--short", "HEAD") == "main"


@pytest.mark.parametrize("damage", [b"", b"ref: ", b"ref: refs/heads/\xff\n", b"\x00\x01", b"nonsense\n"])
def test_a_damaged_head_never_raises(repo: Path, damage: bytes) -> None:
    (repo / ".git" / "HEAD").write_bytes(damage)
    assert current_branch(repo) != "main"
    assert destinations(repo, Operation("git.push", {"unresolved": "default"}))


# parameters of a push, how often git is started at most
STARTS: list[tuple[dict[str, Any], int]] = [
    ({"unresolved": "default", "branch": "", "remote": ""}, 1),
    ({"unresolved": "HEAD", "branch": "", "remote": "origin"}, 1),
    ({"unresolved": "all", "branch": None, "remote": "origin"}, 1),
    ({"branch": "main", "remote": "origin"}, 1),
    ({"branch": "main", "remote": "origin", "refspec": "HEAD:main"}, 1),
    ({"branch": None, "remote": "origin"}, 0),
]


@pytest.mark.parametrize(("params", "most"), STARTS)
def test_git_is_started_as_seldom_as_can_be(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], most: int
) -> None:
    counted = tmp_path / "count"
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\necho x >> "{counted}"\nexec "{shutil.which("git")}" "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    counted.touch()
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    assert current_branch(repo) == "main"
    assert counted.read_text(encoding="utf-8") == ""
    assert destinations(repo, Operation("git.push", params))[0].name == "git.push"
    assert len(counted.read_text(encoding="utf-8").split()) == most


@pytest.mark.parametrize("packed", ["nothing", "some", "all"])
def test_the_refs_in_plain_files_are_those_that_git_lists(repo: Path, tmp_path: Path, packed: str) -> None:
    for name in ("topic", "deep/er/topic", "ünï"):
        git(repo, "branch", name)
    git(repo, "tag", "v1")
    git(repo, "tag", "-a", "-m", "x", "release/1")
    git(repo, "worktree", "add", "-q", str(tmp_path / "tree"), "topic")
    git(repo, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(repo, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    if packed != "nothing":
        git(repo, "pack-refs", "--all")
    if packed == "some":
        git(repo, "branch", "-D", "deep/er/topic")
        git(repo, "branch", "later")
    for folder in (repo, tmp_path / "tree"):
        place = repository_folders(folder)
        assert place is not None
        assert refs_in(place[1]) == git(folder, "for-each-ref", "--format=%(refname)").splitlines()

"""What the repository around a command says about branches: which one a pull is on, and which words name one."""

from __future__ import annotations

from pathlib import Path

import pytest
from scene import git, make_repository
from shell_corpus import noted

from llmgenie_mcp.shell import read_command
from llmgenie_mcp.surroundings import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A repository on topic/x with branches main and release/v1.py, and release/v2.py of a remote."""
    repo = make_repository(tmp_path / "project")
    git(repo, "branch", "release/v1.py")
    git(repo, "update-ref", "refs/remotes/origin/release/v2.py", "HEAD")
    git(repo, "switch", "-q", "-c", "topic/x")
    for branch, remote, merged in (("release/v1.py", "origin", "topic/x"), ("main", "mine", "main")):
        git(repo, "config", f"branch.{branch}.remote", remote)
        git(repo, "config", f"branch.{branch}.merge", f"refs/heads/{merged}")
    (repo / "src").mkdir()
    return Place(repo)


# command, operations in the corpus' notation
CASES: list[tuple[str, list[str]]] = [
    ("git pull origin topic/x", []),
    ("cd src && git pull --rebase origin topic/x", []),
    ("git pull origin main", ['git.merge branch="" source=main']),
    ("git pull /tmp/clone topic/x", ['git.merge branch="" source=topic/x']),
    ("git pull fork topic/x", ['git.merge branch="" source=topic/x']),
    ("git pull", []),
    ("git switch release/v1.py && git pull", ["git.merge branch=release/v1.py source=topic/x"]),
    ("git switch main && git pull mine", []),
    ("git switch main && git pull mine main", []),
    ("git switch main && git branch -u origin/topic/x && git pull", ["git.merge branch=main source=topic/x"]),
    ("git branch -u topic/x main; git switch main; git pull", ["git.merge branch=main source=topic/x"]),
    ("git branch -u origin/main && git pull", ['git.merge branch="" source=main']),
    ("git branch -u origin/topic/x && git pull", []),
    ("git pull . topic/x", ['git.merge branch="" source=topic/x']),
    ("git switch main && git pull origin topic/x", ["git.merge branch=main source=topic/x"]),
    ("git pull --no-verify origin topic/x", ['git.merge branch="" no_verify source=topic/x']),
    ("git checkout release/v1.py && git commit -m x", ["git.commit branch=release/v1.py message=x"]),
    ("git checkout release/v2.py && git commit -m x", ["git.commit branch=release/v2.py message=x"]),
    ("git checkout src/v1.py && git commit -m x", ["file.write path=src/v1.py", 'git.commit branch="" message=x']),
    ("git branch -c -f topic/x main", ["git.reset branch=main"]),
    ("git branch --copy --force topic/x main", ["git.reset branch=main"]),
    ("git branch -c topic/x topic/y", []),
    ("cd /elsewhere && git checkout release/v1.py", ["file.write path=/elsewhere/release/v1.py"]),
]


@pytest.mark.parametrize(("command", "operations"), CASES)
def test_the_repository_says_what_is_a_branch(place: Place, command: str, operations: list[str]) -> None:
    assert [noted(operation) for operation in read_command(command, place)] == operations


def test_branches_are_those_of_the_repository_around_the_folder(place: Place) -> None:
    assert place.branch("") == place.branch("src") == "topic/x"
    assert [place.branch(folder) for folder in (None, "/", "a\0b")] == [None, None, None]
    assert place.upstream("src", "release/v1.py") == ("origin", "topic/x")
    assert [place.upstream(folder, "main") for folder in (None, "/", "a\0b")] == [None, None, None]
    assert place.upstream("", "topic/x") is None
    assert place.has_branch("src", "main")
    assert place.has_branch("", "release/v2.py")
    assert not place.has_branch("", "origin/release/v2.py")
    assert not any(place.has_branch(folder, "main") for folder in (None, "/", "a\0b"))

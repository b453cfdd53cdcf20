"""What the hook pre-push is told, from real pushes to real remotes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scene import commit, git

from llmgenie_mcp.commits import pushed

PRE_PUSH = '#!/bin/sh\n{ echo "$1"; echo "$2"; cat; } > "$ANSWER"\n'


@pytest.fixture
def pushing(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pushes for real, and returns what the hook pre-push was told, as operations."""
    answer = tmp_path / "pushed.txt"
    monkeypatch.setenv("ANSWER", str(answer))
    git(tmp_path, "init", "-q", "--bare", "--template=", str(tmp_path / "remote.git"))
    git(repo, "remote", "add", "origin", str(tmp_path / "remote.git"))
    hook = repo / ".git" / "hooks" / "pre-push"
    hook.write_text(PRE_PUSH, encoding="utf-8")
    hook.chmod(0o755)

    def push(*arguments: str) -> list[tuple[str, dict[str, Any]]]:
        git(repo, "push", "-q", *arguments)
        remote, url, *lines = answer.read_text(encoding="utf-8").splitlines()
        found = [(one.name, dict(one.params)) for one in pushed(repo, remote, url, lines)]
        for _, params in found:
            if not params["delete"]:
                assert params.pop("commit") == git(repo, "rev-parse", "HEAD")
        return found

    return push


def test_what_the_hook_is_told_becomes_pushes(repo: Path, pushing: Any) -> None:
    kept = {"remote": "origin", "force": False, "delete": False}
    assert pushing("origin", "main") == [("git.push", {"branch": "main", **kept})]
    commit(repo, "x.txt")
    git(repo, "tag", "v1")
    assert pushing("origin", "HEAD:refs/heads/feature/y", "v1", "HEAD:refs/notes/n") == [
        ("git.push", {"branch": "feature/y", **kept}),
        ("git.push_tag", {"tag": "v1", **kept}),
        ("git.push", {"branch": "refs/notes/n", **kept}),
    ]
    assert pushing("origin", "main") == [("git.push", {"branch": "main", **kept})]
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    git(repo, "tag", "-f", "v1")
    assert pushing("--force", "origin", "main", "v1") == [
        ("git.push", {"branch": "main", **kept, "force": True}),
        ("git.push_tag", {"tag": "v1", **kept, "force": True}),
    ]
    assert pushing("origin", ":feature/y") == [("git.push", {"branch": "feature/y", **kept, "delete": True})]


def test_a_source_may_be_written_with_spaces(pushing: Any) -> None:
    ((name, params),) = pushing("origin", "HEAD@{1 day ago}:refs/heads/x")
    assert (name, params["branch"]) == ("git.push", "x")


def test_a_push_to_a_url_names_it_and_what_is_not_here_would_be_lost(repo: Path, pushing: Any, tmp_path: Path) -> None:
    url = str(tmp_path / "remote.git")
    pushing("origin", "main")
    git(tmp_path, "clone", "-q", "-b", "main", url, str(tmp_path / "other"))
    git(
        tmp_path / "other", "-c", "user.name=B", "-c", "user.email=b@x", "commit", "-q", "--allow-empty", "-m", "theirs"
    )
    git(tmp_path / "other", "push", "-q", "origin", "main")
    assert pushing("--force", url, "main") == [
        ("git.push", {"branch": "main", "remote": url, "force": True, "delete": False})
    ]


def test_a_line_that_is_none_counts_as_a_push_to_an_unknown_branch(repo: Path) -> None:
    assert [one.params["branch"] for one in pushed(repo, "origin", "u", ["", "nonsense\n", "a b c d e"])] == [
        None,
        None,
    ]

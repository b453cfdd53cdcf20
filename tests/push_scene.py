"""A repository with two real remotes, in which git is asked what a push would write (`git push --dry-run`)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from scene import commit, git, make_repository

from llmgenie_mcp.operations import Operation
from llmgenie_mcp.refs import destinations

HEADS, TAGS = "refs/heads/", "refs/tags/"
UNSHARED = f"{HEADS}mine"
"""The branch that the remotes do not have: `:` would not push it, which only they know."""


@dataclass
class Clone:
    """A repository with two bare remotes, whose configuration and HEAD are set for each case."""

    folder: Path
    remotes: dict[str, Path]
    base: str

    def set(self, head: str, *settings: str) -> None:
        """Check out by HEAD alone, and write the settings (`section.sub.key=value`, the sub-section may be left out)."""
        text = git(self.folder, "rev-parse", "main") if head == "detached" else f"ref: {HEADS}{head}"
        (self.folder / ".git" / "HEAD").write_text(f"{text}\n", encoding="utf-8")
        lines = []
        for setting in settings:
            key, _, value = setting.partition("=")
            section, _, rest = key.partition(".")
            sub, _, name = rest.rpartition(".")
            lines.append(f'[{section}{f" {chr(34)}{sub}{chr(34)}" if sub else ""}]\n\t{name} = "{value}"\n')
        (self.folder / ".git" / "config").write_text(self.base + "".join(lines), encoding="utf-8")

    def really(self, *arguments: str, options: Sequence[str] = ()) -> set[str] | None:
        """The refs that git says it would write, `-` before those it would delete; None when it refuses at once.

        Args:
            arguments: those of push.
            options: those of git, before it.
        """
        command = ["git", "-C", str(self.folder), *options, "push", "--dry-run", "--porcelain", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        rows = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") >= 2]
        assert rows or done.returncode or "Everything up-to-date" in done.stderr, done.stderr
        found = {f"{'-' if row[0] == '-' else ''}{row[1].rpartition(':')[2]}" for row in rows}
        return found or (None if done.returncode else set())

    def resolved(self, **params: Any) -> set[str]:
        """The refs that `destinations` says."""
        return {written(found) for found in destinations(self.folder, Operation("git.push", params))}


def written(found: Operation) -> str:
    """The full name of the ref an operation writes, `-` before one it deletes, `?` for one that is not known."""
    tag, branch = found.params.get("tag"), found.params.get("branch")
    ref = f"{TAGS}{tag}" if tag else branch if branch is None or branch.startswith("refs/") else f"{HEADS}{branch}"
    return f"{'-' if found.params.get('delete') else ''}{ref or '?'}"


def make_clone(place: Path) -> Clone:
    """Branches main, topic, other, both and mine, tags v1 and both; the remotes lack mine, and origin also has theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        folder = make_repository(place / "clone")
        remotes = {name: place / f"{name}.git" for name in ("origin", "fork")}
        for words in ("branch topic", "branch other", "branch both", "tag v1", "tag both"):
            git(folder, *words.split())
        for name, path in remotes.items():
            git(place, "clone", "-q", "--bare", str(folder), str(path))
            git(folder, "remote", "add", name, str(path))
        git(folder, "fetch", "-q", "--all")
        git(remotes["origin"], "branch", "theirs", "main")
        git(folder, "branch", "mine")
        for name in ("main", "topic"):
            git(folder, "switch", "-q", name)
            commit(folder, f"{name}.txt", message=f"more on {name}")
    return Clone(folder, remotes, (folder / ".git" / "config").read_text(encoding="utf-8"))

"""What the reader of shell commands may ask about the place a command is run in: aliases, script files, variables."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from llmgenie_mcp.process import run_git
from llmgenie_mcp.repository import HEADS, ask, current_branch, refs_in, repository_folders

LIMIT = 64 * 1024
"""Bytes of a script; a longer one is not read."""
TIMEOUT = 10.0
KNOWN = frozenset({"HOME", "PWD", "USER", "TMPDIR"})
"""Variables that are told; the others may hold secrets, or change before the command runs."""


class Place:
    """The surroundings of commands that run in one folder; what git says is asked once and kept.

    Args:
        folder: where commands run.
        root: the project's folder, in which scripts are read; `folder` when left out.
        environment: the variables that commands get; those of this process when left out.
    """

    def __init__(self, folder: Path, root: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._root = root or folder
        self._environment = os.environ if environment is None else environment
        self._aliases: dict[str, Mapping[str, str]] = {}

    def alias(self, folder: str | None, name: str) -> str | None:
        """What the git alias `name` stands for; None when there is none.

        Args:
            folder: where git would run, relative to this place or absolute; None, not known, knows no alias.
            name: the word after `git`; upper and lower case are the same.
        """
        if folder is None:
            return None
        if folder not in self._aliases:
            self._aliases[folder] = _aliases(self._folder / folder)
        return self._aliases[folder].get(name.lower())

    def script(self, path: str) -> str | None:
        """The text of a file in the project or in the folder for temporary files; None when it cannot be read.

        Not read are what lies elsewhere (also behind a link), devices and pipes, binary files, and more than `LIMIT` bytes.
        """
        if path.startswith("~/") and (home := self.variable("HOME")):
            path = home + path[1:]
        try:
            real = (self._folder / path).resolve(strict=True)
            places = [self._root.resolve(), Path(self.variable("TMPDIR") or "/tmp").resolve()]  # noqa: S108 - read only
            if not any(real.is_relative_to(place) for place in places):
                return None
            data = _read(real)
        except (OSError, RuntimeError, ValueError):  # also links in a ring, NUL in the path, a lone surrogate
            return None
        return None if data is None or b"\0" in data else data.decode("utf-8", "replace")

    def variable(self, name: str) -> str | None:
        """The value of a variable that is known; None else."""
        if name == "PWD":
            return str(self._folder)
        return self._environment.get(name) if name in KNOWN else None

    def branch(self, folder: str | None) -> str | None:
        """The branch that is checked out in `folder`, which is as for `alias`; None when there is none, or it is not known."""
        return None if folder is None or "\0" in folder else current_branch(self._folder / folder)

    def upstream(self, folder: str | None, branch: str) -> tuple[str, str] | None:
        """The remote, and the branch there, that is set for `branch` to be pulled; None when none is, or it is not known."""
        if folder is None or "\0" in folder + branch:
            return None
        try:
            found = [
                ask(self._folder / folder, "config", "--get", f"branch.{branch}.{key}") for key in ("remote", "merge")
            ]
        except (OSError, subprocess.TimeoutExpired):
            return None
        remote, merged = ((text or "").rstrip("\n") for text in found)
        return (remote, merged.removeprefix(HEADS)) if remote and merged else None

    def has_branch(self, folder: str | None, name: str) -> bool:
        """Whether a branch `name` is in the repository around `folder`, or was fetched from a remote of it."""
        place = None if folder is None or "\0" in folder else repository_folders(self._folder / folder)
        refs = refs_in(place[1]) if place is not None else None
        remote = [ref.split("/", 3)[-1] for ref in refs or () if ref.startswith("refs/remotes/")]
        return name in remote or f"{HEADS}{name}" in (refs or ())

    def exists(self, path: str) -> bool:
        """Whether anything is at `path`, relative to this place or absolute; a link that leads nowhere is something too."""
        found = self._found(path)
        return found is None or os.path.lexists(found)

    def folder_exists(self, path: str) -> bool:
        """Whether `path` is a folder, also behind a link; True where that cannot be known."""
        found = self._found(path)
        return found is None or os.path.isdir(found)  # noqa: PTH112 - a name that is too long raises nothing

    def _found(self, path: str) -> Path | None:
        if path.startswith("~"):
            home = self.variable("HOME")
            if not home or path[1:2] not in ("", "/"):
                return None
            path = home + path[1:]
        return None if "\0" in path else self._folder / path


def _read(path: Path) -> bytes | None:
    """A regular file of at most `LIMIT` bytes; a pipe or a device that took its place meanwhile is not waited for."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LIMIT:
            return None
        data = file.read(LIMIT + 1)
    return data if len(data) <= LIMIT else None


def _aliases(folder: Path) -> Mapping[str, str]:
    """The aliases in force: `alias.name`, and `alias.name.command` of newer versions of git."""
    try:
        done = run_git(folder, ["config", "--null", "--get-regexp", r"^alias\."], timeout=TIMEOUT)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    entries = (entry.partition("\n") for entry in done.stdout.decode("utf-8", "replace").split("\0"))
    return {key[len("alias.") :].removesuffix(".command").lower(): value for key, _, value in entries if key}

"""What the reader of shell commands may ask about the place a command is run in: aliases, script files, variables."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from llmgenie_mcp.process import run_git

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

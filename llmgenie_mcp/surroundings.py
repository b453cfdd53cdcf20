"""What the reader of shell commands may ask about the place a command is run in: aliases, script files, variables."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from llmgenie_mcp.process import run_git
from llmgenie_mcp.repository import HEADS, ask, current_branch, refs_in, repository_folders

LIMIT = 64 * 1024
"""Bytes of a script; a longer one is not read."""
PATCH = 2 * 1024 * 1024
"""Bytes of the patches that one word names."""
_MOST_FILES = 32
"""Files that a pattern may stand for."""
_MOST_ARCHIVES = 8
"""Archives and folders that are looked into for one command: each may take half a second."""
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
        self._members: dict[str, list[str] | None] = {}
        self._looked_into = 0

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

    def patch(self, path: str) -> str | None:
        """The text of a patch wherever it lies, or of all those of a pattern such as `*.patch`; None: not all can be read."""
        texts: list[str] = []
        for found in self._named(path):
            try:
                data = _read(found.resolve(strict=True), PATCH - sum(map(len, texts)))
            except (OSError, RuntimeError, ValueError):
                return None
            if data is None:
                return None
            texts.append(data.decode("utf-8", "replace"))
        return "\n".join(texts) if texts else None

    def members(self, path: str) -> list[str] | None:
        """The files in an archive or a folder, or in all that a pattern stands for; None: those of one cannot be known."""
        if path not in self._members:
            places = self._named(path)
            self._looked_into += len(places)
            within = bool(places) and self._looked_into <= _MOST_ARCHIVES
            found = [_members(place) for place in places] if within else [None]
            known = [names for names in found if names is not None]
            self._members[path] = None if len(known) < len(found) else [name for names in known for name in names]
        return self._members[path]

    def _named(self, path: str) -> list[Path]:
        """The files that a word of a command names; none where a pattern stands for too many, or is looked for everywhere."""
        place = self._found(path)
        if place is None or not any(sign in path for sign in "*?["):
            return [] if place is None else [place]
        from glob import iglob
        from itertools import islice

        try:
            found = [] if "**" in path else list(islice(iglob(str(place)), _MOST_FILES + 1))  # noqa: PTH207 - of any folder
        except (OSError, ValueError):
            return []
        return [Path(each) for each in found] if len(found) <= _MOST_FILES else []

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


def _members(place: Path) -> list[str] | None:
    from llmgenie_mcp.shell.archives import MOST, members

    try:
        if place.is_dir():
            return _walked(place, MOST)
        with _opened(place.resolve(strict=True)) as file:
            return members(file) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except (OSError, RuntimeError, ValueError):
        return None


def _walked(folder: Path, most: int) -> list[str]:
    """The files below a folder, as seen from it; links are files.

    Raises:
        ValueError: there are more than `most`.
    """
    found: list[str] = []
    for place, folders, files in os.walk(folder):
        inner = os.path.relpath(place, folder)
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118 - many of them
        found.extend(name if inner == "." else f"{inner}/{name}" for name in (*files, *links))
        if len(found) > most:
            raise ValueError("too many files")
    return found


def _opened(path: Path) -> IO[bytes]:
    """A file that is open for reading; a pipe or a device that took its place meanwhile is not waited for."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    return os.fdopen(handle, "rb")


def _read(path: Path, most: int = LIMIT) -> bytes | None:
    """A regular file of at most `most` bytes; None for any other."""
    with _opened(path) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            return None
        data = file.read(most + 1)
    return data if len(data) <= most else None


def _aliases(folder: Path) -> Mapping[str, str]:
    """The aliases in force: `alias.name`, and `alias.name.command` of newer versions of git."""
    try:
        done = run_git(folder, ["config", "--null", "--get-regexp", r"^alias\."], timeout=TIMEOUT)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    entries = (entry.partition("\n") for entry in done.stdout.decode("utf-8", "replace").split("\0"))
    return {key[len("alias.") :].removesuffix(".command").lower(): value for key, _, value in entries if key}

"""The change that a model is shown: the diff of a branch since it left the one it goes to.

It is taken from commits, never from files on the disk, and with git's attributes and settings out of force: what a repository
says of its own files (`-diff`, `textconv`, `diff.external`) must not hide anything from who looks at them.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.process import run_git

TIMEOUT = 60.0
"""Seconds for one question to git."""
_CHUNK = 65_536
_FORM = (
    *("-r", "-p", "-U8", "-M", "--text", "--no-ext-diff", "--no-textconv", "--no-color", "--full-index"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", "--ignore-submodules=none", "-O/dev/null"),
)
_PLAIN = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Base:
    """The branch that a change goes to.

    Attributes:
        name: as people say it.
        ref: its full name.
    """

    name: str
    ref: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a branch changes.

    Attributes:
        start: hash of the commit at which it left its base.
        text: the diff.
        files: paths of what it changes, as git writes them.
        binary: those whose content is not in the text, for it is no text.
    """

    start: str
    text: str
    files: tuple[str, ...]
    binary: tuple[str, ...]


def base_of(folder: Path, name: str = "") -> Base:
    """The base that is called `name`, else the one that changes usually go to.

    Raises:
        ActionError: there is none.
    """
    if name:
        names = [name]
    else:
        origin = _asked(folder, "symbolic-ref", "-q", "--short", "refs/remotes/origin/HEAD")
        names = [*([origin.removeprefix("origin/")] if origin else []), "main", "master"]
    for each in names:
        for ref in (f"refs/heads/{each}", f"refs/remotes/{each}", f"refs/remotes/origin/{each}"):
            if _asked(folder, "show-ref", "--verify", "-s", ref):
                return Base(each, ref)
    said = f"There is no branch {name!r}." if name else "It is not clear which branch the change goes to."
    raise ActionError(said, "Name it as `base`; a person can name it for good: opinions: {base: …} in the settings.")


def read(folder: Path, base: Base, head: str, skip: Iterable[str], most: int) -> Change:
    """The change from `base` to the commit `head`.

    Args:
        folder: inside the repository.
        base: where it goes.
        head: hash of a commit.
        skip: patterns of paths to leave out, as git's `glob` pathspecs from the top.
        most: bytes of the diff.

    Raises:
        ActionError: there is nothing to look at, or too much.
    """
    start = _asked(folder, "merge-base", base.ref, head)
    if not start:
        raise ActionError(f"The branch has nothing in common with {base.name}.", "Name another `base`.")
    paths = ["--", ":/", *(f":(exclude,top,glob){pattern}" for pattern in skip)]
    lines: list[bytes] = []
    files: list[str] = []
    binary: list[str] = []
    size = 0
    for name, part in _sections(folder, ["diff-tree", *_FORM, start, head, *paths]):
        if name not in files:
            files.append(name)
        if part is None:
            binary.append(name)
            part = b"(binary content, left out)\n"  # noqa: PLW2901 - what is shown of it
        lines.append(part)
        size += len(part)
        if size > most:
            hint = "Split the branch; or a person leaves generated files out (opinions: {skip: […]} in the settings)."
            raise ActionError(f"The diff to {base.name} has more than {most:,} bytes, too many for the model.", hint)
    if not files:
        raise ActionError(f"The branch changes nothing that {base.name} does not have.", "Commit your work first.")
    text = b"".join(lines).decode("utf-8", "replace").replace("\0", "")
    return Change(start, text, tuple(files), tuple(binary))


def _sections(folder: Path, arguments: list[str]) -> Iterator[tuple[str, bytes | None]]:
    """The lines of a diff, each with the file it belongs to; None instead of a file's further lines once one holds a NUL.

    Lines of files begin with a sign, so that no content passes for the beginning of a section.
    """
    name, binary, fresh = "", False, True
    for line in _lines(folder, arguments):
        if fresh and line.startswith(b"diff --git "):
            name, binary = _path(line), False
        fresh = line.endswith(b"\n")
        if binary:
            continue
        binary = b"\0" in line
        yield name, None if binary else line


def _path(line: bytes) -> str:
    """The second path of a `diff --git` line, for people: one with ` b/` in it is told by its end."""
    return line.decode("utf-8", "replace").strip().rpartition(" b/")[2] or line[11:].decode("utf-8", "replace").strip()


def _lines(folder: Path, arguments: list[str]) -> Iterator[bytes]:
    """What git prints, a very long line in pieces; it is ended with the iterator. Raises ActionError when it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    kept |= {name: value for name, value in os.environ.items() if name.startswith(("GIT_CONFIG", "GIT_EXEC_"))}
    command = ["git", "-C", str(folder), *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**kept, **_PLAIN},
    ) as git:
        late = threading.Timer(TIMEOUT, git.kill)
        late.daemon = True
        late.start()
        try:
            while git.stdout is not None and (line := git.stdout.readline(_CHUNK)):
                yield line
            if git.wait() != 0:
                raise ActionError("git cannot show the diff.", f"Run it to see why: {' '.join(arguments[:2])} …")
        finally:
            late.cancel()
            git.kill()


def _asked(folder: Path, *arguments: str) -> str:
    """What git says, on one line; empty when it says nothing or fails."""
    try:
        done = run_git(folder, arguments, timeout=TIMEOUT, **_PLAIN)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""

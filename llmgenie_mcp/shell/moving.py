"""Moves that are as good as a deletion: a file leaves the folder worked in, or goes where anything is deleted unasked."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from llmgenie_mcp.shell.pattern import lazily

if TYPE_CHECKING:
    from llmgenie_mcp.shell.call import Call

_GOES = frozenset({
    "__pycache__", "node_modules", "dist", "build", "target", "coverage", "htmlcov", "venv", ".venv", ".pytest_cache",
    ".mypy_cache", ".ruff_cache", ".tox", ".nox", ".next", ".turbo", ".parcel-cache", ".gradle",
})  # fmt: skip
_ENDS = (".pyc", ".log", ".tsbuildinfo", ".egg-info")
"""Folders and files that nobody misses: what is moved there can be deleted later without a question.

They are those of `disposable` in the packaged policy `security`; a test compares them.
"""
_ABOVE = lazily(r"\.|(\.\./)*\.\.")
_LOCK = lazily(r"(.*/)?\.git/[^/]*\.lock")


def lost(call: Call, source: str, target: str) -> bool:
    """Whether moving a file by these words is the deletion of the first."""
    here = call.reader.surroundings.variable("PWD") or ""
    return as_good_as_deleted(call.path(source), call.path(target), here)


def as_good_as_deleted(source: str | None, target: str | None, here: str = "") -> bool:
    """Whether a move takes a file out of the folder worked in, or to where anything may be deleted.

    Args:
        source: the path it had, relative to `here` or absolute; None where that is not known.
        target: the path that it gets.
        here: the folder worked in, absolute; "" where that is not known.
    """
    if source is None or target is None:
        return False
    before, after = seen(source, here), seen(target, here)
    if _ABOVE.fullmatch(before) or (here + "/").startswith(before.rstrip("/") + "/"):
        return True
    if disposable(after) and not disposable(before):
        return True
    outside = after[:1] in ("/", "~") or after.split("/")[0] == ".."
    return outside and (not here or posixpath.dirname(before) != posixpath.dirname(after))


def disposable(path: str) -> bool:
    """Whether a path is among those that the packaged policy lets anybody delete."""
    parts = path.split("/")
    return (
        not _GOES.isdisjoint(parts)
        or parts[-1] == ".coverage"
        or any(part.endswith(_ENDS) for part in parts)
        or _LOCK.fullmatch(path) is not None
    )


def seen(path: str, here: str) -> str:
    """A path from where the text starts if it lies there, else absolute; where that is not known, as it is written."""
    if path[:1] == "~":
        return path
    if not here:
        return posixpath.normpath(path)
    path = posixpath.normpath(posixpath.join(here, path))
    return "." if path == here else path.removeprefix(here.rstrip("/") + "/")

"""The files that the patterns in an operation stand for, as the folder is now."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from llmgenie_mcp.expressions.patterns import compile_glob
from llmgenie_mcp.operations import READING, Operation

LOOK_SECONDS = 0.5
"""So long is a tree looked through for what a pattern stands for."""
UNSEEN = frozenset({"node_modules", ".venv", "venv", "__pycache__", ".mypy_cache", "target"})
"""Folders of thousands of files in which nothing is that policies speak of."""
MOST = 10_000
"""So many operations of one event are judged, and so many files stand for one pattern; more cannot be looked through."""


def spread(operations: Iterable[Operation], folder: Path) -> Iterator[Operation]:
    """The operations with each pattern among the paths replaced by the files it stands for now."""
    for count, operation in enumerate(one for given in operations for one in _files(given, folder)):
        if count == MOST:
            params = {"command": operation.text, "why": f"more than {MOST} files at once", "touches": ["anything"]}
            yield Operation("opaque", params, operation.text)
            return
        yield operation


def _files(operation: Operation, folder: Path) -> Iterator[Operation]:
    yield operation  # a file may have the pattern as its very name
    path = operation.params.get("path")
    if operation.params.get("kind") == "committed" or not isinstance(path, str) or "\0" in path:
        return
    if not glob.has_magic(path):
        return
    path = os.path.expanduser(path)  # noqa: PTH111 - no error for an unknown user
    found = below(folder, path) if "**" in path else glob.iglob(path, root_dir=folder)  # noqa: PTH207 - as a shell does
    for name in found:
        if name is None and operation.name not in READING:
            params = {"command": operation.text, "why": "a tree too large to look through", "touches": ["files"]}
            yield Operation("opaque", params, operation.text)
        elif name is not None:
            yield replace(operation, params={**operation.params, "path": name})


def below(folder: Path, pattern: str) -> Iterator[str | None]:
    """The files and folders that a pattern with `**` stands for, hidden ones too; None when it took too long to see all.

    Args:
        folder: what the pattern is relative to.
        pattern: as `expressions.patterns.compile_glob` reads it.
    """
    end = time.monotonic() + LOOK_SECONDS
    literal = list(takewhile(lambda part: not glob.has_magic(part), pattern.split("/")))
    start = "/".join(literal)
    fits = compile_glob(
        "/".join(part if part == "**" else part.replace("**", "*") for part in pattern.split("/") if part != ".")
    )
    root = folder / start
    for place, folders, names in os.walk(root):
        unseen = {*UNSEEN, "objects"} if place.endswith(".git") else UNSEEN
        folders[:] = [name for name in folders if name not in unseen]
        for name in (*folders, *names):
            found = os.path.normpath(os.path.join(start, os.path.relpath(place, root), name))  # noqa: PTH118 - text
            if fits(found):
                yield found
        if time.monotonic() > end:
            yield None
            return

"""The lines that a patch adds, and the secrets in them.

Formats: patches as in git-diff-tree(1), those of merges included ("combined diff format").
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, Any

from llmgenie_mcp import redact
from llmgenie_mcp.errors import ProjectError

LIMIT = 2_000_000
"""Bytes of added text that are searched in one patch; of binary content four times as much."""
MOST = 50
"""So many secrets of one patch are listed."""
TIMEOUT = 60.0
"""Seconds for one patch."""
_CHUNK = 65536
_FORM = ("-p", "-U0", "--text", "--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/")
_HUNK = re.compile(rb"(@@+) ((?:-\d+(?:,\d+)? )+)\+(\d+)(?:,(\d+))? @@")
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
_LOOSE = ("assignment", "url_password")
_VALUE = re.compile(r"[=:]\s*[\"']?(?=[^\s\"',;]*[0-9])(?=[^\s\"',;]*[A-Za-z])[^\s\"',;()\[\]{}<>$]{8,}(?:[\"',;\s]|$)")
"""A value that may be a secret itself: source code assigns types, calls and names to things called `password` too."""


def search(
    folder: Path, arguments: Sequence[str], paths: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Look for secrets in the lines that a patch adds.

    Args:
        folder: where git runs.
        arguments: the diff command of git and its options, without those that give the patch its form.
        paths: those that are looked at, in the order of the patch.
        environment: variables for git.

    Returns:
        {path, line, kind} for each secret, and the paths that were not searched to their end, because there is too much.
        In a file that holds a NUL only what has the form of a token or a key counts; what the repository's attributes call
        binary does not matter.
    """
    if not paths:
        return [], []
    wanted, binary, seen = set(paths), set(), 0
    secrets: list[dict[str, Any]] = []
    command = ["-c", "core.quotePath=true", arguments[0], *_FORM, *arguments[1:]]
    with _running(folder, command, environment) as git:
        for path, first, lines in _batches(git.stdout):
            if any(b"\0" in line for line in lines):
                binary.add(path)
            seen += sum(map(len, lines)) // (4 if path in binary else 1)
            if path in wanted:
                texts = [line.decode("utf-8", "replace") for line in lines]
                secrets += _found(path, first, texts, binary=path in binary)
            if seen > LIMIT or len(secrets) >= MOST:
                return secrets[:MOST], list(paths[paths.index(path) :] if path in wanted else paths)
        if git.wait() != 0:
            raise ProjectError(f"git {arguments[0]} fails in {folder}.", "Run it there to see why.")
    return secrets, []


def _found(path: str, first: int, lines: list[str], *, binary: bool) -> list[dict[str, Any]]:
    if not redact.find("\n".join(lines)):
        return []
    return [
        {"path": path, "line": number, "kind": kind}
        for number, line in enumerate(lines, first)
        for kind in redact.find(line)
        if not (kind in _LOOSE and binary) and (kind != "assignment" or _VALUE.search(line))
    ]


def _batches(stream: IO[bytes] | None) -> Iterator[tuple[str, int, list[bytes]]]:
    """Added lines that follow each other, as (path, number of the first, lines); a very long line comes in pieces."""
    held: list[bytes] = []
    path, size, start, following = "", 0, 0, -1
    for name, number, line in _added(stream):
        if held and (name != path or number != following or size > _CHUNK):
            yield path, start, held
            held, size = [], 0
        if not held:
            path, start = name, number
        held.append(line)
        size += len(line)
        following = number + 1
    if held:
        yield path, start, held


def _added(stream: IO[bytes] | None) -> Iterator[tuple[str, int, bytes]]:
    """The lines that a patch adds: not in any of the parents. Hunks are counted, so that no content can pass for a header."""
    path, number, left, new, partly = "", 0, [0], 0, False
    added = False
    while stream is not None and (line := stream.readline(_CHUNK)):
        goes_on, partly = partly, not line.endswith(b"\n")
        if goes_on:
            if added:
                yield path, number - 1, line
        elif not any(left) and not new:
            added = False
            if line.startswith(b"+++ "):
                path = _path(line[4:])
            elif hunk := _HUNK.match(line):
                left = [int(part.partition(b",")[2] or 1) for part in hunk[2].split()]
                number, new = int(hunk[3]), int(hunk[4] or 1)
        elif not line.lstrip(b" ").startswith(b"\\"):
            signs = line[: len(left)]
            removed = b"-" in signs
            left = [count - (sign == ord("-" if removed else " ")) for count, sign in zip(left, signs, strict=False)]
            added = signs == b"+" * len(left)
            if added:
                yield path, number, line[len(left) :].rstrip(b"\r\n")
            number, new = number + (not removed), new - (not removed)


def _path(written: bytes) -> str:
    """The path of a `+++` line: quoted as in C where it has to be, with a tab at the end where it holds a space."""
    name = written.rstrip(b"\n").removesuffix(b"\t")
    if name.startswith(b'"'):
        name = re.sub(
            rb"\\([0-7]{3}|.)",
            lambda found: bytes([int(found[1], 8)]) if len(found[1]) == 3 else _ESCAPES.get(found[1], found[1]),
            name[1:-1],
        )
    return os.fsdecode(name.removeprefix(b"b/"))


@contextmanager
def _running(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[Popen[bytes]]:
    """git, for its output to be read as it comes; it is ended with the block."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(("GIT_CONFIG", "GIT_EXEC_"))
    }
    with Popen(
        ["git", "-C", str(folder), *arguments],
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
        env={**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", **environment},
    ) as process:
        late = threading.Timer(TIMEOUT, process.kill)
        late.daemon = True
        late.start()
        try:
            yield process
        finally:
            late.cancel()
            process.kill()

"""Where archives and patches put files: what could land among what binds an agent is told, or cannot be known."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from llmgenie_mcp.shell.archives import hidden
from llmgenie_mcp.shell.arguments import UNKNOWN
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.moving import seen
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.scope import join
from llmgenie_mcp.shell.streams import MAGIC, absent, given

_MOST = 64
"""Files of an archive that are told one by one."""
_DEEP = 64
_A_NAME = 8
"""Characters that a member counts as: looking at it takes as long."""
_UPWARDS = lazily(r"\.|(\.\./)*\.\.")
_FIRST = lazily(r"(?:^|/)(\.(?!\.?(?:/|$))[^/]*)")
"""The first hidden part of a path."""
_TEMPORARY = frozenset({"/", "/tmp", "/var/tmp", "/dev/shm", "/private/tmp"})  # noqa: S108 - nothing is written


def holds_all(call: Call, folder: str) -> bool:
    """Whether a folder may be the one that is worked in, or one above it: what is put there may be anything of the project."""
    here = call.reader.surroundings.variable("PWD") or ""
    for start in (call.scope.folder, *call.scope.elsewhere):
        path = _place(call, start, folder)
        found = "" if path is None else seen(path, here)
        above = here and found[:1] == "/" and found not in _TEMPORARY and (here + "/").startswith(found + "/")
        if above or _UPWARDS.fullmatch(found):
            return True
    return False


def unpack(
    call: Call,
    words: Sequence[str],
    folder: str,
    *,
    chosen: Sequence[str] = (),
    strip: int = 0,
    flat: bool = False,
    strange: bool = False,
) -> None:
    """Report what an archive puts down in a folder.

    Args:
        words: the archives; `-` is standard input.
        folder: as the call names it.
        chosen: which of the members; empty: all.
        strip: leading parts of their names that are left out.
        flat: whether all parts but the last are.
        strange: whether they get other names than those in the archive, or may lie anywhere.
    """
    call.files("file.write", [folder])
    paths = given(call, words)
    if absent(call, paths):
        return
    picked = [word for word in chosen if MAGIC.isdisjoint(word) and UNKNOWN not in word]
    names = None if strange else _members(call, paths)
    if names is not None and len(picked) == len(chosen):
        wanted = frozenset(posixpath.normpath(word) for word in picked)
        names = [name for name in names if not wanted or _among(posixpath.normpath(name), wanted)]
    elif names is None and picked and len(picked) == len(chosen) and not strange:
        names = picked if all(_landings(name, strip, flat=flat) for name in picked) else None
    if names is None:
        if strange or holds_all(call, folder):
            call.opaque("what an archive holds cannot be seen; unpack it into a folder of its own", ["files"])
        return
    if strip and any("//" in name for name in names):
        # GNU tar 1.34: of `a//b` it takes `a/`, and puts the rest, `/b`, where it says.
        call.opaque("without their first parts, names in the archive lie anywhere", ["files"])
    _report(call, folder, [landed for name in names for landed in _landings(name, strip, flat=flat)])


def _members(call: Call, paths: Sequence[str | None]) -> list[str] | None:
    found: list[str] = []
    for path in paths:
        if path is None or call.scope.written(path) is not None:
            return None
        names = call.reader.surroundings.members(posixpath.normpath(path))
        if names is None:
            return None
        call.reader.spend(len(names) * _A_NAME)
        found.extend(names)
    return found


def _among(name: str, wanted: frozenset[str]) -> bool:
    """Whether a member, or a folder that it is in, is one of those that are wanted; deep below it may be."""
    parts = name.split("/")
    return (
        "." in wanted
        or len(parts) > _DEEP
        or any("/".join(parts[:count]) in wanted for count in range(1, len(parts) + 1))
    )


def _landings(name: str, strip: int, *, flat: bool) -> list[str]:
    """Where a member may go, below the folder whatever its name says: programs take `..` out of it in ways of their own.

    GNU tar takes a name from behind its last `..`, Info-ZIP leaves those parts out; `.` is a part where parts are stripped.
    """
    parts = [part for part in name.split("/") if part]
    ways = [parts]
    if ".." in parts:
        last = len(parts) - parts[::-1].index("..")
        ways = [parts[last:], [part for part in parts if part != ".."], posixpath.normpath("/" + name).split("/")[1:]]
    found = ["/".join([part for part in way[strip:] if part != "."][-1 if flat else None :]) for way in ways]
    return [landed for landed in dict.fromkeys(found) if landed]


def _report(call: Call, folder: str, names: Sequence[str]) -> None:
    here = call.reader.surroundings.variable("PWD") or ""
    path = _place(call, call.scope.folder, folder)
    if path is None or (seen(path, here)[:1] in ("/", "~") and not holds_all(call, folder)):
        return  # elsewhere nothing binds, and whether files may be put there is asked about the folder
    if path != join(call.scope.folder, folder):  # a link of the text's own leads there
        scope = call.scope.copy()
        scope.folder = ""
        call, folder = call.with_scope(scope), path
    found = [f"{folder.rstrip('/')}/{name}" if folder not in (".", "./") else name for name in hidden(names)]
    for name in found[:_MOST]:
        if (place := _bound(name)) is None or _exists(call, place):
            call.files("file.write", [name])
    if len(found) > _MOST:
        call.opaque("an archive holds too many hidden files", ["files"])


def _bound(name: str) -> str | None:
    """What must be there before a hidden file in it binds anybody: a folder that is new has nobody working in it."""
    start = _FIRST.search(name)
    if start is None:
        return None
    if start.group(1) == ".git":
        return name[: start.end()]
    return name[: start.start()] or None


def _exists(call: Call, name: str) -> bool:
    path = call.path(name)
    return path is None or call.reader.surroundings.exists(posixpath.normpath(path))


def _place(call: Call, start: str | None, folder: str) -> str | None:
    """Where a folder is, by the links that the text made."""
    path = join(start, folder)
    return call.scope.led(path) or path


def pour(call: Call, source: str, folder: str) -> None:
    """Report what the contents of a folder bring into another one, of which only the folder was told."""
    paths = given(call, [source])
    if absent(call, paths) or not holds_all(call, folder):
        return
    names = _members(call, paths)
    if names is None:
        call.opaque("what is in the folder cannot be seen", ["files"])
    else:
        _report(call, folder, names)


def unseen_patch(call: Call, words: Sequence[str], folder: str) -> None:
    """Report that a patch cannot be read which may change anything in the folder that is worked in."""
    if not absent(call, given(call, words)) and holds_all(call, folder):
        call.opaque("a patch that cannot be seen; write it to a file by a command of its own", ["files"])

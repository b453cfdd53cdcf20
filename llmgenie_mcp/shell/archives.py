"""The names of the files that an archive puts down: tar with the usual compressions, and zip with all that is made of it.

The formats are those of POSIX.1-2024 (pax, ustar), of GNU tar's manual ("Basic Tar Format"), and of APPNOTE.TXT 6.3.10 (zip).
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator, Sequence
from typing import IO

from llmgenie_mcp.shell.pattern import lazily

MOST = 10_000
"""Members of an archive; those of a larger one are not known."""
_DIRECTORY = 4 * 1024 * 1024
"""Bytes of the table of contents of a zip."""
_PLAIN = 4 * 1024 * 1024 * 1024
_COMPRESSED: tuple[tuple[bytes, str, int], ...] = (
    (b"\x1f\x8b", "gzip", 64 * 1024 * 1024),
    (b"BZh", "bz2", 16 * 1024 * 1024),
    (b"\xfd7zXZ\0", "lzma", 48 * 1024 * 1024),
)
"""How a compression begins, its module, and how many bytes are unpacked to look for names: half a second's work at most."""
_PIECE, _PIECES = 1024 * 1024, 40_000
_ZIP = (b"PK\3\4", b"PK\5\6")
_END = struct.Struct("<4s4H2LH")
"""The "end of central directory record" (APPNOTE.TXT 4.3.16)."""


class _Bounded:
    """A file that can be read from its start to some point, in pieces that are not too large or too many."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self._most = most
        self._left = _PIECES

    def read(self, size: int = -1) -> bytes:
        self._left -= 1
        if not 0 <= size <= _PIECE or self._left < 0:
            raise ValueError("too much to look through")
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        if whence or place > self._most:
            raise ValueError("too much to look through")
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()


def members(file: IO[bytes]) -> list[str] | None:
    """The files in an archive, as their names stand in it; where links in it lead counts as one of them.

    Args:
        file: open at its start, and one that can be sought in.

    Returns:
        None where it is no archive, one of another format, encrypted, broken, or larger than is looked through.
    """
    begins = file.read(8)
    file.seek(0)
    try:
        found = _zipped(file) if begins.startswith(_ZIP) else list(_taken(file, begins))
    except Exception:  # noqa: BLE001 - whatever is wrong with an archive, its members are not known
        return None
    return found or None


def _zipped(file: IO[bytes]) -> list[str] | None:
    import zipfile

    size = file.seek(0, 2)
    start = max(0, size - _END.size - 0xFFFF)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    _, _, _, _, number, directory, _, _ = _END.unpack_from(tail, at)
    if number > MOST or directory > _DIRECTORY:
        return None
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        return [name for entry in entries if not (name := entry.filename.replace("\\", "/")).endswith("/")]


def _taken(file: IO[bytes], begins: bytes) -> Iterator[str]:
    import importlib
    import tarfile

    module, most = next(((name, most) for sign, name, most in _COMPRESSED if begins.startswith(sign)), ("", _PLAIN))
    opened: IO[bytes] = file if not module else importlib.import_module(module).open(file)
    # Empty blocks and damaged headers are passed over as GNU tar passes over them: what stands behind them is unpacked too.
    with tarfile.open(fileobj=_Bounded(opened, most), mode="r:", ignore_zeros=True) as archive:  # type: ignore[call-overload]
        for number, member in enumerate(archive):
            if number >= MOST:
                raise ValueError("too many members")
            if member.isdir():
                continue
            yield member.name
            if member.issym():
                yield posixpath.join(posixpath.dirname(member.name), member.linkname)
            elif member.islnk():
                yield member.linkname


_HIDDEN = lazily(r"(^|/)\.(?!/|\./|$)")
_OF_TOOLS = lazily(
    r"(.*/)?(\.(git(ignore|attributes|keep|modules|-blame-ignore-revs)|editorconfig|(eslint|prettier|stylelint|babel|swc|nyc|mocha"
    r"|coverage|pylint|npm|yarn|browserslist)(rc|ignore)?(\.\w+)?|travis\.yml|pre-commit-config\.yaml|flake8|nvmrc|clang-format|DS_Store"
    r"|dockerignore|gitlab-ci\.yml|readthedocs\.ya?ml|mailmap)|\.github/(workflows|ISSUE_TEMPLATE)/[^/]*)"
)
"""Hidden files that bind nobody in the packaged policy; trees of sources are full of them."""


def hidden(names: Sequence[str]) -> list[str]:
    """One of the names for each place in a hidden folder, and each hidden file: what binds an agent lies in such."""
    found: dict[str, str] = {}
    for name in names:
        last = next(reversed(list(_HIDDEN.finditer(name))), None)
        if last is None or _OF_TOOLS.fullmatch(name):
            continue
        end = name.find("/", name.find("/", last.end()) + 1) if "/" in name[last.end() :] else -1
        found.setdefault(name if end < 0 else name[:end], name)
    return list(found.values())

"""The file or folder that is imported: read once, within a bound, and no link in it followed.

Policies judge the name that is imported; a link below it would lead past them."""

from __future__ import annotations

import codecs
import stat
from functools import cached_property
from pathlib import Path
from typing import Any

from llmgenie_mcp.errors import UsageError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.loader.yamltext import line_starts, place

MEBIBYTE = 1024 * 1024
DEFAULT_BOUND = 16
"""Mebibytes of files that one import reads; Python needs about 25 times that while it works on them."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Unreadable(Exception):
    """A file that cannot be read as text or as what it should be; `line` and `column` from 1 say where."""

    def __init__(self, file: str, line: int, column: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.file, self.line, self.column, self.message, self.hint = file, line, column, message, hint


@dataclass
class Text:
    """The text of a file.

    Attributes:
        name: of the file, below the tree's root.
        text: all of it.
    """

    name: str
    text: str

    @cached_property
    def _lines(self) -> list[int]:
        return line_starts(self.text)

    def at(self, index: int) -> tuple[str, int, int]:
        """File, line and column of a character."""
        return (self.name, *place(self.text, index, self._lines))

    def unreadable(self, index: int, message: str, hint: str = "") -> Unreadable:
        """An error at a character."""
        return Unreadable(*self.at(index), message, hint)


class Tree:
    """What is imported.

    Args:
        path: a file or a folder.
        bound: at most so many bytes are read.
        encoding: of the files; None: UTF-8, or what their first bytes say.
    """

    def __init__(self, path: Path, *, bound: int = DEFAULT_BOUND * MEBIBYTE, encoding: str | None = None) -> None:
        try:
            found = path.stat()
        except OSError as error:
            raise UsageError(
                f"{path} cannot be read: {error.strerror}.", "Name a file or a folder that is there."
            ) from None
        if encoding is not None:
            try:
                codecs.lookup(encoding)
            except LookupError:
                raise UsageError(
                    f"There is no encoding {encoding!r}.", "Use one that Python knows, such as cp1251."
                ) from None
        self.is_file = not stat.S_ISDIR(found.st_mode)
        self.path = path
        self.root = (path.parent if self.is_file else path).resolve()
        self.bound, self.encoding = bound, encoding
        self._read: dict[str, Text | Unreadable] = {}
        self._parsed: dict[str, Any] = {}
        self._left = bound

    def files(self, *patterns: str) -> list[str]:
        """Names below the root that fit one of the patterns, sorted; the file itself when that alone is imported."""
        if self.is_file:
            return [self.path.name]
        found = {
            str(path.relative_to(self.root))
            for pattern in patterns
            for path in self.root.glob(pattern)
            if path.is_file() and path.resolve() == path
        }
        return sorted(found)

    def unreadable(self) -> list[Unreadable]:
        """What could not be read so far."""
        errors = [found for found in (*self._read.values(), *self._parsed.values()) if isinstance(found, Unreadable)]
        return list(dict.fromkeys(errors))

    def text(self, name: str) -> Text:
        """The text of a file below the root.

        Raises:
            UsageError: it would go beyond the bound. Unreadable: it is no file, or not in the encoding.
        """
        if name not in self._read:
            try:
                self._read[name] = Text(name, self._decoded(name, self._bytes(name)))
            except Unreadable as error:
                self._read[name] = error
        known = self._read[name]
        if isinstance(known, Unreadable):
            raise known
        return known

    def once(self, name: str, make: Any) -> Any:
        """What `make(text)` returns for a file; made once, errors included. Raises Unreadable."""
        key = f"{make.__module__}.{make.__qualname__}:{name}"
        if key not in self._parsed:
            try:
                self._parsed[key] = make(self.text(name))
            except Unreadable as error:
                self._parsed[key] = error
        known = self._parsed[key]
        if isinstance(known, Unreadable):
            raise known
        return known

    def _bytes(self, name: str) -> bytes:
        path = self.root / name
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise Unreadable(name, 1, 1, "This is no file.")
            with path.open("rb") as file:
                data = file.read(self._left + 1)
        except OSError as error:
            raise Unreadable(name, 1, 1, f"This cannot be read: {error.strerror}.") from None
        if len(data) > self._left:
            raise UsageError(
                f"{name}: there is more to read than {self.bound / MEBIBYTE:g} MiB.",
                "Say --max-size MIB to read more; that takes about 25 times as much memory.",
            )
        self._left -= len(data)
        return data

    def _decoded(self, name: str, data: bytes) -> str:
        encoding = self.encoding
        for mark, marked in _MARKS:
            if data.startswith(mark) and encoding is None:
                data, encoding = data[len(mark) :], marked
                break
        if encoding is None and (looks := _without_mark(data)):
            hint = f"It looks like {looks.upper()}: say --encoding {looks}."
            raise Unreadable(name, 1, 1 + data.find(b"\0"), "There is a NUL byte, as in no text of UTF-8.", hint)
        try:
            return data.decode(encoding or "utf-8")
        except UnicodeDecodeError as error:
            before = data[: error.start]
            line = before.count(b"\n") + 1
            column = len(before[before.rfind(b"\n") + 1 :].decode(encoding or "utf-8", "replace")) + 1
            raise Unreadable(
                name,
                line,
                column,
                f"This is not {(encoding or 'utf-8').upper()}: byte 0x{data[error.start]:02x}.",
                "Say which encoding it is, such as --encoding cp1251.",
            ) from None


def _without_mark(data: bytes) -> str:
    """The kind of UTF-16 that a text without a mark looks like: nearly every character of JSON has a zero byte in it."""
    start = data[:400]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = start[offset::2].count(0), start[1 - offset :: 2].count(0)
        if zeros * 2 > len(start) // 2 and others * 8 < len(start):
            return encoding
    return ""

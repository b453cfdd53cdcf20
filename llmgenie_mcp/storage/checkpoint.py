"""db.json: the documents as of one line of the log, in a layout that stock TinyDB opens, one document per line.

The file follows from the log alone: two processes at the same line write the same bytes. The table `_meta` holds one
document: `format`, the place in the log (`seq`, `ts`, `hash`, `lines`, `segment`, `offset`), `next` (the number of the
next new document of each table) and `checksum`, the SHA-256 of all other bytes of the file.
"""

from __future__ import annotations

import gc
import hashlib
from pathlib import Path
from typing import Any

from llmgenie_mcp.errors import StorageError
from llmgenie_mcp.storage.disk import refusals, replace_file
from llmgenie_mcp.storage.documents import Table, Tables
from llmgenie_mcp.storage.lines import Head
from llmgenie_mcp.storage.values import decode, encode

FORMAT = 1
_MARK = b'"checksum":"'
_PLACE = ("seq", "ts", "hash", "lines", "segment", "offset")


def encoded(tables: Tables, head: Head) -> bytes:
    """The bytes of db.json for these documents at this line of the log."""
    meta: dict[str, Any] = {"format": FORMAT, **{name: getattr(head, name) for name in _PLACE}}
    meta["next"] = {name: tables[name].next_number for name in tables.names()}
    parts = []
    for name in tables.names():
        rows = ",\n".join(f'"{number}": {encode(row)}' for number, row in tables[name].rows())
        parts.append(f"{encode(name)}: {{\n{rows}\n}}" if rows else f"{encode(name)}: {{}}")
    before = f'{{\n"_meta": {{\n"1": {encode(meta)[:-1]},"checksum":"'.encode()
    after = ('"}\n},\n' + ",\n".join(parts) + "\n}\n").encode() if parts else b'"}\n}\n}\n'
    return before + hashlib.sha256(before + after).hexdigest().encode() + after


def decoded(data: bytes) -> tuple[Tables, Head, bool]:
    """Documents, place in the log, and whether the checksum is right.

    Raises:
        ValueError: the bytes are not those of a checkpoint; says why.
        StorageError: it was written by a later version of the format.
    """
    # A hundred thousand new objects set the collector off again and again, and none of them is garbage: it would take
    # longer than the reading itself.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _decoded(data)
    finally:
        if collecting:
            gc.enable()


def _decoded(data: bytes) -> tuple[Tables, Head, bool]:
    before, mark, rest = data.partition(_MARK)
    right = hashlib.sha256(before + mark + rest[64:]).hexdigest().encode() == rest[:64]
    content = decode(data.decode("utf-8"))
    try:
        meta = content.pop("_meta")["1"]
        version = meta["format"]
        head = _place(meta)
        numbers = meta["next"]
        tables = Tables(
            {
                name: Table([(int(number), row) for number, row in rows.items()], numbers[name])
                for name, rows in content.items()
            }
        )
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not a checkpoint: {type(problem).__name__} {problem}") from None
    if version != FORMAT:
        if right:
            raise StorageError(
                f"db.json has format {version}; this version reads format {FORMAT}.", "Use the llmgenie that wrote it."
            )
        raise ValueError(f"not a checkpoint: format {version}")
    return tables, head, right


def peeked(path: Path) -> Head | None:
    """The place in the log of the checkpoint at `path`, from its first lines alone; None when there is no telling."""
    try:
        with path.open("rb") as file:
            lines = [file.readline(1024 * 1024) for _ in range(3)]
        meta = decode(lines[2].decode("utf-8").partition(":")[2])
        return _place(meta)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _place(meta: dict[str, Any]) -> Head:
    head = Head(**{name: meta[name] for name in _PLACE})
    texts, numbers = (head.ts, head.hash), (head.seq, head.lines, head.segment, head.offset)
    if not all(isinstance(text, str) for text in texts) or not all(type(n) is int and n >= 0 for n in numbers):
        raise TypeError("the place in the log is not one")
    return head


def write(path: Path, tables: Tables, head: Head) -> int:
    """Replace db.json, atomically and durably; returns its size in bytes.

    Raises:
        StorageFull, StorageReadOnly, StorageError: the old one is still there.
    """
    data = encoded(tables, head)
    with refusals(path, "write"):
        replace_file(path, data)
    return len(data)

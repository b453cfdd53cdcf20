"""Lines of the meta-log: one transaction each, chained by hash.

A line is compact JSON in UTF-8 ended by a line feed: `seq` and `ts` first, then the entry's own fields, `changes` and
`prev`. `prev` is the SHA-256 (64 hex digits) of the bytes of the line before, line feed included, so that
`sed -n 7p 000001.jsonl | sha256sum` prints what line 8 must carry. The first line carries 64 zeros.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.storage.documents import Change
from llmgenie_mcp.storage.values import checked, decode, encode, fits

GENESIS = "0" * 64
_PLAIN = re.compile(r"[A-Za-z0-9_.:@ -]+")
RESERVED = ("seq", "ts", "changes", "prev")


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log has been read: what the next line must follow.

    Attributes:
        seq: number of the last line; 0 for none.
        ts: its time.
        hash: its SHA-256, the `prev` of the next line.
        lines: how many readable lines there are.
        segment: number of the file that holds it (backends with files).
        offset: bytes of that file read so far, which is where the next line begins.
    """

    seq: int = 0
    ts: str = ""
    hash: str = GENESIS
    lines: int = 0
    segment: int = 1
    offset: int = 0


def fingerprint(raw: bytes) -> str:
    """The hash that the line after `raw` carries as `prev`."""
    return hashlib.sha256(raw).hexdigest()


def now() -> str:
    """The time in UTC as RFC 3339 with microseconds; text of fixed width, so that later means greater."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def checked_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a log entry.

    Raises:
        BadParams: it is not JSON, has no `type`, or has a field that the store itself writes.
    """
    copy: dict[str, Any] = checked(entry, "entry")
    kind = copy.get("type")
    problems = [
        {"where": f"entry.{name}", "message": "the store writes this field"} for name in RESERVED if name in copy
    ]
    if not isinstance(kind, str) or not kind:
        problems.append({"where": "entry.type", "message": "must be a text that is not empty"})
    if problems:
        text = "; ".join(f"{problem['where']}: {problem['message']}" for problem in problems)
        raise BadParams(f"The log entry does not fit: {text}.", "Correct these fields of it.", problems=problems)
    return copy


def seal(entry: Mapping[str, Any], changes: Sequence[Change], head: Head) -> tuple[bytes, str]:
    """The line that follows `head`, and its time (which never goes back, even when the clock does)."""
    ts = max(now(), head.ts)
    line = {"seq": head.seq + 1, "ts": ts, **entry, "changes": changes, "prev": head.hash}
    return f"{encode(line)}\n".encode(), ts


def parsed(raw: bytes) -> dict[str, Any]:
    """A line as the object it stands for.

    Raises:
        ValueError: says in words what is wrong with it.
    """
    try:
        line = decode(raw.decode("utf-8"))
    except ValueError as problem:
        raise ValueError(f"not JSON: {problem}") from None
    if not isinstance(line, dict):
        raise ValueError("not a JSON object")
    if type(line.get("seq")) is not int or line["seq"] < 1:
        raise ValueError("seq is not a positive integer")
    if not all(isinstance(line.get(name), str) for name in ("ts", "type", "prev")):
        raise ValueError("ts, type or prev is missing")
    changes = line.get("changes")
    if not isinstance(changes, list) or not all(map(_is_change, changes)):
        raise ValueError("changes is not a list of [table, id, document or null]")
    return line


def _is_change(change: object) -> bool:
    match change:
        case [str(), str() as key, {"id": named}]:
            return bool(named == key)
        case [str(), str(), None]:
            return True
    return False


def selected(
    raws: Iterable[bytes],
    where: Mapping[str, object] | None,
    limit: int,
    *,
    changes: bool,
    unreadable: Callable[[ValueError], None],
) -> tuple[list[dict[str, Any]], bool]:
    """The first `limit` of `raws` whose fields equal those of `where`, and whether `raws` was read to its end.

    What is wrong with a line that does not parse is handed to `unreadable`; it raises, or has the line passed over.
    """
    found: list[dict[str, Any]] = []
    needles = list(_needles(where or {}))
    for raw in raws:
        if len(found) >= limit:
            return found, False
        if needles and not all(needle in raw for needle in needles):
            continue
        try:
            line = parsed(raw)
        except ValueError as problem:
            unreadable(problem)
            continue
        if fits(line, where):
            if not changes:
                del line["changes"]
            found.append(line)
    return found, True


def _needles(where: Mapping[str, object]) -> Iterator[bytes]:
    # Parsing costs twenty times as much as searching for a value that every JSON writer spells the same way.
    for value in where.values():
        if isinstance(value, str) and _PLAIN.fullmatch(value):
            yield f'"{value}"'.encode()

"""What the enforcement points did: one short line a decision, summed up when asked.

It lies beside the meta-log and not in it: thousands of allowed commands would bury what people look for there. What was
refused, and what was allowed but leaves a mark (commits, pushes, deletions), is in the meta-log as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Any

from llmgenie_mcp.outcome import Document, now

FILE, OLDER = "enforcement.log", "enforcement.sum"
FOLD_BYTES = 256 * 1024
"""So long may the file get before it is summed up."""
EFFECTS = ("allow", "ask", "deny", "fault", "seen")
LONGEST = 200
"""Characters of one field; hosts name their events as they like."""


def note(store: Path, point: str, event: str, effect: str, rules: tuple[str, ...] = ()) -> None:
    """Add one line; a folder that cannot be written costs the count and nothing else.

    Writers share a lock on the file; whoever sums it up holds it alone, and empties the file rather than moving it away, so
    that no line is written where nobody looks any more.

    Args:
        store: the project's.
        point: where it was decided, such as `cursor` or `git`.
        event: what the point calls it, such as `beforeShellExecution`.
        effect: allow, ask, deny, fault (could not decide) or seen (nothing to decide).
        rules: what refused.
    """
    fields = (now(), _field(point), _field(event), effect, ",".join(map(_field, rules)))
    line = "\t".join(fields) + "\n"
    path = store / "run" / FILE
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True, parents=True)
        if path.parent.is_symlink():  # a clone may bring one, and it may lead anywhere
            return
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            os.write(descriptor, line.encode("utf-8", "replace"))
            if os.fstat(descriptor).st_size > FOLD_BYTES:
                _fold(store, descriptor)
        finally:
            os.close(descriptor)


def summary(store: Path) -> dict[str, Document]:
    """By point: {last: when it spoke last, events: {name: last}, rules: {rule: count}, and a count for each effect}."""
    with contextlib.suppress(OSError), (store / "run" / FILE).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # between the two files nothing is counted twice
        return _summed(store, file.read())
    return _read_older(store)


def _field(text: str) -> str:
    return " ".join(text.split())[:LONGEST]


def _summed(store: Path, data: bytes) -> dict[str, Document]:
    found = _read_older(store)
    for line in data.decode("utf-8", "replace").split("\n"):
        parts = line.split("\t")
        if len(parts) == 5 and parts[3] in EFFECTS:
            _add(found, *parts)
    return found


def _add(found: dict[str, Document], at: str, point: str, event: str, effect: str, rules: str) -> None:
    entry = found.setdefault(point, {"last": "", "events": {}, "rules": {}})
    entry["last"] = max(entry["last"], at)
    entry["events"][event] = max(entry["events"].get(event, ""), at)
    entry[effect] = entry.get(effect, 0) + 1
    for rule in filter(None, rules.split(",")):
        entry["rules"][rule] = entry["rules"].get(rule, 0) + 1


def _read_older(store: Path) -> dict[str, Any]:
    try:
        found = json.loads((store / "run" / OLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {point: entry for point, entry in found.items() if _is_entry(entry)} if isinstance(found, dict) else {}


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(entry.get(name), kind) for name, kind in (("last", str), ("events", dict), ("rules", dict))
    )


def _fold(store: Path, descriptor: int) -> None:
    """Sum up, unless another is about to write or to sum up: then the next one does."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    size = os.fstat(descriptor).st_size
    if size <= FOLD_BYTES:
        return
    older = store / "run" / OLDER
    fresh = older.with_name(f"{OLDER}.new")
    fresh.write_text(json.dumps(_summed(store, os.pread(descriptor, size, 0))), encoding="utf-8")
    fresh.replace(older)
    os.ftruncate(descriptor, 0)

"""What the enforcement points did: one short line a decision, summed up when asked.

It lies beside the meta-log and not in it: thousands of allowed commands would bury what people look for there. What was
refused, and what was allowed but leaves a mark (commits, pushes, deletions), is in the meta-log as well.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmgenie_mcp.outcome import Document, now

FILE, OLDER = "enforcement.log", "enforcement.sum"
FOLD_BYTES = 256 * 1024
"""So long may the file get before it is summed up."""


def note(store: Path, point: str, event: str, effect: str, rules: tuple[str, ...] = ()) -> None:
    """Add one line; a folder that cannot be written costs the count and nothing else.

    Args:
        store: the project's.
        point: where it was decided, such as `cursor` or `git`.
        event: what the point calls it, such as `beforeShellExecution`.
        effect: allow, ask, deny, fault (could not decide) or seen (nothing to decide).
        rules: what refused.
    """
    line = "\t".join((now(), point, event, effect, ",".join(rules))).replace("\n", " ") + "\n"
    path = store / "run" / FILE
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True, parents=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
            if os.fstat(descriptor).st_size > FOLD_BYTES:
                _fold(store)
        finally:
            os.close(descriptor)


def summary(store: Path) -> dict[str, Document]:
    """By point: {last: when it spoke last, events: {name: last}, rules: {rule: count}, and a count for each effect}."""
    found = _read_older(store)
    for line in _lines(store / "run" / FILE):
        _add(found, *line)
    return found


def _add(found: dict[str, Document], at: str, point: str, event: str, effect: str, rules: str) -> None:
    entry = found.setdefault(point, {"last": "", "events": {}, "rules": {}})
    entry["last"] = max(entry["last"], at)
    entry["events"][event] = max(entry["events"].get(event, ""), at)
    entry[effect] = entry.get(effect, 0) + 1
    for rule in filter(None, rules.split(",")):
        entry["rules"][rule] = entry["rules"].get(rule, 0) + 1


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) == 5:
            yield parts


def _read_older(store: Path) -> dict[str, Any]:
    import json

    try:
        found = json.loads((store / "run" / OLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _fold(store: Path) -> None:
    """Sum up: whoever moves the file away is the only one to add it, so that no line counts twice."""
    import json

    aside = store / "run" / f"{FILE}.{os.getpid()}"
    (store / "run" / FILE).rename(aside)
    found = _read_older(store)
    for line in _lines(aside):
        _add(found, *line)
    fresh = aside.with_suffix(".new")
    fresh.write_text(json.dumps(found), encoding="utf-8")
    fresh.replace(store / "run" / OLDER)
    aside.unlink()

"""Whether definitions changed: cheap signs (name, time, size) of the files behind them."""

from __future__ import annotations

import os
from pathlib import Path

from llmgenie_mcp import trust

SUFFIXES = (".yaml", ".yml", ".json")
SETTINGS = "llmgenie.yaml"
FOLDERS = ("workflows", "policies", "triggers", "actions")

Mark = tuple[str, int, int]


def definitions(store: Path) -> tuple[Mark, ...]:
    """The mark of everything that a project defines: its definition files, its settings, and the record of trust."""
    return (
        *files(store),
        *_stamp("settings", store / SETTINGS),
        *_stamp("trust", trust.record(store)),
    )


def files(store: Path | None) -> tuple[Mark, ...]:
    """(name, modification time in ns, size) of each of a project's definition files: differs when they changed."""
    found: list[Mark] = []
    if store is None:
        return ()
    for part in FOLDERS:
        try:
            with os.scandir(store / part) as listing:
                for item in listing:
                    if item.name.endswith(SUFFIXES):
                        stat = item.stat()
                        found.append((f"{part}/{item.name}", stat.st_mtime_ns, stat.st_size))
        except OSError:
            continue
    return tuple(sorted(found))


def _stamp(name: str, path: Path) -> tuple[Mark, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return ((name, found.st_mtime_ns, found.st_size),)

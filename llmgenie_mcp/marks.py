"""Whether definitions changed: cheap signs (name, time, size) of the files behind them.

The time is that of the last change of the inode: unlike the time of modification nobody sets it back.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from llmgenie_mcp import trust

SUFFIXES = (".yaml", ".yml", ".json")
SETTINGS = "llmgenie.yaml"
FOLDERS = ("workflows", "policies", "triggers", "actions")

Mark = tuple[str, int, int]


def definitions(store: Path) -> tuple[Mark, ...]:
    """The mark of all that a person accepts of a project, whether it defines anything or not, and of the record of trust."""
    return (
        *files(store, all_of_them=True),
        *_stamp("settings", f"{os.fspath(store)}/{SETTINGS}"),
        *_stamp("trust", trust.record(store)),
    )


def files(store: Path | None, *, all_of_them: bool = False) -> tuple[Mark, ...]:
    """(name, time of change in ns, size) of each of a project's definition files: differs when they changed.

    Args:
        store: the folder that holds them.
        all_of_them: also what lies deeper, or is called otherwise than definitions are.
    """
    found: list[Mark] = []
    if store is None:
        return ()
    # Asked at every call: paths are plain text here, which takes half the time of Path objects.
    root = os.fspath(store)
    waiting = list(FOLDERS)
    while waiting:
        part = waiting.pop()
        if not os.access(f"{root}/{part}", os.F_OK):
            continue  # mostly so, and an exception costs more than the question
        try:
            with os.scandir(f"{root}/{part}") as listing:
                for item in listing:
                    if all_of_them and item.is_dir(follow_symlinks=False):
                        waiting.append(f"{part}/{item.name}")
                    elif all_of_them or item.name.endswith(SUFFIXES):
                        stat = item.stat()
                        found.append((f"{part}/{item.name}", stat.st_ctime_ns, stat.st_size))
        except OSError:
            continue
    return tuple(sorted(found))


def listings(store: Path) -> tuple[Mark, ...]:
    """The mark of what is kept of other servers' tools: files that are never changed in place."""
    try:
        with os.scandir(os.fspath(listings_folder(store))) as listing:
            return tuple(sorted((item.name, item.inode(), item.stat().st_mtime_ns) for item in listing))
    except OSError:
        return ()


def listings_folder(store: Path) -> Path:
    """Where they lie, in the user's state folder; it need not be there."""
    return _listings_folder(trust.state_folder(), store)


@cache
def _listings_folder(state: Path, store: Path) -> Path:
    return state / "upstreams" / trust.record(store).name


def _stamp(name: str, path: str | Path) -> tuple[Mark, ...]:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return ()
    return ((name, found.st_ctime_ns, found.st_size),)

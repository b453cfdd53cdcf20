"""Where the lists of tools and what was accepted of them lie, and whether they have changed. Light: asked at every call."""

from __future__ import annotations

import os
from pathlib import Path

from llmgenie_mcp import trust


def folder(store: Path) -> Path:
    """The folder of a project's lists in the user's state folder; it need not be there."""
    return trust.state_folder() / "upstreams" / trust.record(store).name


def mark_of(store: Path) -> object:
    """Differs when a list, or what was accepted, differs: signs of the files, which are never changed in place."""
    try:
        with os.scandir(folder(store)) as listing:
            return tuple(sorted((item.name, item.inode(), item.stat().st_mtime_ns) for item in listing))
    except OSError:
        return ()

"""The backends that the suite runs against, in the configurations in which they differ."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import llmgenie_mcp
from llmgenie_mcp.storage import Storage, open_storage
from llmgenie_mcp.storage.tinydb import TinyDBStorage


@dataclass
class Backend:
    """A way to open a store; `durable` says whether opening it again finds what was committed."""

    opener: Callable[[], Storage]
    durable: bool
    opened: list[Storage] = field(default_factory=list)

    def open(self) -> Storage:
        store = self.opener()
        self.opened.append(store)
        return store

    def close(self) -> None:
        for store in self.opened:
            store.close()


# The small one turns to a new segment and writes db.json every few commits, so all tests pass through both.
BACKENDS: dict[str, dict[str, Any] | None] = {
    "memory": None,
    "tinydb": {},
    "tinydb relaxed": {"durability": "relaxed"},
    "tinydb small": {"segment_bytes": 700, "checkpoint_bytes": 500},
}


def make_backend(kind: str, folder: Path) -> Backend:
    options = BACKENDS[kind]
    if options is None:
        return Backend(partial(open_storage, "memory:"), durable=False)
    return Backend(partial(TinyDBStorage, folder, **options), durable=True)


def spawn(script: Path, *arguments: object) -> subprocess.Popen[str]:
    """Another Python process, talked to by lines; use it in a `with` block."""
    root = Path(llmgenie_mcp.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        bufsize=1,
    )


def tell(process: subprocess.Popen[str], word: str = "") -> None:
    """Send one line."""
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    """Wait for one line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()

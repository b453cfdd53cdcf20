"""What is kept between processes of a project's definitions: small JSON files in the user's state folder, outside every project.

Each has a mark, and counts only while that is what `mark_of` says: nothing behind it has changed since.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llmgenie_mcp import distributions, marks, trust

WRITERS = ("kept.py", "compiled.py", "engine/outline.py", "engine/flow.py", "engine/known.py", "engine/offers.py")
"""The modules that say what such files look like."""


def place(store: Path, part: str = "") -> Path:
    """The file kept for `store`; `part` tells one from another, such as `.outline`."""
    return trust.state_folder() / "compiled" / f"{trust.record(store).name}{part}.json"


def write(path: Path, document: dict[str, Any]) -> None:
    """Write one such file for its user alone, whole or not at all; nothing happens where that cannot be done."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps(document)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)


def mark_of(store: Path, plugged: Iterable[str] = ()) -> list[Any]:
    """Differs when anything differs that the reader of such a file must notice.

    That is the definitions of the project, the record of trust, the packaged policies and workflows, what is installed,
    and llmgenie itself.

    Args:
        store: the project's.
        plugged: the folders in which plug-ins have definitions.
    """
    package = Path(__file__).resolve().parent
    shipped = next(
        (folder for folder in (package / "workflows", package.parent / "workflows") if folder.is_dir()), package
    )
    both = (*marks.files(shipped.parent), *marks.files(shipped), *marks.definitions(store))
    outside = (*distributions.mark(), *(mark for folder in plugged for mark in marks.files(Path(folder))))
    own = [(package / name).stat() for name in WRITERS]  # another version of llmgenie
    return [*([stat.st_mtime_ns, stat.st_size] for stat in own), *([*mark] for mark in (*both, *outside))]

"""Imports and exports in few words, over the real store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llmgenie_mcp import Engine, exporters
from llmgenie_mcp.importers import Report, import_path
from llmgenie_mcp.outcome import Actor

FILES = Path(__file__).parent / "files"


def bring(engine: Engine, path: Path, **options: Any) -> Report:
    """Import what is at `path`, as a person does; the report."""
    options.setdefault("actor", Actor("human", "ada"))
    outcome, report = import_path(engine, path, **options)
    assert outcome.ok, outcome
    return report


def tasks(engine: Engine) -> dict[str, dict[str, Any]]:
    """All tasks by id."""
    engine.storage.refresh()
    return {task["id"]: task for task in engine.storage.query("tasks").items}


def said(remarks: list[Any]) -> list[str]:
    """Remarks as `line:column: message`."""
    return [f"{remark.place.line}:{remark.place.column}: {remark.message}" for remark in remarks]


def write(path: Path, value: Any) -> Path:
    """Write JSON, or a text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    path.write_text(text, encoding="utf-8")
    return path


def unpack(made: exporters.Exported, folder: Path) -> Path:
    """Write the files of an export without asking anything."""
    for name, data in made.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder

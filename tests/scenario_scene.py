"""Scenario files of tests."""

from __future__ import annotations

from pathlib import Path

from llmgenie_mcp.loader.scenarios import Source


def written(folder: Path, text: str) -> Source:
    """A scenario file of the project's own."""
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return Source(path, "mine.yaml", "project")

"""A project's settings, read from its file."""

from __future__ import annotations

from pathlib import Path

from llmgenie_mcp.config import FILE_NAME, Settings
from llmgenie_mcp.loader import Loaded, load_yaml


def load_settings(store: Path) -> Settings:
    """The settings in `store`, or the defaults when there is no file.

    Raises:
        DefinitionError: the file is wrong; names file, line and column.
    """
    found = read_settings(store)
    return found.value if found else Settings.defaults()


def read_settings(store: Path | None) -> Loaded[Settings] | None:
    """The settings with the places of what they say; None when there is no file. Raises DefinitionError."""
    path = store / FILE_NAME if store else None
    return load_yaml(path, Settings) if path and path.exists() else None

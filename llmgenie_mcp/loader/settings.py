"""A project's settings, read from its file."""

from __future__ import annotations

from pathlib import Path

from llmgenie_mcp.config import FILE_NAME, Settings
from llmgenie_mcp.loader import load_yaml


def load_settings(store: Path) -> Settings:
    """The settings in `store`, or the defaults when there is no file.

    Raises:
        DefinitionError: the file is wrong; names file, line and column.
    """
    path = store / FILE_NAME
    if not path.exists():
        return Settings()
    return load_yaml(path, Settings).value

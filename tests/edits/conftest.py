"""A project with files of every kind, and what is to be put into them."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import rich_project


@pytest.fixture
def project(repo: Path) -> Path:
    """A git repository that is full of other people's files."""
    return rich_project(repo)

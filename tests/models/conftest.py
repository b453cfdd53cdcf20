"""A change for a second model to look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile import Hostile
from model_scene import model
from scene import commit, configure, git


@pytest.fixture
def feature(repo: Path, server: Hostile) -> Path:
    """A repository on branch feature/x with one commit, and a project with the model `local`."""
    configure(repo, models={"local": model(server, "openai")})
    git(repo, "switch", "-q", "-c", "feature/x")
    commit(repo, "x.py", "print(1 / 0)\n")
    return repo

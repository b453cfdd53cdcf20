"""A project with receivers, an engine over it, and a server to post to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rest_place import serving
from scene import define, git
from webhook_senders import SECRET, SIGNING
from webhook_site import REVIEW, Site, app_of, settle

from llmgenie_mcp import Engine


@pytest.fixture
def ready(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with receivers that a person accepted, and a review of its own that waits for CI."""
    monkeypatch.setenv("HUB_SECRET", SECRET)
    monkeypatch.setenv("PEER_SECRET", SIGNING)
    define(repo, "workflows", "review", REVIEW)
    git(repo, "branch", "feature/x")
    git(repo, "branch", "feature/y")
    settle(repo)
    return repo


@pytest.fixture
def house(ready: Path, open_engine: Callable[..., Engine]) -> Engine:
    return open_engine(ready)


@pytest.fixture
def site(house: Engine) -> Iterator[Site]:
    with serving(app_of(house)) as client:
        yield Site(client)

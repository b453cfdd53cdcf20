"""Tests of the gateway: nothing that one of them started is left for the next."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from upstream_scene import children

from llmgenie_mcp.upstream import pool


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After each test no connection, no process and no thread of one is there."""
    before = set(children())
    yield
    pool.close_all()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("llmgenie-upstream")]
    assert set(children()) <= before

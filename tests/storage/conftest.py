"""Every test that asks for `backend` or `store` runs against every backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from backends import BACKENDS, Backend, make_backend

from llmgenie_mcp.storage import Storage


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    made = make_backend(request.param, tmp_path / "store")
    yield made
    made.close()


@pytest.fixture
def store(backend: Backend) -> Storage:
    return backend.open()

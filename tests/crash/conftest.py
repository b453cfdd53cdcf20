"""Everything here kills real processes, or fills or locks real disks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from victims import Victims


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.crash)


@pytest.fixture(scope="session")
def victims() -> Iterator[Victims]:
    with Victims() as started:
        yield started

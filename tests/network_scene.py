"""Requests of tests, with patience, to wherever they say."""

from __future__ import annotations

from typing import Any

import pytest

from llmgenie_mcp import network
from llmgenie_mcp.network import Answer, Unreachable

LIMIT = 0.4
"""Seconds for what never ends by itself."""


def get(url: str, **more: Any) -> Answer:
    """The answer to a GET."""
    return network.request("GET", url, **{"timeout": 10, "allow_private": True, **more})


def unreachable(url: str, **more: Any) -> Unreachable:
    """Why there is no answer to a GET."""
    with pytest.raises(Unreachable) as caught:
        get(url, **more)
    return caught.value

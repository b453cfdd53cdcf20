"""One thing that `doctor` looked at."""

from __future__ import annotations

from typing import Literal

from llmgenie_mcp.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    Attributes:
        name: what.
        status: ok; warn: works, but look at it; fail: broken.
        message: what was found.
        fix: how it is mended; empty when nothing is to be done.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    message: str
    fix: str = ""

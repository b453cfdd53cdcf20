"""Which events were taken in already: senders repeat what was not acknowledged, and others repeat what they overheard."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from llmgenie_mcp.engine import ring
from llmgenie_mcp.outcome import now
from llmgenie_mcp.storage import Transaction

TABLE = "receipts"
KEPT = 10_000
"""So many are remembered; the oldest go first."""


def seen(tx: Transaction, marks: Iterable[str]) -> bool:
    """Whether one of these marks was remembered."""
    return any(tx.get(TABLE, _key(mark)) is not None for mark in marks)


def remember(tx: Transaction, marks: Iterable[str]) -> None:
    """Remember each of these marks."""
    for mark in marks:
        ring.keep(tx, TABLE, _key(mark), {"at": now()}, KEPT)


def _key(mark: str) -> str:
    return hashlib.sha256(mark.encode("utf-8", "replace")).hexdigest()[:32]

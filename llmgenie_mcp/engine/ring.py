"""A table that keeps the last so many documents that were put under new keys; the oldest go first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgenie_mcp.storage import Transaction


def keep(tx: Transaction, table: str, key: str, document: Mapping[str, Any], size: int) -> None:
    """Put a document; when the key is new, the one put `size` new keys ago goes."""
    if tx.get(table, key) is None:
        number = int(tx.next_id(table).rpartition("-")[2])
        place = f"{table}/{number % size}"
        if old := tx.get(f"{table}_ring", place):
            tx.delete(table, old["key"])
        tx.put(f"{table}_ring", place, {"key": key})
    tx.put(table, key, document)

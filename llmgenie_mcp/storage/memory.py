"""The store that ends with its process: for tests, demonstrations and dry runs.

Everything but durability is as in the other backends: transactions, versions, the chained log, copies in and out.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmgenie_mcp.storage import VerifyReport
from llmgenie_mcp.storage.base import BaseStorage
from llmgenie_mcp.storage.documents import Tables
from llmgenie_mcp.storage.lines import GENESIS, Head, fingerprint, parsed


class MemoryStorage(BaseStorage):
    """A store in memory; safe to share between threads.

    Args:
        lock_timeout: seconds to wait for another thread's transaction before StorageBusy.
    """

    def __init__(self, *, lock_timeout: float = 10.0) -> None:
        super().__init__("memory:", lock_timeout=lock_timeout)
        self._log: list[bytes] = []

    def verify(self) -> VerifyReport:
        """Check the hash chain and replay the log against the documents."""
        with self._mutex:
            self._check_usable()
            raws, problems, prev, replayed = list(self._log), [], GENESIS, Tables()
            for number, raw in enumerate(raws, start=1):
                line = parsed(raw)
                if line["seq"] != number or line["prev"] != prev:
                    problems.append(f"memory:{number}: does not follow the line before.")
                prev = fingerprint(raw)
                replayed.apply(line["changes"])
            if replayed.differences(self._tables):
                problems.append("memory: the documents are not those of the log.")
        return VerifyReport(len(raws), not problems, problems)

    def repair(self) -> list[str]:
        """Nothing can be damaged here: returns an empty list."""
        return []

    def checkpoint(self) -> None:
        """Nothing to do: there is no file."""

    def _append(self, raw: bytes) -> tuple[int, int]:
        with self._mutex:
            self._log.append(raw)
        return 1, self._head.offset + len(raw)

    def _lines(self, head: Head, first: int, last: int, *, newest_first: bool) -> Iterator[bytes]:  # noqa: ARG002
        numbers = range(last - 1, first - 2, -1) if newest_first else range(first - 1, last)
        return (self._log[number] for number in numbers)

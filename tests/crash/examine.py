"""What must hold after any crash."""

from __future__ import annotations

from pathlib import Path

from llmgenie_mcp.storage.tinydb import TinyDBStorage


def examine(folder: Path, acked: int, may_be: int = 1, bad_checkpoint: bytes = b"") -> int:
    """Every acknowledged commit is there, none is there by half, and the store can be written; returns the last number.

    Args:
        acked: number of the last commit that returned.
        may_be: how many commits may have been under way, and so may be there or not.
        bad_checkpoint: a db.json that was damaged before; as long as it is there, it is to be found and named.
    """
    reader = TinyDBStorage(folder, read_only=True)
    last = reader.last_seq()
    assert acked <= last <= acked + may_be
    check_documents(reader, last)
    report = reader.verify()
    checkpoint = folder / "db.json"
    if bad_checkpoint and checkpoint.read_bytes() == bad_checkpoint:
        assert all(problem.startswith(f"{checkpoint}:") for problem in report.problems)
        assert report.problems
    else:
        assert (report.ok, report.problems) == (True, [])
    assert report.lines == last
    log = reader.log(newest_first=True, limit=20)
    assert [line["n"] for line in log.items] == list(range(last, max(0, last - 20), -1))
    reader.close()
    return last


def check_documents(store: TinyDBStorage, last: int) -> None:
    """The documents are those of exactly `last` whole transactions of `victim.commit`."""
    numbers = {table: [row["n"] for row in store.query(table).items] for table in ("left", "right", "rows")}
    assert numbers["left"] == numbers["right"] == ([last] if last else [])
    assert numbers["rows"] == list(range(max(1, last - 4), last + 1))

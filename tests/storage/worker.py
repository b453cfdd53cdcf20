"""Another process on the same store; run as `python worker.py VERB FOLDER [ARGUMENT]`, told what to do line by line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from llmgenie_mcp.storage.tinydb import TinyDBStorage

SMALL = {"segment_bytes": 5000, "checkpoint_bytes": 3000}


def say(word: str) -> None:
    print(word, flush=True)


def write(store: TinyDBStorage, name: str, count: int) -> None:
    """Commit `count` times: a new task, and a counter that every process raises."""
    for _ in range(count):
        with store.begin() as transaction:
            counter = transaction.get("counters", "all") or {"n": 0}
            transaction.put("counters", "all", {"n": counter["n"] + 1})
            transaction.put("counters", "copy", {"n": counter["n"] + 1})
            transaction.put("tasks", transaction.next_id("T"), {"by": name})
            transaction.commit({"type": "test", "by": name})


def main() -> None:
    verb, folder, *rest = sys.argv[1:]
    store = TinyDBStorage(Path(folder), **SMALL)
    say("ready")
    sys.stdin.readline()
    if verb == "write":
        write(store, str(os.getpid()), int(rest[0]))
        store.close()
    elif verb == "hold":
        with store.begin() as transaction:
            transaction.put("tasks", "half", {})
            say("holding")
            sys.stdin.readline()
    elif verb == "write-and-close":
        while sys.stdin.readline().strip() == "more":
            write(store, "worker", 10)
            store.checkpoint()
            say("done")
        store.close()
    say("over")


if __name__ == "__main__":
    main()

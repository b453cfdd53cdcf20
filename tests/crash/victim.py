"""The processes that the tests kill. Run as a script it forks one for every line of JSON on its standard input.

A victim answers on standard output: `<pid> ack <n>` after each commit that returned, `<pid> done` when it came to its end.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmgenie_mcp.storage.tinydb import TinyDBStorage

# Every call that the store makes and that may change something on the disk; `open` may create.
CALLS = ("open", "write", "fdatasync", "fsync", "ftruncate", "replace", "mkdir", "unlink")
_write = os.write


def say(*words: object) -> None:
    _write(1, f"{os.getpid()} {' '.join(map(str, words))}\n".encode())


def commit(store: TinyDBStorage, filling: int = 0) -> int:
    """One transaction over four tables: a number that rises, its double, a new row, and the row five back removed."""
    with store.begin() as transaction:
        n = (transaction.get("left", "x") or {"n": 0})["n"] + 1
        transaction.put("left", "x", {"n": n})
        transaction.put("right", "x", {"n": n, "filling": "ü" * filling})
        transaction.put("rows", transaction.next_id("R"), {"n": n})
        transaction.delete("rows", f"R-{n - 5}")
        assert transaction.commit({"type": "test", "n": n}) == n
    return n


def commit_for_ever(store: TinyDBStorage, seed: int) -> None:
    choose = random.Random(seed)
    while True:
        say("ack", commit(store, choose.choice([0, 0, 0, 10, 5000])))
        if choose.random() < 0.05:
            store.checkpoint()


def commit_and_close(store: TinyDBStorage, _seed: int) -> None:
    for _ in range(2):
        say("ack", commit(store))
    store.checkpoint()
    say("ack", commit(store))
    store.close()


def repair(store: TinyDBStorage, _seed: int) -> None:
    store.repair()
    say("repaired")


DEEDS: dict[str, Callable[[TinyDBStorage, int], None]] = {
    "commit for ever": commit_for_ever,
    "commit and close": commit_and_close,
    "repair": repair,
}


def die_before(call: int, part: float) -> None:
    """Have this process killed when it makes its `call`-th system call, a write after the given part of its data."""
    calls = [0]

    def killing(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == call:
                if name == "write" and part:
                    data = arguments[1]
                    real(arguments[0], data[: min(len(data) - 1, int(len(data) * part))])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return wrapper

    for name in CALLS:
        if hasattr(os, name):
            setattr(os, name, killing(getattr(os, name), name))
    fcntl.fcntl = killing(fcntl.fcntl, "fcntl")  # how macOS is asked to wait for the disk


def live(order: dict[str, Any]) -> None:
    store = TinyDBStorage(Path(order["folder"]), **order["options"])
    if order.get("call"):
        die_before(order["call"], order.get("part", 0))
    DEEDS[order["do"]](store, order.get("seed", 0))
    say("done")


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "reap" in order:
            _, status = os.waitpid(order["reap"], 0)
            _write(1, f"{order['reap']} gone {os.waitstatus_to_exitcode(status)}\n".encode())
            continue
        go, start = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.read(go, 1)
                live(order)
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        _write(1, f"{pid} born\n".encode())
        _write(start, b"!")
        os.close(go)
        os.close(start)


if __name__ == "__main__":
    main()

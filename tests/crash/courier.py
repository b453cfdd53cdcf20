"""The processes that deliver, and that the tests kill. Run as a script it forks one for every line of JSON on its standard input.

As `victim.py`, but over an Engine with its dispatcher: a courier makes events, says `<pid> ack <n>` when one is recorded,
and delivers what they lead to.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import victim
from victim import CALLS, say

from llmgenie_mcp import Engine, plugins
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.plugins import Delivered, Parcel

PATIENCE = 60.0


def heard(engine: Engine, fits: Callable[[], bool]) -> Callable[[], bool]:
    """What waits until something fits, looking after every commit."""
    new = threading.Condition()

    def tell(_line: object) -> None:
        with new:
            new.notify_all()

    engine.subscribe(tell)

    def wait() -> bool:
        with new:
            return new.wait_for(fits, PATIENCE)

    return wait


def events(engine: Engine, first: int, count: int) -> None:
    for n in range(first, first + count):
        engine.trigger_event("thing.happened", {"n": n})
        say("ack", n)


def pending(engine: Engine) -> int:
    return engine.storage.query("outbox", {"status": "pending"}, limit=0).total


def work(engine: Engine, order: dict[str, Any]) -> None:
    """Make events and deliver them, beside each other; end when all is done."""
    done = heard(engine, lambda: not pending(engine))
    dispatcher = Dispatcher(engine, sources=False)
    dispatcher.start()
    events(engine, order["first"], order["count"])
    assert done()
    dispatcher.stop()


def serve(engine: Engine, order: dict[str, Any]) -> None:
    """Make events and deliver until killed."""
    Dispatcher(engine, sources=False).start()
    events(engine, order["first"], order["count"])
    say("served")
    threading.Event().wait()


def finish(engine: Engine, _order: dict[str, Any]) -> None:
    """Deliver what is left; said is how much that was."""
    say("left", pending(engine))
    assert Dispatcher(engine, sources=False).drain(PATIENCE)


DEEDS = {"work": work, "serve": serve, "finish": finish}


def die_at(step: int, part: float) -> None:
    """Have this process killed at one of its steps.

    Args:
        step: which: of all calls that may change the disk, and beginnings and ends of a delivery; with `part`, of writes.
        part: of the data that is still written; 0: nothing, and it may be any step.
    """
    steps, lock = [0], threading.Lock()

    def due(*, write: bool = False) -> bool:
        with lock:
            steps[0] += write or not part
            return steps[0] == step and (write or not part)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def killing(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            if due(write=name == "write"):
                if part:
                    real(arguments[0], arguments[1][: max(1, int(len(arguments[1]) * part))])
                die()
            return real(*arguments, **options)

        return wrapper

    for name in CALLS:
        setattr(os, name, killing(getattr(os, name), name))
    deliver = plugins.sinks()["webhook"]

    def delivering(parcel: Parcel) -> Delivered:
        if due():
            die()
        answer = deliver(parcel)
        if due():
            die()
        return answer

    plugins._registry.sinks["webhook"] = delivering


def live(order: dict[str, Any]) -> None:
    if order.get("step"):
        die_at(order["step"], order.get("part", 0))
    with Engine.open(Path(order["folder"])) as engine:
        DEEDS[order["do"]](engine, order)
    say("done")


def warm() -> None:
    """Do once what every process would do at its birth, so that one costs milliseconds: imports, models, definitions."""
    import httpx2  # noqa: F401

    plugins.load()
    settings = {
        "webhooks": {"a": {"url": "https://example.org/", "events": ["x.*"]}},
        "triggers": {"b": {"on": "x.*", "run": [{"action": "log_entry", "params": {"text": "x"}}]}},
    }
    with TemporaryDirectory() as folder:
        store = Path(folder) / ".llmgenie"
        store.mkdir()
        (store / "llmgenie.yaml").write_text(json.dumps(settings), encoding="utf-8")
        with Engine.open(folder) as engine:
            engine.trigger_event("thing.happened", {})


if __name__ == "__main__":
    warm()
    victim.live = live
    victim.main()

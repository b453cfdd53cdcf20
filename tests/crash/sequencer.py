"""The processes that run a declared action, and that the tests kill; forked as those of `victim.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import victim

from llmgenie_mcp import Engine, plugins


def live(order: dict[str, Any]) -> None:
    if order.get("call"):
        victim.die_before(order["call"], order.get("part", 0))
    with Engine.open(Path(order["folder"])) as engine:
        outcome = engine.run_action("ship", session=order["session"], idempotency_key=order["key"])
    victim.say("came", outcome.status)
    victim.say("done")


if __name__ == "__main__":
    import jsonschema  # noqa: F401 - once, so that a birth costs milliseconds

    plugins.load()
    victim.live = live
    victim.main()

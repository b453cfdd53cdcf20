"""The golden files: a payload as a host documents it, the event it is read as, and the bytes that answer each verdict.

Payloads are written by hand, field by field from the hosts' documents (with values of their own); events and replies are
compared in full. `python tests/agents/golden_events.py` writes both anew from the payloads, for a person to read the diff.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llmgenie_mcp import agents
from llmgenie_mcp.hosts import HookEvent, Verdict

GOLDEN = Path(__file__).parent / "golden"
VERDICTS = {
    "allow": Verdict(),
    "deny": Verdict(
        "deny", "main is protected: push a branch and open a review.\nRun start_review \u2026", "main is protected."
    ),
    "ask": Verdict("ask", "Deleting a.py cannot be undone; a person must agree.", "Delete a.py?"),
    "context": Verdict(context="Mode: code. Task TSK-7 is open."),
}


def files() -> list[Path]:
    """Every golden file, by host and event."""
    return sorted(GOLDEN.glob("*/*.json"))


def label(path: Path) -> str:
    """How a test names the file."""
    return f"{path.parent.name}/{path.stem}"


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def described(event: HookEvent) -> dict[str, Any]:
    """The event as JSON, without members that have their default: an empty one says nothing."""
    value: dict[str, Any] = json.loads(json.dumps(asdict(event)))
    value["calls"] = [{k: v for k, v in call.items() if v not in ("", [], {})} for call in value["calls"]]
    return {k: v for k, v in value.items() if v not in (None, "", [], 0, False)}


def answers(host: str, event: HookEvent) -> dict[str, Any]:
    """What the host gets for each of the four verdicts; an empty object is complete silence and code 0."""
    found = {}
    for name, verdict in VERDICTS.items():
        reply = asdict(agents.find(host).reply(event, verdict))
        found[name] = {k: v for k, v in reply.items() if v}
    return found


def derive(path: Path) -> dict[str, Any]:
    """The golden file as the code has it now."""
    payload = load(path)["payload"]
    event = agents.find(path.parent.name).read(payload)
    return {"payload": payload, "event": described(event), "replies": answers(path.parent.name, event)}


if __name__ == "__main__":
    for golden in files():
        golden.write_text(json.dumps(derive(golden), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

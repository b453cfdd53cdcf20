"""What tests of a second model's opinion set up: findings, verdicts, a workflow that waits for one, a change to look at."""

from __future__ import annotations

from typing import Any

from hostile import Hostile
from scene import started

from llmgenie_mcp import Engine
from llmgenie_mcp.records import Outcome

FINDING = {"file": "x.py", "line": 1, "severity": "error", "message": "It divides by zero."}
NO = {"findings": [FINDING], "summary": "Adds x.", "verdict": "request_changes"}
YES = {"findings": [], "summary": "Adds x, and nothing is wrong with it.", "verdict": "approve"}
SECRET = "ghp_" + "a1B2c3D4e5" * 4

GUARDED = """
name: review
version: 2
description: A change is submitted when a second model had nothing against it.
subject: branch
initial: draft
states:
  draft:
    on:
      submit:
        target: done
        guards:
          - expression: opinion.last.verdict == "approve" and opinion.last.commit == git.subject_head
            message: "Run review_diff on this commit; it said {opinion.last.verdict}."
          - expression: not any(found.severity == "error" for found in opinion.last.findings)
            message: Mend what it found first.
  done: {final: true}
"""


def review(engine: Engine, **params: Any) -> Outcome:
    own = {name: params.pop(name) for name in ("actor", "cancel") if name in params}
    return engine.run_action("review_diff", params, session=started(engine, mode="code"), **own)


def opinions(engine: Engine) -> list[dict[str, Any]]:
    engine.storage.refresh()
    return engine.storage.query("opinions").items


def shown(server: Hostile, number: int = -1) -> str:
    """What the model was shown beside the guide."""
    return str(server.asked[number].json["messages"][1]["content"])

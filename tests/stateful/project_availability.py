"""What is called available is what may be run: each listed action is run on a copy of the store, which is then thrown away."""

from __future__ import annotations

from typing import Any

from project_model import SUMMARY

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.storage.memory import MemoryStorage

PLAIN: dict[str, dict[str, Any]] = {
    "create_task": {"title": "x"},
    "claim_task": {},
    "record_note": {"key": "other", "value": 1},
    "record_lesson": {"title": "x"},
    "roadmap_add": {"title": "x"},
    "log_entry": {"text": "x"},
    "start_session": {},
    "finish_session": {"summary": SUMMARY},
    "pause_session": {},
    "resume_session": {},
    "switch_mode": {"mode": "docs"},
    "submit": {},
    "approve": {},
    "reject": {},
    "reopen": {},
    "abandon": {},
    "list_tasks": {},
    "run_tests": {},
}
"""Actions with parameters that choose no other thing than the list speaks of: what is listed must be what is allowed."""
CHOOSING: dict[str, dict[str, Any]] = {
    "start_review": {},
    "request_approval": {},
    "merge": {"branch": "main"},
    "notify": {"name": "x", "title": "x"},
    "run_command": {"name": "test"},
    "start_ci": {"name": "x"},
}
"""What these parameters choose may be refused although the action is listed; what is blocked is refused whatever they are."""
SLOWER = {"run_tests", "start_review", "submit", "approve", "reject", "reopen", "abandon", "request_approval", "merge"}
"""They ask git."""
BY_TASK: dict[str, dict[str, Any]] = {
    "update_task": {"title": "y"},
    "complete_task": {"summary": SUMMARY},
    "move_task": {"trigger": "block"},
}
"""The same, with the id of a task."""


def copied(engine: Engine) -> Engine:
    """An engine like `engine` over a copy of its documents."""
    storage, original = MemoryStorage(), engine.storage
    storage._tables, storage._head = original._tables.snapshot(), original._head  # type: ignore[attr-defined]
    copy = Engine(engine.project, storage)
    copy._definitions = engine._definitions
    return copy


def compare(engine: Engine, session: str | None, seed: int, tasks: list[str]) -> None:
    """Fail when an action is listed and refused, or blocked and allowed; of the slower actions one, chosen by `seed`."""
    engine.storage.refresh()
    answer = engine.available_actions(session=session, include_blocked=True)
    listed = {line["name"] for line in answer["actions"]}
    blocked = {line["name"]: line["reasons"] for line in answer["blocked"]}
    assert not listed & blocked.keys()
    requests = [
        *PLAIN.items(),
        *CHOOSING.items(),
        *((name, {**p, "id": id_}) for name, p in BY_TASK.items() for id_ in tasks),
    ]
    for number, (name, params) in enumerate(requests):
        if name in SLOWER and number % len(requests) != seed % len(requests):
            continue
        try:
            outcome = copied(engine).run_action(name, params, session=session)
        except BadParams as error:  # what is no refusal: this session is not paused, has no task …
            outcome = None
            note = error
        if outcome is None:
            assert name not in blocked or blocked[name], note
        elif name in blocked or name not in listed:
            assert outcome.status == "denied", (name, session, blocked.get(name), outcome)
        elif name in PLAIN:
            assert outcome.status != "denied", (name, session, outcome.reasons)

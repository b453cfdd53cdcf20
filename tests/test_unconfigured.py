"""What the settings do not set up is not called open anywhere, and why is said; agents tell people only so much a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from outbox_scene import waiting
from scene import codes, configure, started

from llmgenie_mcp import Actor, Engine

MODEL = {"m": {"kind": "ollama", "url": "http://127.0.0.1:9", "model": "m", "allow_private": True}}
SECRET = {"env": "NOT_THERE"}
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("ask_model", {"name": "m", "prompt": "hello"}, {"models": MODEL}),
    ("review_diff", {}, {"models": MODEL}),
    ("start_ci", {"name": "b"}, {"ci": {"b": {"kind": "gitlab", "project": "a/b", "token": SECRET}}}),
    ("call_http", {"name": "c"}, {"calls": {"c": {"url": "https://example.org/"}}}),
    ("notify", {"to": "team", "message": "hello"}, {"notifications": {"team": {"to": [SECRET]}}}),
]


def said(engine: Engine, action: str, session: str | None = None) -> tuple[bool, bool, list[str]]:
    """Whether an outcome lists the action, whether it is available, and else the codes of why not."""
    answer = engine.available_actions(session=session, include_blocked=True)
    blocked = {line["name"]: [reason["code"] for reason in line["reasons"]] for line in answer["blocked"]}
    listed = engine.run_action("record_note", {"key": "n", "value": 1}, session=session).actions
    available = {line["name"] for line in answer["actions"]}
    return action in listed, action in available, blocked.get(action, [])


@pytest.mark.parametrize(("action", "params", "settings"), CASES, ids=[case[0] for case in CASES])
def test_an_action_without_settings_is_neither_listed_nor_available_nor_run(
    engine: Engine, repo: Path, action: str, params: dict[str, Any], settings: dict[str, Any]
) -> None:
    session = started(engine, mode="code")
    assert said(engine, action, session) == (False, False, ["not_configured"])
    assert codes(engine.run_action(action, params, session=session)) == ["not_configured"]
    path = configure(repo, trusted=False, **settings)
    assert said(engine, action, session) == (True, False, ["not_trusted"])
    assert codes(engine.run_action(action, params, session=session)) == ["not_trusted"]
    configure(repo, **settings)
    assert said(engine, action, session) == (True, True, [])
    assert engine.run_action(action, params, session=session).status != "denied"
    path.unlink()
    assert said(engine, action, session) == (False, False, ["not_configured"])


def test_agents_send_so_many_messages_a_minute_and_are_told_when_that_is_enough(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = ["2026-11-24T10:00:00Z"]
    monkeypatch.setattr("llmgenie_mcp.actions._configured.now", lambda: minute[0])
    given = {"to": [SECRET], "per_minute": 2}
    configure(repo, notifications={"team": given, "boss": {**given, "per_minute": 1}})
    for number in range(2):
        assert engine.run_action("notify", {"to": "team", "message": str(number)}).ok
    refused = engine.run_action("notify", {"to": "team", "message": "more"})
    assert codes(refused) == ["too_many"]
    assert "2 messages a minute" in refused.reasons[0].message
    assert said(engine, "notify") == (True, True, [])  # the other may still be told
    assert engine.run_action("notify", {"to": "boss", "message": "help"}).ok
    assert said(engine, "notify") == (True, False, ["too_many"])
    for actor in (Actor("human", "ada"), Actor("system", "trigger:rule")):
        assert engine.run_action("notify", {"to": "team", "message": "as well"}, actor=actor).ok
    minute[0] = "2026-11-24T10:01:00Z"
    assert engine.run_action("notify", {"to": "team", "message": "later"}).ok
    assert len(waiting(engine)) == 6

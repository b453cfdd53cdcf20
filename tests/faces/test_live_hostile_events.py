"""Events that an agent made to do harm at the destinations they go to: they hold nobody up who comes after them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile import Hostile, Talk, answer
from outbox_scene import drain, waiting
from scene import configure

from llmgenie_mcp import Engine

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def test_an_event_that_is_too_large_for_a_receiver_is_given_up_and_the_next_is_delivered(
    engine: Engine, repo: Path, server: Hostile
) -> None:
    def choosy(talk: Talk) -> None:
        answer(413 if len(talk.asked.body) > 500 else 204)(talk)

    server.on("/hook", choosy)
    configure(repo, webhooks={"a": {"url": server.url("/hook"), "events": ["job.*"], "allow_private": True}})
    engine.trigger_event("job.done", {"text": "x" * 200_000})
    engine.trigger_event("job.done", {"n": 2})
    drain(engine)
    assert [asked.json["data"].get("n") for asked in server.asked] == [None, 2]
    (item,) = waiting(engine)
    assert (item["status"], item["attempts"]) == ("dead", 1)


def test_a_title_stays_one_line_whatever_an_agent_says(
    engine: Engine, repo: Path, server: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM", f"json://127.0.0.1:{server.port}/team")
    server.on("/team", answer())
    configure(repo, notifications={"team": {"to": [{"env": "TEAM"}]}})
    assert engine.run_action("notify", {"to": "team", "message": "one\ntwo", "title": "a\r\nBcc: b\u2028c"}).ok
    drain(engine)
    (asked,) = server.asked
    assert (asked.json["title"], asked.json["message"]) == ("a Bcc: b c", "one\ntwo")

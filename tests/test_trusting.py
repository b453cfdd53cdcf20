"""An edit that silences rules and webhooks stands in the log once, and so does that they work again."""

from __future__ import annotations

from pathlib import Path

from outbox_scene import Heard, Sink, delivering, hooks_to, told, webhooks
from scene import configure

from llmgenie_mcp import Engine, trust


def test_trust_that_is_lost_and_given_again_is_told_once_each(engine: Engine, repo: Path) -> None:
    path = configure(repo, **hooks_to("a", "b", events="definitions.*"))
    assert engine.run_action("record_note", {"key": "n", "value": 1}).ok
    assert told(engine, "definitions.") == []
    path.write_text(path.read_text() + "\n# edited\n", encoding="utf-8")
    with Engine.open(repo) as other:
        for one in (engine, other, engine):
            one.trigger_event("deploy.done", {})
            one.run_action("record_note", {"key": "n", "value": 2})
    (lost,) = told(engine, "definitions.")
    assert (lost["type"], lost["silent"]) == ("definitions.changed", ["webhook:a", "webhook:b"])
    assert "deliveries" not in lost
    trust.trust(repo / ".llmgenie")
    for number in range(3):
        engine.run_action("record_note", {"key": "n", "value": number})
    (_, given) = told(engine, "definitions.")
    assert (given["type"], given["works_again"]) == ("definitions.accepted", lost["silent"])
    assert len(given["deliveries"]) == 2


def test_definitions_that_nobody_ever_accepted_lose_nothing(engine: Engine, repo: Path) -> None:
    configure(repo, trusted=False, **hooks_to("a"))
    engine.run_action("record_note", {"key": "n", "value": 1})
    trust.trust(repo / ".llmgenie")
    engine.run_action("record_note", {"key": "n", "value": 2})
    assert told(engine, "definitions.") == []


def test_who_delivers_notices_though_nobody_acts_through_the_engine(engine: Engine, repo: Path) -> None:
    path = configure(repo, **hooks_to("a"))
    with webhooks(Sink()), delivering(engine):
        heard = Heard(engine)
        path.write_text(path.read_text() + "\n# edited\n", encoding="utf-8")
        with engine.storage.begin() as tx:  # as a hook writes
            tx.commit({"type": "operation.denied", "actor": {"kind": "agent", "id": "a"}, "action": "git.push"})
        engine.wake()
        heard.until_told("definitions.changed")
        heard.end()

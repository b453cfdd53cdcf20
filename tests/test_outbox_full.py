"""A receiver that is gone for long: what waits for it, and what was given up, is bounded, and the log says what it misses."""

from __future__ import annotations

from pathlib import Path

import pytest
from outbox_scene import Sink, drain, hooks_to, rules, send, told, waiting, webhooks

from llmgenie_mcp import Engine, outbox
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "WAITING", 3)


def numbers(engine: Engine, destination: str, status: str) -> list[int]:
    """The events that items of a destination are about, oldest first."""
    return [item["event"]["data"]["n"] for item in waiting(engine, destination=destination, status=status)]


def test_more_than_so_many_do_not_wait_for_one_webhook_and_the_line_says_so(engine: Engine, repo: Path) -> None:
    rules(repo, settings=hooks_to("a", "b", events="thing.*"))
    send(engine, 1, 2)
    engine.drop_deliveries([waiting(engine, destination="webhook:b")[0]["id"]])
    send(engine, 3, 4)
    assert numbers(engine, "webhook:a", "pending") == [1, 2, 3]
    assert numbers(engine, "webhook:b", "pending") == [2, 3, 4], "each destination has a bound of its own"
    (stop,) = told(engine, "event.received")[-1]["stopped"]
    assert (stop["rule"], stop["bound"], stop["event"]) == ("webhook:a", "waiting", "thing.happened")
    assert "3 deliveries to webhook:a wait already" in stop["message"]
    engine.skip_deliveries([waiting(engine, destination="webhook:a")[0]["id"]])
    send(engine, 5)
    assert numbers(engine, "webhook:a", "pending") == [2, 3, 5], "what was given up waits no more"


def test_of_what_was_given_up_the_newest_are_kept(engine: Engine, repo: Path) -> None:
    def refuse(_: Parcel) -> Delivered:
        raise NotDelivered("It wants no more of this.", final=True)

    rules(repo, settings=hooks_to("a", "b", events="thing.*"))
    with webhooks(Sink(refuse)):
        for number in range(1, 6):
            send(engine, number)
            drain(engine)
    assert numbers(engine, "webhook:a", "dead") == numbers(engine, "webhook:b", "dead") == [3, 4, 5]
    gone = [line["forgotten"] for line in told(engine, "delivery.given_up") if "forgotten" in line]
    assert len(gone) == len(set(gone)) == 4
    assert engine.storage.verify().ok
    assert engine.replay_deliveries() == [item["id"] for item in waiting(engine)]

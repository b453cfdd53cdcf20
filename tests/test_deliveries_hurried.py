"""A delivery that waits is tried now, or skipped, when somebody says so; what a receiver refuses is given up early."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from outbox_scene import Heard, Sink, delivering, hooks_to, told, waiting, webhooks
from scene import configure

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.engine.lanes import Lanes
from llmgenie_mcp.parcels import Delivered, NotDelivered, Parcel

PERSON = Actor("human", "ada")


def send(engine: Engine, *numbers: int) -> None:
    for number in numbers:
        engine.trigger_event("deploy.done", {"n": number})


class Refusing:
    """Refuses the first item until it may pass, and asks to wait for an hour."""

    def __init__(self) -> None:
        self.open = False

    def __call__(self, parcel: Parcel) -> Delivered:
        assert parcel.event is not None
        if parcel.event["data"]["n"] == 1 and not self.open:
            raise NotDelivered("no", retry_after=3600)
        return Delivered()


@pytest.fixture
def stuck(engine: Engine, repo: Path) -> tuple[Engine, Refusing]:
    configure(repo, **{**hooks_to("a", events="deploy.*"), "deliveries": {"first_delay": 3600}})
    return engine, Refusing()


def test_retry_tries_now_what_waits_for_its_next_attempt(stuck: tuple[Engine, Refusing]) -> None:
    engine, refusing = stuck
    with webhooks(sink := Sink(refusing)), delivering(engine):
        send(engine, 1, 2)
        sink.until(lambda s: len(s.tried) == 1)
        (first, _) = until_failed(engine)
        refusing.open = True
        assert engine.retry_deliveries([first], actor=PERSON) == [first]
        sink.until(lambda s: s.numbers() == [1, 2])
    assert [line["actor"]["id"] for line in told(engine, "outbox.retried")] == ["ada"]


def test_skip_gives_up_what_holds_the_others_and_keeps_it(stuck: tuple[Engine, Refusing]) -> None:
    engine, refusing = stuck
    with webhooks(sink := Sink(refusing)), delivering(engine):
        send(engine, 1, 2, 3)
        first = until_failed(engine)[0]
        assert engine.skip_deliveries([first], actor=PERSON) == [first]
        sink.until(lambda s: s.numbers() == [2, 3])
        (kept,) = waiting(engine, status="dead")
        assert (kept["id"], kept["error"]) == (first, "A person skipped it. no")
        assert engine.skip_deliveries([first], actor=PERSON) == []
        refusing.open = True
        assert engine.retry_deliveries([first]) == [first]
        sink.until(lambda s: s.numbers() == [2, 3, 1])


def test_dropping_what_holds_the_others_lets_them_go_at_once(stuck: tuple[Engine, Refusing]) -> None:
    engine, refusing = stuck
    with webhooks(sink := Sink(refusing)), delivering(engine):
        send(engine, 1, 2)
        engine.drop_deliveries(until_failed(engine)[:1], actor=PERSON)
        sink.until(lambda s: s.numbers() == [2])


@pytest.mark.parametrize("anew", [Engine.retry_deliveries, Engine.replay_deliveries], ids=["retry", "replay"])
def test_what_is_refused_for_good_is_given_up_before_the_settings_say(
    engine: Engine, repo: Path, anew: Callable[[Engine, list[str]], list[str]]
) -> None:
    configure(repo, **hooks_to("a", events="deploy.*"))
    mended = [2]  # attempts that failed for a reason which another time will mend

    def answer(parcel: Parcel) -> Delivered:
        assert parcel.event is not None
        if parcel.event["data"]["n"] == 1:
            raise NotDelivered("It answered.", most=None if parcel.attempt in mended else 3)
        return Delivered()

    with webhooks(sink := Sink(answer)), delivering(engine):
        send(engine, 1, 2)
        sink.until(lambda s: s.numbers() == [2])
        (given_up,) = waiting(engine, status="dead")
        mended.clear()
        assert anew(engine, [given_up["id"]]) == [given_up["id"]]
        send(engine, 3)
        sink.until(lambda s: s.numbers() == [2, 3])
    assert [parcel.attempt for parcel in sink.tried] == [1, 2, 3, 4, 5, 1, 1, 2, 3, 1]
    assert [item["attempts"] for item in (given_up, *waiting(engine, status="dead"))] == [5, 3]


def test_a_destination_that_is_hurried_while_it_is_worked_on_is_looked_at_again() -> None:
    lanes = Lanes()
    lanes.add("OUT-1", "a")
    lanes.add("OUT-2", "a")
    ((lane,), _) = lanes.take(0)
    lanes.hurry("OUT-2")  # it is not its turn
    lanes.hurry("OUT-1")
    lanes.give_back(lane, 100, 0)
    assert lanes.take(0)[0] == [lane]
    lanes.give_back(lane, 100, 0)
    assert lanes.take(1) == ([], 99)
    lanes.hurry("OUT-1")
    lanes.hurry("OUT-1")
    assert lanes.take(1) == ([lane], None)
    lanes.is_over(lane)
    lanes.hurry("OUT-1")
    lanes.give_back(lane, 50, 1)
    assert lanes.take(200) == ([lane], None)


def until_failed(engine: Engine) -> list[str]:
    """Ids of what waits, once the first was tried in vain."""
    heard = Heard(engine)
    if not waiting(engine, status="pending")[0]["attempts"]:
        heard.until_told("delivery.failed")
    heard.end()
    return [item["id"] for item in waiting(engine, status="pending")]

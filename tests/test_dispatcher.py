"""The one who delivers: order, retries, what is given up, dropped and tried anew, and definitions that break meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outbox_scene import (
    AT_ONCE,
    PATIENCE,
    Heard,
    Sink,
    delivering,
    drain,
    hooks_to,
    noted,
    rules,
    send,
    told,
    waiting,
    webhooks,
)
from scene import configure

from llmgenie_mcp import Engine, outbox, trust
from llmgenie_mcp.engine import deliveries, dispatcher
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.errors import StorageBusy, StorageFull
from llmgenie_mcp.outbox import Delivery
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel

Open = Callable[..., Engine]


def failing(times: int, **how: Any) -> Callable[[Parcel], Delivered]:
    """What fails so many times with each parcel, and then works."""

    def answer(parcel: Parcel) -> Delivered:
        if parcel.attempt <= times:
            raise NotDelivered(f"no {parcel.attempt}", **how)
        return Delivered({"attempt": parcel.attempt})

    return answer


def test_what_is_delivered_is_off_the_outbox_and_on_the_log(engine: Engine, repo: Path) -> None:
    configure(repo, **hooks_to("a"))
    with webhooks(Sink()):
        send(engine, 1)
        (item,) = waiting(engine)
        drain(engine)
    assert waiting(engine) == []
    (line,) = told(engine, "delivery.")
    assert line["type"] == "delivery.completed"
    assert (line["item"], line["destination"], line["message"]) == (item["id"], "webhook:a", item["message"])
    assert (line["event"], line["detail"]) == ("thing.happened", {"ok": True})
    assert line["cause"]["event"] == item["event"]["id"]


def test_a_secret_in_what_a_destination_said_is_not_kept(engine: Engine, repo: Path) -> None:
    configure(repo, **hooks_to("a"))
    token = "ghp_" + "a1B2c3D4e5" * 4
    with webhooks(Sink(lambda _parcel: Delivered({"said": f"thanks for {token}"}))):
        send(engine, 1)
        drain(engine)
    (line,) = told(engine, "delivery.")
    assert line["detail"]["said"].startswith("thanks for ")
    assert token not in str(line)


def test_lines_about_delivering_lead_to_no_delivery(engine: Engine, repo: Path) -> None:
    configure(repo, **hooks_to("a", events="*"))
    with webhooks(sink := Sink()):
        send(engine, 1)
        drain(engine)
    assert len(sink.arrived) == 1


def test_destinations_do_not_wait_for_each_other_and_each_keeps_its_order(engine: Engine, repo: Path) -> None:
    configure(repo, **hooks_to("slow", "quick"))
    gate = threading.Event()

    def answer(parcel: Parcel) -> Delivered:
        assert parcel.name == "quick" or gate.wait(PATIENCE)
        return Delivered()

    with webhooks(sink := Sink(answer)), delivering(engine):
        send(engine, *range(5))
        sink.until(lambda s: s.numbers("quick") == [0, 1, 2, 3, 4])
        assert sink.numbers("slow") == []
        gate.set()
        sink.until(lambda s: s.numbers("slow") == [0, 1, 2, 3, 4])


def test_what_fails_holds_up_its_own_destination_until_it_is_given_up(engine: Engine, repo: Path) -> None:
    settings = hooks_to("a", "b")
    configure(repo, **{**settings, "deliveries": {**AT_ONCE, "attempts": 3}})

    def answer(parcel: Parcel) -> Delivered:
        if parcel.name == "a" and (parcel.event or {})["data"]["n"] == 1:
            raise NotDelivered("no")
        return Delivered()

    with webhooks(sink := Sink(answer)):
        send(engine, 0, 1, 2)
        drain(engine)
    assert (sink.numbers("a"), sink.numbers("b")) == ([0, 2], [0, 1, 2])
    tried = [(parcel.event or {})["data"]["n"] for parcel in sink.tried if parcel.name == "a"]
    assert tried == [0, 1, 1, 1, 2]
    assert len({parcel.message for parcel in sink.tried if parcel.attempt > 1}) == 1
    (dead,) = waiting(engine)
    assert (dead["status"], dead["attempts"], dead["error"]) == ("dead", 3, "no")
    assert [line["type"] for line in told(engine, "delivery.") if line["item"] == dead["id"]] == [
        "delivery.failed",
        "delivery.failed",
        "delivery.given_up",
    ]


def test_the_time_a_destination_asks_for_is_waited(engine: Engine, repo: Path) -> None:
    configure(repo, **hooks_to("a"))
    with webhooks(sink := Sink(failing(1, retry_after=3600))):
        send(engine, 1)
        drain(engine)
        drain(engine)
    assert len(sink.tried) == 1
    (item,) = waiting(engine)
    assert 3590 < dispatcher._seconds_until(item["next_at"]) <= 3600


def test_a_time_to_wait_is_kept_over_a_restart(engine: Engine, repo: Path, open_engine: Open) -> None:
    configure(repo, **{**hooks_to("a"), "deliveries": {"first_delay": 0.4, "longest_delay": 0.4}})
    with webhooks(sink := Sink(failing(2))):
        send(engine, 1)
        drain(engine)
        assert len(sink.tried) == 1
        with delivering(open_engine(repo)):
            sink.until(lambda s: len(s.arrived) == 1)
    assert [parcel.attempt for parcel in sink.tried] == [1, 2, 3]


def test_what_was_given_up_is_tried_anew_with_the_same_message_when_a_person_says_so(
    engine: Engine, repo: Path
) -> None:
    configure(repo, **hooks_to("a"))
    down = threading.Event()
    down.set()

    def answer(_: Parcel) -> Delivered:
        if down.is_set():
            raise NotDelivered("gone", final=True)
        return Delivered()

    heard = Heard(engine)
    with webhooks(sink := Sink(answer)), delivering(engine):
        send(engine, 1, 2)
        heard.until_told("delivery.given_up", 2)
        down.clear()
        assert engine.replay_deliveries() == ["OUT-1", "OUT-2"]
        sink.until(lambda s: s.numbers() == [1, 2])
    assert [p.message for p in sink.tried[:2]] == [p.message for p in sink.tried[2:]]
    assert engine.replay_deliveries() == []


def test_an_item_that_is_replayed_the_moment_it_is_given_up_is_delivered(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(repo, **hooks_to("a"))
    heard, real = Heard(engine), Dispatcher._failed

    def failed(self: Dispatcher, *args: Any, **options: Any) -> Any:
        answer = real(self, *args, **options)
        engine.replay_deliveries()
        send(engine, 2)
        heard.until_told("event.received", 2)  # told in order: who delivers has heard of the line before
        return answer

    monkeypatch.setattr(Dispatcher, "_failed", failed)
    with webhooks(sink := Sink(failing_first())), delivering(engine):
        send(engine, 1)
        sink.until(lambda s: sorted(s.numbers()) == [1, 2])
    assert waiting(engine) == []


def failing_first() -> Callable[[Parcel], Delivered]:
    """What gives up the very first attempt, and then works."""
    tried: list[Parcel] = []

    def answer(parcel: Parcel) -> Delivered:
        tried.append(parcel)
        if len(tried) == 1:
            raise NotDelivered("gone", final=True)
        return Delivered()

    return answer


def test_what_is_dropped_is_not_delivered(engine: Engine, repo: Path, open_engine: Open) -> None:
    configure(repo, **hooks_to("a"))
    began, gate = threading.Event(), threading.Event()

    def answer(_: Parcel) -> Delivered:
        began.set()
        assert gate.wait(PATIENCE)
        return Delivered()

    with webhooks(sink := Sink(answer)), delivering(engine):
        send(engine, 1, 2, 3)
        assert began.wait(PATIENCE)
        assert open_engine(repo).drop_deliveries(["OUT-2", "OUT-2"]) == ["OUT-2"], "another process's engine"
        gate.set()
        sink.until(lambda s: 3 in s.numbers())
    assert sink.numbers() == [1, 3]


def test_what_another_process_dropped_just_now_is_not_delivered(engine: Engine, repo: Path, open_engine: Open) -> None:
    configure(repo, **hooks_to("a"))
    send(engine, 1)
    open_engine(repo).drop_deliveries(["OUT-1"])
    with webhooks(sink := Sink()):
        assert Dispatcher(engine, sources=False)._attempt("OUT-1") is None
    assert sink.tried == []


def test_what_came_before_goes_before_what_comes_while_the_outbox_is_read(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(repo, **hooks_to("a"))
    send(engine, 1)
    heard, real, done = Heard(engine), engine.storage.query, threading.Event()

    def query(table: str, *args: Any, **options: Any) -> Any:
        if table == "outbox" and not done.is_set():
            done.set()
            send(engine, 2)
            heard.until_told("event.received")
            taken.wait(0.5)  # it must not be taken now, which nothing tells of
        return real(table, *args, **options)

    taken, take = threading.Event(), Dispatcher._take

    def taking(self: Dispatcher, item: Any) -> None:
        take(self, item)
        if item["id"] == "OUT-2":
            taken.set()

    monkeypatch.setattr(engine.storage, "query", query)
    monkeypatch.setattr(Dispatcher, "_take", taking)
    with webhooks(sink := Sink()), delivering(engine):
        sink.until(lambda s: len(s.arrived) == 2)
    assert sink.numbers() == [1, 2]


def test_definitions_that_are_broken_or_not_accepted_hold_everything_up_and_lose_nothing(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatcher, "NOT_NOW", 0.05)
    path = configure(repo, **hooks_to("a"))
    good = path.read_bytes()
    broke = threading.Event()

    def answer(parcel: Parcel) -> Delivered:
        if not broke.is_set():
            path.write_text("webhooks: [", encoding="utf-8")
            broke.set()
            raise NotDelivered("while the definitions are broken")
        return Delivered()

    with webhooks(sink := Sink(answer)), caplog.at_level(logging.WARNING), delivering(engine) as running:
        send(engine, 1)
        assert broke.wait(PATIENCE)
        running._idle.clear()
        assert running._idle.wait(PATIENCE)
        path.write_bytes(good + b"\n# nobody has accepted this\n")
        running._idle.clear()
        assert running._idle.wait(PATIENCE)
        assert len(sink.tried) == 1
        trust.trust(repo / ".llmgenie")
        sink.until(lambda s: s.numbers() == [1])
    assert caplog.records == []
    assert told(engine, "delivery.failed") == []


def test_a_destination_that_the_settings_no_longer_name_is_the_sinks_to_say(engine: Engine, repo: Path) -> None:
    configure(repo, **hooks_to("a"))
    send(engine, 1)
    configure(repo)
    drain(engine)
    (item,) = waiting(engine)
    assert (item["status"], item["kind"]) == ("dead", "webhook")


def test_an_item_of_a_kind_that_nothing_delivers_is_given_up(engine: Engine, repo: Path) -> None:
    configure(repo)
    with engine.storage.begin() as tx:
        outbox.put(tx, Delivery("pigeon", "home"))
        tx.commit({"type": "test", "actor": {"kind": "system", "id": "test"}})
    drain(engine)
    (item,) = waiting(engine)
    assert (item["status"], item["error"]) == ("dead", "Nothing here delivers a pigeon.")


def test_a_sink_that_breaks_is_a_failed_attempt(engine: Engine, repo: Path, caplog: pytest.LogCaptureFixture) -> None:
    configure(repo, **hooks_to("a"))

    def answer(parcel: Parcel) -> Delivered:
        if parcel.attempt == 1:
            raise ZeroDivisionError("fault")
        return Delivered()

    with webhooks(Sink(answer)):
        send(engine, 1)
        drain(engine)
    assert waiting(engine) == []
    (line,) = told(engine, "delivery.failed")
    assert line["why"] == "ZeroDivisionError: fault"
    assert len(caplog.records) == 1


def test_what_arrived_and_cannot_be_written_off_is_written_off_later_and_not_sent_again(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(repo, **hooks_to("a"))
    real, full = deliveries.done, [StorageFull("The disk is full."), StorageBusy("Busy.")]

    def done(*args: Any) -> None:
        if full:
            raise full.pop()
        real(*args)

    monkeypatch.setattr(deliveries, "done", done)
    monkeypatch.setattr(dispatcher, "NOT_NOW", 0)
    with webhooks(sink := Sink()):
        send(engine, 1, 2)
        drain(engine)
    assert sink.numbers() == [1, 2]
    assert len({parcel.message for parcel in sink.arrived}) == 2
    assert waiting(engine) == []


def test_a_sink_may_say_that_something_is_under_way_and_then_tell_how_it_ended(engine: Engine, repo: Path) -> None:
    rules(repo, settings=hooks_to("a", events="job.*"), after={"on": "job.ended"})
    looks = []

    def answer(parcel: Parcel) -> Delivered:
        if (parcel.event or {})["type"] == "job.ended":
            return Delivered()
        looks.append(parcel.attempt)
        return Delivered(again=0.01) if len(looks) < 4 else Delivered(event=("job.ended", {"how": "well"}))

    heard = Heard(engine)
    with webhooks(Sink(answer)), delivering(engine):
        engine.trigger_event("job.began")
        heard.until_told("action.completed")
        heard.until_told("delivery.completed")
    assert looks == [1, 1, 1, 1], "looking is no failed attempt"
    assert noted(engine) == ["heard job.ended"]
    assert waiting(engine) == []
    ended = told(engine, "event.received")[1]
    assert ended["cause"]["chain"] == ["webhook:a"]

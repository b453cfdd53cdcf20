"""The one who delivers: order, retries, taking over, stopping, and everything that may happen meanwhile."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
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
    note,
    noted,
    rules,
    told,
    waiting,
    webhooks,
)
from scene import PYTHON, configure

from llmgenie_mcp import Engine, outbox, plugins, trust
from llmgenie_mcp.engine import deliveries, dispatcher
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.engine.lanes import Lanes
from llmgenie_mcp.errors import StorageBusy, StorageFull
from llmgenie_mcp.outbox import Delivery
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel

Open = Callable[..., Engine]


def send(engine: Engine, *numbers: int) -> None:
    for number in numbers:
        engine.trigger_event("thing.happened", {"n": number})


def put(engine: Engine, count: int, lanes: int = 1) -> None:
    """So many items for webhook a, ten a transaction, spread over so many lanes."""
    for start in range(0, count, 10):
        with engine.storage.begin() as tx:
            for number in range(start, start + 10):
                outbox.put(tx, Delivery("webhook", "a", {"n": number}, lane=f"lane-{number % lanes}"))
            tx.commit({"type": "test", "actor": {"kind": "system", "id": "test"}})


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


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_stopping_breaks_off_what_is_under_way_and_it_stays_in_the_outbox(engine: Engine, repo: Path) -> None:
    configure(repo, **hooks_to("a"))

    def answer(parcel: Parcel) -> Delivered:
        assert parcel.cancel.wait(PATIENCE)
        raise NotDelivered("cancelled")

    running = Dispatcher(engine, sources=False)
    with webhooks(sink := Sink(answer)):
        running.start()
        send(engine, 1, 2)
        sink.until(lambda s: len(s.tried) == 1)
        running.stop(grace=0)
    assert not running._thread.is_alive()
    assert [item["attempts"] for item in waiting(engine, status="pending")] == [0, 0]
    with webhooks(sink := Sink()):
        drain(engine)
    assert sink.numbers() == [1, 2]


def test_stopping_lets_what_is_under_way_end(engine: Engine, repo: Path) -> None:
    configure(repo, **hooks_to("a"))
    gate = threading.Event()

    def answer(parcel: Parcel) -> Delivered:
        assert gate.wait(PATIENCE)
        assert not parcel.cancel.is_set()
        return Delivered()

    running = Dispatcher(engine, sources=False)
    with webhooks(sink := Sink(answer)):
        running.start()
        send(engine, 1, 2)
        sink.until(lambda s: len(s.tried) == 1)
        stopping = threading.Thread(target=running.stop)
        stopping.start()
        assert running._stopped.wait(PATIENCE)
        gate.set()
        stopping.join(PATIENCE)
    assert sink.numbers() == [1]
    assert [item["event"]["data"]["n"] for item in waiting(engine)] == [2]


def test_a_slow_action_of_a_rule_that_stopping_broke_off_is_run_again(engine: Engine, repo: Path) -> None:
    flag = repo / "second"
    script = f"import os,sys,time\nif not os.path.exists({str(flag)!r}): print('on', flush=True); time.sleep(60)"
    commands = {"make": {"argv": [PYTHON, "-I", "-S", "-c", script]}}
    step = {"action": "run_command", "params": {"name": "make"}}
    rules(repo, settings={"commands": commands}, build={"on": "thing.*", "run": [step, *note("built")]})
    heard, running = Heard(engine), Dispatcher(engine, sources=False)
    running.start()
    send(engine, 1)
    heard.until_told("action.started")
    running.stop(grace=0)
    assert [line["action"] for line in told(engine, "action.failed")] == ["run_command"]
    (item,) = waiting(engine)
    assert (item["status"], item["step"], item["attempts"]) == ("pending", 0, 0)
    flag.touch()
    drain(engine)
    assert noted(engine) == ["built"]
    assert waiting(engine) == []


def test_one_who_was_never_started_may_be_stopped(engine: Engine) -> None:
    Dispatcher(engine).stop()


def test_draining_delivers_what_is_due_and_leaves_the_rest(engine: Engine, repo: Path) -> None:
    rules(repo, settings=hooks_to("a", events="action.completed"), first={"on": "thing.*"})
    with webhooks(sink := Sink()):
        send(engine, 1)
        drain(engine)
    assert [(p.event or {})["type"] for p in sink.arrived] == ["action.completed"], "also what deliveries lead to"
    assert waiting(engine) == []


def test_draining_ends_at_its_time_though_something_hangs(engine: Engine, repo: Path) -> None:
    configure(repo, **hooks_to("a", "b"))

    def answer(parcel: Parcel) -> Delivered:
        if parcel.name == "a":
            parcel.cancel.wait(PATIENCE)
            raise NotDelivered("cancelled")
        return Delivered()

    with webhooks(sink := Sink(answer)):
        send(engine, 1)
        assert Dispatcher(engine, sources=False).drain(0.3)
    assert sink.numbers() == [1]
    assert [item["destination"] for item in waiting(engine)] == ["webhook:a"]


# -- who delivers ------------------------------------------------------------------------------------------------------

DELIVER = """
import sys, threading
from llmgenie_mcp import Engine, plugins
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.plugins import Delivered

def deliver(parcel):
    print("did", parcel.event["data"]["n"], flush=True)
    return Delivered()

plugins.load()
plugins._registry.sinks["webhook"] = deliver
with Engine.open(sys.argv[1]) as engine:
    dispatcher = Dispatcher(engine, sources=False)
    dispatcher.start()
    print("ready", flush=True)
    dispatcher.delivering.wait()
    print("mine", flush=True)
    threading.Event().wait()
"""


class Other:
    """Another process that delivers for a project when it can."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [PYTHON, "-c", DELIVER, str(folder)], stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_one_process_delivers_and_another_takes_over_when_it_is_killed(engine: Engine, repo: Path) -> None:
    configure(repo, **hooks_to("a"))
    send(engine, 0)
    heard, first = Heard(engine), Other(repo)
    assert sorted(first.says() for _ in range(3)) == ["did 0", "mine", "ready"]
    second = Other(repo)
    try:
        assert second.says() == "ready"
        assert Dispatcher(engine, sources=False).drain(PATIENCE) is False, "this process is not the one"
        send(engine, 1)
        assert first.says() == "did 1"
        heard.until_told("delivery.completed", 2)
        first.kill()
        send(engine, 2)
        assert sorted([second.says(), second.says()]) == ["did 2", "mine"]
    finally:
        first.kill()
        second.kill()
    with webhooks(Sink()):
        drain(engine)  # it may have been killed before it had written that it is done
    assert waiting(engine) == []


def test_two_of_one_process_deliver_everything_once(engine: Engine, repo: Path, open_engine: Open) -> None:
    configure(repo, **hooks_to("a", "b"))
    with webhooks(sink := Sink()), delivering(engine):
        other = Dispatcher(open_engine(repo), sources=False)
        other.start()
        send(engine, *range(20))
        sink.until(lambda s: len(s.arrived) == 40)
        assert not other.delivering.is_set()
        other.stop()
    assert (sink.numbers("a"), sink.numbers("b")) == ([*range(20)], [*range(20)])


def test_what_other_processes_write_is_delivered_here(engine: Engine, repo: Path, open_engine: Open) -> None:
    configure(repo, **hooks_to("a"))
    with webhooks(sink := Sink()), delivering(engine):
        send(open_engine(repo), 1, 2, 3)
        sink.until(lambda s: s.numbers() == [1, 2, 3])


def test_a_store_in_memory_has_deliveries_too(repo: Path, open_engine: Open) -> None:
    configure(repo, **hooks_to("a"))
    engine = open_engine(repo, store="memory:")
    with webhooks(sink := Sink()), delivering(engine):
        send(engine, 1, 2)
        sink.until(lambda s: s.numbers() == [1, 2])
    assert not (repo / ".llmgenie" / "run" / "outbox.lock").exists()


def test_looking_for_deliveries_writes_nothing_in_a_project_that_has_none(engine: Engine, repo: Path) -> None:
    running = Dispatcher(engine, sources=False)
    running.start()
    assert running._idle.wait(PATIENCE)
    running.stop()
    assert not (repo / ".llmgenie").exists()


def test_a_folder_that_cannot_be_written_is_told_once_and_then_tried_on(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatcher, "TAKE_OVER", 0.01)
    configure(repo, **hooks_to("a"))
    send(engine, 1)
    (repo / ".llmgenie" / "run").touch()
    running, real, looks = Dispatcher(engine, sources=False), Dispatcher._turn, threading.Semaphore(0)

    def turn(self: Dispatcher) -> Any:
        looks.release()
        return real(self)

    monkeypatch.setattr(Dispatcher, "_turn", turn)
    with webhooks(sink := Sink()):
        running.start()
        for _ in range(5):
            assert looks.acquire(timeout=PATIENCE)
        (repo / ".llmgenie" / "run").unlink()
        sink.until(lambda s: s.numbers() == [1])
        running.stop()
    assert len(caplog.records) == 1


def test_sources_run_once_also_after_the_store_failed_for_a_moment(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "TAKE_OVER", 0.01)
    monkeypatch.setattr(dispatcher, "GRACE", 1)
    configure(repo)
    running: list[threading.Event] = []
    began = threading.Semaphore(0)

    def watch(_engine: Engine, stop: threading.Event) -> None:
        running.append(stop)
        began.release()
        stop.wait(PATIENCE)

    plugins.load()
    monkeypatch.setattr(plugins._registry, "sources", {"probe": watch})
    real, broken = engine.storage.last_seq, threading.Event()

    def last_seq() -> int:
        if broken.is_set() and threading.current_thread().name == "llmgenie-outbox":
            broken.clear()
            raise StorageBusy("Busy.")
        return real()

    monkeypatch.setattr(engine.storage, "last_seq", last_seq)
    with delivering(engine, sources=True):
        assert began.acquire(timeout=PATIENCE)
        broken.set()
        engine.trigger_event("thing.happened")
        assert began.acquire(timeout=PATIENCE)
        assert running[0].is_set(), "the first has been told to end before the second began"
        assert not running[1].is_set()
    assert running[1].is_set()


def test_a_source_that_breaks_off_is_started_again(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatcher, "NOT_NOW", 0.01)
    configure(repo)
    began = threading.Semaphore(0)

    def watch(_engine: Engine, stop: threading.Event) -> None:
        began.release()
        raise ZeroDivisionError

    plugins.load()
    monkeypatch.setattr(plugins._registry, "sources", {"probe": watch})
    with delivering(engine, sources=True):
        for _ in range(3):
            assert began.acquire(timeout=PATIENCE)
    assert all("the source probe broke off" in record.message for record in caplog.records)


# -- many --------------------------------------------------------------------------------------------------------------


def seconds_for(repo: Path, lanes: int, count: int, open_engine: Open) -> float:
    engine = open_engine(repo, store="memory:")
    put(engine, count, lanes)
    with webhooks(sink := Sink()):
        began = time.process_time()
        drain(engine)
    assert len(sink.arrived) == count
    return time.process_time() - began


@pytest.mark.parametrize(
    ("lanes", "few", "many"), [(1, 1000, 10_000), (0, 300, 3000)], ids=["one destination", "a destination each"]
)
def test_ten_times_as_many_that_wait_are_no_dearer_each(
    repo: Path, open_engine: Open, lanes: int, few: int, many: int
) -> None:
    configure(repo, **hooks_to("a"))
    before = min(seconds_for(repo, lanes or few, few, open_engine) for _ in range(3))
    assert seconds_for(repo, lanes or many, many, open_engine) < 10 * before * 2.5


def test_whose_turn_it_is_is_found_as_fast_among_twenty_thousand_as_among_two_hundred() -> None:
    def seconds(waiting_lanes: int) -> float:
        lanes = Lanes()
        for number in range(waiting_lanes):
            lanes.add(f"OUT-{number}", f"lane-{number}")
        for lane in lanes.take(0)[0]:
            lanes.give_back(lane, 1e9, 0)
        lanes.add("OUT-x", "x")
        began = time.perf_counter()
        for _ in range(1000):
            (lane,) = lanes.take(1)[0]
            lanes.give_back(lane, 0, 1)
        return time.perf_counter() - began

    assert min(seconds(20_000) for _ in range(3)) < 10 * min(seconds(200) for _ in range(3))


def test_three_hundred_destinations_are_all_served_in_order(engine: Engine, repo: Path) -> None:
    names = [f"d{number}" for number in range(300)]
    configure(repo, **hooks_to(*names))
    with webhooks(sink := Sink()):
        send(engine, 1, 2, 3)
        drain(engine)
    assert {name: sink.numbers(name) for name in names} == {name: [1, 2, 3] for name in names}

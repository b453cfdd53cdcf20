"""The one who delivers is stopped or drained: what is under way ends or is broken off, and nothing is lost."""

from __future__ import annotations

import threading
from pathlib import Path

from outbox_scene import (
    PATIENCE,
    Heard,
    Sink,
    drain,
    hooks_to,
    note,
    noted,
    rules,
    send,
    told,
    waiting,
    webhooks,
)
from scene import PYTHON, configure

from llmgenie_mcp import Engine
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel


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

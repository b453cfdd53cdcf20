"""Who delivers when several processes could, and what runs beside: taking over, folders and stores that fail, sources."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outbox_scene import (
    PATIENCE,
    Heard,
    Sink,
    delivering,
    drain,
    hooks_to,
    send,
    waiting,
    webhooks,
)
from scene import PYTHON, configure

from llmgenie_mcp import Engine, plugins
from llmgenie_mcp.engine import dispatcher
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.engine.turn import Turn
from llmgenie_mcp.errors import StorageBusy

Open = Callable[..., Engine]


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
    running, real, looks = Dispatcher(engine, sources=False), Turn.take, threading.Semaphore(0)

    def take(self: Turn) -> Any:
        looks.release()
        return real(self)

    monkeypatch.setattr(Turn, "take", take)
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

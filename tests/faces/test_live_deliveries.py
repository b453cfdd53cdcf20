"""Deliveries where the machine is not as it should be: a full disk, a clock that was set back, an answer made to break things."""

from __future__ import annotations

import logging
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from outbox_scene import PATIENCE, Heard, Sink, delivering, drain, told, waiting, webhooks
from scene import configure

from llmgenie_mcp import Engine
from llmgenie_mcp.api import retry_after
from llmgenie_mcp.engine import deliveries, dispatcher
from llmgenie_mcp.outbox import lock_file
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel


@pytest.fixture
def hooked(repo: Path) -> Path:
    configure(repo, webhooks={"a": {"url": "https://example.org/a", "events": ["job.done"]}})
    return repo


@contextmanager
def full_disk(engine: Engine) -> Iterator[None]:
    """The kernel lets no file grow beyond the log as it is."""
    largest = max(path.stat().st_size for path in (engine.project.store / "meta-log").iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Watched:
    """Counts how often what was delivered was to be written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self._new, real = 0, threading.Condition(), deliveries.done

        def done(*given: Any) -> None:
            try:
                real(*given)
            finally:
                with self._new:
                    self.count += 1
                    self._new.notify_all()

        monkeypatch.setattr(deliveries, "done", done)

    def until(self, count: int) -> None:
        with self._new:
            assert self._new.wait_for(lambda: self.count >= count, PATIENCE), self.count


def test_while_the_disk_is_full_nobody_is_told_the_same_again_and_again(
    engine: Engine, hooked: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatcher, "NOT_NOW", 0.01)
    tries = Watched(monkeypatch)
    with webhooks(sink := Sink()):
        for number in (1, 2):
            engine.trigger_event("job.done", {"n": number})
        with full_disk(engine), delivering(engine), caplog.at_level(logging.WARNING):
            tries.until(5)
            assert sink.numbers() == [1]
        complaints = [record.getMessage() for record in caplog.records]
        assert len(complaints) == 1
        assert "cannot be written now: No room" in complaints[0]
        assert waiting(engine)[0]["attempts"] == 0
        drain(engine)
    assert sink.numbers() == [1, 1, 2], "the process that knew had ended; the id is the same"
    assert len({parcel.message for parcel in sink.arrived}) == 2
    assert waiting(engine) == []


def test_when_there_is_room_again_it_is_written_down_and_the_next_one_goes(
    engine: Engine, hooked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "NOT_NOW", 0.01)
    tries, heard = Watched(monkeypatch), Heard(engine)
    with webhooks(sink := Sink()):
        for number in (1, 2):
            engine.trigger_event("job.done", {"n": number})
        with delivering(engine):
            with full_disk(engine):
                tries.until(3)
            heard.until_told("delivery.completed", 2)
    assert sink.numbers() == [1, 2]
    assert len(told(engine, "delivery.completed")) == 2
    assert waiting(engine) == []


def test_a_clock_that_was_set_back_by_days_holds_nothing_up(engine: Engine, hooked: Path) -> None:
    def answer(_parcel: Parcel) -> Delivered:
        raise NotDelivered("Not now.")

    with webhooks(Sink(answer)):
        engine.trigger_event("job.done", {"n": 1})
        drain(engine)
    (item,) = waiting(engine)
    assert item["attempts"] == 1
    for days, attempts in ((0.9, 0), (30, 1)):
        far = (datetime.now(UTC) + timedelta(days=days)).isoformat().replace("+00:00", "Z")
        with engine.storage.begin() as tx:
            tx.put("outbox", item["id"], {**item, "next_at": far})
            tx.commit({"type": "delivery.failed", "actor": {"kind": "system", "id": "llmgenie"}})
        with webhooks(sink := Sink()):
            drain(engine)
        assert len(sink.arrived) == attempts


@pytest.mark.parametrize(
    "said",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 99 Jan 2026 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Sat, 01 Jan 0001 00:00:00 +2359",
        "Mon, 01 Jan 2026 00:00:00 +999999999999999",
        "1" * 5000,
        "-1",
        "²",
        "nan",
        "",
    ],
)
def test_no_retry_after_breaks_a_delivery(said: str) -> None:
    found = retry_after(said)
    assert found is None or found >= 0


def test_when_the_lock_was_swept_away_there_is_still_one_who_delivers(
    engine: Engine, hooked: Path, open_engine: Callable[..., Engine]
) -> None:
    second = dispatcher.Dispatcher(open_engine(hooked), sources=False)
    with webhooks(sink := Sink()), delivering(engine) as first:
        engine.trigger_event("job.done", {"n": 0})
        sink.until(lambda found: len(found.arrived) == 1)
        shutil.rmtree(lock_file(engine.project.store).parent)  # as `git clean -fdX` would
        second.start()
        try:
            assert second._idle.wait(PATIENCE), "it has looked whether it is its turn"
            for number in range(1, 21):
                engine.trigger_event("job.done", {"n": number})
            sink.until(lambda found: len(set(found.numbers())) == 21)
            ends = time.monotonic() + PATIENCE
            while first.delivering.is_set() == second.delivering.is_set() and time.monotonic() < ends:
                second._stopped.wait(0.01)
            assert first.delivering.is_set() != second.delivering.is_set()
        finally:
            second.stop()
        assert first.delivering.wait(PATIENCE), "it takes over again"
        engine.trigger_event("job.done", {"n": 21})
        sink.until(lambda found: set(found.numbers()) == set(range(22)))  # two may have sent one: its id is the same

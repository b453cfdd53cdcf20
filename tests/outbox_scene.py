"""What tests of rules and deliveries set up: rules in the settings, a sink of the test's own, and waiting without sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scene import configure, lines

from llmgenie_mcp import Engine, plugins
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.plugins import Delivered, Parcel

Line = dict[str, Any]
PATIENCE = 30.0
"""Seconds after which what does not happen has failed the test."""
AT_ONCE = {"first_delay": 0, "longest_delay": 0, "attempts": 100}


def note(text: str = "heard {event.type}") -> list[dict[str, Any]]:
    """Steps of a rule that write one line into the log."""
    return [{"action": "log_entry", "params": {"text": text}}]


def rules(folder: Path, *, settings: dict[str, Any] | None = None, trusted: bool = True, **triggers: Any) -> Path:
    """Give a project trigger rules by name, `_` for `-`; a rule that says nothing else writes a line into the log."""
    given = {name: {"run": note(), **rule} for name, rule in triggers.items()}
    return configure(folder, trusted=trusted, triggers=given, **(settings or {}))


def told(engine: Engine, kind: str = "") -> list[Line]:
    """The lines of the meta-log whose type begins with `kind`, oldest first."""
    return [line for line in lines(engine) if line["type"].startswith(kind)]


def noted(engine: Engine) -> list[str]:
    """What rules wrote into the log, oldest first."""
    return [text for line in told(engine, "action.completed") for text in line.get("notes", [])]


def waiting(engine: Engine, **where: str) -> list[Line]:
    """The items of the outbox, oldest first."""
    engine.storage.refresh()
    return engine.storage.query("outbox", where).items


def send(engine: Engine, *numbers: int) -> None:
    """Raise `thing.happened` once for each number, with it as `n`."""
    for number in numbers:
        engine.trigger_event("thing.happened", {"n": number})


def drain(engine: Engine) -> None:
    """Deliver everything that is due."""
    assert Dispatcher(engine, sources=False).drain(PATIENCE)


@contextmanager
def delivering(engine: Engine, *, sources: bool = False) -> Iterator[Dispatcher]:
    """A dispatcher at work for the engine's project."""
    dispatcher = Dispatcher(engine, sources=sources)
    dispatcher.start()
    try:
        assert dispatcher.delivering.wait(PATIENCE)
        yield dispatcher
    finally:
        dispatcher.stop()


class Heard:
    """Lines of the meta-log as they are committed; `until` waits for one."""

    def __init__(self, engine: Engine) -> None:
        self._new = threading.Condition()
        self._lines: list[Line] = []
        self.end = engine.subscribe(self._hear)

    def _hear(self, line: Line) -> None:
        with self._new:
            self._lines.append(line)
            self._new.notify_all()

    def lines(self, kind: str = "") -> list[Line]:
        """Those heard so far whose type begins with `kind`."""
        with self._new:
            return [line for line in self._lines if line["type"].startswith(kind)]

    def until(self, fits: Callable[[list[Line]], bool], seconds: float = PATIENCE) -> bool:
        """Wait until the lines heard fit; False when they do not in time."""
        with self._new:
            return self._new.wait_for(lambda: fits(self._lines), seconds)

    def until_told(self, kind: str, count: int = 1) -> list[Line]:
        """Wait for so many lines of a type; returns them."""
        assert self.until(lambda seen: sum(line["type"] == kind for line in seen) >= count), (
            kind,
            [line["type"] for line in self.lines()],
        )
        return self.lines(kind)


class Sink:
    """A destination in this process: remembers what arrived, and does what it is told with each parcel."""

    def __init__(self, answer: Callable[[Parcel], Delivered] | None = None) -> None:
        self.answer = answer or (lambda _parcel: Delivered({"ok": True}))
        self.tried: list[Parcel] = []
        self.arrived: list[Parcel] = []
        self._new = threading.Condition()

    def __call__(self, parcel: Parcel) -> Delivered:
        with self._new:
            self.tried.append(parcel)
            self._new.notify_all()
        answer = self.answer(parcel)
        with self._new:
            self.arrived.append(parcel)
            self._new.notify_all()
        return answer

    def until(self, fits: Callable[[Sink], bool]) -> None:
        """Wait until it fits what arrived."""
        with self._new:
            assert self._new.wait_for(lambda: fits(self), PATIENCE), (len(self.tried), len(self.arrived))

    def numbers(self, name: str | None = None) -> list[int]:
        """`n` of the events that arrived, at one destination or at all."""
        return [p.event["data"]["n"] for p in self.arrived if p.event and name in (None, p.name)]


@contextmanager
def webhooks(sink: Callable[[Parcel], Delivered]) -> Iterator[None]:
    """Deliver webhooks to `sink` instead of over the network."""
    plugins.load()
    before = plugins._registry.sinks.get("webhook")
    plugins._registry.sinks["webhook"] = sink
    try:
        yield
    finally:
        plugins._registry.sinks.pop("webhook")
        if before is not None:
            plugins._registry.sinks["webhook"] = before


def hooks_to(*names: str, events: str = "*", **more: Any) -> dict[str, Any]:
    """Settings with webhooks by name, and attempts that follow each other at once."""
    found = {name: {"url": f"https://{name}.example.org/", "events": [events], **more} for name in names}
    return {"webhooks": found, "deliveries": AT_ONCE}

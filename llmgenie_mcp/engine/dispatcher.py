"""The one who delivers: takes items off the outbox, hands them to sinks, runs what trigger rules name, and keeps the sources.

Items of one destination go one after the other, those of different destinations beside each other. One process a project
delivers, the one that holds a lock; when it ends, however it ends, another that runs for the project takes over. Nothing
is kept here that is not in the store: an item leaves the outbox in the transaction that says what came of it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llmgenie_mcp import plugins
from llmgenie_mcp.engine import deliveries, trusting
from llmgenie_mcp.engine.lanes import Lane, Lanes
from llmgenie_mcp.engine.triggering import run_step
from llmgenie_mcp.engine.turn import Turn
from llmgenie_mcp.errors import DefinitionError, LlmgenieError, StorageError
from llmgenie_mcp.outbox import TABLE, TRIGGER, Cause
from llmgenie_mcp.outcome import Actor, Document
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel

if TYPE_CHECKING:
    from llmgenie_mcp.config import Settings
    from llmgenie_mcp.engine.engine import Engine

TAKE_OVER = 1.0
"""Seconds between looks whether the process that delivers has ended."""
WORKERS = 16
"""So many destinations are served at the same time."""
IN_A_ROW = 50
"""So many items of one destination go before another's turn."""
NOT_NOW = 5.0
"""Seconds until a look whether definitions can be read, and are accepted, again."""
LOOKS = 1.0
"""Seconds, at least, between looks whether definitions are still those that a person accepted."""
GRACE = 5.0

log = logging.getLogger(__name__)


class Dispatcher:
    """Delivers for one project until it is stopped.

    Args:
        engine: the project's; stays its giver's to close.
        sources: whether to run what raises events by itself (schedules, files) as well.
    """

    def __init__(self, engine: Engine, *, sources: bool = True) -> None:
        self._engine = engine
        self._with_sources = sources
        self.delivering = threading.Event()
        """Set while this process is the one that delivers."""
        self._idle = threading.Event()
        self._wake = threading.Event()
        self._noticed = float("-inf")
        self._stopped = threading.Event()
        self._over = threading.Event()
        self._cancel = threading.Event()
        self._lanes = Lanes()
        self._seen = 0
        self._arrived: dict[str, Delivered] = {}
        """Of items that were delivered, and that the store could not take off: they are not sent again for that."""
        self._told = ""
        self._turn = Turn(engine.project, engine.storage)
        self._thread = threading.Thread(target=self._run, name="llmgenie-outbox", daemon=True)

    def start(self) -> None:
        """Begin, in threads of its own."""
        self._thread.start()

    def stop(self, grace: float = GRACE) -> None:
        """End. What is under way may end by itself for `grace` seconds, then it is broken off and stays in the outbox."""
        self._stopped.set()
        self._over.set()
        self._wake.set()
        if self._thread.ident is None:
            return
        self._thread.join(timeout=grace)
        if self._thread.is_alive():
            self._cancel.set()
            self._thread.join(timeout=GRACE)

    def drain(self, timeout: float) -> bool:
        """Deliver what is due now, then stop; False when another process is the one that delivers.

        Args:
            timeout: seconds; what is not done by then stays in the outbox.
        """
        self.start()
        ended = self._idle.wait(timeout)
        was = self.delivering.is_set()
        self.stop(0 if not ended else GRACE)
        return was

    # -- who delivers ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        told = ""
        while not self._stopped.is_set() and not self._engine.storage.read_only:
            try:
                with self._turn.take() as mine:
                    if mine:
                        self._deliver()
                        continue
            except (OSError, StorageError) as error:
                if str(error) != told:  # once, not each second
                    log.warning("nothing can be delivered now: %s", error)
                told = str(error)
            self._idle.set()
            self._stopped.wait(TAKE_OVER)

    def _deliver(self) -> None:
        with contextlib.ExitStack() as ending:
            with self._lanes.mutex:  # what is written meanwhile goes behind what was there before
                ending.callback(self._engine.subscribe(self._note, waits_for=TABLE))
                self._scan()
            self.delivering.set()
            ending.callback(self.delivering.clear)
            ending.callback(self._start_sources())
            with ThreadPoolExecutor(WORKERS, "llmgenie-delivery") as pool:
                while not self._stopped.is_set() and self._turn.is_held():
                    waits = (self._notice(), self._hand_out(pool))
                    self._wake.wait(min((wait for wait in waits if wait is not None), default=None))
                    self._wake.clear()

    def _notice(self) -> float | None:
        """Write down that trust was lost or given; hooks write lines too, and do not look.

        Not after every line: what acts in this process looks by itself. Returns the seconds until it has to be looked again.
        """
        if (wait := self._noticed + LOOKS - time.monotonic()) > 0:
            return wait
        with contextlib.suppress(DefinitionError):
            trusting.notice(self._engine.storage, self._engine.project, self._engine.definitions)
        self._noticed = time.monotonic()
        return None

    def _start_sources(self) -> Callable[[], None]:
        """Start what raises events by itself; returns what ends it."""
        over = threading.Event()
        self._over = over
        threads = [
            threading.Thread(target=self._watch, args=(name, watch, over), name=f"llmgenie-{name}", daemon=True)
            for name, watch in (plugins.sources().items() if self._with_sources else ())
            if self._has("sources", name)
        ]
        for thread in threads:
            thread.start()

        def end() -> None:
            over.set()
            for thread in threads:
                thread.join(timeout=GRACE)

        return end

    def _has(self, family: str, name: str) -> bool:
        """Whether the plug-in that brought it, if one did, is in force; definitions that are broken switch nothing off."""
        try:
            return self._engine.definitions.plugged.has(family, name)
        except DefinitionError:
            return True

    def _watch(self, name: str, watch: plugins.Watch, over: threading.Event) -> None:
        while not over.is_set():
            try:
                watch(self._engine, over)
                return
            except Exception:
                log.exception("the source %s broke off; it is started again", name)
                over.wait(NOT_NOW)

    # -- what is to be delivered -------------------------------------------------------------------------------------

    def _scan(self) -> None:
        """Take in everything that is pending."""
        self._seen = self._engine.storage.refresh()
        for item in self._engine.storage.query(TABLE, {"status": "pending"}).items:
            self._take(item)

    def _note(self, line: Document) -> None:
        """A line of the log was written: by this process or another."""
        for table, id_, item in line.get("changes", ()):
            if table != TABLE:
                continue
            if item is None or item["status"] != "pending" or item["next_at"] is None:
                self._lanes.hurry(id_)
            if item is not None and item["status"] == "pending":
                self._take(item)
        self._seen = max(self._seen, line["seq"])
        self._wake.set()

    def _take(self, item: Document) -> None:
        if self._lanes.add(item["id"], item["destination"]):
            self._idle.clear()

    def _hand_out(self, pool: ThreadPoolExecutor) -> float | None:
        """Give every lane that is due to a worker; returns the seconds until the next one is, None when none waits."""
        lanes, wait = self._lanes.take(time.monotonic())
        for lane in lanes:
            pool.submit(self._work, lane)
        with self._lanes.mutex:
            if self._lanes.is_quiet() and self._seen >= self._engine.storage.last_seq():
                self._idle.set()
        return wait

    def _work(self, lane: Lane) -> None:
        due = 0.0
        try:
            for _ in range(IN_A_ROW):
                if not lane.ids or self._stopped.is_set() or not self._turn.is_held():
                    break
                if (wait := self._attempt(lane.ids[0])) is not None:
                    due = time.monotonic() + wait
                    break
                self._end_of(lane)
        except StorageError as error:
            if str(error) != self._told:  # once, not every few seconds while a disk is full
                log.warning("what came of deliveries cannot be written now: %s", error.message)
            self._told = str(error)
            due = time.monotonic() + NOT_NOW
        except Exception:
            log.exception("a delivery broke off; it is tried again")
            due = time.monotonic() + NOT_NOW
        finally:
            self._lanes.give_back(lane, due, time.monotonic())
            self._engine.wake()
            self._wake.set()

    def _end_of(self, lane: Lane) -> None:
        """The first item of a lane is over, unless it was made pending again the moment it was given up."""
        id_ = lane.ids[0]
        self._lanes.is_over(lane)
        item = self._engine.storage.get(TABLE, id_)
        if item is not None and item["status"] == "pending":
            self._take(item)

    # -- one attempt -------------------------------------------------------------------------------------------------

    def _attempt(self, id_: str) -> float | None:
        """Try to deliver an item; returns None when that is over, else the seconds until the next attempt."""
        engine = self._engine
        engine.storage.refresh()  # another process may have dropped it
        item = engine.storage.get(TABLE, id_)
        if item is None or item["status"] != "pending":
            self._arrived.pop(id_, None)
            return None
        if (wait := _seconds_until(item["next_at"])) > 0:
            return wait
        try:
            definitions = engine.definitions
            if not definitions.trusted:
                return NOT_NOW
            if item["kind"] == TRIGGER:
                self._run_rule(item)
            elif (answer := self._hand_over(item, definitions.settings)).again is not None:
                return answer.again
        except DefinitionError:
            return NOT_NOW
        except NotDelivered as error:
            return self._failed(item, error.message, error.retry_after, final=error.final, most=error.most)
        except LlmgenieError as error:
            if id_ in self._arrived:
                raise
            return self._failed(item, str(error), None, final=not isinstance(error, StorageError))
        except Exception as error:
            log.exception("the delivery of %s broke off", id_)
            return self._failed(item, f"{type(error).__name__}: {error}", None)
        return 0.0 if engine.storage.get(TABLE, id_) is not None else None

    def _run_rule(self, item: Document) -> None:
        fired = run_step(self._engine, item, self._cancel)
        left = self._engine.storage.get(TABLE, item["id"])
        if left is None or left["step"] != item["step"]:
            return
        if fired.outcome is not None and fired.outcome.ok and not fired.cause.last:
            deliveries.advance(self._engine.storage, fired.cause)
        elif not self._cancel.is_set():
            deliveries.done(self._engine.storage, item["id"], fired.detail)

    def _hand_over(self, item: Document, settings: Settings) -> Delivered:
        """Send it, and write down what came of that. Raises NotDelivered; StorageError: it arrived and stays in the outbox."""
        answer = self._arrived.get(item["id"]) or self._sent(item, settings)
        if answer.again is not None:
            return answer
        try:
            self._write_off(item, answer)
        except StorageError:
            self._arrived[item["id"]] = answer
            raise
        self._arrived.pop(item["id"], None)
        return answer

    def _sent(self, item: Document, settings: Settings) -> Delivered:
        sink = plugins.sinks().get(item["kind"])
        if sink is None or not self._has("sinks", item["kind"]):
            raise NotDelivered(f"Nothing here delivers a {item['kind']}.", final=True)
        return sink(
            Parcel(
                item["message"],
                item["kind"],
                item["name"],
                item["event"],
                item["payload"] or {},
                item["attempts"] + 1,
                settings,
                self._engine.project.name,
                self._cancel,
                self._engine,
            )
        )

    def _write_off(self, item: Document, answer: Delivered) -> None:
        engine = self._engine
        if answer.event is None:
            deliveries.done(engine.storage, item["id"], answer.detail)
            return
        name, data = answer.event
        cause = Cause((*item["chain"], item["destination"]), (item["event"] or {}).get("id", ""), item["id"])
        engine.trigger_event(name, data, actor=Actor("system", item["destination"]), cause=cause)

    def _failed(
        self, item: Document, why: str, retry_after: float | None, *, final: bool = False, most: int | None = None
    ) -> float | None:
        if self._stopped.is_set() and not final:
            return NOT_NOW  # broken off by us: the attempt does not count
        engine = self._engine
        try:
            bounds = engine.definitions.settings.deliveries
        except DefinitionError:
            return NOT_NOW  # they were broken just now; the attempt does not count
        deliveries.failed(engine.storage, item["id"], why, bounds, retry_after=retry_after, final=final, most=most)
        left = engine.storage.get(TABLE, item["id"])
        return _seconds_until(left["next_at"]) if left and left["status"] == "pending" else None


def _seconds_until(at: str | None) -> float:
    if at is None:
        return 0.0
    wait = (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()
    return 0.0 if wait > deliveries.LONGEST_WAIT else max(0.0, wait)  # nobody waits longer: the clock was set back


def oldest(engine: Engine) -> float | None:
    """Seconds for which the oldest pending item has been in the outbox; None when nothing is pending."""
    first = engine.storage.query(TABLE, {"status": "pending"}, limit=1).items
    return (datetime.now(UTC) - datetime.fromisoformat(first[0]["created_at"])).total_seconds() if first else None


__all__ = ["Dispatcher", "oldest"]

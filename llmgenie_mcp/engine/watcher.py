"""Tells subscribers of every commit, of this process and of others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import NamedTuple

from llmgenie_mcp.errors import StorageError
from llmgenie_mcp.records import Document
from llmgenie_mcp.storage import Storage

INTERVAL = 0.5
"""Seconds between looks for what other processes committed."""

Callback = Callable[[Document], None]
log = logging.getLogger(__name__)


class _Subscription(NamedTuple):
    callback: Callback
    since: int
    waits_for: str | None


class Watcher:
    """One background thread that reads the tail of the meta-log while anybody listens.

    Args:
        storage: the project's.
        interval: seconds between looks for what other processes committed; a look that finds nothing costs microseconds.
    """

    def __init__(self, storage: Storage, interval: float = INTERVAL) -> None:
        self._storage = storage
        self._interval = interval
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._seen = 0

    def subscribe(self, callback: Callback, *, waits_for: str | None = None) -> Callable[[], None]:
        """Call `callback(line)` for every line of the meta-log from now on, from the watcher's thread.

        Args:
            callback: called with the line.
            waits_for: the table that is waited for: lines of this process that do not touch it come with the next look,
                so that no thread runs beside the answer to a call that concerns nobody. None: every line at once.

        Returns:
            A function that ends the subscription.
        """
        with self._lock:
            subscription = _Subscription(callback, self._storage.refresh(), waits_for)
            self._subscriptions = (*self._subscriptions, subscription)
            if self._thread is None:
                self._seen = subscription.since
                self._thread = threading.Thread(target=self._watch, name="llmgenie-watcher", daemon=True)
                self._thread.start()

        def unsubscribe() -> None:
            with self._lock:
                self._subscriptions = tuple(other for other in self._subscriptions if other is not subscription)

        return unsubscribe

    def wake(self, touched: Collection[str] | None = None) -> None:
        """Look now: this process has just committed.

        Args:
            touched: the tables that were changed, when that is known; there is no hurry when nobody waits for one of them.
        """
        if touched is None or any(one.waits_for is None or one.waits_for in touched for one in self._subscriptions):
            self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait(self._interval)
            self._wake.clear()
            if self._stopped.is_set():
                return
            try:
                self._look()
            except StorageError as error:
                log.warning("the meta-log cannot be read: %s", error)

    def _look(self) -> None:
        newest = self._storage.refresh()
        while self._seen < newest:
            for line in self._storage.log(after=self._seen, limit=100, changes=True).items:
                self._seen = line["seq"]
                for one in self._subscriptions:
                    if self._seen > one.since:
                        _tell(one.callback, line)
            if self._seen >= newest:
                break
            if self._storage.last_seq() < self._seen or not self._storage.log(after=self._seen, limit=1).items:
                break
        self._seen = max(self._seen, newest)


def _tell(callback: Callback, line: Document) -> None:
    """One listener's fault must not keep the others from hearing."""
    try:
        callback(line)
    except Exception:
        log.exception("a listener to the meta-log failed at line %s", line["seq"])

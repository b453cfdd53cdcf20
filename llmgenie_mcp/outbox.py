"""What must be delivered because of something that happened: found and written in the transaction of its cause.

Every line of the meta-log is an event, and so is each event that it carries. `Route`s say who waits for which; `fill` puts
an item into the table `outbox` for each, beside the line itself, so that neither is there without the other. Delivering
is for `engine.dispatcher`. The way is that of the transactional outbox (https://microservices.io/patterns/data/transactional-outbox.html).

Light to import: hooks write lines too.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import ExpressionError
from llmgenie_mcp.expressions import Expression
from llmgenie_mcp.expressions.patterns import name_pattern
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Document, Event, now
from llmgenie_mcp.storage import Transaction

if TYPE_CHECKING:
    import threading

TABLE = "outbox"
RATES = "trigger_rates"
"""Table of how often each trigger rule ran in the present minute, and how often agents told whom something."""
LINKS = "links"
"""Table of what a task has elsewhere: a document for each tracker and task, `TRACKER/TASK`."""
TRIGGER, WEBHOOK, NOTIFICATION, TRACKER = "trigger", "webhook", "notification", "tracker"

WAITING = 10_000
"""So many deliveries to a webhook, or to a notification's people, wait at most, and so many that were given up are kept: a
receiver that is gone for weeks would else fill the memory of every process. Some 2.5 KB each."""
WAITS = "waiting"
"""What the bound is called where a line says that it stopped something."""
UNTOLD = frozenset({"event.received", "conversation.bound"})
"""Lines that are no events themselves: the event they carry is, or they are nobody's concern."""
QUIET = ("delivery.", "outbox.", "trigger.")
"""Lines about delivering, by how their type begins: they never lead to a delivery, for that would have no end."""
BEGINNINGS = frozenset({"action.started"})
"""Lines that do not settle the item which led to them."""
_OWN = frozenset({"seq", "ts", "prev", "changes", "type", "events", "cause", "stopped"})


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the engine acts by itself.

    Attributes:
        chain: the rules that led here one after the other, the last one acting now, each as `trigger:NAME`.
        event: id of the event that the last rule waited for.
        item: the outbox item that this act settles; None when it settles none.
        step: number of the rule's step, from 0.
        last: whether that is the rule's last step.
        cancel: set when the act is broken off because the server stops; what was then not done stays in the outbox.
        runs: the runs whose steps led here, the outermost first: one action may be a step of another.
        part: which step of the last of them this is.
    """

    chain: tuple[str, ...]
    event: str
    item: str | None = None
    step: int = 0
    last: bool = True
    cancel: threading.Event | None = None
    runs: tuple[str, ...] = ()
    part: str = ""

    @property
    def origin(self) -> str | None:
        """What is the same when this act is tried again because it broke off; None when nobody tries it again."""
        if self.runs:
            return f"{self.runs[-1]}/{self.part}"
        return f"{self.item}/{self.step}" if self.item else None

    def to_dict(self) -> Document:
        """As the meta-log keeps it."""
        by_rule = {"chain": list(self.chain), "event": self.event} if self.chain or not self.runs else {}
        return {**by_rule, **({"runs": list(self.runs), "part": self.part} if self.runs else {})}


@dataclass(frozen=True)
class Route:
    """Who waits for which events.

    Attributes:
        kind: trigger, webhook, notification, or tracker, which waits for no events but for tasks that change.
        name: as the settings call it.
        patterns: types of events, `*` for any characters.
        when: condition over the event; for triggers perhaps over more, which is then looked at later.
        max_depth, per_minute: bounds of a trigger rule.
        create: whether a tracker is told of tasks that it does not know.
    """

    kind: str
    name: str
    patterns: tuple[str, ...]
    when: str = "true"
    max_depth: int = 1
    per_minute: int = 0
    create: bool = False

    @property
    def destination(self) -> str:
        """Kind and name: items of one destination are delivered one after the other."""
        return f"{self.kind}:{self.name}"

    @cached_property
    def condition(self) -> Expression:
        """`when`, parsed."""
        return Expression.parse(self.when)

    @cached_property
    def _fits(self) -> tuple[Any, ...]:
        return tuple(map(name_pattern, self.patterns))

    def waits_for(self, event: Event) -> bool:
        """Whether the event is one of its own, as far as the event alone can tell."""
        if not any(fits(event.type) for fits in self._fits):
            return False
        try:
            found = self.condition.test({"event": event.to_dict()})
        except ExpressionError:
            return self.kind == TRIGGER  # the rule fails aloud when its turn comes
        if found is True or found is False:
            return found
        return any(not name.startswith("event.") for name in self.condition.names)


Routes = tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something to be delivered that an action asks for, beside what events lead to.

    Attributes:
        kind: of the sink.
        name: as the settings call the destination.
        payload: what the sink gets.
        lane: deliveries of one lane go one after the other; by default the destination's own.
    """

    kind: str
    name: str
    payload: Document = field(default_factory=dict)
    lane: str = ""


def events_of(line: Mapping[str, Any], source: str, seq: int) -> Iterator[Event]:
    """The events that a line of the meta-log tells: those it carries, and the line itself.

    Args:
        line: as written, or about to be.
        source: of the line's own event, such as `llmgenie/NAME`.
        seq: its number.
    """
    for made in line.get("events", ()):
        told = (made["type"], made["source"], made["id"], made["time"], made.get("subject"), made.get("data", {}))
        yield Event(*told, made.get("actor", ""))
    kind = str(line["type"])
    if kind not in UNTOLD:
        subject = line.get("action") or line.get("approval") or line.get("item")
        data = {name: value for name, value in line.items() if name not in _OWN}
        actor = ":".join(str(part) for part in (line.get("actor") or {}).values())
        yield Event(kind, source, f"line-{seq}", line.get("ts") or now(), subject, data, actor)


def fill(
    tx: Transaction,
    line: Document,
    routes: Iterable[Route],
    *,
    source: str,
    seq: int,
    cause: Cause | None = None,
    deliveries: Iterable[Delivery] = (),
) -> None:
    """Put what `line` leads to into the outbox; what a bound stops is noted in the line itself.

    Args:
        tx: the transaction that will write the line.
        line: about to be written; `cause`, `deliveries` and `stopped` are added to it.
        routes: who waits for what.
        source, seq: see `events_of`.
        cause: why the engine acts by itself, if it does.
        deliveries: what an action asked for.
    """
    if cause is not None:
        line["cause"] = cause.to_dict()
    chain, stopped = cause.chain if cause else (), []
    routes, due = tuple(routes), []
    if routes and not str(line["type"]).startswith(QUIET):
        for event in events_of(line, source, seq):
            for route in routes:
                if not route.waits_for(event):
                    continue
                refused = _bounded(tx, route, chain) if route.kind == TRIGGER else _full(tx, route.destination)
                if refused is None:
                    due.append((route, event))
                elif refused:
                    stopped.append({"rule": route.destination, "event": event.type, **refused})
    # Only now: as long as this transaction has put nothing there, counting what waits costs the same however much it is.
    made = [put(tx, delivery, cause) for delivery in deliveries]
    made += [_put(tx, route.kind, route.name, event, chain) for route, event in due]
    if not str(line["type"]).startswith(QUIET):
        made += [id_ for route in routes if route.kind == TRACKER for id_ in _changed(tx, route, chain)]
    if made:
        line["deliveries"] = made
    if stopped:
        line["stopped"] = stopped


def put(tx: Transaction, delivery: Delivery, cause: Cause | None = None) -> str:
    """Write an item for what an action asked for; returns its id."""
    chain = cause.chain if cause else ()
    lane = delivery.lane or f"{delivery.kind}:{delivery.name}"
    return _put(tx, delivery.kind, delivery.name, None, chain, lane=lane, payload=delivery.payload)


def settle(tx: Transaction, cause: Cause, *, ended: bool = False) -> None:
    """Take the item of an act off the outbox, or note that its next step is due; `ended`: no further step is taken."""
    item = tx.get(TABLE, cause.item or "")
    if item is None or (ended and cause.cancel is not None and cause.cancel.is_set()):
        return
    if cause.last or ended:
        tx.delete(TABLE, item["id"])
    else:
        tx.put(TABLE, item["id"], {**item, "step": cause.step + 1, "attempts": 0, "error": None, "updated_at": now()})


def _put(
    tx: Transaction,
    kind: str,
    name: str,
    event: Event | None,
    chain: tuple[str, ...],
    *,
    lane: str = "",
    payload: Any = None,
) -> str:
    id_ = tx.next_id("OUT")
    at = now()
    item: Document = {
        "status": "pending",
        "kind": kind,
        "name": name,
        "destination": lane or f"{kind}:{name}",
        "message": f"msg_{uuid.uuid4().hex}",
        "event": event.to_dict() if event else None,
        "payload": payload,
        "chain": list(chain),
        "step": 0,
        "attempts": 0,
        "next_at": None,
        "error": None,
        "created_at": at,
        "updated_at": at,
    }
    tx.put(TABLE, id_, item)
    return id_


def _changed(tx: Transaction, route: Route, chain: tuple[str, ...]) -> Iterator[str]:
    """Items for the tasks that the transaction changes, but for those whose link it writes: they come from there."""
    settled = set(tx.changed(LINKS))
    for id_ in tx.changed("tasks"):
        link = f"{route.name}/{id_}"
        known = tx.get(LINKS, link)
        wanted = route.create if known is None else not known.get("gone")
        if wanted and link not in settled and tx.get("tasks", id_) is not None:
            yield _put(tx, route.kind, route.name, None, chain, payload={"task": id_})


def _bounded(tx: Transaction, route: Route, chain: tuple[str, ...]) -> Document | None:
    """None when the rule may run; else why not, or {} when that was said in this minute already."""
    if len(chain) >= route.max_depth:
        way = " → ".join((*chain, route.destination))
        message = (
            f"{len(chain)} rules led to this event, and {route.name} runs at depth {route.max_depth} at most: {way}"
        )
        return {"bound": "max_depth", "message": message}
    minute = now()[:16]
    known = tx.get(RATES, route.name) or {}
    rate: Document = {"minute": minute, "count": 0, "stopped": 0} if known.get("minute") != minute else dict(known)
    over = rate["count"] >= route.per_minute
    rate["stopped" if over else "count"] += 1
    tx.put(RATES, route.name, rate)
    if not over:
        return None
    message = (
        f"{route.name} ran {route.per_minute} times in this minute, which is its bound; further events are not taken."
    )
    return {"bound": "per_minute", "message": message} if rate["stopped"] == 1 else {}


def _full(tx: Transaction, destination: str) -> Document | None:
    """None when something more may wait for a destination; else why not."""
    if tx.count(TABLE, {"destination": destination, "status": "pending"}) < WAITING:
        return None
    message = (
        f"{WAITING:,} deliveries to {destination} wait already: what happens now is in the log, and it is not told."
    )
    return {"bound": WAITS, "message": message}


def lock_file(store: Path) -> Path:
    """The file that the process which delivers for the project of `store` holds a lock on."""
    return store / "run" / "outbox.lock"


def delay(attempt: int, first: float, longest: float, *, chance: float | None = None) -> float:
    """Seconds to wait after a failed attempt: exponential, with jitter.

    Args:
        attempt: how many have failed, from 1.
        first: after the first.
        longest: at most.
        chance: 0 to 1 instead of a random number.

    Half of it is fixed and half random ("equal jitter", AWS Architecture Blog, Exponential Backoff And Jitter, 2015).
    """
    import random  # here: hooks import this module and never wait

    whole = float(min(longest, first * 2 ** min(attempt - 1, 32)))
    return whole * (0.5 + 0.5 * (random.random() if chance is None else chance))  # noqa: S311 - jitter is no secret


__all__ = ["TABLE", "Cause", "Delivery", "Route", "Routes", "delay", "events_of", "fill", "lock_file", "put", "settle"]

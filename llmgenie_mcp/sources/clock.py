"""The clock: rules with a `schedule` get their event, `schedule.NAME`, when it comes due.

An event is taken once for each due time, however many processes look: it has a receipt. The table `schedules` keeps, for
each rule, since when this schedule has been known and up to when its times were seen to. So what came due while nothing
ran, or while the machine slept, is told from what came due before there was such a rule. Of several missed times only the
newest is made up for, and only for a day; a clock that jumps causes one event at most, and none of before.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from llmgenie_mcp import schedules
from llmgenie_mcp.errors import DefinitionError, LlmgenieError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Actor, Document
from llmgenie_mcp.plugins import source
from llmgenie_mcp.triggers import TriggerRule, event_type

if TYPE_CHECKING:
    import threading

    from llmgenie_mcp.engine.engine import Engine

TABLE = "schedules"
LOOK = 5.0
"""Seconds between looks whether rules, or the clock, were changed."""
MADE_UP_FOR = timedelta(days=1)
"""What came due longer ago is not made up for."""
ACTOR = Actor("system", "schedule")
NOTED = timedelta(hours=1)
"""So old may the note be of what was seen to; receipts, of which only so many are kept, tell for this long."""

log = logging.getLogger(__name__)


@source("clock")
def watch(engine: Engine, stop: threading.Event) -> None:
    """Raise the events of schedules until `stop` is set."""
    clock = Clock(engine)
    while not stop.is_set():
        stop.wait(clock.look(datetime.now(UTC)))


@dataclass(slots=True)
class Clock:
    """Looks what is due in a project.

    Attributes:
        engine: the project's.
        seen_to: for each rule's name and schedule, the time up to which its times were seen to.
        warned: what was warned of, so that it is once.
    """

    engine: Engine
    seen_to: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)

    def look(self, now: datetime) -> float:
        """Raise the events of what is due at `now`; returns the seconds until it is worth looking again."""
        try:
            definitions = self.engine.definitions
        except DefinitionError:
            return LOOK  # who broke them is told elsewhere; what comes due meanwhile is made up for
        if not definitions.trusted:
            return LOOK
        rules = {n: rule for n, rule in definitions.catalog.triggers.items() if rule.schedule and rule.enabled}
        self._forget_others(rules)
        if not rules or self._lacks_library():
            return LOOK
        waits = [LOOK]
        for name, rule in rules.items():
            try:
                waits.append(self._see_to(name, rule, now))
            except LlmgenieError as error:
                self._warn(f"the schedule of {name} could not be seen to: {error.message}")
        return max(0.01, min(waits))

    def _lacks_library(self) -> bool:
        if schedules.is_available():
            return False
        self._warn(f"rules with a schedule do not run, for the library cronsim is missing: {schedules.INSTALL}")
        return True

    def _see_to(self, name: str, rule: TriggerRule, now: datetime) -> float:
        """Raise a rule's event if it is due; returns the seconds until it is next."""
        where = schedules.zone(rule.timezone)
        if where is None:
            self._warn(
                f"the rule {name} does not run, for this machine has no time zone {rule.timezone}: pip install tzdata"
            )
            return LOOK
        key = (name, rule.schedule or "", rule.timezone)
        since = self.seen_to[key] if key in self.seen_to else self._known_since(key, now)
        due, following = None, None
        for at in schedules.due_times(key[1], where, max(since, now - MADE_UP_FOR)):
            if at > now:
                following = at
                break
            due = at
        if due is not None:
            self._raise(name, rule, due)
            self._note(key, due)
        self.seen_to[key] = now
        return LOOK if following is None else (following - now).total_seconds()

    def _raise(self, name: str, rule: TriggerRule, due: datetime) -> None:
        at, kind = _text(due), event_type(name, rule) or ""
        data = {"rule": name, "due": at}
        self.engine.trigger_event(kind, data, actor=ACTOR, receipt=(f"schedule:{name}:{at}",))

    # -- what is known of a rule, also by the processes to come --------------------------------------------------------

    def _known_since(self, key: tuple[str, str, str], now: datetime) -> datetime:
        """Up to when the rule's times were seen to; a schedule that nobody has seen before begins now."""
        kept = self.engine.storage.get(TABLE, key[0])
        if kept is None or (kept["schedule"], kept["timezone"]) != key[1:]:
            self._write(key, now)
            return now
        return datetime.fromisoformat(kept["seen_to"])

    def _note(self, key: tuple[str, str, str], due: datetime) -> None:
        kept = self.engine.storage.get(TABLE, key[0])
        if kept is None or abs(due - datetime.fromisoformat(kept["seen_to"])) >= NOTED:
            self._write(key, due)

    def _forget_others(self, rules: Mapping[str, TriggerRule]) -> None:
        """What a rule missed while it was switched off, or not there, is not made up for when it comes back."""
        gone = [kept["id"] for kept in self.engine.storage.query(TABLE).items if kept["id"] not in rules]
        if not gone:
            return
        self.seen_to = {key: at for key, at in self.seen_to.items() if key[0] in rules}
        with self.engine.storage.begin() as tx:
            for name in gone:
                tx.delete(TABLE, name)
            tx.commit({"type": "trigger.unscheduled", "actor": {"kind": ACTOR.kind, "id": ACTOR.id}, "rules": gone})

    def _write(self, key: tuple[str, str, str], seen_to: datetime) -> None:
        name, schedule, timezone = key
        told: Document = {"schedule": schedule, "timezone": timezone, "seen_to": _text(seen_to)}
        with self.engine.storage.begin() as tx:
            tx.put(TABLE, name, told)
            tx.commit(
                {"type": "trigger.scheduled", "actor": {"kind": ACTOR.kind, "id": ACTOR.id}, "rule": name, **told}
            )

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warned:
            self.warned.add(sentence)
            log.warning("%s", sentence)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


__all__: list[str] = ["Clock", "watch"]

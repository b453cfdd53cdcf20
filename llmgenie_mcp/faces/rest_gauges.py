"""What is looked up when metrics are asked for: what the store holds, and which rules decided."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llmgenie_mcp.engine import tally
from llmgenie_mcp.engine.dispatcher import oldest
from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.outbox import TABLE

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Decision, Engine, Outcome

DISTINCT = 1000
"""So many different decisions are told apart; further ones are counted as of rule `other`."""
ENGINE, QUESTION = "engine", "enforce"
"""Points of decision that are no hooks: actions that were run, and what the policies were asked about."""
HOOKS = ("allow", "fault")
"""Effects at hooks that no rule stands behind."""


class Decisions(Collector):
    """`llmgenie_decisions_total{point,rule,effect}`: of this process, and of the hooks as the project counts them.

    A decision counts once for every rule that spoke against it, and under no rule where none did.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()

    def of_action(self, outcome: Outcome) -> None:
        """Count what was decided about an action."""
        if outcome.status != "denied":
            self._count(ENGINE, "", "allow")
        for reason in outcome.reasons:
            self._count(ENGINE, reason.rule, "ask" if reason.code == "approval_required" else "deny")

    def of_question(self, decision: Decision) -> None:
        """Count what the policies said to a question."""
        if not decision.reasons:
            self._count(QUESTION, "", decision.effect)
        for reason in decision.reasons:
            self._count(QUESTION, f"{reason.policy}/{reason.rule}", reason.effect)

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        family = CounterMetricFamily(
            "llmgenie_decisions",
            "Decisions, once for every rule that spoke against it; no rule where none did.",
            labels=["point", "rule", "effect"],
        )
        with self._lock:
            counts = Counter(self._counts)
        for point, rule, effect, count in self._of_hooks():
            counts[point, rule, effect] += count
        for labels, count in counts.items():
            family.add_metric(labels, count)
        yield family

    def describe(self) -> list[Metric]:
        """Nothing is looked up when it is registered."""
        return []

    def _count(self, point: str, rule: str, effect: str) -> None:
        key = (point, rule, effect)
        with self._lock:
            self._counts[key if key in self._counts or len(self._counts) < DISTINCT else (point, "other", effect)] += 1

    def _of_hooks(self) -> Iterator[tuple[str, str, str, int]]:
        effects = self._effects()
        for point, said in sorted(tally.summary(self._engine.project.store).items()):
            for effect in HOOKS:
                if count := said.get(effect, 0):
                    yield point, "", effect, count
            for rule, count in list(said["rules"].items())[:DISTINCT]:
                yield point, rule, effects.get(rule, "deny"), count

    def _effects(self) -> dict[str, str]:
        """What each rule does: a hook's count has its name alone."""
        try:
            policies = self._engine.definitions.catalog.policies
        except LlmgenieError:
            return {}
        return {f"{name}/{rule.id}": rule.effect for name, entry in policies.items() for rule in entry.value.rules}


class StoreGauges(Collector):
    """How full the outbox and the log are, and whether the store can be read at all."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Nothing is looked up when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        try:
            found = self._found()
        except LlmgenieError:
            found = {}
        readable = GaugeMetricFamily("llmgenie_store_readable", "1 when the store can be read, else 0.")
        readable.add_metric([], float(bool(found)))
        yield readable
        for name, (about, value) in found.items():
            gauge = GaugeMetricFamily(name, about)
            gauge.add_metric([], value)
            yield gauge

    def _found(self) -> dict[str, tuple[str, float]]:
        storage = self._engine.storage
        storage.refresh()
        count = {status: storage.query(TABLE, {"status": status}, limit=1).total for status in ("pending", "dead")}
        return {
            "llmgenie_outbox_pending": ("Deliveries that wait.", count["pending"]),
            "llmgenie_outbox_dead": ("Deliveries that were given up.", count["dead"]),
            "llmgenie_outbox_oldest_seconds": ("Age of the oldest that waits; 0: none.", oldest(self._engine) or 0),
            "llmgenie_log_lines": ("Lines of the meta-log.", storage.log(limit=1, newest_first=True).total),
            "llmgenie_store_bytes": ("Bytes of the log and its checkpoint.", self._bytes()),
        }

    def _bytes(self) -> int:
        store = self._engine.project.store
        size = 0
        for path in (store / "db.json", *(store / "meta-log").glob("*.jsonl")):
            try:
                size += path.stat().st_size
            except OSError:
                continue
        return size

"""How things are measured: what is compared runs in turns, so that whatever else the machine does meets all of it.

A row is the median of its samples with the 5th and 95th percentile. A ratio is that of two medians; its interval is the
5th to 95th percentile of the same ratio over 200 samples drawn with replacement from the rounds (a bootstrap), the two
sides of a round staying together.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from llmgenie_mcp.storage.disk import flush

Seconds: TypeAlias = float
Sampler: TypeAlias = Callable[[], Seconds]
SCALE = {"s": 1.0, "ms": 1e3, "μs": 1e6}


@dataclass(frozen=True)
class Effort:
    """How much is measured: all of it, or just enough to see that everything runs."""

    quick: bool = False

    def of(self, full: int, quick: int) -> int:
        """A number of rounds."""
        return quick if self.quick else full

    def sizes(self, *all_of_them: int) -> tuple[int, ...]:
        """Sizes of a project; the first two when it is to be quick."""
        return all_of_them[:2] if self.quick else all_of_them


@dataclass(frozen=True)
class Spread:
    """Median, 5th and 95th percentile of `count` samples."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, samples: Sequence[float], scale: float = 1.0) -> Spread:
        """The spread of `samples`, each times `scale`."""
        ordered = sorted(sample * scale for sample in samples)
        last = len(ordered) - 1
        return cls(statistics.median(ordered), ordered[round(0.05 * last)], ordered[round(0.95 * last)], len(ordered))


@dataclass(frozen=True)
class Row:
    """One thing measured.

    Attributes:
        name: what.
        unit: of `value` and `baseline`.
        value: the samples.
        beside: what it is compared with, and `baseline` its samples from the same rounds.
        ratio: of the medians, with its interval.
        budget: what is allowed: of the ratio, or with `bounds="value"` of the median.
        short: shown in the README too.
    """

    name: str
    unit: str
    value: Spread
    beside: str = ""
    baseline: Spread | None = None
    ratio: Spread | None = None
    budget: float | None = None
    bounds: Literal["ratio", "value"] = "ratio"
    short: bool = False

    @property
    def verdict(self) -> Literal["", "kept", "close", "over"]:
        """Whether the budget is kept; `close` when it is not and the interval reaches down to it."""
        measured = self.ratio if self.bounds == "ratio" else self.value
        if self.budget is None or measured is None:
            return ""
        if measured.median <= self.budget:
            return "kept"
        return "close" if measured.low <= self.budget else "over"

    def data(self) -> dict[str, Any]:
        """As JSON."""
        found: dict[str, Any] = {"name": self.name, "unit": self.unit, "value": _numbers(self.value)}
        if self.baseline is not None:
            found |= {"beside": self.beside, "baseline": _numbers(self.baseline)}
        if self.ratio is not None:
            found["ratio"] = _numbers(self.ratio)
        if self.budget is not None:
            found |= {"budget": self.budget, "bounds": self.bounds, "verdict": self.verdict}
        return found


@dataclass(frozen=True)
class Curve:
    """Something measured at growing sizes.

    Attributes:
        panel: what is done, such as `write`.
        name: by what.
        unit: of the medians.
        along: what grows.
        points: (size, median).
    """

    panel: str
    name: str
    unit: str
    along: str
    points: tuple[tuple[int, float], ...]

    def data(self) -> dict[str, Any]:
        """As JSON."""
        points = [[size, _rounded(value)] for size, value in self.points]
        return {"panel": self.panel, "name": self.name, "unit": self.unit, "along": self.along, "points": points}


Found: TypeAlias = "list[Row | Curve]"


def timed(work: Callable[[], object], loop: int = 1) -> Sampler:
    """A sampler of how long `work` takes; of something short, the mean of `loop` times."""

    def sample() -> Seconds:
        start = time.perf_counter()
        for _ in range(loop):
            work()
        return (time.perf_counter() - start) / loop

    return sample


def interleaved(sides: Mapping[str, Sampler], rounds: int, *, warm: int = 2) -> dict[str, list[Seconds]]:
    """Samples of all sides, taken in turns; who begins changes from round to round."""
    taken: dict[str, list[Seconds]] = {name: [] for name in sides}
    order = list(sides.items())
    for number in range(warm + rounds):
        for name, sample in order:
            seconds = sample()
            if number >= warm:
                taken[name].append(seconds)
        order.append(order.pop(0))
    return taken


def alone(name: str, samples: Sequence[Seconds], unit: str, **more: Any) -> Row:
    """A row without a baseline; `more` are its other attributes."""
    return Row(name, unit, Spread.of(samples, SCALE.get(unit, 1.0)), bounds="value", **more)


def against(
    name: str, samples: Sequence[Seconds], beside: str, baseline: Sequence[Seconds], unit: str, **more: Any
) -> Row:
    """A row beside its baseline from the same rounds; `more` are its other attributes."""
    scale = SCALE.get(unit, 1.0)
    return Row(
        name,
        unit,
        Spread.of(samples, scale),
        beside,
        Spread.of(baseline, scale),
        _ratio(samples, baseline),
        **more,
    )


def _ratio(samples: Sequence[float], baseline: Sequence[float]) -> Spread:
    count = min(len(samples), len(baseline))
    draw = random.Random(1)
    found = []
    for _ in range(200):
        chosen = draw.choices(range(count), k=count)
        mine, theirs = (statistics.median(side[i] for i in chosen) for side in (samples, baseline))
        found.append(mine / theirs)
    around = Spread.of(found)
    exact = statistics.median(samples) / statistics.median(baseline)
    return Spread(exact, around.low, around.high, count)


def _numbers(spread: Spread) -> dict[str, Any]:
    return {
        "median": _rounded(spread.median),
        "p5": _rounded(spread.low),
        "p95": _rounded(spread.high),
        "n": spread.count,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def appending(path: Path) -> Sampler:
    """A sampler of one append of 700 bytes, about a line of the log, and fdatasync."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    line = b"x" * 700

    def append() -> None:
        os.write(descriptor, line)
        flush(descriptor)

    return timed(append)

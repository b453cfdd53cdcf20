"""Whether something that was looked at for a while grows: a straight line through it, and how sure that line is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["steady", "grows", "falls"]
CERTAIN = 3.0
"""A slope counts when it is this many times its standard error. Samples that follow each other are alike, so that the
standard error is too small, and twice would cry wolf."""


@dataclass(frozen=True)
class Trend:
    """The line of least squares through samples.

    Attributes:
        median: of the samples.
        slope: per hour.
        error: the slope's standard error, per hour.
        hours: from the first sample to the last.
    """

    median: float
    slope: float
    error: float
    hours: float

    @classmethod
    def of(cls, seconds: Sequence[float], values: Sequence[float]) -> Trend:
        """The trend of values that were seen at these times, in seconds; at least three."""
        hours = [when / 3600 for when in seconds]
        slope, start = statistics.linear_regression(hours, values)
        rest = [value - start - slope * when for when, value in zip(hours, values, strict=True)]
        middle = statistics.fmean(hours)
        spread = sum((when - middle) ** 2 for when in hours)
        error = math.sqrt(sum(each * each for each in rest) / (len(rest) - 2) / spread)
        return cls(statistics.median(values), slope, error, hours[-1] - hours[0])

    def verdict(self, share: float, least: float) -> Verdict:
        """What it says: a slope counts that is certain, and that matters.

        Args:
            share: growth per hour, as a share of the median, from which on it matters.
            least: growth per hour in the unit of the values that never matters.
        """
        if abs(self.slope) < CERTAIN * self.error or abs(self.slope) < max(share * abs(self.median), least):
            return "steady"
        return "grows" if self.slope > 0 else "falls"

"""How much one caller, and all together, may ask of the REST face. Counting only: nothing here waits, and nothing grows."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from llmgenie_mcp.frozen import dataclass

BURST_SECONDS = 15.0
"""So many seconds' worth of requests may come at once."""
CALLERS = 4096
"""So many callers are remembered; the one that was quiet for the longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Share:
    """What is left to a caller.

    Attributes:
        allowed: whether this request is within the bound.
        policy: name of the bound.
        burst: requests that may come at once.
        window: seconds in which so many come back.
        left: requests that may come now.
        wait: seconds until the next may; 0 when one may now.
    """

    allowed: bool
    policy: str
    burst: int
    window: float
    left: int
    wait: float

    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit` (IETF draft-ietf-httpapi-ratelimit-headers-10), and `Retry-After` when refused."""
        told = {
            "RateLimit-Policy": f'"{self.policy}";q={self.burst};w={math.ceil(self.window)}',
            "RateLimit": f'"{self.policy}";r={self.left};t={math.ceil(self.wait)}',
        }
        return told if self.allowed else {**told, "Retry-After": str(max(1, math.ceil(self.wait)))}


class Rate:
    """A token bucket for each caller (https://en.wikipedia.org/wiki/Token_bucket).

    Args:
        name: of the bound.
        per_minute: requests a minute.
        burst: requests at once; None: what comes in `BURST_SECONDS`.
        clock: seconds from anywhere, never going back.
    """

    def __init__(
        self, name: str, per_minute: float, burst: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._speed = per_minute / 60
        self._burst = max(1, math.ceil(self._speed * BURST_SECONDS)) if burst is None else burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """So many callers are remembered."""
        return len(self._buckets)

    def take(self, caller: str) -> Share:
        """Count a request of `caller`, if it is within the bound."""
        return self._look(caller, 1.0)

    def peek(self, caller: str) -> Share:
        """As `take`, but nothing is counted."""
        return self._look(caller, 0.0)

    def _look(self, caller: str, cost: float) -> Share:
        now = self._clock()
        level, since = self._buckets.pop(caller, (float(self._burst), now))
        level = min(float(self._burst), level + (now - since) * self._speed)
        allowed = level >= 1
        level -= cost if allowed else 0
        self._buckets[caller] = (level, now)
        while len(self._buckets) > CALLERS:
            self._buckets.popitem(last=False)
        wait = 0.0 if level >= 1 else (1 - level) / self._speed
        return Share(allowed, self._name, self._burst, self._burst / self._speed, int(level), wait)


class Slots:
    """So many at the same time and no more; who comes when all are taken is sent away at once.

    Args:
        limit: how many.

    Attributes:
        each: so many of them for one caller that is known by name: who dawdles in every place would lock out the others.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.each = math.ceil(limit * 3 / 4)
        self.taken = 0
        self._whose: Counter[str] = Counter()

    def enter(self, caller: str | None = None) -> bool:
        """Take a slot, if one is free, for a caller of that name; None: of none."""
        if self.taken >= self.limit or (caller is not None and self._whose[caller] >= self.each):
            return False
        self.taken += 1
        if caller is not None:
            self._whose[caller] += 1
        return True

    def leave(self, caller: str | None = None) -> None:
        """Give it back."""
        self.taken -= 1
        if caller is not None:
            self._whose[caller] -= 1
            self._whose += Counter()  # forgets who has none

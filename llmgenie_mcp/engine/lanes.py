"""Whose turn it is: the items that wait for each destination in order, and the destinations whose time has come.

What it costs to find the next one does not depend on how many wait.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Lane:
    """The items of one destination.

    Attributes:
        name: of the destination.
        ids: of its items, in order; the first is the one to be delivered.
        out: somebody is at work on it, or it waits for its time.
    """

    name: str
    ids: deque[str] = field(default_factory=deque)
    out: bool = False


class Lanes:
    """All destinations that something waits for. Every item is in it once.

    Attributes:
        mutex: guards it; held by who must not have anything added meanwhile.
    """

    def __init__(self) -> None:
        self.mutex = threading.RLock()
        self._lanes: dict[str, Lane] = {}
        self._known: set[str] = set()
        self._ready: deque[Lane] = deque()
        self._later: list[tuple[float, int, Lane]] = []
        self._number = 0
        self._at_work = 0

    def add(self, id_: str, destination: str) -> bool:
        """Put an item behind the others of its destination; False when it is there already."""
        with self.mutex:
            if id_ in self._known:
                return False
            self._known.add(id_)
            lane = self._lanes.get(destination)
            if lane is None:
                lane = self._lanes[destination] = Lane(destination)
            lane.ids.append(id_)
            if not lane.out:
                lane.out = True
                self._ready.append(lane)
            return True

    def take(self, now: float) -> tuple[list[Lane], float | None]:
        """The destinations whose time has come, to be worked on and given back.

        Args:
            now: monotonic seconds.

        Returns:
            The lanes, and the seconds until the next one's time; None when none waits.
        """
        with self.mutex:
            while self._later and self._later[0][0] <= now:
                self._ready.append(heapq.heappop(self._later)[2])
            taken = list(self._ready)
            self._ready.clear()
            self._at_work += len(taken)
            return taken, self._later[0][0] - now if self._later else None

    def is_over(self, lane: Lane) -> None:
        """The first item of a lane that was taken is done with."""
        with self.mutex:
            self._known.discard(lane.ids.popleft())

    def give_back(self, lane: Lane, due: float, now: float) -> None:
        """Nobody is at work on a lane any more; its next turn is at `due`. Both times are in monotonic seconds."""
        with self.mutex:
            self._at_work -= 1
            if lane.ids and due <= now:
                self._ready.append(lane)
            elif lane.ids:
                self._number += 1
                heapq.heappush(self._later, (due, self._number, lane))
            else:
                del self._lanes[lane.name]

    def is_quiet(self) -> bool:
        """Whether nobody is at work, and nothing is ready that nobody has taken."""
        with self.mutex:
            return not self._at_work and not self._ready


__all__ = ["Lane", "Lanes"]

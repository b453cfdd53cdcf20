"""Whose turn it is: the items that wait for each destination in order, and the destinations whose time has come.

What it costs to find the next one does not depend on how many wait.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from dataclasses import field

from llmgenie_mcp.frozen import dataclass


@dataclass(slots=True, eq=False)
class Lane:
    """The items of one destination.

    Attributes:
        name: of the destination.
        ids: of its items, in order; the first is the one to be delivered.
        out: somebody is at work on it, or it waits for its time.
        ticket: number of its place among those that wait for their time; 0 when it has none.
        hurried: its time was to come at once while somebody was at work on it.
    """

    name: str
    ids: deque[str] = field(default_factory=deque)
    out: bool = False
    ticket: int = 0
    hurried: bool = False


class Lanes:
    """All destinations that something waits for. Every item is in it once.

    Attributes:
        mutex: guards it; held by who must not have anything added meanwhile.
    """

    def __init__(self) -> None:
        self.mutex = threading.RLock()
        self._lanes: dict[str, Lane] = {}
        self._known: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._later: list[tuple[float, int, Lane]] = []
        self._number = 0
        self._at_work = 0

    def add(self, id_: str, destination: str) -> bool:
        """Put an item behind the others of its destination; False when it is there already."""
        with self.mutex:
            if id_ in self._known:
                return False
            lane = self._lanes.get(destination)
            if lane is None:
                lane = self._lanes[destination] = Lane(destination)
            self._known[id_] = lane
            lane.ids.append(id_)
            if not lane.out:
                lane.out = True
                self._ready.append(lane)
            return True

    def hurry(self, id_: str) -> None:
        """Have the destination of an item looked at now, when the item is the one whose turn it is there."""
        with self.mutex:
            lane = self._known.get(id_)
            if lane is None or lane.ids[0] != id_:
                return
            if lane.ticket:
                lane.ticket = 0
                self._ready.append(lane)
            else:
                lane.hurried = True

    def take(self, now: float) -> tuple[list[Lane], float | None]:
        """The destinations whose time has come, to be worked on and given back.

        Args:
            now: monotonic seconds.

        Returns:
            The lanes, and the seconds until the next one's time; None when none waits.
        """
        with self.mutex:
            while self._later and (self._later[0][0] <= now or self._later[0][1] != self._later[0][2].ticket):
                _, ticket, lane = heapq.heappop(self._later)
                if ticket == lane.ticket:  # else it was hurried meanwhile
                    lane.ticket = 0
                    self._ready.append(lane)
            taken = list(self._ready)
            self._ready.clear()
            for lane in taken:
                lane.hurried = False
            self._at_work += len(taken)
            return taken, self._later[0][0] - now if self._later else None

    def is_over(self, lane: Lane) -> None:
        """The first item of a lane that was taken is done with."""
        with self.mutex:
            self._known.pop(lane.ids.popleft(), None)

    def give_back(self, lane: Lane, due: float, now: float) -> None:
        """Nobody is at work on a lane any more; its next turn is at `due`. Both times are in monotonic seconds."""
        with self.mutex:
            self._at_work -= 1
            if lane.ids and (due <= now or lane.hurried):
                self._ready.append(lane)
            elif lane.ids:
                self._number += 1
                lane.ticket = self._number
                heapq.heappush(self._later, (due, self._number, lane))
            else:
                del self._lanes[lane.name]

    def is_quiet(self) -> bool:
        """Whether nobody is at work, and nothing is ready that nobody has taken."""
        with self.mutex:
            return not self._at_work and not self._ready


__all__ = ["Lane", "Lanes"]

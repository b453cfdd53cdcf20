"""The time of day, as a machine whose clock is put wrong would tell it."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo


class Clock:
    """The time of day, put wrong by `wrong` seconds; stands for the class `datetime` in a module."""

    def __init__(self) -> None:
        self.wrong = 0.0

    def now(self, zone: tzinfo) -> datetime:
        return datetime.now(zone) + timedelta(seconds=self.wrong)

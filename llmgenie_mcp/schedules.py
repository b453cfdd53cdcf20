"""When a cron expression comes due. Light to import: the library (cronsim) is loaded when a rule has a schedule.

The language is that of Debian's cron (crontab(5)): five fields, `*`, `,`, `-`, `/`, names of months and days, and `L`, `LW`,
`5L`, `1#2`. A time of day that a change of clocks leaves out comes at the next one there is; one that comes twice counts
the first time, unless hour or minute begins with `*`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from llmgenie_mcp.errors import ExpressionError, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
HINT = "Write minute hour day month weekday, such as 0 3 * * 1-5 (03:00 from Monday to Friday)."
INSTALL = "pip install 'llmgenie-mcp[schedule]'"


def is_available() -> bool:
    """Whether the library that reads schedules is installed."""
    from importlib.util import find_spec

    return find_spec("cronsim") is not None


def wrong_schedule(expression: str) -> tuple[int, str] | None:
    """What is wrong with a cron expression, as (character offset, message); None when nothing is, or nobody can tell."""
    words = [(found.start(), found[0]) for found in re.finditer(r"\S+", expression)]
    if len(words) != len(FIELDS):
        return 0, f"A schedule has five fields, and {shorten(expression)!r} has {len(words)}"
    if not is_available():
        return None
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC)))
    except StopIteration:
        return 0, f"The time {shorten(expression)!r} never comes"
    except CronSimError as error:
        named = str(error).removeprefix("Bad ")
        if named not in FIELDS:
            return 0, f"{shorten(expression)!r} is no schedule: {error}"
        offset, word = words[FIELDS.index(named)]
        if named == "day-of-month" and word.isdigit() and 1 <= int(word) <= 31:
            return offset, f"No month of the schedule {shorten(expression)!r} has a day {word}"
        return offset, f"{shorten(word)!r} is no {named} of a schedule"
    return None


def wrong_zone(name: str) -> tuple[str, str] | None:
    """What is wrong with the name of a time zone, as (message, hint); None when nothing is, or nobody can tell."""
    if zone(name) is not None:
        return None
    from zoneinfo import available_timezones

    known = available_timezones()
    if not known:
        return None  # this machine has no time zones at all: not the file's fault
    near = [other for other in sorted(known) if other.rpartition("/")[2].lower() == name.rpartition("/")[2].lower()]
    if not near:
        from difflib import get_close_matches

        near = get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f"Did you mean {' or '.join(near[:3])}?" if near else "Write an IANA name, such as Europe/Berlin or UTC."
    return f"There is no time zone {shorten(name)!r}", hint


def zone(name: str) -> tzinfo | None:
    """The time zone of an IANA name; None when this machine knows none of that name."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder of zones, a path, an unknown name
        return None


def due_times(expression: str, where: tzinfo, after: datetime) -> Iterator[datetime]:
    """The times at which `expression` comes due, each once and in order, in UTC.

    Args:
        expression: five fields.
        where: the zone that it is meant in.
        after: the first of them is later than this.

    Raises:
        ImportError: the library is missing. ExpressionError: the expression cannot be read.
    """
    from cronsim import CronSim, CronSimError

    last = after.astimezone(UTC)
    try:
        found = CronSim(expression, last.astimezone(where))
    except CronSimError as error:
        raise ExpressionError(f"{shorten(expression)!r} is no schedule: {error}.", HINT) from None
    for local in found:
        # Where clocks are set back, times of the first pass are found after `after` in the second; in UTC it shows.
        due = local.astimezone(UTC)
        if due > last:
            last = due
            yield due

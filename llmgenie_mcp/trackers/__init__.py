"""Issue trackers: a project's tasks and a tracker's issues stay the same thing.

A kind of tracker is one file in this package with a class `TRACKER` (`issue.Tracker` says what it can do). The rest is the
same for all: `fields` and `merge` find out who changed what, `meeting` brings one task and its issue together, `sync`
goes through all that changed.
"""

from __future__ import annotations

import importlib
import threading

from llmgenie_mcp.trackers.issue import Tracker, Unanswered
from llmgenie_mcp.tracking import Tracker as Settings


def tracker_of(settings: Settings, cancel: threading.Event) -> Tracker:
    """The tracker that settings are about.

    Args:
        settings: of the tracker.
        cancel: set it to break off what is asked.
    """
    found: Tracker = importlib.import_module(f"{__name__}.{settings.kind}").TRACKER(settings, cancel)
    return found


__all__ = ["Tracker", "Unanswered", "tracker_of"]

"""Issue trackers: a project's tasks and a tracker's issues stay the same thing.

A kind of tracker is one file in this package with a class `TRACKER` (`issue.Tracker` says what it can do). The rest is the
same for all: `fields` and `merge` find out who changed what, `meeting` brings one task and its issue together, `sync`
goes through all that changed.
"""

from __future__ import annotations

import importlib
import threading

from llmgenie_mcp import plugins
from llmgenie_mcp.config import Settings as Config
from llmgenie_mcp.engine.plugged import plugged
from llmgenie_mcp.registry import OWN_TRACKERS
from llmgenie_mcp.trackers.issue import Comment, Issue, Listing, Tracker, Unanswered
from llmgenie_mcp.tracking import Tracker as Settings


def tracker_of(settings: Settings, cancel: threading.Event) -> Tracker:
    """The tracker that settings are about.

    Args:
        settings: of the tracker.
        cancel: set it to break off what is asked.
    """
    if settings.kind in OWN_TRACKERS:
        make = importlib.import_module(f"{__name__}.{settings.kind}").TRACKER
    else:
        make = plugins.trackers()[settings.kind]
    found: Tracker = make(settings, cancel)
    return found


def switched_off(settings: Settings, whole: Config, *, trusted: bool) -> str:
    """Why the plug-in that brings this kind of tracker has no say here, for people; "" when it has.

    Args:
        settings: of the tracker.
        whole: the project's.
        trusted: whether a person accepted them.
    """
    brings = plugins.origin("trackers", settings.kind) if settings.kind not in OWN_TRACKERS else ""
    if not brings or plugged(whole, trusted).has("trackers", settings.kind):
        return ""
    return f"The tracker {settings.kind} is the plug-in {brings}'s, which the settings switch off."


__all__ = ["Comment", "Issue", "Listing", "Tracker", "Unanswered", "switched_off", "tracker_of"]

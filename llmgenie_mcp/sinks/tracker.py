"""Tasks that changed here, told to issue trackers.

An item of the outbox names a task, not what changed: how the task is by now is compared with what both sides agreed on
last, so that an item that is delivered twice, or late, does nothing wrong. Of one tracker, one process does this at a time.

A rate limit is no failure: nothing is given up for one, it is looked at again when the limit is over.
"""

from __future__ import annotations

from functools import partial

from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel, sink

BUSY = 0.5
"""Seconds until another look while somebody else is at the tracker."""
SHOWN = 10


@sink("tracker")
def tell(parcel: Parcel) -> Delivered:
    """Bring one task and its issue together."""
    from llmgenie_mcp.trackers import Unanswered, switched_off, tracker_of
    from llmgenie_mcp.trackers.meeting import Meeting
    from llmgenie_mcp.trackers.place import Place

    settings = parcel.settings.trackers.get(parcel.name)
    if settings is None:
        raise NotDelivered(f"There is no tracker {parcel.name} in the settings any more.", final=True)
    if why := switched_off(settings, parcel.settings, trusted=parcel.engine.definitions.trusted):
        raise NotDelivered(f"{why} Switch it on, or drop this: llmgenie outbox.", final=True)
    engine, task = parcel.engine, str(parcel.payload.get("task"))
    place = Place(
        parcel.name,
        settings,
        tracker_of(settings, parcel.cancel),
        engine.storage,
        engine.project,
        engine.definitions.routes,
        partial(engine.run_action, actor=Actor("system", f"tracker:{parcel.name}")),
        parcel.cancel,
    )
    with place.turn() as mine:
        if not mine:
            return Delivered(again=BUSY)
        try:
            Meeting(place, task).tell()
        except Unanswered as error:
            if error.limited and not parcel.cancel.is_set():
                return Delivered(again=max(BUSY, error.retry_after or 0.0))
            message = f"{error.message} {error.hint}".strip()
            raise NotDelivered(message, retry_after=error.retry_after, final=error.refused) from None
        except ActionError as error:
            raise NotDelivered(f"{error.message} {error.hint}".strip()) from None
    return Delivered({"task": task, "did": [told["text"] for told in place.report[:SHOWN]]})

"""Watches a CI run that `start_ci` started, and tells of its end: the event ci.finished.

The event has the names that webhooks of CI give it (`receivers/github.py` has the table), and two more: `ci`, what the
settings call the workflow, and `session`, where it was started. A run that a webhook tells of as well is told twice, by
two events of the same `provider` and `run`. That moves no instance twice, for after the first it no longer waits. A
trigger rule that must run once says which it means: `startswith(event.actor, "system:ci:")` or `"system:webhook:"`.
While the vendor cannot be reached or is busy, the outbox tries again with its growing delays, and the reason stands in
`llmgenie outbox`; but it is not given up for that: when one attempt is left, the looks go on with pauses of a quarter of
the run's age, ten minutes at most. What a person must mend (a token, a name) is given up as the outbox gives up, and
can be replayed. After `give_up` seconds the end is `status: unknown`, whatever stood against seeing it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from llmgenie_mcp import ci
from llmgenie_mcp.ci import Run, Unanswered
from llmgenie_mcp.config import Ci
from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.outcome import CI_FINISHED
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel, sink

LONGEST = 600.0
"""Seconds between looks at most, while the vendor cannot be reached."""
KINDS = {"github": "workflow_run", "gitlab": "pipeline"}


@sink("ci")
def look(parcel: Parcel) -> Delivered:
    """Look once whether the run has ended."""
    settings = parcel.settings.ci.get(parcel.name)
    if settings is None:
        raise NotDelivered(f"There is no CI workflow {parcel.name} in the settings any more.", final=True)
    watched = parcel.payload
    run = Run(**{each.name: watched[each.name] for each in fields(Run) if each.name in watched})
    age = (datetime.now(UTC) - datetime.fromisoformat(watched["started"])).total_seconds()
    late = age >= settings.give_up
    try:
        seen = ci.look(settings, run, parcel.cancel)
    except (Unanswered, ActionError) as error:
        if late:
            return _ended(parcel, settings, run, "unknown")
        return _unseen(parcel, settings, error, age)
    if seen.status is None and not late:
        return Delivered(again=settings.poll)
    return _ended(parcel, settings, seen, seen.status or "unknown")


def _unseen(parcel: Parcel, settings: Ci, error: Unanswered | ActionError, age: float) -> Delivered:
    """When to look again after a look that failed."""
    if not isinstance(error, Unanswered) or not error.later:
        raise NotDelivered(f"{error.message} {error.hint}")
    last = parcel.attempt >= parcel.settings.deliveries.attempts
    if not last or parcel.cancel.is_set():
        raise NotDelivered(error.message, retry_after=error.retry_after)
    return Delivered(again=max(settings.poll, min(age / 4, LONGEST), error.retry_after or 0.0))


def _ended(parcel: Parcel, settings: Ci, run: Run, status: str) -> Delivered:
    watched: Mapping[str, Any] = parcel.payload
    data = {
        "provider": settings.kind,
        "repository": settings.project,
        "user": run.user,
        "branch": run.branch,
        "commit": run.commit,
        "url": run.url,
        "fork": False,
        "kind": KINDS[settings.kind],
        "name": run.name,
        "run": int(run.id) if run.id.isdigit() else None,
        "status": status,
        "conclusion": run.conclusion,
        "trigger": run.trigger,
        "ci": parcel.name,
        "session": watched.get("session"),
    }
    return Delivered({"run": run.id, "status": status}, event=(CI_FINISHED, data))

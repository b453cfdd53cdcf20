"""Issue trackers: tasks and issues brought together. What changes here goes out by itself, by `sinks/tracker.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field

from llmgenie_mcp.actions._configured import Configured
from llmgenie_mcp.engine.situation import ActionContext, Situation, StoreReader
from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.outbox import Cause
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Outcome, Title

EXAMPLE = "{kind: github, repository: owner/name, token: {env: GITHUB_TOKEN}}"
SHOWN = 60
"""Entries of the report in the answer; the counts are of all."""
PATIENCE = 60
"""Seconds that another process is waited for which is at the same tracker."""


class SyncTracker(Params):
    """Parameters of sync_tracker."""

    name: Title | None = Field(default=None, description="A tracker of the settings; all when left out.")
    dry_run: bool = Field(default=False, description="Say what would be done, and change nothing on either side.")


def _resource(_situation: Situation, params: SyncTracker) -> Document:
    return {"type": "tracker", "id": params.name or "*"}


@action(
    "sync_tracker",
    params=SyncTracker,
    slow=True,
    everywhere=True,
    ready=Configured("trackers", "tracker", EXAMPLE),
    resource=_resource,
    needs="trackers",
    example={"name": "github", "dry_run": True},
)
def sync_tracker(ctx: ActionContext, params: SyncTracker) -> Document:
    """Make tasks and the issues of a tracker equal: take over what changed there, tell what changed here."""
    known = ctx.situation.settings.trackers
    names = [params.name] if params.name else list(known)
    report: list[Document] = []
    for name in names:
        try:
            _sync(ctx, name, report, dry_run=params.dry_run)
        except ActionError as error:
            raise ActionError(error.message, error.hint, result=_told(names, report, params.dry_run)) from None
    return _told(names, report, params.dry_run)


def _sync(ctx: ActionContext, name: str, report: list[Document], *, dry_run: bool) -> None:
    from llmgenie_mcp.trackers import Unanswered, switched_off, tracker_of
    from llmgenie_mcp.trackers.place import Place
    from llmgenie_mcp.trackers.sync import Sync

    situation = ctx.situation
    if not isinstance(situation.reader, StoreReader):
        raise RuntimeError("a slow action reads what was committed")
    settings = situation.settings.trackers[name]
    if why := switched_off(settings, situation.settings, trusted=situation.trusted):
        raise ActionError(why, "A person takes it out of plugins.disabled in the settings, or this tracker.")
    place = Place(
        name,
        settings,
        tracker_of(settings, ctx.cancel),
        situation.reader.storage,
        situation.project,
        ctx.routes,
        _runner(ctx),
        ctx.cancel,
        dry_run,
        report,
    )
    for _ in range(PATIENCE * 5):
        with place.turn() as mine:
            if mine:
                try:
                    Sync(place, ctx.progress).run()
                except Unanswered as error:
                    wait = f" It asks to wait {error.retry_after:.0f} s." if error.retry_after else ""
                    hint = f"{error.hint}{wait} What was done until then is done; a next sync goes on."
                    raise ActionError(f"{name}: {error.message}", hint) from None
                return
        if ctx.cancel.wait(0.2):
            raise ActionError("It was cancelled.", "Run it again to go on.")
    raise ActionError(f"Another process is at the tracker {name} all the time.", "Try again when it is done.")


def _runner(ctx: ActionContext) -> Callable[..., Outcome]:
    """What runs other actions in the caller's name, each as a part of this run."""
    if ctx.act is None:
        raise RuntimeError("an action that runs others was not run by the engine")
    act, outer, number = ctx.act, ctx.cause or Cause((), ""), 0

    def run(action_name: str, params: Document, **more: Any) -> Outcome:
        nonlocal number
        number += 1
        runs = (*outer.runs, str(ctx.run_id))
        return act(action_name, params, cause=Cause(outer.chain, outer.event, runs=runs, part=str(number)), **more)

    return run


def _told(names: list[str], report: list[Document], dry_run: bool) -> Document:
    counts: dict[str, int] = {}
    for entry in report:
        counts[entry["did"]] = counts.get(entry["did"], 0) + 1
    # What a person must look at comes first when there is no room for all.
    order = sorted(report, key=lambda entry: entry["did"] not in ("problem", "refused", "conflict"))
    told: Document = {"trackers": names, "counts": counts, "did": order[:SHOWN]}
    if len(report) > SHOWN:
        told["more"] = len(report) - SHOWN
    return {**told, **({"dry_run": True} if dry_run else {})}

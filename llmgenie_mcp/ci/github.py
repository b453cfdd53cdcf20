"""GitHub Actions: https://docs.github.com/en/rest/actions/workflows and …/workflow-runs, API version 2022-11-28.

Since February 2026 the request that starts a workflow may ask for the run's number (`return_run_details`;
https://github.blog/changelog/2026-02-19-workflow-dispatch-api-now-returns-run-ids). GitHub Enterprise Server before 3.21
refuses that word ("is not a permitted key"), and its answer is empty: there the run is looked for among the workflow's
runs. When somebody else starts the same workflow on the same branch within these seconds, theirs may be taken for ours.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from llmgenie_mcp.ci.run import Run
from llmgenie_mcp.ci.vendor import Vendor
from llmgenie_mcp.config import Ci

DETAILS = "return_run_details"
LISTED = 30
"""Runs in a list; each may be 15 kB long."""
MARGIN = 5.0
"""Seconds by which a run may be older than the answer to the request that started it."""
ENDS = {
    "success": "passed",
    "failure": "failed",
    "timed_out": "failed",
    "startup_failure": "failed",
    "cancelled": "cancelled",
    "stale": "cancelled",
    "skipped": "skipped",
    "neutral": "neutral",
    "action_required": "action_required",
}
"""Conclusions of a workflow run in our words, in which webhooks tell of them too; any other is unknown."""

VENDOR = Vendor(
    name="GitHub",
    base="https://api.github.com",
    token="authorization",  # noqa: S106 - the name of a header
    prefix="Bearer ",
    needs="Actions: read and write for that repository",
    place="`project` and `workflow` (the file must be on the default branch and have `on: workflow_dispatch`)",
    headers={"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"},
)


def start(ci: Ci, ref: str, inputs: Mapping[str, str], cancel: threading.Event) -> Run:
    """Create a workflow dispatch event."""
    path, doing = f"{_workflow(ci)}/dispatches", f"start {ci.workflow} on {ref} of {ci.project}"
    asked: dict[str, Any] = {"ref": ref, DETAILS: True, **({"inputs": dict(inputs)} if inputs else {})}
    reply = VENDOR.ask(ci, "POST", path, cancel, asked)
    since = (reply.date or datetime.now(UTC).timestamp()) - MARGIN
    if reply.status in (400, 422) and DETAILS in str(reply.body):
        since += MARGIN  # this answer came before the run
        del asked[DETAILS]
        reply = VENDOR.ask(ci, "POST", path, cancel, asked)
    told = VENDOR.done(ci, reply, doing)
    id_ = told.get("workflow_run_id")
    if isinstance(id_, int):
        return Run(str(id_), branch=ref, url=str(told.get("html_url") or ""))
    return Run("", branch=ref, since=since)


def look(ci: Ci, run: Run, cancel: threading.Event) -> Run:
    """Get a workflow run; one without a number is looked for first."""
    if not run.id:
        return _found(ci, run, cancel)
    path = f"{_project(ci)}/actions/runs/{quote(run.id, safe='')}"
    return _read(VENDOR.done(ci, VENDOR.ask(ci, "GET", path, cancel), f"show run {run.id} of {ci.project}"), run)


def _found(ci: Ci, run: Run, cancel: threading.Event) -> Run:
    """The oldest run of the workflow on the branch that was not there before; `run` itself when there is none yet."""
    at = datetime.fromtimestamp(int(run.since or 0), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = urlencode({"event": "workflow_dispatch", "branch": run.branch, "created": f">={at}", "per_page": LISTED})
    reply = VENDOR.ask(ci, "GET", f"{_workflow(ci)}/runs?{asked}", cancel)
    told = VENDOR.done(ci, reply, f"list the runs of {ci.workflow} of {ci.project}").get("workflow_runs")
    runs = [each for each in told if isinstance(each, Mapping)] if isinstance(told, list) else []
    new = [each for each in runs if str(each.get("created_at", "")) >= at and isinstance(each.get("id"), int)]
    return _read(min(new, key=lambda each: int(each["id"])), run) if new else run


def _read(told: Mapping[str, Any], run: Run) -> Run:
    ended = told.get("status") == "completed"
    word = str(told.get("conclusion" if ended else "status") or "")
    actor = told.get("triggering_actor") or told.get("actor")
    return Run(
        str(told.get("id", run.id)),
        ENDS.get(word, "unknown") if ended else None,
        word,
        str(told.get("head_sha") or ""),
        str(told.get("head_branch") or run.branch),
        str(told.get("html_url") or run.url),
        str(told.get("name") or ""),
        str(actor.get("login") or "") if isinstance(actor, Mapping) else "",
        str(told.get("event") or ""),
    )


def _project(ci: Ci) -> str:
    return f"/repos/{quote(ci.project, safe='/')}"


def _workflow(ci: Ci) -> str:
    return f"{_project(ci)}/actions/workflows/{quote(ci.workflow, safe='')}"

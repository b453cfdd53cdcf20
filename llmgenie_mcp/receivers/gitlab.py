"""Webhooks of GitLab.

Two ways to tell who sends (https://docs.gitlab.com/user/project/integrations/webhooks/): a signing token, of the form
whsec_…, signs by the Standard Webhooks specification (https://gitlab.com/gitlab-org/gitlab/-/merge_requests/230944); a
secret token is sent as it is in `X-Gitlab-Token`. Prefer the first: it covers the body and the time. A secret of several
lines may hold both; a request that is signed then has to be signed right.

Which event it is stands in `X-Gitlab-Event`, and what it holds in
https://docs.gitlab.com/user/project/integrations/webhook_events/. The names in the data are those of `receivers/github.py`.

| GitLab's event                              | event here                                                        |
|---------------------------------------------|-------------------------------------------------------------------|
| Push Hook, Tag Push Hook                    | `git.pushed`; `git.deleted` for what was deleted                  |
| Merge Request Hook: open, reopen            | `pull_request.opened`, `pull_request.reopened`                    |
|   update                                    | `pull_request.updated` with new commits, else `.edited`           |
|   close, merge                              | `pull_request.closed`, `pull_request.merged`                      |
|   approved, approval                        | `pull_request.reviewed` with `review: approved`                   |
|   unapproved, unapproval                    | `pull_request.reviewed` with `review: withdrawn`                  |
| Pipeline Hook: pending, running             | `ci.started`                                                      |
|   success, failed, canceled, skipped        | `ci.finished`                                                     |
| Job Hook: success, failed, canceled, skipped| `ci.job_finished`: one of the jobs, while others may go on        |
| all others                                  | none                                                              |

A fork's branch is called `NUMBER:BRANCH` here, by the number of its project.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from llmgenie_mcp.ci.gitlab import ENDS as STATUS
from llmgenie_mcp.plugins import BadRequest, Received, receiver
from llmgenie_mcp.receivers import _payload, _signature
from llmgenie_mcp.receivers._payload import Payload

Event: TypeAlias = tuple[str, dict[str, Any]]
UNDER_WAY = {"pending": "queued", "running": "running"}
STATE = {"opened": "open"}
MERGE_REQUEST = {"open": "opened", "reopen": "reopened", "close": "closed", "merge": "merged"}
REVIEW = {"approved": "approved", "approval": "approved", "unapproved": "withdrawn", "unapproval": "withdrawn"}


@receiver("gitlab")
def receive(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Received:
    """What a request of this kind tells; see `plugins.receiver`."""
    id_ = _verify(headers, body, secret, now)
    kind = headers.get("x-gitlab-event", "")
    if not kind:
        raise BadRequest("X-Gitlab-Event is missing.")
    payload = Payload(_payload.read(body))
    event = READERS[kind](payload) if kind in READERS else None
    return Received((id_,), (event,) if event else ())


def _verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> str:
    """The request's id, when who sent it knows the secret."""
    known = _signature.secrets(secret)
    signing = [one for one in known if one.startswith(_signature.PREFIX)]
    plain = [one for one in known if not one.startswith(_signature.PREFIX)]
    if signing and (not plain or "webhook-signature" in headers):
        return f"delivery:{_signature.standard(headers, body, signing, now)}"
    token, fits = headers.get("x-gitlab-token", ""), False
    for one in plain:
        fits |= _signature.same(token, one.encode())
    if not fits:
        raise BadRequest("X-Gitlab-Token is missing, or is not the secret.", status=401)
    if key := headers.get("idempotency-key"):
        return f"delivery:{key}"
    # before GitLab 17.4 nothing else tells one request from another: events that lead to each other share their UUID
    return f"body:{headers.get('x-gitlab-event-uuid', '')}:{hashlib.sha256(body).hexdigest()}"


def _pushed(payload: Payload) -> Event | None:
    branch, tag = _payload.ref(payload.text("ref"))
    if not branch and not tag:
        return None
    before, after = (_payload.commit(payload.text(name)) for name in ("before", "after"))
    pages = {commit.text("id"): commit.text("url") for commit in payload.parts("commits")}
    data = _about(payload, branch, after, pages.get(after, ""), payload.text("user_username"))
    data |= {"tag": tag, "before": before, "created": not before, "commits": payload.number("total_commits_count") or 0}
    return "git.pushed" if after else "git.deleted", data


def _merge_request(payload: Payload) -> Event | None:
    merge = payload.need("object_attributes")
    action = merge.text("action")
    if not action:
        return None
    ids = merge.number("source_project_id"), merge.number("target_project_id")
    branch, fork = _own(merge.text("source_branch"), *ids)
    data = _about(payload, branch, merge.part("last_commit").text("id"), merge.text("url"), _user(payload))
    data |= {
        "fork": fork,
        "number": merge.number("iid"),
        "action": action,
        "title": merge.text("title"),
        "base": merge.text("target_branch"),
        "state": STATE.get(merge.text("state"), merge.text("state")),
        "draft": merge.flag("draft") or merge.flag("work_in_progress"),
    }
    if action in REVIEW:
        return "pull_request.reviewed", data | {"review": REVIEW[action]}
    if action == "update":
        return f"pull_request.{'updated' if merge.text('oldrev') else 'edited'}", data
    return f"pull_request.{MERGE_REQUEST.get(action, action)}", data


def _pipeline(payload: Payload) -> Event | None:
    run = payload.need("object_attributes")
    branch, fork = ("" if run.flag("tag") else run.text("ref")), False
    if run.text("source") == "merge_request_event":
        merge = payload.part("merge_request")
        ids = merge.number("source_project_id"), merge.number("target_project_id")
        branch, fork = _own(merge.text("source_branch"), *ids)
    url = run.text("url") or f"{payload.part('project').text('web_url')}/-/pipelines/{run.number('id')}"
    data = _about(payload, branch, run.text("sha"), url, _user(payload))
    data |= _of_run("pipeline", fork, run.text("name"), run.number("id"), run.text("source"))
    return _by_status(run.text("status"), "ci.finished", data)


def _job(payload: Payload) -> Event | None:
    ref, number = payload.text("ref"), payload.number("build_id")
    of_merge = ref.startswith("refs/")  # of a merge request, perhaps of a fork: the request does not tell
    branch = "" if of_merge or payload.flag("tag") else ref
    url = f"{payload.part('project').text('web_url')}/-/jobs/{number}"
    data = _about(payload, branch, payload.text("sha"), url, _user(payload))
    data |= _of_run("job", of_merge, payload.text("build_name"), number, "")
    status = payload.text("build_status")
    return _by_status(status, "ci.job_finished", data) if status in STATUS else None


def _of_run(kind: str, fork: bool, name: str, number: int | None, trigger: str) -> dict[str, Any]:
    return {"fork": fork, "kind": kind, "name": name or kind, "run": number, "trigger": trigger}


def _by_status(status: str, ended: str, data: dict[str, Any]) -> Event | None:
    if status in UNDER_WAY:
        return "ci.started", data | {"status": UNDER_WAY[status], "conclusion": ""}
    return (ended, data | {"status": STATUS[status], "conclusion": status}) if status in STATUS else None


def _own(branch: str, source: int | None, target: int | None) -> tuple[str, bool]:
    """What a merge request's branch is called here, and whether it is a fork's."""
    fork = source is None or source != target
    return (f"{source or 'unknown'}:{branch}" if fork and branch else branch), fork


def _user(payload: Payload) -> str:
    user = payload.part("user")
    return user.text("username") or user.text("name")


def _about(payload: Payload, branch: str, commit: str, url: str, user: str) -> dict[str, Any]:
    """What all events hold."""
    return {
        "provider": "gitlab",
        "repository": payload.part("project").text("path_with_namespace"),
        "user": user,
        "branch": branch,
        "commit": commit,
        "url": url,
    }


READERS: dict[str, Callable[[Payload], Event | None]] = {
    "Push Hook": _pushed,
    "Tag Push Hook": _pushed,
    "Merge Request Hook": _merge_request,
    "Pipeline Hook": _pipeline,
    "Job Hook": _job,
}

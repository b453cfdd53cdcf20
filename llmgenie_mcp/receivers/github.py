"""Webhooks of GitHub.

Signed with HMAC-SHA256 over the body, in `X-Hub-Signature-256`
(https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries). Which event it is stands in
`X-GitHub-Event`, and what it holds in https://docs.github.com/en/webhooks/webhook-events-and-payloads.

| GitHub's event, action                  | event here                                                            |
|-----------------------------------------|-----------------------------------------------------------------------|
| push                                    | `git.pushed`; `git.deleted` for a branch or tag that was deleted      |
| pull_request, closed and merged         | `pull_request.merged`                                                 |
| pull_request, synchronize               | `pull_request.updated`: there are new commits                         |
| pull_request, any other                 | `pull_request.ACTION`: opened, closed, reopened, edited, labeled …    |
| pull_request_review, submitted          | `pull_request.reviewed`                                               |
| pull_request_review, dismissed          | `pull_request.reviewed` with `review: withdrawn`                      |
| workflow_run, requested and in_progress | `ci.started`                                                          |
| workflow_run, completed                 | `ci.finished`                                                         |
| check_suite, completed                  | `ci.finished`; none for GitHub Actions, whose workflow_run tells it   |
| check_run, completed                    | `ci.job_finished`: one of the jobs or checks, while others may go on  |
| issues, any action                      | `issue.ACTION`: opened, edited, closed, reopened, labeled, deleted …  |
| issue_comment, created                  | `issue.commented`; none for a comment on a pull request               |
| ping, all others                        | none                                                                  |

What the events hold is the same for GitHub and GitLab. A text that is not known is "":

| of              | name          | what                                                                                   |
|-----------------|---------------|----------------------------------------------------------------------------------------|
| all             | `provider`    | github or gitlab                                                                       |
|                 | `repository`  | owner/name; at GitLab the project's path                                               |
|                 | `user`        | login of who did it                                                                    |
|                 | `branch`      | the branch; of a fork `OWNER:BRANCH`, which no branch here can be called; "" for none  |
|                 | `commit`      | the hash it is about                                                                   |
|                 | `url`         | page for people                                                                        |
| pull_request.*, | `fork`        | whether the branch is another repository's, or cannot be told not to be                |
| ci.*            |               |                                                                                        |
| git.*           | `tag`         | the tag; "" when a branch was pushed                                                   |
|                 | `before`      | hash of the commit before; "" for what is new                                          |
|                 | `created`     | whether it is new                                                                      |
|                 | `forced`      | whether commits were taken away; GitLab does not tell and has no such name             |
|                 | `commits`     | how many                                                                               |
| pull_request.*  | `number`      | of the pull request, as people say it                                                  |
|                 | `action`      | the sender's own word                                                                  |
|                 | `title`       | of the pull request                                                                    |
|                 | `base`        | the branch it goes into                                                                |
|                 | `state`       | open, closed or merged                                                                 |
|                 | `draft`       | whether it is one                                                                      |
|                 | `review`      | of `pull_request.reviewed` alone: approved, changes_requested, commented, withdrawn    |
| issue.*         | `number`, `action`, `title`, `state`: as of a pull request; GitLab's are not told      |
| ci.*            | `kind`        | workflow_run, check_suite, check_run, pipeline or job                                  |
|                 | `name`        | of the workflow, app, job or pipeline                                                  |
|                 | `run`         | number by which the sender knows the run                                               |
|                 | `status`      | passed, failed, cancelled, skipped, neutral, action_required, unknown; queued, running |
|                 | `conclusion`  | the sender's own word; "" while it runs                                                |
|                 | `trigger`     | what started it, such as push or schedule                                              |

A run on a tag has the tag's name as `branch`, for GitHub calls it so. A request with another delivery number and a body
that came before is a replay: only the body is signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from llmgenie_mcp.ci.github import ENDS as STATUS
from llmgenie_mcp.plugins import BadRequest, Received, receiver
from llmgenie_mcp.receivers import _payload, _signature
from llmgenie_mcp.receivers._payload import Payload

Event: TypeAlias = tuple[str, dict[str, Any]]
ACTIONS_APP = "github-actions"
PULL_REQUEST = {"synchronize": "updated"}
REVIEW = {"dismissed": "withdrawn"}
UNDER_WAY = {"requested": "queued", "in_progress": "running"}


@receiver("github")
def receive(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Received:  # noqa: ARG001 - no time is signed
    """What a request of this kind tells; see `plugins.receiver`."""
    _verify(headers.get("x-hub-signature-256", ""), body, secret)
    kind = headers.get("x-github-event", "")
    if not kind:
        raise BadRequest("X-GitHub-Event is missing.")
    payload = _read(headers, body)
    event = READERS[kind](payload) if kind in READERS else None
    ids = [f"body:{hashlib.sha256(body).hexdigest()}"]
    if delivery := headers.get("x-github-delivery"):
        ids.append(f"delivery:{delivery}")
    return Received(tuple(ids), (event,) if event else ())


def _verify(signature: str, body: bytes, secret: str) -> None:
    if not signature:
        raise BadRequest("X-Hub-Signature-256 is missing: give the webhook a secret at GitHub.", status=401)
    fits = False
    for one in _signature.secrets(secret):
        fits |= _signature.same(signature, b"sha256=" + _signature.hexadecimal(one, body))
    if not fits:
        raise BadRequest("The signature in X-Hub-Signature-256 does not fit.", status=401)


def _read(headers: Mapping[str, str], body: bytes) -> Payload:
    """The payload; GitHub sends it as a form's field when the webhook was not set to JSON."""
    if not headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
        return Payload(_payload.read(body))
    try:
        form = parse_qs(body.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=10)
    except ValueError:
        raise BadRequest("The body is not a form.") from None
    if len(form.get("payload", ())) != 1:
        raise BadRequest("The form has no single field `payload`.")
    return Payload(_payload.read(form["payload"][0]))


def _pushed(payload: Payload) -> Event | None:
    branch, tag = _payload.ref(payload.text("ref"))
    if not branch and not tag:
        return None
    deleted = payload.flag("deleted")
    data = _about(payload, branch, "" if deleted else _payload.commit(payload.text("after")), payload.text("compare"))
    data |= {
        "tag": tag,
        "before": _payload.commit(payload.text("before")),
        "created": payload.flag("created"),
        "forced": payload.flag("forced"),
        "commits": len(payload.parts("commits")),
    }
    return "git.deleted" if deleted else "git.pushed", data


def _pull_request(payload: Payload) -> Event | None:
    action, pull = payload.text("action"), payload.need("pull_request")
    if (
        payload.number("number") is None
    ):  # other events hold a pull request too, and the header that names them is not signed
        raise BadRequest("The body has no `number`, so it is not of a pull_request event.")
    if not action:
        return None
    merged = action == "closed" and pull.flag("merged")
    return f"pull_request.{'merged' if merged else PULL_REQUEST.get(action, action)}", _of_pull(payload, pull)


def _review(payload: Payload) -> Event | None:
    pull, review = payload.need("pull_request"), payload.need("review")
    if payload.text("action") not in ("submitted", "dismissed"):
        return None
    data = _of_pull(payload, pull)
    said = review.text("state").lower()
    data |= {"review": REVIEW.get(said, said), "commit": review.text("commit_id") or data["commit"]}
    return "pull_request.reviewed", data | {"url": review.text("html_url") or data["url"]}


def _of_pull(payload: Payload, pull: Payload) -> dict[str, Any]:
    head = pull.part("head")
    branch, fork = _own(head.text("ref"), head.part("repo"), payload.part("repository"))
    return _about(payload, branch, head.text("sha"), pull.text("html_url")) | {
        "fork": fork,
        "number": pull.number("number"),
        "action": payload.text("action"),
        "title": pull.text("title"),
        "base": pull.part("base").text("ref"),
        "state": "merged" if pull.flag("merged") else pull.text("state"),
        "draft": pull.flag("draft"),
    }


def _issues(payload: Payload) -> Event | None:
    issue, action = payload.need("issue"), payload.text("action")
    return (f"issue.{action}", _of_issue(payload, issue)) if action else None


def _issue_comment(payload: Payload) -> Event | None:
    issue, comment = payload.need("issue"), payload.need("comment")
    if payload.text("action") != "created" or issue.part("pull_request"):
        return None
    return "issue.commented", _of_issue(payload, issue) | {"url": comment.text("html_url") or issue.text("html_url")}


def _of_issue(payload: Payload, issue: Payload) -> dict[str, Any]:
    return _about(payload, "", "", issue.text("html_url")) | {
        "number": issue.number("number"),
        "action": payload.text("action"),
        "title": issue.text("title"),
        "state": issue.text("state"),
    }


def _workflow_run(payload: Payload) -> Event | None:
    run, action = payload.need("workflow_run"), payload.text("action")
    if action != "completed" and action not in UNDER_WAY:
        return None
    branch, fork = _own(run.text("head_branch"), run.part("head_repository"), payload.part("repository"))
    data = _of_run(payload, "workflow_run", run, branch, fork, run.text("name"))
    data["trigger"] = run.text("event")
    if action == "completed":
        return "ci.finished", data
    return "ci.started", data | {"status": UNDER_WAY[action], "conclusion": ""}


def _check_suite(payload: Payload) -> Event | None:
    suite = payload.need("check_suite")
    if payload.text("action") != "completed" or suite.part("app").text("slug") == ACTIONS_APP:
        return None
    branch, fork = _checked(payload, suite, suite)
    return "ci.finished", _of_run(payload, "check_suite", suite, branch, fork, suite.part("app").text("name"))


def _check_run(payload: Payload) -> Event | None:
    run = payload.need("check_run")
    if payload.text("action") != "completed":
        return None
    branch, fork = _checked(payload, run, run.part("check_suite"))
    return "ci.job_finished", _of_run(payload, "check_run", run, branch, fork, run.text("name"))


def _of_run(payload: Payload, kind: str, run: Payload, branch: str, fork: bool, name: str) -> dict[str, Any]:
    conclusion = run.text("conclusion")
    return _about(payload, branch, run.text("head_sha"), run.text("html_url") or run.text("url")) | {
        "fork": fork,
        "kind": kind,
        "name": name,
        "run": run.number("id"),
        "status": STATUS.get(conclusion, "unknown"),
        "conclusion": conclusion,
        "trigger": "",
    }


def _own(branch: str, head: Payload, base: Payload) -> tuple[str, bool]:
    """What a branch is called here, and whether it is a fork's; the repository of a fork may be gone."""
    fork = head.number("id") is None or head.number("id") != base.number("id")
    if fork and branch:
        branch = f"{head.part('owner').text('login') or 'unknown'}:{branch}"
    return branch, fork


def _checked(payload: Payload, check: Payload, suite: Payload) -> tuple[str, bool]:
    """The branch that a check was of, and whether it may be a fork's.

    A check does not tell the repository of its branch. Apps leave the branch of a fork out; GitHub Actions names it, so
    that its branch counts only where a pull request of the same repository has it.
    """
    branch, here = suite.text("head_branch"), payload.part("repository").number("id")
    heads = [pull.part("head") for of in (check, suite) for pull in of.parts("pull_requests")]
    known = here is not None and any(h.text("ref") == branch and h.part("repo").number("id") == here for h in heads)
    if branch and (known or check.part("app").text("slug") != ACTIONS_APP):
        return branch, False
    return "", True


def _about(payload: Payload, branch: str, commit: str, url: str) -> dict[str, Any]:
    """What all events hold."""
    return {
        "provider": "github",
        "repository": payload.part("repository").text("full_name"),
        "user": payload.part("sender").text("login"),
        "branch": branch,
        "commit": commit,
        "url": url,
    }


READERS: dict[str, Callable[[Payload], Event | None]] = {
    "push": _pushed,
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "issues": _issues,
    "issue_comment": _issue_comment,
    "workflow_run": _workflow_run,
    "check_suite": _check_suite,
    "check_run": _check_run,
}

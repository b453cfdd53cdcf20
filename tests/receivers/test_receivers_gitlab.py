"""Webhooks of GitLab: who sent them, and which events they are; the names in them are GitHub's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webhook_senders import (
    BASE,
    HEAD,
    NONE,
    NOW,
    OTHER,
    PROJECT,
    SECRET,
    SIGNING,
    USER,
    github,
    gitlab,
    gitlab_push,
    job,
    merge_request,
    pipeline,
    pull,
    push,
    run,
    signed,
)

from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.plugins import BadRequest, Received, receivers
from llmgenie_mcp.receivers.gitlab import READERS
from llmgenie_mcp.validation import check_event

ABOUT = {"provider": "gitlab", "repository": "ada/engine", "user": "grace"}


def receive(headers: dict[str, str], body: bytes, secret: str = SECRET, now: float = NOW) -> Received:
    return receivers()["gitlab"](headers, body, secret, now)


def refused(headers: dict[str, str], body: bytes, secret: str = SECRET, now: float = NOW) -> int:
    with pytest.raises(BadRequest) as error:
        receive(headers, body, secret, now)
    assert secret not in error.value.message
    return error.value.status


def event(kind: str, body: Any) -> tuple[str, dict[str, Any]]:
    """The one event that a request is."""
    (found,) = receive(*gitlab(kind, body)).events
    check_event(*found)
    assert "instance" not in found[1]
    assert all(isinstance(value, str | int | bool) for value in found[1].values()), "flat"
    return found


def test_a_pipeline_that_ended_is_the_end_of_ci() -> None:
    name, data = event("Pipeline Hook", pipeline())
    assert name == "ci.finished"
    assert data == ABOUT | {
        "branch": "feature/x",
        "commit": HEAD,
        "url": "https://gitlab.example/ada/engine/-/pipelines/31",
        "fork": False,
        "kind": "pipeline",
        "name": "pipeline",
        "run": 31,
        "status": "passed",
        "conclusion": "success",
        "trigger": "push",
    }


@pytest.mark.parametrize(
    ("status", "name", "told"),
    [
        ("success", "ci.finished", "passed"),
        ("failed", "ci.finished", "failed"),
        ("canceled", "ci.finished", "cancelled"),
        ("skipped", "ci.finished", "skipped"),
        ("pending", "ci.started", "queued"),
        ("running", "ci.started", "running"),
    ],
)
def test_the_status_of_a_pipeline(status: str, name: str, told: str) -> None:
    found, data = event("Pipeline Hook", pipeline(status))
    assert (found, data["status"]) == (name, told)
    assert data["conclusion"] == (status if name == "ci.finished" else "")


@pytest.mark.parametrize("status", ["created", "preparing", "manual", "scheduled", "canceling", "invented", "", None])
def test_a_pipeline_that_waits_tells_nothing(status: Any) -> None:
    assert receive(*gitlab("Pipeline Hook", pipeline(status))).events == ()


def test_a_pipeline_has_the_branch_of_its_merge_request_and_a_fork_has_none_of_ours() -> None:
    own = {"source_branch": "feature/y", "source_project_id": 14, "target_project_id": 14}
    data = event("Pipeline Hook", pipeline(merge=own, source="merge_request_event"))[1]
    assert (data["branch"], data["fork"]) == ("feature/y", False)
    fork = own | {"source_project_id": 15}
    data = event("Pipeline Hook", pipeline(merge=fork, source="merge_request_event"))[1]
    assert (data["branch"], data["fork"]) == ("15:feature/y", True)
    data = event("Pipeline Hook", pipeline(merge=None, source="merge_request_event"))[1]
    assert (data["branch"], data["fork"]) == ("", True)
    data = event("Pipeline Hook", pipeline(merge=fork, source="push"))[1]
    assert (data["branch"], data["fork"]) == ("feature/x", False), "a pipeline of a branch that has a merge request too"


def test_a_pipeline_on_a_tag_has_no_branch_and_an_old_gitlab_no_address() -> None:
    assert event("Pipeline Hook", pipeline(tag=True, ref="v1.0"))[1]["branch"] == ""
    data = event("Pipeline Hook", pipeline(url=None))[1]
    assert data["url"] == "https://gitlab.example/ada/engine/-/pipelines/31"


def test_a_job_that_ended_is_not_the_end_of_ci() -> None:
    name, data = event("Job Hook", job())
    assert (name, data["kind"], data["name"], data["status"]) == ("ci.job_finished", "job", "lint", "failed")
    assert (data["branch"], data["run"], data["url"]) == ("feature/x", 9, "https://gitlab.example/ada/engine/-/jobs/9")
    for status in ("created", "pending", "running"):
        assert receive(*gitlab("Job Hook", job(status))).events == ()
    data = event("Job Hook", job(ref="refs/merge-requests/5/head"))[1]
    assert (data["branch"], data["fork"]) == ("", True)


def test_a_push() -> None:
    name, data = event("Push Hook", gitlab_push())
    assert name == "git.pushed"
    assert data == ABOUT | {
        "branch": "feature/x",
        "commit": HEAD,
        "url": "https://gitlab.example/ada/engine/-/commit/a",
        "tag": "",
        "before": BASE,
        "created": False,
        "commits": 3,
    }


def test_tags_new_branches_and_deletions() -> None:
    data = event("Tag Push Hook", gitlab_push("refs/tags/v1.0", before=NONE))[1]
    assert (data["branch"], data["tag"], data["created"], data["before"]) == ("", "v1.0", True, "")
    name, data = event("Push Hook", gitlab_push(after=NONE, commits=[], total_commits_count=0))
    assert (name, data["branch"], data["commit"]) == ("git.deleted", "feature/x", "")


@pytest.mark.parametrize(
    ("action", "more", "name", "review"),
    [
        ("open", {}, "opened", None),
        ("reopen", {}, "reopened", None),
        ("update", {"oldrev": BASE}, "updated", None),
        ("update", {}, "edited", None),
        ("close", {"state": "closed"}, "closed", None),
        ("merge", {"state": "merged"}, "merged", None),
        ("approved", {}, "reviewed", "approved"),
        ("approval", {}, "reviewed", "approved"),
        ("unapproved", {}, "reviewed", "withdrawn"),
        ("unapproval", {}, "reviewed", "withdrawn"),
    ],
)
def test_a_merge_request(action: str, more: dict[str, Any], name: str, review: str | None) -> None:
    told, data = event("Merge Request Hook", merge_request(action, **more))
    assert told == f"pull_request.{name}"
    assert data.pop("review", None) == review
    assert data == ABOUT | {
        "branch": "feature/x",
        "commit": HEAD,
        "url": "https://gitlab.example/ada/engine/-/merge_requests/5",
        "fork": False,
        "number": 5,
        "action": action,
        "title": "Faster",
        "base": "main",
        "state": more.get("state", "open"),
        "draft": False,
    }


@pytest.mark.parametrize("source", [15, None, "14", True])
def test_the_branch_of_a_fork_is_never_taken_for_one_of_our_own(source: Any) -> None:
    data = event("Merge Request Hook", merge_request(source_project_id=source))[1]
    assert data["branch"] in ("15:feature/x", "unknown:feature/x")
    assert data["fork"] is True


def test_a_rule_reads_the_same_names_whoever_hosts_the_project() -> None:
    hub = receivers()["github"]
    for ours, theirs, lacks in [
        (event("Pipeline Hook", pipeline()), github("workflow_run", run()), set()),
        (event("Push Hook", gitlab_push()), github("push", push()), {"forced"}),
        (event("Merge Request Hook", merge_request()), github("pull_request", pull()), set()),
    ]:
        (told,) = hub(*theirs, SECRET, NOW).events
        assert ours[0] == told[0]
        assert set(told[1]) - set(ours[1]) == lacks
        assert set(ours[1]) <= set(told[1])
        assert {name: type(value) for name, value in ours[1].items()} == {name: type(told[1][name]) for name in ours[1]}


@pytest.mark.parametrize("kind", ["Note Hook", "System Hook", "Wiki Page Hook", "push hook"])
def test_what_is_not_known_is_taken_and_tells_nothing(kind: str) -> None:
    assert receive(*gitlab(kind, {"user": USER, "project": PROJECT})).events == ()
    assert receive(*gitlab("Merge Request Hook", merge_request(None))).events == ()
    assert receive(*gitlab("Push Hook", gitlab_push("HEAD"))).events == ()


def test_a_request_must_say_which_event_it_is() -> None:
    assert refused(*gitlab("", pipeline())) == 400


@pytest.mark.parametrize("token", ["", "wrong", SECRET[:-1], SECRET + " ", SECRET.upper(), "é€", SECRET * 2])
def test_a_wrong_token_is_refused(token: str) -> None:
    assert refused(*gitlab("Pipeline Hook", pipeline(), token=token)) == 401


def test_a_missing_token_is_refused() -> None:
    headers, body = gitlab("Pipeline Hook", pipeline())
    del headers["x-gitlab-token"]
    assert refused(headers, body) == 401
    with pytest.raises(ActionError):
        receive(headers, body, " \n")


def test_a_token_that_is_not_ascii_is_compared_as_it_was_sent() -> None:
    sent = "schlüssel".encode().decode("latin-1")  # as servers hand headers on
    assert receive(*gitlab("Pipeline Hook", pipeline(), token=sent), secret="schlüssel").events


def by_signature(kind: str, body: Any, *secrets: str, **more: Any) -> tuple[dict[str, str], bytes]:
    headers, raw = signed(body, *secrets, **more)
    return headers | {"x-gitlab-event": kind, "idempotency-key": headers["webhook-id"]}, raw


def test_a_signing_token_signs_body_and_time() -> None:
    headers, body = by_signature("Pipeline Hook", pipeline())
    assert receive(headers, body, SIGNING).ids == ("delivery:msg_1",)
    assert refused(headers, body + b" ", SIGNING) == 401
    assert refused(headers, body, SIGNING, NOW + 301) == 403
    assert refused(headers, body, OTHER) == 401


def test_a_signing_token_is_not_taken_as_a_secret_token() -> None:
    assert refused(*gitlab("Pipeline Hook", pipeline(), token=SIGNING), secret=SIGNING) == 401


def test_while_a_project_moves_to_signing_both_hold_and_a_signature_has_to_be_right() -> None:
    both = f"{SIGNING}\n{SECRET}"
    assert receive(*gitlab("Pipeline Hook", pipeline()), secret=both).events
    headers, body = by_signature("Pipeline Hook", pipeline())
    assert receive(headers, body, both).events
    told = headers | {"x-gitlab-token": SECRET, "webhook-signature": "v1,AAAA"}
    assert refused(told, body, both) == 401


def test_a_replay_is_known_by_its_key_and_without_one_by_its_body() -> None:
    first = receive(*gitlab("Pipeline Hook", pipeline())).ids
    assert receive(*gitlab("Pipeline Hook", pipeline())).ids == first
    assert receive(*gitlab("Pipeline Hook", pipeline(), key="key-2")).ids != first

    def old(body: Any, uuid: str) -> tuple[str, ...]:
        headers, raw = gitlab("Pipeline Hook", body)
        del headers["idempotency-key"]
        return receive(headers | {"x-gitlab-event-uuid": uuid}, raw).ids

    assert old(pipeline(), "u") == old(pipeline(), "u")
    assert old(pipeline(), "u") != old(pipeline("failed"), "u"), "events that lead to each other share their UUID"


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["success", "update", "refs/tags/x"]),
    lambda inner: st.dictionaries(st.sampled_from([*pipeline()["object_attributes"], "action"]), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(READERS)), st.dictionaries(st.sampled_from([*pipeline(), *job(), *gitlab_push()]), _JSON))
def test_a_body_of_any_shape_is_read_or_refused(kind: str, body: dict[str, Any]) -> None:
    try:
        status = 200 if receive(*gitlab(kind, body)).events is not None else 0
    except BadRequest as error:
        status = error.status
    assert status in (200, 400)

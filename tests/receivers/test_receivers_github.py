"""Webhooks of GitHub: who signed them, and which events they are."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webhook_senders import AROUND, BASE, FORK, HEAD, HOME, NONE, NOW, SECRET, github, packed, pull, push, run

from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.plugins import BadRequest, Received, receivers
from llmgenie_mcp.receivers.github import READERS
from llmgenie_mcp.validation import check_event

ABOUT = {"provider": "github", "repository": "ada/engine", "user": "grace"}


def receive(headers: dict[str, str], body: bytes, secret: str = SECRET) -> Received:
    return receivers()["github"](headers, body, secret, NOW)


def refused(headers: dict[str, str], body: bytes, secret: str = SECRET) -> int:
    with pytest.raises(BadRequest) as error:
        receive(headers, body, secret)
    assert secret not in error.value.message
    return error.value.status


def event(kind: str, body: Any) -> tuple[str, dict[str, Any]]:
    """The one event that a request is."""
    (found,) = receive(*github(kind, body)).events
    check_event(*found)
    assert "instance" not in found[1]
    assert all(isinstance(value, str | int | bool) for value in found[1].values()), "flat"
    return found


def test_a_run_that_ended_is_the_end_of_ci() -> None:
    name, data = event("workflow_run", run())
    assert name == "ci.finished"
    assert data == ABOUT | {
        "branch": "feature/x",
        "commit": HEAD,
        "url": "https://github.example/ada/engine/actions/runs/4711",
        "fork": False,
        "kind": "workflow_run",
        "name": "CI",
        "run": 4711,
        "status": "passed",
        "conclusion": "success",
        "trigger": "push",
    }


@pytest.mark.parametrize(
    ("conclusion", "status"),
    [
        ("success", "passed"),
        ("failure", "failed"),
        ("timed_out", "failed"),
        ("startup_failure", "failed"),
        ("cancelled", "cancelled"),
        ("stale", "cancelled"),
        ("skipped", "skipped"),
        ("neutral", "neutral"),
        ("action_required", "action_required"),
        ("invented", "unknown"),
        (None, "unknown"),
    ],
)
def test_only_success_is_passed(conclusion: str | None, status: str) -> None:
    data = event("workflow_run", run(conclusion=conclusion))[1]
    assert (data["status"], data["conclusion"]) == (status, conclusion or "")


@pytest.mark.parametrize(("action", "status"), [("requested", "queued"), ("in_progress", "running")])
def test_a_run_that_begins_is_the_start_of_ci(action: str, status: str) -> None:
    name, data = event("workflow_run", run(action, conclusion=None))
    assert (name, data["status"], data["conclusion"]) == ("ci.started", status, "")


@pytest.mark.parametrize("head", [FORK, None, {}, {"id": None}, {"id": "7"}, {"id": True}])
def test_the_branch_of_a_fork_is_never_taken_for_one_of_our_own(head: Any) -> None:
    data = event("workflow_run", run(head_repository=head))[1]
    assert data["branch"] in ("eve:feature/x", "unknown:feature/x"), "no branch of git's has a colon"
    assert data["fork"] is True
    data = event("pull_request", pull(repo=head))[1]
    assert data["branch"] in ("eve:feature/x", "unknown:feature/x")
    assert (data["fork"], data["base"]) == (True, "main")


@pytest.mark.parametrize("branch", [None, "", 3])
def test_a_branch_that_is_not_told_is_empty_so_that_it_fits_no_review(branch: Any) -> None:
    assert event("workflow_run", run(head_branch=branch))[1]["branch"] == ""
    check = {"id": 1, "conclusion": "success", "head_branch": branch, "head_sha": HEAD, "app": {"slug": "other"}}
    data = event("check_suite", {**AROUND, "action": "completed", "check_suite": check})[1]
    assert (data["branch"], data["fork"], data["commit"]) == ("", True, HEAD)


def suite(slug: str, pulls: list[Any]) -> dict[str, Any]:
    return {
        "id": 12,
        "head_branch": "feature/x",
        "head_sha": HEAD,
        "conclusion": "failure",
        "app": {"slug": slug, "name": "Other CI"},
        "pull_requests": pulls,
        "url": "https://api.github.example/suites/12",
    }


def test_the_checks_of_other_apps_end_ci_as_a_whole_by_their_suite() -> None:
    name, data = event("check_suite", {**AROUND, "action": "completed", "check_suite": suite("other", [])})
    assert name == "ci.finished"
    assert (data["kind"], data["name"], data["run"], data["status"]) == ("check_suite", "Other CI", 12, "failed")
    assert (data["branch"], data["fork"], data["url"]) == ("feature/x", False, "https://api.github.example/suites/12")


def test_the_suite_of_github_actions_is_not_told_twice() -> None:
    body = {**AROUND, "action": "completed", "check_suite": suite("github-actions", [])}
    assert receive(*github("check_suite", body)).events == ()


def check_run(slug: str, pulls: list[Any]) -> dict[str, Any]:
    told = {"id": 99, "name": "lint", "head_sha": HEAD, "conclusion": "success", "app": {"slug": slug}}
    told |= {"check_suite": suite(slug, pulls), "html_url": "https://github.example/runs/99", "pull_requests": []}
    return {**AROUND, "action": "completed", "check_run": told}


OWN = {"head": {"ref": "feature/x", "repo": {"id": 7}}}
STRANGE = {"head": {"ref": "feature/x", "repo": {"id": 8}}}


@pytest.mark.parametrize(
    ("slug", "pulls", "branch"),
    [
        ("other", [], "feature/x"),
        ("github-actions", [], ""),
        ("github-actions", [STRANGE], ""),
        ("github-actions", [{"head": {"ref": "else", "repo": {"id": 7}}}, None, 3], ""),
        ("github-actions", [OWN], "feature/x"),
        ("github-actions", [STRANGE, OWN], "feature/x"),
    ],
)
def test_one_job_is_not_the_end_of_ci_and_names_a_branch_that_is_surely_ours(
    slug: str, pulls: list[Any], branch: str
) -> None:
    name, data = event("check_run", check_run(slug, pulls))
    assert (name, data["kind"], data["name"], data["status"]) == ("ci.job_finished", "check_run", "lint", "passed")
    assert (data["branch"], data["fork"]) == (branch, not branch)


def test_a_push() -> None:
    name, data = event("push", push())
    assert name == "git.pushed"
    assert data == ABOUT | {
        "branch": "feature/x",
        "commit": HEAD,
        "url": "https://github.example/ada/engine/compare/b...a",
        "tag": "",
        "before": BASE,
        "created": False,
        "forced": False,
        "commits": 2,
    }


def test_pushes_of_tags_new_branches_and_with_force_and_deletions() -> None:
    data = event("push", push("refs/tags/v1.0", before=NONE, created=True))[1]
    assert (data["branch"], data["tag"], data["before"], data["created"]) == ("", "v1.0", "", True)
    assert event("push", push(forced=True))[1]["forced"] is True
    name, data = event("push", push(after=NONE, deleted=True, commits=[]))
    assert (name, data["branch"], data["commit"], data["before"]) == ("git.deleted", "feature/x", "", BASE)
    assert receive(*github("push", push("refs/notes/commits"))).events == ()


@pytest.mark.parametrize(
    ("action", "more", "name"),
    [
        ("opened", {}, "opened"),
        ("synchronize", {}, "updated"),
        ("closed", {"state": "closed"}, "closed"),
        ("closed", {"state": "closed", "merged": True}, "merged"),
        ("ready_for_review", {}, "ready_for_review"),
    ],
)
def test_a_pull_request(action: str, more: dict[str, Any], name: str) -> None:
    told, data = event("pull_request", pull(action, **more))
    assert told == f"pull_request.{name}"
    assert data == ABOUT | {
        "branch": "feature/x",
        "commit": HEAD,
        "url": "https://github.example/ada/engine/pull/5",
        "fork": False,
        "number": 5,
        "action": action,
        "title": "Faster",
        "base": "main",
        "state": "merged" if name == "merged" else more.get("state", "open"),
        "draft": False,
    }


@pytest.mark.parametrize(
    ("action", "state", "review"),
    [
        ("submitted", "approved", "approved"),
        ("submitted", "CHANGES_REQUESTED", "changes_requested"),
        ("submitted", "commented", "commented"),
        ("dismissed", "dismissed", "withdrawn"),
    ],
)
def test_a_review(action: str, state: str, review: str) -> None:
    body = pull(action)
    del body["number"]
    told = {"state": state, "commit_id": BASE, "html_url": "https://github.example/review/1"}
    name, data = event("pull_request_review", body | {"review": told})
    assert name == "pull_request.reviewed"
    assert (data["review"], data["commit"], data["number"]) == (review, BASE, 5), "the commit that was reviewed"


def test_a_body_under_the_header_of_another_event_is_refused() -> None:
    """The header that names the event is not signed."""
    review = pull("submitted") | {"review": {"state": "approved"}}
    del review["number"]
    assert refused(*github("pull_request", review)) == 400
    assert refused(*github("workflow_run", pull("completed"))) == 400
    assert refused(*github("check_run", run())) == 400
    assert receive(*github("push", run())).events == ()


@pytest.mark.parametrize("kind", ["ping", "star", "workflow_job", "PUSH", "__class__"])
def test_what_is_not_known_is_taken_and_tells_nothing(kind: str) -> None:
    assert receive(*github(kind, {"zen": "x", **AROUND})).events == ()
    assert receive(*github("workflow_run", run("deleted"))).events == ()
    assert receive(*github("pull_request_review", pull("edited") | {"review": {"state": "x"}})).events == ()


def test_a_replay_is_known_by_the_delivery_and_by_the_body() -> None:
    first = set(receive(*github("workflow_run", run(), delivery="a")).ids)
    assert first & set(receive(*github("workflow_run", run(), delivery="b")).ids), "only the body is signed"
    assert first & set(receive(*github("check_run", check_run("other", []), delivery="a")).ids)
    assert not first & set(receive(*github("workflow_run", run(id=1), delivery="b")).ids)
    headers, body = github("workflow_run", run())
    del headers["x-github-delivery"]
    assert len(receive(headers, body).ids) == 1


def test_a_delivery_cannot_be_named_after_a_body() -> None:
    (mark, _) = receive(*github("workflow_run", run())).ids
    assert mark not in receive(*github("workflow_run", run(id=1), delivery=mark)).ids


def _forgeries() -> dict[str, tuple[dict[str, str], bytes]]:
    headers, body = github("workflow_run", run())
    right = headers["x-hub-signature-256"]

    def with_signature(value: str) -> tuple[dict[str, str], bytes]:
        return headers | {"x-hub-signature-256": value}, body

    sha1 = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    sha512 = hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest()
    bare = {name: text for name, text in headers.items() if name != "x-hub-signature-256"}
    return {
        "missing": (bare, body),
        "the old header alone": (bare | {"x-hub-signature": f"sha1={sha1}"}, body),
        "empty": with_signature(""),
        "another body": (headers, packed(run(conclusion="success", id=1))),
        "nothing more": (headers, b""),
        "another secret": github("workflow_run", run(), secret="another"),
        "no secret": github("workflow_run", run(), secret=""),
        "cut short": with_signature(right[:-1]),
        "only its beginning": with_signature("sha256="),
        "without its beginning": with_signature(right.removeprefix("sha256=")),
        "sha1": with_signature(f"sha1={sha1}"),
        "sha1 called sha256": with_signature(f"sha256={sha1}"),
        "sha512": with_signature(f"sha512={sha512}"),
        "a plain hash": with_signature(f"sha256={hashlib.sha256(body).hexdigest()}"),
        "capitals": with_signature(right.upper()),
        "two": with_signature(f"{right}, {right}"),
        "not ascii": with_signature("sha256=é€"),
    }


@pytest.mark.parametrize("how", sorted(_forgeries()))
def test_a_forged_request_is_refused(how: str) -> None:
    assert refused(*_forgeries()[how]) == 401


def test_while_secrets_are_exchanged_both_hold() -> None:
    for secret in ("old", "new"):
        assert receive(*github("workflow_run", run(), secret=secret), secret="new\nold\n").events
    assert refused(*github("workflow_run", run(), secret="new\nold"), secret="new\nold") == 401
    with pytest.raises(ActionError):
        receive(*github("workflow_run", run(), secret=""), secret=" \n ")


def test_a_webhook_that_github_sends_as_a_form_is_read_too() -> None:
    text = b"payload=" + quote_plus(packed(run())).encode()
    headers, body = github("workflow_run", text)
    form = headers | {"content-type": "application/x-www-form-urlencoded"}
    assert receive(form, body).events[0][0] == "ci.finished"
    assert refused(headers, body) == 400, "and not where it says JSON"


@pytest.mark.parametrize(
    "text", ["", "payload", "payload=%7B", "payload={}&payload={}", "other={}", "payload=%ff", "é={}"]
)
def test_a_form_that_is_none_is_refused(text: str) -> None:
    headers, body = github("push", text)
    assert refused(headers | {"content-type": "application/x-www-form-urlencoded"}, body) == 400


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"a":1,"a":2}', b"[" * 100_000, b'{"a":NaN}', b"\xff", b"{}x"])
def test_a_signed_body_that_cannot_be_read_is_refused(body: bytes) -> None:
    assert refused(*github("ping", body)) == 400


def test_a_request_must_say_which_event_it_is() -> None:
    headers, body = github("", run())
    assert refused(headers, body) == 400


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("completed") | st.just("refs/heads/x"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(sorted(pull())), inner, max_size=3),
    max_leaves=6,
)
_NAMES = ["action", "number", "ref", "after", "repository", "sender", "review", "commits", *sorted(READERS)]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(READERS)), st.dictionaries(st.sampled_from(_NAMES), _JSON))
def test_a_body_of_any_shape_is_read_or_refused(kind: str, body: dict[str, Any]) -> None:
    try:
        status = 200 if receive(*github(kind, body)).events is not None else 0
    except BadRequest as error:
        status = error.status
    assert status in (200, 400)


def test_texts_are_cut() -> None:
    assert len(event("pull_request", pull(title="x" * 100_000))[1]["title"]) == 1000


def test_the_numbers_of_repositories_decide_and_not_their_names() -> None:
    renamed = HOME | {"full_name": "ada/moved"}
    assert event("workflow_run", run(head_repository=renamed))[1]["fork"] is False
    assert event("workflow_run", run(head_repository=FORK | {"full_name": "ada/engine"}))[1]["fork"] is True
    nameless = run(head_repository={"full_name": "ada/engine"}) | {"repository": {"full_name": "ada/engine"}}
    assert event("workflow_run", nameless)[1]["fork"] is True

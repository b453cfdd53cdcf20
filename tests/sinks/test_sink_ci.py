"""Watching CI runs: how their end becomes an event, and what happens while the vendor cannot be asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ci_servers import SHA, TOKEN, GitHub, GitLab, github, gitlab, outbox
from hostile import answer, as_json, hang, reset
from outbox_scene import Heard, delivering, drain, told
from scene import configure, define, git, lines, started

from llmgenie_mcp import Engine
from llmgenie_mcp.actions import ci as action_ci
from llmgenie_mcp.ci import github as ci_github
from llmgenie_mcp.ci import gitlab as ci_gitlab
from llmgenie_mcp.config import Settings
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.plugins import Delivered, NotDelivered, Parcel
from llmgenie_mcp.receivers import github as receiver_github
from llmgenie_mcp.receivers import gitlab as receiver_gitlab
from llmgenie_mcp.sinks.ci import LONGEST, look

AT_ONCE = {"first_delay": 0, "longest_delay": 0}
SHIP = """
name: ship
description: A branch is shipped when CI passed on it.
subject: branch
initial: waiting
states:
  waiting: {on: {ci.finished: shipped}}
  shipped: {final: true}
"""


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_TOKEN", TOKEN)


@pytest.fixture
def hub() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server


def begin(engine: Engine, ci: dict[str, Any], **settings: Any) -> str:
    """Start the workflow `build`; returns the session."""
    configure(
        engine.project.root, ci={"build": ci}, deliveries={**AT_ONCE, **settings.pop("deliveries", {})}, **settings
    )
    session = started(engine, mode="code")
    outcome = engine.run_action("start_ci", {"name": "build"}, session=session)
    assert outcome.ok, outcome
    return session


def ended(engine: Engine) -> dict[str, Any]:
    """Deliver until the run's end is told; returns the event's data."""
    heard = Heard(engine)
    try:
        with delivering(engine):
            (line,) = heard.until_told("event.received")
    finally:
        heard.end()
    (event,) = line["events"]
    assert event["type"] == "ci.finished"
    assert not outbox(engine)
    data: dict[str, Any] = event["data"]
    return data


def parcel(ci: dict[str, Any] | None, *, age: float = 0, attempt: int = 1, attempts: int = 10, **more: Any) -> Parcel:
    at = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    settings = Settings.model_validate({"ci": {"build": ci} if ci else {}, "deliveries": {"attempts": attempts}})
    payload = {"id": "16000000000", "branch": "main", "ref": "main", "session": None, "started": at, **more}
    return Parcel("msg_1", "ci", "build", None, payload, attempt, settings, "demo", threading.Event())


def not_delivered(given: Parcel) -> NotDelivered:
    with pytest.raises(NotDelivered) as caught:
        look(given)
    assert TOKEN not in caught.value.message
    return caught.value


# -- how it ends -----------------------------------------------------------------------------------------------------------


def test_a_github_run_is_watched_until_it_has_ended(engine: Engine, repo: Path, hub: GitHub) -> None:
    session = begin(engine, github(hub))
    data = ended(engine)
    number = max(hub.runs)
    assert data == {
        "provider": "github",
        "repository": "octo/app",
        "user": "ada",
        "branch": "main",
        "commit": SHA,
        "url": f"https://github.com/octo/app/actions/runs/{number}",
        "fork": False,
        "kind": "workflow_run",
        "name": "CI",
        "run": number,
        "status": "passed",
        "conclusion": "success",
        "trigger": "workflow_dispatch",
        "ci": "build",
        "session": session,
    }
    assert hub.looks[number] == 2, "queued, in_progress, completed"
    assert not told(engine, "delivery."), "looks that found it going on are not worth a line"


def test_a_gitlab_pipeline_is_watched_until_it_has_ended(engine: Engine, repo: Path) -> None:
    with GitLab(("waiting_for_resource", None), ("manual", None), ("canceling", None), ("canceled", None)) as lab:
        begin(engine, gitlab(lab))
        data = ended(engine)
    wanted = {"provider": "gitlab", "kind": "pipeline", "name": "pipeline", "run": 40, "branch": "main", "commit": SHA}
    assert {**wanted, "status": "cancelled", "conclusion": "canceled", "user": "ada"}.items() <= data.items()


def test_a_pipeline_of_a_tag_is_of_no_branch(engine: Engine, repo: Path) -> None:
    with GitLab(("success", None)) as lab:
        begin(engine, gitlab(lab, ref="v1"))
        assert ended(engine)["branch"] == ""


@pytest.mark.parametrize(
    ("conclusion", "status"),
    [
        ("failure", "failed"),
        ("timed_out", "failed"),
        ("cancelled", "cancelled"),
        ("skipped", "skipped"),
        ("action_required", "action_required"),
        ("something_new", "unknown"),
    ],
)
def test_other_ends_are_told_as_they_are(engine: Engine, repo: Path, conclusion: str, status: str) -> None:
    with GitHub(("completed", conclusion)) as hub:
        answered = look(parcel(github(hub)))
    assert answered.event is not None
    assert (answered.event[1]["status"], answered.event[1]["conclusion"]) == (status, conclusion)


def test_watching_and_webhooks_use_the_same_words(engine: Engine, repo: Path, hub: GitHub) -> None:
    assert ci_github.ENDS == receiver_github.STATUS
    assert ci_gitlab.ENDS == receiver_gitlab.STATUS


def test_the_end_moves_what_waits_for_it_and_counts_for_the_commit(engine: Engine, repo: Path, hub: GitHub) -> None:
    define(repo, "workflows", "ship", SHIP)
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "branch", "feature/x")
    begin(engine, github(hub))
    for run in hub.runs.values():
        run["head_sha"] = head
    for branch in ("main", "feature/x"):
        assert engine.run_action("start_ship", {"branch": branch}, session=started(engine, mode="code")).ok
    ended(engine)
    states = {each["subject"]: each["state"] for each in engine.storage.query("instances", {"workflow": "ship"}).items}
    assert states == {"main": "shipped", "feature/x": "waiting"}
    assert engine.situation().fact("ci.last.passed") is True
    assert engine.situation().fact("ci.last.commit") == head


def test_a_rule_can_tell_a_watched_run_from_one_that_a_webhook_told(engine: Engine, repo: Path, hub: GitHub) -> None:
    when = 'startswith(event.actor, "system:ci:") and event.data.ci == "build"'
    rule = {"on": "ci.finished", "when": when, "run": [{"action": "log_entry", "params": {"text": "by watching"}}]}
    begin(engine, github(hub), triggers={"once": rule})
    heard = Heard(engine)
    with delivering(engine):
        heard.until(lambda seen: any(line.get("notes") == ["by watching"] for line in seen))
        heard.end()
    engine.trigger_event("ci.finished", {"status": "passed", "commit": SHA})
    drain(engine)
    assert sum(line.get("notes") == ["by watching"] for line in lines(engine)) == 1


# -- what is not seen ------------------------------------------------------------------------------------------------------


def test_a_run_that_github_did_not_name_is_found_by_the_watching(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action_ci, "LOOKS", 1)
    with GitHub(("queued", None), ("completed", "success"), details="refused", late=4) as hub:
        begin(engine, github(hub))
        data = ended(engine)
        assert data["run"] == max(hub.runs)
    assert data["status"] == "passed"


def test_an_outage_longer_than_all_attempts_loses_nothing(engine: Engine, repo: Path, hub: GitHub) -> None:
    begin(engine, github(hub, timeout=0.2), deliveries={"attempts": 3})
    hub.broken = [answer(503), reset(), hang(), answer(500), reset(), answer(502, "<html>"), answer(429)]
    assert ended(engine)["status"] == "passed"
    assert len(told(engine, "delivery.failed")) == 2, "the last attempt is kept"
    assert "answered 503" in told(engine, "delivery.failed")[0]["why"]
    assert not told(engine, "delivery.given_up")


def test_pauses_grow_with_the_age_of_the_run_once_attempts_are_few(hub: GitHub) -> None:
    ci = github(hub, poll=2)
    for age, pause in ((0, 2), (100, 25), (7000, LONGEST)):
        hub.broken = [answer(500)]
        assert look(parcel(ci, age=age, attempt=3, attempts=3)).again == pytest.approx(pause, abs=1)
    hub.broken = [answer(429, headers={"retry-after": "90"})]
    assert look(parcel(ci, attempt=3, attempts=3)).again == 90


def test_the_vendors_word_when_to_ask_again_is_passed_on(hub: GitHub) -> None:
    ci = github(hub)
    later = datetime.now(UTC) + timedelta(seconds=300)
    spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(later.timestamp()))}
    hub.broken = [answer(503, headers={"retry-after": "7"}), as_json({"message": "rate limit"}, 403, spent)]
    assert not_delivered(parcel(ci)).retry_after == 7
    limited = not_delivered(parcel(ci))
    assert limited.retry_after == pytest.approx(300, abs=5)
    assert not limited.final


def test_after_give_up_the_end_is_unknown_whatever_stood_against_it(hub: GitHub) -> None:
    ci = github(hub, give_up=60)
    for behaviour in (as_json({"id": 1, "status": "in_progress", "head_sha": SHA}), answer(500), answer(401), reset()):
        hub.broken = [behaviour]
        answered = look(parcel(ci, age=61))
        assert answered.event is not None
        assert answered.event[0] == "ci.finished"
        assert answered.event[1]["status"] == "unknown"
    hub.words = [("completed", "success")]
    answered = look(parcel(ci, age=61))
    assert answered.event is not None
    assert answered.event[1]["status"] == "passed", "what has ended in time is told, however late it is seen"


def test_a_token_that_expired_is_given_up_and_replayed_when_it_was_renewed(
    engine: Engine, repo: Path, hub: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(engine, github(hub), deliveries={"attempts": 2})
    monkeypatch.setenv("CI_TOKEN", "one-that-has-expired")
    drain(engine)
    (dead,) = outbox(engine, status="dead")
    assert "environment variable CI_TOKEN" in dead["error"]
    assert "one-that-has-expired" not in str(lines(engine))
    monkeypatch.setenv("CI_TOKEN", TOKEN)
    engine.replay_deliveries()
    assert ended(engine)["status"] == "passed"


def test_a_run_that_is_gone_is_told_as_such(hub: GitHub) -> None:
    failed = not_delivered(parcel(github(hub), id="123"))
    assert "answered 404 to the request to show run 123 of octo/app" in failed.message
    assert not failed.final


def test_a_workflow_that_left_the_settings_is_not_watched_any_more() -> None:
    failed = not_delivered(parcel(None))
    assert failed.final
    assert "build" in failed.message


def test_watching_goes_on_after_a_restart(engine: Engine, repo: Path) -> None:
    with GitHub(("queued", None), ("queued", None), ("completed", "success")) as hub:
        begin(engine, github(hub, poll=600))
        drain(engine)
        assert len(outbox(engine)) == 1
        drain(engine)
        assert len(outbox(engine)) == 1
        assert ended(engine)["status"] == "passed"


def test_stopping_while_the_vendor_is_asked_counts_as_no_attempt(engine: Engine, repo: Path, hub: GitHub) -> None:
    begin(engine, github(hub, timeout=60))
    hub.broken = [hang()]
    dispatcher = Dispatcher(engine, sources=False)
    dispatcher.start()
    hub.wait(2)
    dispatcher.stop(0)
    (item,) = outbox(engine, status="pending")
    assert item["attempts"] == 0
    assert ended(engine)["status"] == "passed"


def test_looking_costs_one_request_and_writes_nothing(engine: Engine, repo: Path, hub: GitHub) -> None:
    hub.words = [("in_progress", None)]
    assert look(parcel(github(hub))) == Delivered(again=0.01)
    assert len(hub.asked) == 1

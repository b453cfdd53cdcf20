"""Webhooks posted to a real server: what they move, what is refused, and what is done once."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from rest_place import PATIENCE, serving
from scene import configure, copy_repository, define, git, lines, started
from webhook_senders import SECRET, SIGNING, github, gitlab, packed, pipeline, pull, push, run, signed

from llmgenie_mcp import Engine, tokens, trust
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.faces import rest_problem, rest_webhooks
from llmgenie_mcp.faces.rest import create_app

REVIEW = """
name: review
description: A change is reviewed once CI has passed on it.
subject: branch
initial: draft
states:
  draft:
    on:
      ci.finished:
        target: in_review
        guards: [{expression: action.params.status == "passed", message: CI has to pass.}]
      ci.failed: draft
  in_review: {on: {pull_request.merged: merged, pull_request.updated: draft}}
  merged: {final: true}
"""
RECEIVERS = {
    "hub": {"kind": "github", "secret": {"env": "HUB_SECRET"}},
    "lab": {"kind": "gitlab", "secret": {"env": "HUB_SECRET"}},
    "peer": {"kind": "standard", "secret": {"env": "PEER_SECRET"}},
    "bare": {"kind": "github", "secret": {"env": "NOT_SET"}},
    "odd": {"kind": "standard", "secret": {"env": "HUB_SECRET"}},
}
Request = tuple[dict[str, str], bytes]


def app_of(engine: Engine) -> FastAPI:
    """An app that has nothing but webhooks."""
    app = FastAPI()
    app.state.engine = engine
    rest_problem.install(app)
    app.include_router(rest_webhooks.router)
    return app


class Site:
    """A server to post to."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def post(self, name: str, request: Request, **more: str) -> httpx2.Response:
        headers, body = request
        sent = {key: text.encode("latin-1") for key, text in (headers | more).items()}
        return self.client.post(f"/webhooks/{name}", content=body, headers=sent)

    def taken(self, name: str, request: Request) -> dict[str, Any]:
        """The answer to a request that is taken."""
        answer = self.post(name, request)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refused(self, name: str, request: Request, status: int, code: str, **more: str) -> dict[str, Any]:
        """The answer to a request that is refused, which says what to do and holds no secret."""
        answer = self.post(name, request, **more)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"urn:llmgenie:error:{code}"
        assert answer.json()["detail"]
        assert SECRET not in answer.text
        assert SIGNING not in answer.text
        return dict(answer.json())


def current(body: Any, **more: Any) -> Request:
    """A standard webhook of now."""
    return signed(body, at=int(time.time()) + more.pop("later", 0), **more)


@pytest.fixture
def ready(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with receivers that a person accepted, and a review of its own that waits for CI."""
    monkeypatch.setenv("HUB_SECRET", SECRET)
    monkeypatch.setenv("PEER_SECRET", SIGNING)
    define(repo, "workflows", "review", REVIEW)
    git(repo, "branch", "feature/x")
    git(repo, "branch", "feature/y")
    settle(repo)
    return repo


def settle(repo: Path, *, trusted: bool = True, receivers: dict[str, Any] | None = None, **more: Any) -> None:
    """Write the project's settings, with the receivers that are given beside those of all tests."""
    told = {"commands": {"test": {"argv": ["true"]}}, "rest": {"body_bytes": 20_000}, **more}
    configure(repo, trusted=trusted, receivers=RECEIVERS | (receivers or {}), **told)


@pytest.fixture
def house(ready: Path, open_engine: Callable[..., Engine]) -> Engine:
    return open_engine(ready)


@pytest.fixture
def site(house: Engine) -> Iterator[Site]:
    with serving(app_of(house)) as client:
        yield Site(client)


def reviewed(engine: Engine, branch: str) -> str:
    """A review of a branch in draft; returns its id."""
    outcome = engine.run_action("start_review", {"branch": branch}, session=started(engine, mode="review"))
    assert outcome.ok, outcome
    return str(outcome.result["instance"]["id"])


def state(engine: Engine, instance: str) -> str:
    engine.storage.refresh()
    return str((engine.storage.get("instances", instance) or {})["state"])


# -- what they do ------------------------------------------------------------------------------------------------------


def test_a_review_moves_because_github_says_that_ci_passed(house: Engine, site: Site) -> None:
    mine, other = reviewed(house, "feature/x"), reviewed(house, "feature/y")
    answer = site.taken("hub", github("workflow_run", run("in_progress"), delivery="0"))
    assert (answer["events"][0]["type"], answer["events"][0]["moved"]) == ("ci.started", [])
    answer = site.taken("hub", github("workflow_run", run(), delivery="1"))
    (event,) = answer["events"]
    assert event["moved"] == [{"instance": mine, "workflow": "review", "from": "draft", "to": "in_review"}]
    assert (event["type"], event["refused"], event["deliveries"]) == ("ci.finished", [], [])
    assert (state(house, mine), state(house, other)) == ("in_review", "draft")
    line = lines(house)[-1]
    assert line["actor"] == {"kind": "system", "id": "webhook:hub"}
    assert line["events"][0]["id"] == event["id"]
    answer = site.taken("hub", github("pull_request", pull("closed", merged=True), delivery="2"))
    assert [moved["to"] for moved in answer["events"][0]["moved"]] == ["merged"]


def test_the_same_by_gitlab_and_by_a_sender_of_standard_webhooks(house: Engine, site: Site) -> None:
    mine, other = reviewed(house, "feature/x"), reviewed(house, "feature/y")
    assert site.taken("lab", gitlab("Pipeline Hook", pipeline()))["events"][0]["moved"][0]["instance"] == mine
    body = {"type": "ci.finished", "data": {"branch": "feature/y", "status": "passed", "instance": mine}}
    assert site.taken("peer", current(body))["events"][0]["moved"][0]["instance"] == other


def test_a_run_of_a_fork_moves_no_review_of_a_branch_with_the_same_name(house: Engine, site: Site) -> None:
    mine = reviewed(house, "feature/x")
    fork = {"id": 8, "full_name": "eve/engine", "owner": {"login": "eve"}}
    request = github("workflow_run", run(head_repository=fork))
    assert site.taken("hub", request)["events"][0]["moved"] == []
    request = github("workflow_run", run(head_branch=None), delivery="2")
    assert site.taken("hub", request)["events"][0]["moved"] == [], "and none moves all of them"
    assert state(house, mine) == "draft"


def test_a_guard_refuses_a_run_that_failed_and_the_sender_is_told(house: Engine, site: Site) -> None:
    mine = reviewed(house, "feature/x")
    (event,) = site.taken("hub", github("workflow_run", run(conclusion="failure")))["events"]
    assert (event["moved"], event["refused"][0]["instance"]) == ([], mine)
    assert event["refused"][0]["reasons"][0]["code"] == "guard_failed"


def test_what_tells_nothing_is_taken_and_writes_nothing(house: Engine, site: Site) -> None:
    before = len(lines(house))
    assert site.taken("hub", github("ping", {"zen": "x"})) == {"events": [], "duplicates": 0}
    assert site.taken("lab", gitlab("Note Hook", {})) == {"events": [], "duplicates": 0}
    assert len(lines(house)) == before


def test_a_rule_that_waits_for_the_event_is_named_in_the_answer(
    ready: Path, open_engine: Callable[..., Engine]
) -> None:
    rule = {"on": "git.pushed", "run": [{"action": "log_entry", "params": {"text": "pushed {event.data.branch}"}}]}
    settle(ready, triggers={"note": rule})
    engine = open_engine(ready)
    with serving(app_of(engine)) as client:
        (event,) = Site(client).taken("hub", github("push", push()))["events"]
    assert len(event["deliveries"]) == 1
    assert Dispatcher(engine, sources=False).drain(PATIENCE)
    assert any("pushed feature/x" in str(line) for line in lines(engine))


def test_what_llmgenie_posts_llmgenie_receives(
    ready: Path, tmp_path: Path, template: Path, open_engine: Callable[..., Engine]
) -> None:
    there = copy_repository(template, tmp_path / "sender")
    mine = open_engine(ready)
    review = reviewed(mine, "feature/x")
    with serving(app_of(mine)) as client:
        hook = {
            "url": str(client.base_url.join("/webhooks/peer")),
            "events": ["ci.*"],
            "secret": {"env": "PEER_SECRET"},
        }
        configure(there, webhooks={"peer": hook | {"allow_private": True}})
        sender = open_engine(there)
        sender.trigger_event("ci.finished", {"branch": "feature/x", "status": "passed", "instance": "REV-9"})
        assert Dispatcher(sender, sources=False).drain(PATIENCE)
    assert [line["type"] for line in lines(sender)][-1] == "delivery.completed", lines(sender)[-1]
    assert state(mine, review) == "in_review"


# -- once --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "first", "again"),
    [
        ("hub", github("workflow_run", run()), github("workflow_run", run())),
        ("hub", github("workflow_run", run(), delivery="1"), github("workflow_run", run(), delivery="2")),
        ("hub", github("workflow_run", run(), delivery="1"), github("workflow_run", run(id=2), delivery="1")),
        ("lab", gitlab("Pipeline Hook", pipeline()), gitlab("Pipeline Hook", pipeline())),
        ("peer", {"type": "x"}, {"type": "x"}),
        ("peer", {"type": "x"}, {"type": "y"}),
    ],
)
def test_a_replay_is_acknowledged_and_does_nothing(
    house: Engine, site: Site, name: str, first: Request | dict[str, Any], again: Request | dict[str, Any]
) -> None:
    first = (
        current(first) if isinstance(first, dict) else first
    )  # here: what is signed must not have grown old meanwhile
    again = current(again, later=5) if isinstance(again, dict) else again
    assert len(site.taken(name, first)["events"]) == 1
    before = len(lines(house))
    assert site.taken(name, again) == {"events": [], "duplicates": 1}
    assert len(lines(house)) == before


def test_the_same_request_to_two_receivers_is_two(house: Engine, site: Site, ready: Path) -> None:
    request = github("workflow_run", run())
    settle(ready, receivers={"hub2": RECEIVERS["hub"]})
    assert site.taken("hub", request)["duplicates"] == 0
    assert site.taken("hub2", request)["duplicates"] == 0


def test_a_replay_is_known_after_a_restart(ready: Path, open_engine: Callable[..., Engine]) -> None:
    for count in (0, 1):
        engine = open_engine(ready)
        with serving(app_of(engine)) as client:
            assert Site(client).taken("hub", github("workflow_run", run()))["duplicates"] == count
        engine.close()


def test_one_of_many_that_come_at_the_same_time_counts(house: Engine, site: Site) -> None:
    request, answers = github("workflow_run", run()), []
    barrier = threading.Barrier(12)

    def send() -> None:
        barrier.wait(PATIENCE)
        answers.append(site.taken("hub", request))

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted((len(answer["events"]), answer["duplicates"]) for answer in answers) == [(0, 1)] * 11 + [(1, 0)]


def test_what_could_not_be_stored_is_taken_when_it_is_sent_again(
    ready: Path, open_engine: Callable[..., Engine]
) -> None:
    settle(ready, lock_timeout=0.2)
    engine, other = open_engine(ready), open_engine(ready)
    with serving(app_of(engine)) as client:
        with other.storage.begin():
            answer = Site(client).post("hub", github("workflow_run", run()))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), answer.text
        assert len(Site(client).taken("hub", github("workflow_run", run()))["events"]) == 1


# -- who is refused ----------------------------------------------------------------------------------------------------


def test_what_is_not_signed_right_is_refused_and_writes_nothing(house: Engine, site: Site) -> None:
    before = len(lines(house))
    headers, body = github("workflow_run", run())
    for forged in [
        github("workflow_run", run(), secret="wrong"),
        (headers, body + b" "),
        (headers | {"x-hub-signature-256": headers["x-hub-signature-256"][:-1]}, body),
        (headers | {"x-hub-signature-256": "é"}, body),
        ({}, body),
    ]:
        site.refused("hub", forged, 401, "bad_signature")
    site.refused("lab", gitlab("Push Hook", {}, token="wrong"), 401, "bad_signature")
    site.refused("peer", ({}, b""), 401, "bad_signature")
    site.refused("peer", github("push", push()), 401, "bad_signature")
    site.refused("hub", current({"type": "x"}), 401, "bad_signature")
    site.refused("peer", current({"type": "x"}, later=-400), 403, "too_old")
    site.refused("peer", current({"type": "x"}, later=400), 403, "too_old")
    assert len(lines(house)) == before
    assert site.post("hub", ({}, b"")).headers["www-authenticate"]


def test_a_receiver_that_is_not_there_or_not_accepted_is_not_told_apart(
    ready: Path, open_engine: Callable[..., Engine]
) -> None:
    engine = open_engine(ready)
    with serving(app_of(engine)) as client:
        site = Site(client)
        unknown = site.refused("nobody", github("ping", {}), 404, "unknown_name")
        site.refused("hub%00", github("ping", {}), 404, "unknown_name")
        site.taken("hub", github("ping", {}))
        settle(ready, trusted=False, receivers={"new": RECEIVERS["hub"]})
        assert site.refused("hub", github("ping", {}), 404, "unknown_name") == unknown
        assert site.refused("new", github("ping", {}), 404, "unknown_name") == unknown
        trust.trust(ready / ".llmgenie")
        site.taken("new", github("ping", {}))
        assert site.client.get("/webhooks/hub").status_code == 405


def test_a_secret_that_is_not_there_lets_nobody_in_and_is_logged_alone(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = site.refused("bare", github("ping", {}, secret=""), 503, "not_ready")
    assert "NOT_SET" not in str(answer), "where it lies is nobody's concern out there"
    assert "NOT_SET" in caplog.text
    site.refused("odd", current({"type": "x"}), 503, "not_ready")
    monkeypatch.setenv("NOT_SET", SECRET)
    site.taken("bare", github("ping", {}))


HOSTILE = {
    "nothing": b"",
    "no json": b"<xml/>",
    "a list": b"[]",
    "no text": b"\xff\xfe",
    "deep": b"[" * 15_000,
    "deep objects": b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
    "a name twice": b'{"action": "completed", "action": "requested"}',
    "many digits": b'{"number": ' + b"9" * 5_000 + b"}",
    "infinity": b'{"a": Infinity}',
    "nothing to read": b"{}",
    "of another type": b'{"action": "completed", "workflow_run": [1]}',
    "NUL": packed(run(head_branch="a\0b")),
    "half a character": packed(run(name="\ud800")),
}


def test_hostile_bodies_are_refused_and_never_a_fault(house: Engine, site: Site) -> None:
    before = len(lines(house))
    for name, body in HOSTILE.items():
        assert site.refused("hub", github("workflow_run", body), 400, "bad_webhook")["hint"], name
    assert len(lines(house)) == before


def test_a_body_beyond_the_bound_is_refused_however_it_is_sent(site: Site) -> None:
    big = packed({"a": "x" * 20_000})
    site.refused("hub", github("ping", big), 413, "too_large")
    headers, _ = github("ping", big)
    parts = (big[at : at + 1000] for at in range(0, len(big), 1000))
    answer = site.client.post("/webhooks/hub", content=parts, headers=headers)
    assert (answer.status_code, answer.json()["limit"]) == (413, 20_000)
    site.taken("hub", github("ping", {"a": "x" * 19_000}))


def test_a_sender_that_breaks_off_is_no_fault(house: Engine) -> None:
    app, ended, faults = app_of(house), threading.Event(), []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - any of them is a fault
            faults.append(error)
        finally:
            if scope["type"] == "http":
                ended.set()

    with serving(watched) as client:  # type: ignore[arg-type]
        with socket.create_connection((client.base_url.host, client.base_url.port)) as talk:
            talk.sendall(b"POST /webhooks/hub HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert ended.wait(PATIENCE)
        assert faults == []
        Site(client).taken("hub", github("ping", {}))


def test_wrong_signatures_are_logged_once_a_minute_for_each_receiver_and_never_the_body(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == rest_webhooks.__name__]

    for _ in range(5):
        site.refused("hub", github("ping", {"word": "body-of-evil"}, secret="wrong"), 401, "bad_signature")
    site.refused("lab", gitlab("Push Hook", {}, token="wrong-token"), 401, "bad_signature")
    assert [text.split(" was")[0] for text in said()] == ["webhook hub", "webhook lab"]
    monkeypatch.setattr(rest_webhooks, "COMPLAINTS", 0.0)
    site.refused("hub", github("ping", {}, secret="wrong"), 401, "bad_signature")
    assert "(4 more before)" in said()[-1]
    for word in ("body-of-evil", "wrong-token", SECRET, SIGNING):
        assert word not in caplog.text


# -- in the whole app --------------------------------------------------------------------------------------------------


def test_in_the_whole_app_a_webhook_needs_no_token_but_its_signature(ready: Path, house: Engine) -> None:
    mine = reviewed(house, "feature/x")
    tokens.create(ready / ".llmgenie", "bot", "agent")
    with serving(create_app(engine=house, dispatcher=False)) as client:
        site = Site(client)
        assert site.client.get("/workflow/state").status_code == 401
        site.refused("hub", github("workflow_run", run(), secret="wrong"), 401, "bad_signature")
        assert site.taken("hub", github("workflow_run", run()))["events"][0]["moved"][0]["to"] == "in_review"
        site.refused("hub", github("ping", {"a": "x" * 20_000}), 413, "too_large")
    assert state(house, mine) == "in_review"


def test_the_address_is_described() -> None:
    document = create_app().openapi()
    said = document["paths"]["/webhooks/{name}"]["post"]["responses"]
    assert {"200", "400", "401", "403", "404", "413", "503"} <= set(said)
    assert said["401"]["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")

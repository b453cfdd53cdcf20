"""Webhooks posted to a real server: what they move, and what is done once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_place import PATIENCE, serving
from scene import configure, copy_repository, lines
from webhook_senders import github, gitlab, pipeline, pull, push, run
from webhook_site import RECEIVERS, Request, Site, app_of, current, reviewed, settle, state

from llmgenie_mcp import Engine, tokens
from llmgenie_mcp.engine.dispatcher import Dispatcher
from llmgenie_mcp.faces.rest import create_app
from llmgenie_mcp.outcome import CI

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
    assert house.storage.query("runs", {"action": CI}).items == [], "nor does it say that the commit was tested"
    request = github("workflow_run", run(head_branch=None), delivery="2")
    assert site.taken("hub", request)["events"][0]["moved"] == [], "and none moves all of them"
    assert state(house, mine) == "draft"
    site.taken("hub", github("workflow_run", run(), delivery="3"))
    assert house.storage.query("runs", {"action": CI, "status": "passed"}).items, "as one of ours does"


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


def test_what_a_llmgenie_tells_itself_is_refused_by_another_with_what_the_sender_is_to_change(
    ready: Path, tmp_path: Path, template: Path, open_engine: Callable[..., Engine]
) -> None:
    there = copy_repository(template, tmp_path / "sender")
    mine = open_engine(ready)
    with serving(app_of(mine)) as client:
        address = str(client.base_url.join("/webhooks/peer"))
        hook = {"url": address, "events": ["action.*"], "secret": {"env": "PEER_SECRET"}, "allow_private": True}
        configure(there, webhooks={"peer": hook}, deliveries={"attempts": 1})
        sender = open_engine(there)
        sender.run_action("create_task", {"title": "x"})
        assert Dispatcher(sender, sources=False).drain(PATIENCE)
    [told] = [line for line in lines(sender) if line["type"] == "delivery.given_up"]
    assert "answered 422: action.completed is what llmgenie tells itself" in str(told)
    assert "Name in `events:` of the webhook that posts it only what is meant for others" in str(told)


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

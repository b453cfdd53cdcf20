"""A tracker that errs, hangs, limits and lies; a process that is killed; settings that nobody accepted."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hostile import PATIENCE, Talk, answer, as_json, break_off, hang, reset
from outbox_scene import drain, rules, told, waiting
from tracker_scene import TOKEN, GitHub, act, create, did, sync, task, tasks, tracked

from llmgenie_mcp import Engine
from llmgenie_mcp.outcome import Actor

CHILD = """
import sys
from llmgenie_mcp import Engine
from llmgenie_mcp.engine.dispatcher import Dispatcher
with Engine.open(sys.argv[1]) as engine:
    Dispatcher(engine, sources=False).drain(60)
"""
LIMIT = {"message": "You have exceeded a secondary rate limit."}


def test_an_attempt_of_which_the_end_is_not_known_makes_no_second_issue(shop: Engine, github: GitHub) -> None:
    github.after = [reset(), break_off(201), answer(502, "busy")]
    create(shop, "Once")
    drain(shop)
    act(shop, "comment_task", id="TSK-1", text="Said once.")
    github.after = [reset(), answer(500)]
    drain(shop)
    assert [issue["title"] for issue in github.issues.values()] == ["Once"]
    assert len(github.said) == 1
    github.broken = [answer(500), reset(), answer(200, "<html>")]
    act(shop, "update_task", id="TSK-1", title="Once more")
    drain(shop)
    assert github.issues[1]["title"] == "Once more"
    assert not waiting(shop)


def test_what_changes_here_while_the_tracker_is_asked_is_not_lost(shop: Engine, github: GitHub) -> None:
    create(shop, "Title")
    drain(shop)
    act(shop, "update_task", id="TSK-1", title="New")

    def meanwhile(talk: Talk) -> None:
        act(shop, "update_task", id="TSK-1", title="Newest", description="Added")
        as_json(github.issues[1])(talk)

    github.after = [meanwhile]
    drain(shop)
    assert (github.issues[1]["title"], task(shop)["title"]) == ("Newest", "Newest")
    assert github.issues[1]["body"].startswith("Added\n\n<!-- llmgenie: TSK-1 ")


def test_two_who_are_at_the_tracker_at_once_make_one_issue_of_a_task(shop: Engine, github: GitHub) -> None:
    for number in range(5):
        create(shop, f"Task {number}")
    with Engine.open(shop.project.root) as other, ThreadPoolExecutor(3) as pool:
        done = [pool.submit(drain, shop), pool.submit(sync, other), pool.submit(sync, shop)]
        for each in done:
            each.result(PATIENCE * 2)
    drain(shop)
    assert sorted(issue["title"] for issue in github.issues.values()) == [f"Task {number}" for number in range(5)]
    assert (len(tasks(shop)), waiting(shop)) == (5, [])


@pytest.mark.parametrize("what", ["issue", "comment", "end"])
def test_killed_between_a_request_and_its_record_nothing_is_done_twice(
    shop: Engine, github: GitHub, tmp_path: Path, what: str
) -> None:
    create(shop, "Once")
    if what != "issue":
        drain(shop)
    if what == "comment":
        act(shop, "comment_task", id="TSK-1", text="Said once.")
    if what == "end":
        act(shop, "complete_task", id="TSK-1", summary="Wrote it and read it again.")
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(shop.project.root)])

    def kill(_talk: Talk) -> None:
        os.kill(child.pid, signal.SIGKILL)

    github.after = [kill]
    assert child.wait(PATIENCE * 3) == -signal.SIGKILL
    drain(shop)
    sync(shop)
    drain(shop)
    assert [issue["title"] for issue in github.issues.values()] == ["Once"]
    assert len(github.said) == (what == "comment")
    assert github.issues[1]["state"] == ("closed" if what == "end" else "open")
    assert (len(tasks(shop)), waiting(shop)) == (1, [])
    assert sync(shop)["counts"] == {}


@pytest.mark.parametrize(
    ("broken", "status", "words"),
    [
        (as_json({"message": "Bad credentials"}, 401), "dead", "A person must renew the token in"),
        (as_json({"message": "Not Found"}, 404), "dead", "A person must correct `repository`"),
        (as_json({"message": "Resource not accessible"}, 403), "dead", "A person must give more rights"),
        (as_json({"message": "Validation Failed"}, 422), "dead", "Validation Failed"),
        (answer(200, "[1, 2"), "dead", "but not as its API does"),
        (hang(), "dead", "no whole answer within 0.3 s"),
        (as_json(LIMIT, 403), "pending", None),
        (as_json({"message": "API rate limit"}, 403, {"x-ratelimit-remaining": "0"}), "pending", None),
    ],
)
def test_what_cannot_be_told_is_tried_again_or_given_up_visibly(
    shop: Engine, github: GitHub, broken: Any, status: str, words: str | None
) -> None:
    tracked(shop.project.root, github, timeout=0.3, deliveries={"attempts": 2, "first_delay": 0, "longest_delay": 0})
    create(shop, "Title")
    github.broken = [broken] * 4
    drain(shop)
    (item,) = waiting(shop)
    assert item["status"] == status, item
    if words is None:
        assert (item["attempts"], item["error"]) == (0, None), "a limit is no failure"
    else:
        assert words in item["error"]
        assert told(shop, "delivery.given_up")
    github.broken = []
    sync(shop)
    assert [issue["title"] for issue in github.issues.values()] == ["Title"], "a sync makes up for it"


def test_a_deleted_issue_is_told_once_and_then_left_alone(shop: Engine, github: GitHub) -> None:
    create(shop, "Title")
    drain(shop)
    github.deleted.add(1)
    act(shop, "update_task", id="TSK-1", title="New")
    drain(shop)
    (item,) = waiting(shop)
    assert (item["status"], item["attempts"]) == ("dead", 1)
    act(shop, "update_task", id="TSK-1", title="Newer")
    assert len(waiting(shop)) == 1
    assert (task(shop)["title"], sync(shop)["counts"]) == ("Newer", {})


def test_a_sync_that_breaks_off_says_what_it_did_and_the_next_one_goes_on(shop: Engine, github: GitHub) -> None:
    github.page = 2
    for number in range(5):
        github.open(f"Issue {number}", body="text")
    github.say(3, "Why?")
    github.broken = [github._answering] * 3 + [as_json(LIMIT, 403, {"retry-after": "30"})]
    outcome = shop.run_action("sync_tracker", actor=Actor("human", "ada"))
    assert outcome.status == "failed"
    assert "It asks to wait 30 s." in (outcome.error or {})["hint"]
    assert outcome.result["counts"] == {"created": 3}
    assert sync(shop)["counts"] == {"created": 2, "commented": 1}
    assert len(tasks(shop)) == 5
    asked = len(github.asked)
    assert sync(shop)["counts"] == {}
    assert sync(shop)["counts"] == {}
    assert len(github.asked) - asked <= 4, "two requests each, and those of the last are answered by their ETag"


def test_the_token_goes_nowhere_else_than_the_settings_say(shop: Engine, github: GitHub) -> None:
    with GitHub() as other:
        github.broken = [as_json([], 200, {"link": f'<{other.url("/page2")}>; rel="next"'})]
        outcome = shop.run_action("sync_tracker", actor=Actor("human", "ada"))
        assert "at another place than `url`" in (outcome.error or {})["message"]
        assert not other.asked


def test_a_dry_run_changes_nothing_on_either_side(shop: Engine, github: GitHub) -> None:
    github.open("There")
    sync(shop)
    create(shop, "Here")
    act(shop, "update_task", id="TSK-1", title="Changed here")
    act(shop, "comment_task", id="TSK-1", text="Said here.")
    github.open("There too")
    github.edit(1, body="Changed there")
    before = [shop.storage.query(table).items for table in ("tasks", "links", "comments", "trackers", "outbox")]
    sent = github.count("POST", "PATCH")
    result = sync(shop, dry_run=True)
    assert did(result, "created", "taken", "told", "commented") == [
        "TSK-1 would take from acme/shop#1: description",
        "acme/shop#1 would get from TSK-1: title",
        "acme/shop#1 would get CMT-1",
        "acme/shop#2 would become a task: There too",
        "TSK-2 would become an issue: Here",
    ]
    assert before == [shop.storage.query(table).items for table in ("tasks", "links", "comments", "trackers", "outbox")]
    assert github.count("POST", "PATCH") == sent


def test_settings_that_nobody_accepted_contact_nobody(tmp_path: Path, github: GitHub) -> None:
    folder = tmp_path / "clone"
    (folder / ".git").mkdir(parents=True)
    tracked(folder, github, trusted=False)
    with Engine.open(folder) as engine:
        create(engine, "Title")
        drain(engine)
        outcome = engine.run_action("sync_tracker", actor=Actor("human", "ada"))
        assert [reason.code for reason in outcome.reasons] == ["not_trusted"]
        assert (waiting(engine), github.asked) == ([], [])


def test_the_token_is_in_no_log_error_or_document(
    shop: Engine, github: GitHub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = as_json({"message": f"Bad credentials: Bearer {TOKEN}"}, 401)
    create(shop, "Title")
    github.broken = [echo]
    drain(shop)
    github.broken = [echo]
    outcome = shop.run_action("sync_tracker", actor=Actor("human", "ada"))
    github.open(f"Found {TOKEN}"[:12])
    sync(shop)
    shop.storage.checkpoint()
    kept = b"".join(path.read_bytes() for path in (shop.project.root / ".llmgenie").rglob("*") if path.is_file())
    assert outcome.status == "failed"
    assert all(TOKEN not in text for text in (str(outcome), caplog.text, kept.decode()))


def test_a_rule_can_sync_when_a_webhook_tells_of_an_issue(shop: Engine, github: GitHub) -> None:
    settings = tracked(shop.project.root, github).read_text(encoding="utf-8")
    run = [{"action": "sync_tracker", "params": {"name": "github"}}]
    rules(shop.project.root, settings=json.loads(settings), pull={"on": "issue.*", "run": run})
    github.open("From there")
    shop.trigger_event("issue.opened", {"number": 1}, actor=Actor("system", "webhook:github"))
    drain(shop)
    assert [one["title"] for one in tasks(shop)] == ["From there"]
    assert not waiting(shop)

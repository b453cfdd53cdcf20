"""Tasks and issues by the real Engine and Dispatcher: made, changed, closed and talked about on either side."""

from __future__ import annotations

import json
import time

from outbox_scene import drain, told, waiting
from tracker_scene import GitHub, act, create, did, sync, task, tasks

from llmgenie_mcp import Engine
from llmgenie_mcp.importers import import_path
from llmgenie_mcp.outcome import Actor


def test_a_task_made_here_becomes_an_issue_and_is_closed_with_it(shop: Engine, github: GitHub) -> None:
    id_ = create(shop, "Write it down", description="In the shop.", labels=["docs"])
    drain(shop)
    (issue,) = github.issues.values()
    assert (issue["title"], [one["name"] for one in issue["labels"]]) == ("Write it down", ["docs"])
    assert issue["body"].startswith("In the shop.\n\n<!-- llmgenie: TSK-1 ")
    act(shop, "update_task", id=id_, title="Write it all down", assignee="ada")
    act(shop, "complete_task", id=id_, summary="Wrote it and read it again.")
    drain(shop)
    assert (issue["title"], issue["state"], issue["state_reason"]) == ("Write it all down", "closed", "completed")
    assert [one["login"] for one in issue["assignees"]] == ["ada"]
    act(shop, "move_task", id=id_, trigger="reopen")
    drain(shop)
    assert issue["state"] == "open"
    act(shop, "move_task", id=id_, trigger="cancel")
    drain(shop)
    assert (issue["state"], issue["state_reason"]) == ("closed", "not_planned")
    assert not waiting(shop)
    before = github.count("POST", "PATCH")
    assert sync(shop)["counts"] == {}
    assert github.count("POST", "PATCH") == before
    assert len(tasks(shop)) == 1


def test_an_issue_made_there_becomes_a_task_and_what_changes_there_changes_here(shop: Engine, github: GitHub) -> None:
    number = github.open("It fails", body="On Windows.\r\n\r\nAlways.", labels=["bug"], assignees=["grace", "ada"])
    github.open("Long ago", state="closed")
    github.open("A pull request", pull_request={"url": "…"})
    result = sync(shop)
    assert did(result, "created") == ["TSK-1 from acme/shop#1: It fails"]
    made = task(shop)
    assert (made["description"], made["labels"], made["assignee"]) == ("On Windows.\n\nAlways.", ["bug"], "grace")
    drain(shop)
    assert github.count("POST", "PATCH") == 0, "what came in is not told out again"
    github.edit(number, title="It fails on Windows", labels=["bug", "windows"], assignees=[])
    github.close(number)
    assert did(sync(shop), "taken") == ["TSK-1 from acme/shop#1: title, labels, assignee, state"]
    made = task(shop)
    assert (made["title"], made["labels"], made["assignee"]) == ("It fails on Windows", ["bug", "windows"], None)
    assert made["status"] == "done"
    github.edit(number, state="open", state_reason="reopened")
    sync(shop)
    assert task(shop)["status"] == "todo"
    github.close(number, "not_planned")
    sync(shop)
    assert task(shop)["status"] == "cancelled"
    drain(shop)
    assert github.count("POST", "PATCH") == 0
    assert len(tasks(shop)) == 1


def test_what_the_workflow_refuses_stays_and_says_what_to_do(shop: Engine, github: GitHub) -> None:
    number = github.open("Second")
    sync(shop)
    first = create(shop, "First")
    act(shop, "update_task", id="TSK-1", dependencies=[first])
    github.close(number)
    (why,) = did(sync(shop), "refused")
    assert "TSK-1 keeps its state" in why
    assert "Complete what it depends on first: TSK-2. Next: run_action complete_task." in why
    assert task(shop)["status"] == "todo"
    drain(shop)
    assert github.issues[number]["state"] == "closed", "the issue is not opened again for that"
    act(shop, "complete_task", id=first, summary="Wrote it and read it again.")
    assert did(sync(shop), "taken") == ["TSK-1 from acme/shop#1: state"]
    assert task(shop)["status"] == "done"


def test_comments_go_both_ways_once(shop: Engine, github: GitHub) -> None:
    number = github.open("It fails")
    github.say(number, "Since when?")
    sync(shop)
    act(shop, "comment_task", id="TSK-1", text="Since 1.2.")
    drain(shop)
    id_ = github.say(number, "Thanks.")
    for _ in range(2):
        sync(shop)
        drain(shop)
    texts = [one["body"].partition("<!--")[0].strip() for one in github.said.values()]
    assert texts == ["Since when?", "_ada, by llmgenie:_\n\nSince 1.2.", "Thanks."]
    here = shop.storage.query("comments").items
    assert [(one["author"], one["text"]) for one in here] == [
        ("grace", "Since when?"),
        ("ada", "Since 1.2."),
        ("grace", "Thanks."),
    ]
    github.said[id_].update(body="Thank you.", updated_at=github.tick())
    sync(shop)
    assert shop.storage.query("comments").items[2]["text"] == "Thank you."


def test_the_log_tells_what_was_taken_and_told(shop: Engine, github: GitHub) -> None:
    number = github.open("It fails")
    sync(shop)
    github.edit(number, title="It fails again")
    sync(shop)
    (line,) = told(shop, "tracker.agreed")
    assert (line["task"], line["issue"], line["taken"], line["tracker"]) == ("TSK-1", number, ["title"], "github")


def test_tasks_that_were_imported_from_the_tracker_are_linked_and_not_made_twice(shop: Engine, github: GitHub) -> None:
    for title in ("One", "Two", "Three"):
        number = github.open(title, body="Text")
    github.close(number)
    exported = [
        {
            "number": n,
            "title": issue["title"],
            "body": "Text",
            "state": issue["state"].upper(),
            "url": issue["html_url"],
        }
        for n, issue in github.issues.items()
    ]
    exported[0]["assignees"] = [{"login": "grace"}]
    file = shop.project.root / "issues.json"
    file.write_text(json.dumps(exported), encoding="utf-8")
    github.edit(2, title="Two and a half")
    assert import_path(shop, file, actor=Actor("human", "ada"))[0].ok
    drain(shop)
    sync(shop)
    drain(shop)
    assert [(one["title"], one["status"]) for one in tasks(shop)] == [
        ("One", "todo"),
        ("Two and a half", "todo"),
        ("Three", "done"),
    ]
    assert [[one["login"] for one in issue["assignees"]] for issue in github.issues.values()] == [["grace"], [], []]
    assert (github.count("POST", "PATCH"), len(github.issues)) == (1, 3)
    act(shop, "update_task", id="TSK-3", title="Third")
    drain(shop)
    assert github.issues[3]["title"] == "Third"


def test_a_body_made_to_be_slow_is_read_at_once(shop: Engine, github: GitHub) -> None:
    github.open("Spaces", body=" " * 60_000 + "<!-- llmgenie: " * 300)
    began = time.process_time()
    sync(shop)
    assert time.process_time() - began < 5
    assert tasks(shop)[0]["title"] == "Spaces"


def test_a_copy_of_an_issue_with_its_marker_is_told_and_makes_no_second_task(shop: Engine, github: GitHub) -> None:
    create(shop, "Title", description="Text")
    drain(shop)
    copy = github.open("Copy", body=github.issues[1]["body"])
    (why,) = did(sync(shop), "problem")
    assert "acme/shop#2 has the marker of TSK-1, which is acme/shop#1" in why
    github.edit(copy, body="Text")
    assert did(sync(shop), "created") == ["TSK-2 from acme/shop#2: Copy"]

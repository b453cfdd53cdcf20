"""A project that moves: its JSON export brings comments and links along, and the next sync goes on where the old one was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from outbox_scene import drain
from tracker_scene import GitHub, act, create, did, sync, task, tracked

from llmgenie_mcp import Engine, exporters
from llmgenie_mcp.importers import import_path
from llmgenie_mcp.outcome import Actor


@pytest.fixture
def export(shop: Engine, github: GitHub, tmp_path: Path) -> Path:
    """The export of a project with three linked tasks and what was said about them on both sides."""
    for title in ("Write it down", "Test it", "Ship it"):
        create(shop, title)
    act(shop, "comment_task", id="TSK-1", text="In English.")
    act(shop, "comment_task", id="TSK-2", text="On Windows too.")
    drain(shop)
    github.say(1, "And in French.")
    sync(shop)
    path = tmp_path / "llmgenie.json"
    path.write_text(exporters.export(shop, "json").text, encoding="utf-8")
    return path


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Engine]:
    """An engine of an empty project without trackers."""
    folder = tmp_path / "fresh"
    (folder / ".git").mkdir(parents=True)
    with Engine.open(folder) as engine:
        yield engine


def whole(engine: Engine, table: str) -> list[dict[str, Any]]:
    """The documents of a table without what only a store knows."""
    engine.storage.refresh()
    found = engine.storage.query(table).items
    return [{k: v for k, v in document.items() if k not in ("version", "imported")} for document in found]


def test_a_json_export_gives_a_fresh_project_the_same_tasks_comments_and_links(
    shop: Engine, fresh: Engine, export: Path, github: GitHub
) -> None:
    outcome, report = import_path(fresh, export, actor=Actor("human", "ada"))
    assert outcome.ok
    assert report.problems == []
    for table, count in (("tasks", 3), ("comments", 3), ("links", 3)):
        assert whole(fresh, table) == whole(shop, table)
        assert len(whole(fresh, table)) == count
    again = import_path(fresh, export, actor=Actor("human", "ada"))[1]
    assert (again.created, again.updated, again.unchanged) == ([], [], 9)

    tracked(fresh.project.root, github)
    before = github.count("POST", "PATCH")
    sync(fresh)
    drain(fresh)
    assert github.count("POST", "PATCH") == before, "all is known already"
    github.edit(2, title="Test it well")
    assert did(sync(fresh), "taken") == ["TSK-2 from acme/shop#2: title"]
    act(fresh, "comment_task", id="TSK-3", text="Soon.")
    drain(fresh)
    assert [said["issue_url"][-1] for said in github.said.values() if "Soon." in said["body"]] == ["3"]


def test_where_ids_are_taken_comments_and_links_follow_their_task(fresh: Engine, export: Path) -> None:
    create(fresh, "Something else")
    act(fresh, "comment_task", id="TSK-1", text="Mine.")
    report = import_path(fresh, export, actor=Actor("human", "ada"))[1]
    assert report.ids["TSK-1"] == "TSK-4"
    moved = {said["text"]: said for said in whole(fresh, "comments")}
    assert moved["In English."]["task"] == moved["And in French."]["task"] == "TSK-4"
    (link,) = [one for one in whole(fresh, "links") if one["task"] == "TSK-4"]
    assert (link["id"], link["issue"]) == ("github/TSK-4", 1)
    ids = {moved[text]["id"] for text in ("In English.", "And in French.")}
    assert set(link["comments"].values()) == ids
    assert moved["Mine."]["id"] not in ids


def test_an_agent_brings_in_no_links_and_a_person_may_later(fresh: Engine, export: Path) -> None:
    report = import_path(fresh, export, actor=Actor())[1]
    assert "3 links with issues not taken over." in [one.message for one in report.changes]
    assert (len(whole(fresh, "tasks")), whole(fresh, "links")) == (3, [])
    import_path(fresh, export, actor=Actor("human", "ada"))
    assert len(whole(fresh, "links")) == 3


def test_a_link_that_is_none_or_of_an_issue_that_is_linked_stays_out(shop: Engine, export: Path) -> None:
    document = json.loads(export.read_text(encoding="utf-8"))
    first, second, third = document["links"]
    broken: list[Any] = [{**third, "tracker": "other", "agreed": {}}, {**second, "tracker": "other", "issue": True}]
    document["links"] = [first, {**second, "id": "github/TSK-9", "task": "TSK-9"}, *broken]
    extra = {**document["tasks"][0], "id": "TSK-8", "title": "A twin", "created_at": "2026-01-01T00:00:00.000Z"}
    document["tasks"].append(extra)
    document["links"].append({**first, "id": "github/TSK-8", "task": "TSK-8"})
    export.write_text(json.dumps(document), encoding="utf-8")
    before = whole(shop, "links")
    report = import_path(shop, export, actor=Actor("human", "ada"))[1]
    assert whole(shop, "links") == before
    assert task(shop, "TSK-8")["title"] == "A twin"
    told = [one.message for one in report.problems]
    assert "Issue 1 of github is linked with TSK-1 here." in told
    assert sum("is no link of a task that is there with an issue" in message for message in told) == 3

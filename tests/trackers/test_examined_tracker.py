"""What strangers write into issues, and agents into files, takes over no task and no issue."""

from __future__ import annotations

import json

import pytest
from hostile import reset
from outbox_scene import drain
from tracker_scene import GitHub, act, create, did, sync, task, tasks, tracked

from llmgenie_mcp import Engine


@pytest.mark.parametrize("way", ["sync", "deliver"])
def test_a_copied_marker_takes_no_task_whose_issue_was_made_by_an_attempt_that_broke_off(
    shop: Engine, github: GitHub, way: str
) -> None:
    sync(shop)
    create(shop, "Ours")
    github.after = [reset()]
    assert shop.run_action("sync_tracker", {}).status == "failed"
    github.open("Forged", body=f"{github.issues[1]['body']}\nForged text")
    if way == "deliver":
        drain(shop)
    assert "acme/shop#2 has the marker of TSK-1, which is acme/shop#1" in did(sync(shop), "problem")[0]
    assert [(one["title"], one["description"]) for one in tasks(shop)] == [("Ours", "")]
    assert github.issues[1]["title"] == "Ours"
    assert len(github.issues) == 2


def test_a_made_up_import_links_no_issue_that_is_not_the_projects(shop: Engine, github: GitHub) -> None:
    tracked(shop.project.root, github, labels=["agreed"], conflicts="ours")
    github.open("Not of this project", body="Text")
    made = [{"number": 1, "title": "Taken over", "state": "OPEN", "url": "https://github.com/acme/shop/issues/1"}]
    (shop.project.root / "issues.json").write_text(json.dumps(made), encoding="utf-8")
    act(shop, "import_tasks", path="issues.json")
    drain(shop)
    sync(shop)
    assert (github.issues[1]["title"], task(shop)["title"]) == ("Not of this project", "Taken over")
    github.edit(1, labels=["agreed"])
    sync(shop)
    assert github.issues[1]["title"] == "Taken over"
    github.open("Linked already", labels=["agreed"])
    sync(shop)
    made[0] |= {"number": 2, "url": "https://github.com/acme/shop/issues/2"}
    (shop.project.root / "issues.json").write_text(json.dumps(made), encoding="utf-8")
    assert act(shop, "import_tasks", path="issues.json")["ids"] == {"acme/shop #2": "TSK-3"}
    drain(shop)
    sync(shop)
    assert (github.issues[2]["title"], task(shop, "TSK-2")["title"]) == ("Linked already", "Linked already")

"""Documents over HTTP: entity tags, preconditions of a write, pages."""

from __future__ import annotations

import uuid
from typing import Any

import httpx2
import pytest
from rest_place import act


def test_a_document_is_sent_again_only_when_it_changed(rest: httpx2.Client) -> None:
    act(rest, "create_task", title="Log in")
    tag = rest.get("/context/tasks/TSK-1").headers["etag"]
    assert tag == '"1"'
    same = rest.get("/context/tasks/TSK-1", headers={"If-None-Match": f'"7", W/{tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert rest.post("/context/tasks/TSK-1", json={"value": {"title": "Log out"}}).status_code == 200
    assert rest.get("/context/tasks/TSK-1", headers={"If-None-Match": tag}).headers["etag"] == '"2"'


def test_a_roadmap_items_tag_changes_with_its_tasks(rest: httpx2.Client) -> None:
    item = act(rest, "roadmap_add", title="Beta")["result"]["id"]
    before = rest.get(f"/context/roadmap/{item}").headers["etag"]
    act(rest, "create_task", title="Log in", roadmap_item=item)
    after = rest.get(f"/context/roadmap/{item}", headers={"If-None-Match": before})
    assert after.status_code == 200
    assert after.headers["etag"] != before
    written = rest.post(
        f"/context/roadmap/{item}", json={"value": {"title": "B"}}, headers={"If-Match": after.headers["etag"]}
    )
    assert written.status_code == 200


def test_a_list_is_sent_again_after_any_commit_and_pages_by_its_link(rest: httpx2.Client) -> None:
    for number in range(3):
        act(rest, "create_task", title=f"Task {number}")
    page = rest.get("/context/tasks", params={"limit": 2})
    assert [item["id"] for item in page.json()["items"]] == ["TSK-1", "TSK-2"]
    assert page.links["next"]["url"].startswith("/context/tasks?")
    rest_of_it = rest.get(page.links["next"]["url"])
    assert [item["id"] for item in rest_of_it.json()["items"]] == ["TSK-3"]
    assert "link" not in rest_of_it.headers
    tag = page.headers["etag"]
    assert tag.startswith("W/")
    assert rest.get("/context/tasks", params={"limit": 2}, headers={"If-None-Match": tag}).status_code == 304
    act(rest, "record_note", key="n", value=1)
    assert rest.get("/context/tasks", params={"limit": 2}, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"If-Match": '"1"'}, {}, 200),
        ({"If-Match": '"2"'}, {}, 412),
        ({"If-Match": 'W/"1"'}, {}, 412),
        ({"If-Match": '"5", "1"'}, {}, 200),
        ({"If-Match": '"abc"'}, {}, 412),
        ({"If-Match": "*"}, {}, 200),
        ({"If-Match": "1"}, {}, 422),
        ({"If-Match": '"1"'}, {"expected_version": 2}, 422),
        ({"If-None-Match": "*"}, {}, 412),
        ({}, {"expected_version": 1}, 200),
        ({}, {"expected_version": 2}, 409),
    ],
)
def test_a_write_heeds_its_precondition(
    shared: httpx2.Client, headers: dict[str, str], body: dict[str, Any], status: int
) -> None:
    note = f"/context/notes/{uuid.uuid4()}"
    assert shared.post(note, json={"value": "old"}).status_code == 200
    answer = shared.post(note, json={"value": "new", **body}, headers=headers)
    assert answer.status_code == status, answer.text
    assert shared.get(note).json()["value"]["value"] == ("new" if status == 200 else "old")
    assert (answer.headers["content-type"] == "application/json") == (status == 200)


def test_a_write_of_what_is_not_there_heeds_its_precondition(rest: httpx2.Client) -> None:
    assert rest.post("/context/notes/n", json={"value": 1}, headers={"If-Match": "*"}).status_code == 412
    assert rest.post("/context/notes/n", json={"value": 1}, headers={"If-None-Match": "*"}).status_code == 200

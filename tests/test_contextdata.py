"""Context data: documents by key, lists in pages that stay small, and what may be written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import lines, started

from llmgenie_mcp import Engine, contextdata
from llmgenie_mcp.errors import BadParams, Conflict, NotWritable, UnknownName

BUDGET = 10_000


def size(answer: object) -> int:
    return len(json.dumps(answer, ensure_ascii=False).encode())


def pages(engine: Engine, key: str, **options: Any) -> list[dict[str, Any]]:
    """Every page of a list."""
    found, cursor = [], None
    while not found or cursor:
        found.append(engine.context_data(key, cursor=cursor, **options))
        cursor = found[-1]["cursor"]
        assert len(found) < 1000
    return found


def items(engine: Engine, key: str, **options: Any) -> list[dict[str, Any]]:
    return [item for page in pages(engine, key, **options) for item in page["items"]]


@pytest.fixture
def full(repo: Path, open_engine: Callable[..., Engine]) -> Engine:
    """An engine with 60 tasks and notes, some of them as long as they may be."""
    engine = open_engine(repo, store="memory:")
    for number in range(60):
        title = ("🦀" * 190 if number % 2 == 0 else "task") + f" {number}"
        params = {"title": title, "description": "d" * 5000, "labels": ["odd" if number % 2 else "even"]}
        engine.run_action("create_task", params)
        engine.update_context(f"notes/n{number}", {"text": "x" * (number * 60)})
    return engine


@pytest.mark.parametrize("limit", [1, 7, 50, 500])
@pytest.mark.parametrize("key", ["tasks", "notes", "meta-log"])
def test_pages_cover_everything_once_and_in_order(full: Engine, key: str, limit: int) -> None:
    if (key, limit) == ("meta-log", 1):
        limit = 2
    found = pages(full, key, limit=limit)
    ids = [item.get("id", item.get("seq")) for page in found for item in page["items"]]
    wanted = {"tasks": [f"TSK-{n}" for n in range(1, 61)], "notes": [f"n{n}" for n in range(60)]}
    assert ids == wanted.get(key, list(range(120, 0, -1)))
    assert {page["total"] for page in found} == {len(ids)}
    assert all(len(page["items"]) <= limit for page in found)


@pytest.mark.parametrize("key", ["tasks", "notes", "meta-log", "runs", "lessons"])
def test_no_page_is_larger_than_an_answer_may_be(full: Engine, key: str) -> None:
    full.run_action("log_entry", {"text": "é" * 19_000})
    full.run_action("record_note", {"key": "wide", "value": {f"key{n}": ["x"] * 20 for n in range(500)}})
    assert all(size(page) < BUDGET for page in pages(full, key))


def test_the_workflow_state_stays_small_however_much_there_is(engine: Engine) -> None:
    for number in range(40):
        session = started(engine, epic="e" * 200)
        params = {"action": "log_entry", "params": {"text": "y" * 5000 + str(number)}}
        engine.run_action("request_approval", params, session=session)
    engine.run_action("finish_session", {"summary": "s" * 19_000}, session=session)
    assert size(engine.workflow_state(session)) < BUDGET
    assert size(engine.available_actions(session=session, include_blocked=True)) < 2 * BUDGET


def test_words_and_fields_narrow_a_list_in_pages(full: Engine) -> None:
    odd = items(full, "tasks", query="labels:odd", limit=7)
    assert [item["id"] for item in odd] == [f"TSK-{n}" for n in range(2, 61, 2)]
    assert [item["id"] for item in items(full, "tasks", query="TASK tsk-60")] == ["TSK-60"]
    assert items(full, "tasks", query="status:done") == []
    found = items(full, "meta-log", query="action:create_task", limit=7)
    assert [line["seq"] for line in found] == list(range(119, 0, -2))


def test_a_document_and_a_line_are_given_whole(full: Engine) -> None:
    task = full.context_data("tasks/TSK-3")
    assert (task["key"], len(task["value"]["description"])) == ("tasks/TSK-3", 5000)
    line = full.context_data("meta-log/3")["value"]
    assert line["changes"][-1][2]["description"] == "d" * 5000


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("task", "Keys are tasks"),
        ("", "Keys are tasks"),
        ("tasks/TSK-2", "Did you mean TSK-1?"),
        ("notes/nothing", ""),
        ("meta-log/99", "lines 1 to 1"),
        ("meta-log/0", "lines 1 to 1"),
        ("idempotency", "Keys are tasks"),
        ("_ids", "Keys are tasks"),
        ("../tasks", "Keys are tasks"),
        ("x" * 1_000_000, "Keys are tasks"),
        ("\ud800", "Keys are tasks"),
    ],
)
def test_an_unknown_key_teaches(engine: Engine, key: str, hint: str) -> None:
    engine.run_action("create_task", {"title": "x"})
    with pytest.raises(UnknownName) as error:
        engine.context_data(key)
    assert hint in error.value.hint
    assert size(error.value.to_dict()) < 2000


@pytest.mark.parametrize("cursor", ["x", "-1", "²", "1e9", " 1", "9" * 30, "1.5", "\0", 5, b"1", []])
@pytest.mark.parametrize(("key", "query"), [("tasks", None), ("tasks", "x"), ("meta-log", None)])
def test_what_is_no_cursor_teaches(engine: Engine, key: str, query: str | None, cursor: object) -> None:
    with pytest.raises(BadParams) as error:
        engine.context_data(key, query, cursor=cursor)  # type: ignore[arg-type]
    assert error.value.hint


@pytest.mark.parametrize("limit", [0, -1, 501, 10**30, "5", None, 1.5])
def test_what_is_no_limit_teaches(engine: Engine, limit: object) -> None:
    with pytest.raises(BadParams) as error:
        engine.context_data("tasks", limit=limit)  # type: ignore[arg-type]
    assert "1 to 500" in error.value.hint


def test_a_cursor_past_the_end_gives_an_empty_page(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "x"})
    for query in (None, "x"):
        assert engine.context_data("tasks", query, cursor="999")["items"] == []
    assert engine.context_data("meta-log", cursor="1")["items"] == []


def test_notes_hold_any_json_and_null_removes_them(engine: Engine) -> None:
    for value in (0, False, "", [], {"a": [None, 1.5, "é🦀"]}, "x" * 100_000):
        assert engine.update_context("notes/design/storage", value).ok
        assert engine.context_data("notes/design/storage")["value"]["value"] == value
    assert engine.update_context("notes/design/storage", None).result["removed"] is True
    assert engine.update_context("notes/design/storage", None).result["removed"] is False
    with pytest.raises(UnknownName):
        engine.context_data("notes/design/storage")


@pytest.mark.parametrize("name", ["a b", "../x", "a//b", ".hidden", "é", "a\n", "x" * 101, "a/../b", "\0"])
def test_what_is_no_name_of_a_note_is_told(engine: Engine, name: str) -> None:
    with pytest.raises(BadParams):
        engine.update_context(f"notes/{name}", 1)
    assert lines(engine) == []


def test_who_read_an_older_version_is_told_of_the_newer(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "x"})
    engine.run_action("roadmap_add", {"title": "x"})
    engine.update_context("notes/a", 1, expected_version=0)
    for key, value in [("tasks/TSK-1", {"title": "y"}), ("roadmap/RMI-1", {"title": "y"}), ("notes/a", 2)]:
        assert engine.update_context(key, value, expected_version=1).ok
        before = engine.storage.last_seq()
        with pytest.raises(Conflict) as error:
            engine.update_context(key, value, expected_version=1)
        assert error.value.details["version"] == 2
        assert engine.storage.last_seq() == before
    with pytest.raises(Conflict):
        engine.update_context("notes/a", None, expected_version=1)
    assert engine.context_data("notes/a")["value"]["value"] == 2
    assert engine.update_context("notes/a", None, expected_version=2).result["removed"] is True


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("tasks", "create_task"),
        ("roadmap", "roadmap_add"),
        ("approvals/APR-1", "Only a person"),
        ("meta-log/1", "append-only"),
        ("sessions/SES-1", "switch_mode"),
        ("instances/REV-1", "triggers"),
        ("lessons/LSN-1", "record_lesson"),
        ("runs/RUN-1", "Writable"),
        ("idempotency/x", "Writable"),
        ("notes", "Writable"),
        ("nothing", "Writable"),
        ("x" * 1_000_000, "Writable"),
    ],
)
def test_what_the_engine_keeps_itself_is_not_written_and_says_what_to_do(engine: Engine, key: str, words: str) -> None:
    with pytest.raises(NotWritable) as error:
        engine.update_context(key, {"a": 1})
    assert words in error.value.hint
    assert size(error.value.to_dict()) < 1000
    assert lines(engine) == []


@pytest.mark.parametrize("value", [5, "text", [], None, True])
def test_a_task_is_changed_by_an_object_with_its_fields(engine: Engine, value: object) -> None:
    engine.run_action("create_task", {"title": "x"})
    with pytest.raises(BadParams):
        engine.update_context("tasks/TSK-1", value)
    with pytest.raises(BadParams) as error:
        engine.update_context("tasks/TSK-1", {"status": "done", "version": 7})
    assert "is no parameter" in error.value.message
    assert engine.update_context("tasks/TSK-1", {"id": "TSK-9", "title": "y"}).result["id"] == "TSK-1"


def test_keys_are_completed(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "x"})
    assert engine.complete_key("") == [*contextdata.TABLES, "meta-log"]
    assert engine.complete_key("ta") == ["tasks"]
    assert engine.complete_key("tasks/T") == ["tasks/TSK-1"]
    assert engine.complete_key("nothing/") == []
    for key in (None, 5):
        with pytest.raises(BadParams):
            engine.complete_key(key)  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.text(max_size=12))
def test_whatever_a_query_says_matching_ends_and_agrees_with_itself(query: str, title: str) -> None:
    document = {"id": "TSK-1", "title": title, "labels": ["a", "b"], "n": 5, "none": None}
    assert contextdata.matcher(None)(document)
    assert contextdata.matcher(title.replace(":", " ").replace('"', " ").replace("\\", " "))(document) in (True, False)
    assert contextdata.matcher("labels:a n:5")(document)
    assert contextdata.matcher(f"{query} labels:zzz")(document) is False

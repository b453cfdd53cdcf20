from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from import_scene import FILES, bring, said, tasks, write

from llmgenie_mcp import Engine

Open = Callable[..., Engine]


def test_tags_subtasks_and_both_kinds_of_ids_come_in(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    report = bring(engine, FILES / "taskmaster")
    found = tasks(engine)
    assert (report.format, report.counts()["created"], report.problems) == ("taskmaster", 6, [])
    assert report.ids == {"1": "TSK-1", "1.1": "TSK-3", "1.2": "TSK-4", "2": "TSK-2", "feature-x:1": "TSK-5"}
    assert found["TSK-2"]["dependencies"] == ["TSK-1", "TSK-4"]
    assert found["TSK-4"] | {"parent": "TSK-1", "dependencies": ["TSK-3"], "status": "todo"} == found["TSK-4"]
    assert found["TSK-1"]["description"] == (
        "Таблицы для задач и пользователей.\n\n## Details\n\nPostgreSQL 16, миграции отдельно.\n\n"
        "## Test strategy\n\nМиграция туда и обратно."  # noqa: RUF001
    )
    assert found["TSK-1"]["foreign"]["taskmaster"]["complexity"] == 4
    assert (
        found["TSK-4"]["foreign"]["taskmaster"] | {"status": "deferred", "acceptanceCriteria": "FK"}
        == (found["TSK-4"]["foreign"]["taskmaster"])
    )
    assert found["TSK-5"]["labels"] == ["feature-x"]
    note = engine.context_data("notes/taskmaster/metadata")["value"]["value"]
    assert note["master"]["metadata"]["description"] == "Main"


def test_old_file_without_tags_names_what_is_wrong_by_line_and_column(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    report = bring(engine, FILES / "taskmaster_legacy.json")
    assert said(report.problems) == [
        "7:5: This is no task: an object is expected.",
        "5:5: 2 is there twice; the first is at taskmaster_legacy.json:4:5.",
        "3:93: 1 depends on 7, which is not there.",
        "6:90: 3 depends on itself.",
        "4:90: 2 would wait for itself: TSK-2 → TSK-1 → TSK-2.",
    ]
    found = tasks(engine)
    assert {id_: task["dependencies"] for id_, task in found.items()} == {
        "TSK-1": ["TSK-2"],
        "TSK-2": [],
        "TSK-3": [],
        "TSK-4": [],
    }
    assert found["TSK-1"]["foreign"]["taskmaster"]["unknown_dependencies"] == ["7"]
    assert found["TSK-2"]["foreign"]["taskmaster"]["circular_dependencies"] == ["TSK-1"]


def test_dependency_that_comes_later_is_taken_up_then(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    first = {"id": 1, "title": "A", "status": "pending", "dependencies": [2]}
    path = write(tmp_path / "tasks.json", {"tasks": [first]})
    assert len(bring(engine, path).problems) == 1
    write(path, {"tasks": [first, {"id": 2, "title": "B", "status": "pending", "dependencies": []}]})
    report = bring(engine, path)
    assert [(one["id"], one["fields"]) for one in report.updated] == [("TSK-1", ["dependencies", "foreign.taskmaster"])]
    assert tasks(engine)["TSK-1"]["dependencies"] == ["TSK-2"]


def test_key_that_an_object_has_twice_is_told(tmp_path: Path, open_engine: Open) -> None:
    text = '{"tasks": [\n {"id": 1, "title": "A", "status": "pending", "title": "B"}\n]}'
    report = bring(open_engine(tmp_path), write(tmp_path / "tasks.json", text))
    assert said(report.problems) == ["2:47: The key 'title' is there twice in one object: only the last one was read."]

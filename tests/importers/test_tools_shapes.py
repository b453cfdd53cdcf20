"""Files in the shapes that Task Master 0.43, Backlog.md 1.52 and Shrimp 1.0 write themselves; see docs/import-export.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from import_scene import bring, said, tasks, unpack, write

from llmgenie_mcp import Engine, exporters

Open = Callable[..., Engine]

CONFIG = 'project_name: "P"\nstatuses: ["To Do", "In Progress", "Done"]\nauto_commit: false\ntask_prefix: "task"\n'
COMMENTS = "author: ada\ncreated: 2026-11-24 11:50\n---\nFirst\n## no heading\n---\n\nauthor: bob\n---\nSecond\n---"


def backlog_task(id_: str, title: str, status: str = "To Do", *more: str, body: str = "\n\n") -> str:
    fields = [f"id: {id_}", f"title: {title}", f"status: {status}", "assignee: []", "created_date: '2026-11-24 11:50'"]
    return "\n".join(["---", *fields, "labels: []", "dependencies: []", *more, "---", body])


@pytest.fixture
def backlog(tmp_path: Path) -> Path:
    folder = tmp_path / "backlog"
    comments = f"\n## Comments\n\n<!-- COMMENTS:BEGIN -->\n{COMMENTS}\n<!-- COMMENTS:END -->\n"
    files = {
        "config.yml": CONFIG,
        "tasks/task-1 - «Eins»-🎉.md": backlog_task(
            "TASK-1", "«Eins» 🎉", "In Progress", "milestone: m-0", body=comments
        ),
        "tasks/task-2 - Two.md": backlog_task("TASK-2", "Two", "To Do", "milestone: m-1"),
        "drafts/draft-1 - A-draft.md": backlog_task("DRAFT-1", "A draft", "Draft"),
        "archive/tasks/task-2 - Given-up.md": backlog_task("TASK-2", "Given up"),
        "archive/tasks/task-3 - Was-done.md": backlog_task("TASK-3", "Was done", "Done"),
        "milestones/m-0 - étape-1.md": '---\nid: m-0\ntitle: "Étape 1"\n---\n\n## Description\n\nPremière\n',
        "archive/milestones/m-1 - later.md": '---\nid: m-1\ntitle: "Later"\n---\n\n## Description\n\nMilestone: Later\n',
        "decisions/decision-1 - Use-X.md": "---\nid: decision-1\ntitle: Use X\nstatus: accepted\n---\n## Context\n",
    }
    for name, text in files.items():
        write(folder / name, text)
    return folder


def test_archived_task_is_not_open_and_leaves_its_id_to_the_one_that_has_it_now(
    backlog: Path, tmp_path: Path, open_engine: Open
) -> None:
    engine = open_engine(tmp_path)
    report = bring(engine, backlog)
    found = {task["title"]: task for task in tasks(engine).values()}
    assert {title: (task["id"], task["status"]) for title, task in found.items()} == {
        "«Eins» 🎉": ("TASK-1", "in_progress"),
        "Two": ("TASK-2", "todo"),
        "A draft": ("DRAFT-1", "todo"),
        "Given up": ("TSK-1", "cancelled"),
        "Was done": ("TASK-3", "done"),
    }
    assert report.problems == []
    assert found["«Eins» 🎉"]["foreign"]["backlog"]["sections"] == {"Comments": COMMENTS}
    assert [goal["title"] for goal in engine.storage.query("roadmap").items] == ["Étape 1", "Later"]

    (backlog / "tasks/task-1 - «Eins»-🎉.md").rename(backlog / "archive/tasks/task-1 - «Eins»-🎉.md")
    write(backlog / "tasks/task-1 - Next.md", backlog_task("TASK-1", "Next").replace("11:50", "12:30"))
    again = bring(engine, backlog)
    assert ([one["title"] for one in again.created], again.problems) == (["Next"], [])
    assert tasks(engine)["TASK-1"] | {"title": "«Eins» 🎉", "status": "cancelled"} == tasks(engine)["TASK-1"]


def test_backlog_gets_back_the_files_that_it_wrote(backlog: Path, tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    bring(engine, backlog)
    made = exporters.export(engine, "backlog")
    before = {path.relative_to(backlog).as_posix() for path in backlog.rglob("*.*")} - {"config.yml"}
    assert made.files.keys() - {"config.yml"} == before
    assert made.files["config.yml"].decode() == CONFIG
    assert b"\nid: DRAFT-1\n" in made.files["drafts/draft-1 - A-draft.md"]
    assert b"\nid: TASK-2\n" in made.files["archive/tasks/task-2 - Given-up.md"]
    assert b"\nmilestone: m-0\n" in made.files["tasks/task-1 - «Eins»-🎉.md"]
    for name in ("decisions/decision-1 - Use-X.md", "milestones/m-0 - étape-1.md"):
        assert made.files[name].decode().replace('"', "") == (backlog / name).read_text(encoding="utf-8").replace(
            '"', ""
        )
    exporters.export_to(engine, "backlog", tmp_path / "out" / "backlog")
    for place in ("out", "out/backlog"):
        assert (
            bring(engine, tmp_path / place).counts() | {"created": 0, "updated": 0, "unchanged": 9}
            == bring(engine, tmp_path / place).counts()
        )


def test_status_that_the_settings_lack_is_added_to_them(backlog: Path, tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    write(backlog / "config.yml", CONFIG.replace('["To Do", "In Progress", "Done"]', "\n  - To Do\n  - Done"))
    bring(engine, backlog)
    text = exporters.export(engine, "backlog").files["config.yml"].decode()
    assert text == CONFIG.replace('"In Progress", "Done"', '"Done", "In Progress"')


def taskmaster(**sub: Any) -> dict[str, Any]:
    part = {"description": "", "details": "", "status": "pending", "dependencies": [], "parentTaskId": 1}
    rest = {"description": "", "details": "", "testStrategy": "", "status": "pending", "priority": "medium"}
    one = [{"id": 1, "title": "a", **part}, {"id": 2, "title": "b", **part, "parentId": "undefined", **sub}]
    about = {"created": "2026-11-24T11:54:27.225Z", "description": "Tasks for master context", "taskCount": 2}
    return {
        "master": {
            "tasks": [
                {"id": 1, "title": "One", **rest, "dependencies": [], "subtasks": one},
                {"id": 2, "title": "Two", **rest, "dependencies": ["1"], "subtasks": []},
            ],
            "metadata": about,
        },
        "empty": {"tasks": [], "metadata": {"created": "2026-11-24T11:54:27.225Z", "description": "Ünï"}},
    }


def test_number_is_a_subtask_beside_and_text_is_a_task_as_task_master_reads_them(
    tmp_path: Path, open_engine: Open
) -> None:
    path = write(tmp_path / ".taskmaster/tasks/tasks.json", taskmaster(dependencies=["1.1", "2"]))
    engine = open_engine(tmp_path)
    assert said(bring(engine, path).problems) == []
    ids = {task["title"]: task["id"] for task in tasks(engine).values()}
    assert tasks(engine)[ids["b"]]["dependencies"] == [ids["a"], ids["Two"]]
    write(path, taskmaster(dependencies=[1]))
    bring(engine, path)
    assert tasks(engine)[ids["b"]]["dependencies"] == [ids["a"]]
    engine.run_action("update_task", {"id": ids["b"], "dependencies": [ids["Two"], ids["a"]]})
    back = json.loads(exporters.export(engine, "taskmaster").text)
    assert back["master"]["tasks"][0]["subtasks"][1]["dependencies"] == ["2", 1]


@pytest.mark.parametrize("place", ["out/.taskmaster/tasks/tasks.json", "out"])
def test_export_is_known_again_from_the_folder_and_from_the_file_with_what_is_said_of_its_tags(
    place: str, tmp_path: Path, open_engine: Open
) -> None:
    path = write(tmp_path / ".taskmaster/tasks/tasks.json", taskmaster())
    engine = open_engine(tmp_path)
    bring(engine, path)
    (tmp_path / "out").mkdir()
    exporters.export_to(engine, "taskmaster", tmp_path / place)
    written = tmp_path / "out/.taskmaster/tasks/tasks.json"
    back = json.loads(written.read_text(encoding="utf-8"))
    assert {tag: part["metadata"] for tag, part in back.items()} == {
        tag: part["metadata"] for tag, part in taskmaster().items()
    }
    back["master"]["tasks"][1]["status"] = "done"
    write(written, back)
    for named in (tmp_path / "out", written):
        report = bring(engine, named)
        assert (report.created, report.problems) == ([], [])
    assert tasks(engine)["TSK-2"]["status"] == "done"


def test_project_that_never_was_in_backlog_gets_milestones_of_its_roadmap(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    goal = engine.run_action("roadmap_add", {"title": "First: «release»"}).result["id"]
    engine.run_action("create_task", {"title": "One", "roadmap_item": goal})
    exporters.export_to(engine, "backlog", tmp_path / "backlog")
    report = bring(engine, tmp_path / "backlog")
    assert [one["table"] for one in report.created] in ([], ["notes"])
    (tmp_path / "q" / ".llmgenie").mkdir(parents=True)
    other = open_engine(tmp_path / "q")
    bring(other, unpack(exporters.export(engine, "backlog"), tmp_path / "out"))
    (item,) = other.storage.query("roadmap").items
    assert (item["title"], tasks(other)["TSK-1"]["roadmap_item"]) == ("First: «release»", item["id"])

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from import_scene import FILES, bring, tasks, write

from llmgenie_mcp import Engine

Open = Callable[..., Engine]


def test_folder_comes_in_with_sections_milestones_and_old_ids(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    report = bring(engine, FILES / "backlog")
    found = tasks(engine)
    log = found["TASK-11"]
    assert log["description"] == (
        "Read it fast.\n\n## Not a section of its own\n\n## Acceptance Criteria\n\n- [ ] #1 under a second\n- [x] #2 in order"
    )
    assert (log["summary"], log["assignee"], log["labels"], log["priority"]) == (
        "It is read.",
        "ada",
        ["cli", "log"],
        "high",
    )
    assert (log["created_at"], log["status"], log["roadmap_item"]) == (
        "2025-06-01T09:30:00.000Z",
        "in_progress",
        "RMI-1",
    )
    assert log["foreign"]["backlog"]["ordinal"] == 1000
    # `task-2` is there twice; it is named in lower case, and the first file by name is meant.
    assert log["dependencies"] == ["task-2"]
    assert found["task-2"] | {"title": "Another two", "parent": "TASK-11"} == found["task-2"]
    plan = next(task for task in found.values() if task["title"] == "Write the log")
    assert (
        plan["description"] == "No markers here.\n\n```sh\n## not a heading\n```\n\n## Implementation Plan\n\n1. Open"
    )
    assert plan["foreign"]["backlog"] | {"status": "Заморожено", "read_as": "todo"} == plan["foreign"]["backlog"]
    assert found["task-1"]["foreign"]["backlog"]["folder"] == "completed"
    assert [str(remark.place) for remark in report.problems] == [
        "backlog/tasks/task-3 - Broken.md:3:14",
        "backlog/tasks/task-2 - Write-the-log.md:1:1",
        "backlog/tasks/task-11 - Read-the-log.md:10:24",
    ]


def test_link_that_leads_out_of_the_folder_is_not_read(tmp_path: Path, open_engine: Open) -> None:
    secret = write(tmp_path / "outside.md", "---\nid: task-9\ntitle: Secret\nstatus: Done\n---\n")
    write(tmp_path / "p" / "backlog" / "config.yml", "project_name: x\n")
    write(tmp_path / "p" / "backlog" / "tasks" / "task-1 - A.md", "---\nid: task-1\ntitle: A\nstatus: Done\n---\n")
    (tmp_path / "p" / "backlog" / "tasks" / "task-9 - B.md").symlink_to(secret)
    engine = open_engine(tmp_path / "p")
    bring(engine, tmp_path / "p" / "backlog")
    assert [task["title"] for task in tasks(engine).values()] == ["A"]


def test_windows_line_ends_are_no_part_of_the_text(tmp_path: Path, open_engine: Open) -> None:
    text = "---\r\nid: task-1\r\ntitle: A\r\nstatus: Done\r\n---\r\n## Description\r\n\r\nOne\r\ntwo\r\n"
    path = tmp_path / "task-1 - A.md"
    path.write_bytes(text.encode())
    engine = open_engine(tmp_path)
    bring(engine, path)
    assert tasks(engine)["task-1"]["description"] == "One\ntwo"

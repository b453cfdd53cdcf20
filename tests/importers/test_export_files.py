from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from import_scene import FILES, bring, tasks, write

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import ActionError, UsageError
from llmgenie_mcp.exporters import export, export_to, formats

Open = Callable[..., Engine]


@pytest.fixture
def engine(tmp_path: Path, open_engine: Open) -> Engine:
    """A project with tasks of other tools and of its own."""
    (tmp_path / "p").mkdir()
    engine = open_engine(tmp_path / "p")
    bring(engine, FILES / "taskmaster")
    engine.run_action("create_task", {"title": "Own: [x] #1", "labels": ["a", "b: c"], "priority": "critical"})
    engine.run_action("roadmap_add", {"title": "Goal"})
    engine.run_action("start_session", {"task": "TSK-6"})
    return engine


@pytest.mark.parametrize("name", sorted(formats()))
def test_same_project_gives_the_same_bytes(name: str, engine: Engine) -> None:
    assert export(engine, name).files == export(engine, name).files


@pytest.mark.parametrize("name", ["markdown", "backlog"])
def test_second_export_writes_nothing(name: str, engine: Engine, tmp_path: Path) -> None:
    first, made = export_to(engine, name, tmp_path / "out")
    assert sorted(first.result["files"]) == sorted(made.files)
    second, _ = export_to(engine, name, tmp_path / "out")
    assert second.result == {"files": [], "removed": [], "unchanged": len(made.files)}


def test_file_that_no_export_wrote_is_not_overwritten(engine: Engine, tmp_path: Path) -> None:
    mine = write(tmp_path / "tasks.csv", "mine\n")
    with pytest.raises(UsageError) as refused:
        export_to(engine, "csv", mine)
    assert "--force" in refused.value.hint
    assert mine.read_text(encoding="utf-8") == "mine\n"
    assert export_to(engine, "csv", mine, force=True)[0].ok
    assert mine.read_text(encoding="utf-8").startswith("id,title,status")


def test_file_changed_since_the_export_is_not_overwritten_until_it_was_brought_in(
    engine: Engine, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_to(engine, "markdown", out)
    path = out / "tasks" / "TSK-2.md"
    path.write_text(path.read_text(encoding="utf-8").replace("title: REST", "title: REST and more"), encoding="utf-8")
    engine.run_action("update_task", {"id": "TSK-1", "labels": ["new"]})
    with pytest.raises(UsageError, match=r"TSK-2\.md"):
        export_to(engine, "markdown", out)
    report = bring(engine, out)
    assert [(one["id"], one["fields"]) for one in report.updated] == [("TSK-2", ["title"])]
    assert tasks(engine)["TSK-2"]["title"] == "REST and more"
    assert export_to(engine, "markdown", out)[0].result["files"] == ["tasks/TSK-1.md"]


def test_field_changed_in_the_exported_file_and_here_stays_as_it_is_here(engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_to(engine, "markdown", out)
    path = out / "tasks" / "TSK-2.md"
    path.write_text(path.read_text(encoding="utf-8").replace("title: REST", "title: Theirs"), encoding="utf-8")
    engine.run_action("update_task", {"id": "TSK-2", "title": "Ours"})
    report = bring(engine, out)
    assert [(kept["id"], kept["field"]) for kept in report.kept] == [("TSK-2", "title")]
    assert tasks(engine)["TSK-2"]["title"] == "Ours"


def test_title_that_changed_leaves_no_second_file_behind(engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "backlog"
    export_to(engine, "backlog", out)
    engine.run_action("update_task", {"id": "TSK-2", "title": "Routes"})
    outcome, _ = export_to(engine, "backlog", out)
    assert outcome.result["removed"] == ["tasks/tsk-2 - REST.md"]
    assert len(list((out / "tasks").iterdir())) == 6
    assert (out / "tasks" / "tsk-2 - Routes.md").exists()


@pytest.mark.parametrize("name", ["taskmaster", "backlog"])
def test_what_another_tool_changed_in_its_file_comes_back_to_the_same_tasks(
    name: str, engine: Engine, tmp_path: Path
) -> None:
    out = tmp_path / ("tasks.json" if name == "taskmaster" else "backlog")
    export_to(engine, name, out)
    assert not [one for one in bring(engine, out).created if one["table"] == "tasks"]
    assert bring(engine, out).counts() | {"created": 0, "updated": 0, "kept": 0} == bring(engine, out).counts()
    paths = [out] if name == "taskmaster" else list(out.glob("tasks/tsk-2*"))
    for path in paths:
        path.write_text(
            path.read_text(encoding="utf-8").replace("Routes over the tables.", "All routes."), encoding="utf-8"
        )
    report = bring(engine, out)
    assert report.counts() | {"created": 0, "updated": 1} == report.counts()
    assert tasks(engine)["TSK-2"]["description"] == "All routes."
    assert tasks(engine)["TSK-6"]["priority"] == "critical"


def test_task_master_gets_back_its_own_words_numbers_and_fields(engine: Engine) -> None:
    made = export(engine, "taskmaster")
    said = json.loads(made.text)
    schema, rest = said["master"]["tasks"][:2]
    assert (schema["id"], schema["details"], schema["complexity"]) == (1, "PostgreSQL 16, миграции отдельно.", 4)
    assert [(part["id"], part["status"], part["dependencies"]) for part in schema["subtasks"]] == [
        (1, "done", []),
        (2, "deferred", [1]),
    ]
    assert (rest["status"], rest["dependencies"]) == ("in-progress", [1, "1.2"])
    assert [task["title"] for task in said["feature-x"]["tasks"]] == ["Spike"]
    assert made.lost == ["TSK-6 is critical: Task Master knows no more than high."]


def test_table_has_every_task_and_no_formula(engine: Engine) -> None:
    engine.run_action("create_task", {"title": "=cmd|' /C calc'!A0", "description": 'a\n"b", c'})
    rows = list(csv.DictReader(io.StringIO(export(engine, "csv").text)))
    assert [row["id"] for row in rows] == list(tasks(engine))
    assert (rows[-1]["title"], rows[-1]["description"]) == ("'=cmd|' /C calc'!A0", 'a\n"b", c')


def test_export_does_not_write_through_a_link_nor_where_policies_forbid(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "p" / "elsewhere.csv")
    with_link, _ = export_to(engine, "csv", tmp_path / "link.csv")
    assert with_link.ok  # the link itself is followed once, by whoever named it
    outcome, _ = export_to(engine, "csv", tmp_path / "p" / ".llmgenie" / "policies" / "x.yaml")
    assert outcome.reasons[0].rule == "security/definitions-need-a-person"
    assert not (tmp_path / "p" / ".llmgenie" / "policies").exists()
    out = tmp_path / "out"
    (out / "tasks").mkdir(parents=True)
    (out / "tasks" / "TSK-1.md").symlink_to(tmp_path / "target.md")
    with pytest.raises(UsageError, match="is a link"):
        export_to(engine, "markdown", out)


@pytest.mark.parametrize("name", ["csv", "markdown"])
def test_a_ring_of_links_is_no_place_to_export_to(name: str, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to("ring")
    with pytest.raises((UsageError, ActionError)) as refused:
        export_to(engine, name, tmp_path / "ring", force=True)
    assert "Choose another place" in refused.value.hint or "remove it" in refused.value.hint


def test_ids_that_no_file_system_takes_get_names_of_their_own(tmp_path: Path) -> None:
    from llmgenie_mcp.exporters.markdown import file_name

    taken: set[str] = set()
    names = [file_name(id_, taken) for id_ in ("TSK-1", "tsk-1", "../../etc/passwd", "a/b", ".hidden", "x" * 100)]
    assert len({name.casefold() for name in names}) == 6
    assert names[0] == "TSK-1"
    assert not any("/" in name or name.startswith(".") for name in names)


def test_folder_format_is_not_put_over_a_file(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a file"):
        export_to(engine, "markdown", write(tmp_path / "x", "text"))


def test_exported_json_holds_no_secret_and_no_origin(engine: Engine) -> None:
    token = f"ghp_{'a1B2' * 9}"
    with engine.storage.begin() as tx:  # as an older version might have left it
        tx.put("notes", "old", {"value": f"token {token}"})
        tx.commit({"type": "test"})
    text = export(engine, "json").text
    assert token not in text
    assert '"imported"' not in text
    named = "tasks roadmap notes lessons comments links opinions instances sessions"
    assert list(json.loads(text)) == ["llmgenie", *named.split()]


@pytest.mark.parametrize("trigger", ["", "pause_session"])
def test_an_export_that_is_read_where_it_was_written_ends_no_session(
    engine: Engine, tmp_path: Path, trigger: str
) -> None:
    session = engine.run_action("start_session", {"mode": "code"}).result["session"]["id"]
    assert engine.run_action("start_review", {"branch": "feature/x"}, session=session).ok
    if trigger:
        assert engine.run_action(trigger, session=session).ok
    before = engine.storage.get("sessions", session)
    export_to(engine, "json", tmp_path / "all.json")
    report = bring(engine, tmp_path / "all.json")
    assert (report.updated, report.problems) == ([], [])
    engine.storage.refresh()
    assert engine.storage.get("sessions", session) == before


def test_a_session_that_comes_in_from_elsewhere_is_over(engine: Engine, tmp_path: Path, open_engine: Open) -> None:
    export_to(engine, "json", tmp_path / "all.json")
    (tmp_path / "q").mkdir()
    other = open_engine(tmp_path / "q")
    report = bring(other, tmp_path / "all.json")
    assert "Session SES-1 was active: it comes in as finished." in [one.message for one in report.changes]
    found = other.storage.get("sessions", "SES-1") or {}
    assert (found["status"], found["task"], found["instance"]) == ("finished", "TSK-6", None)

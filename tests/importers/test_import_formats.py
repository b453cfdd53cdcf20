from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from import_scene import FILES, bring, said, tasks, write

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import ActionError, UsageError

Open = Callable[..., Engine]


def test_beads_keep_their_ids_kinds_of_dependencies_and_times(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    report = bring(engine, FILES / "beads")
    found = tasks(engine)
    assert {id_: (task["status"], task["priority"]) for id_, task in found.items()} == {
        "bd-a1b2": ("done", "critical"),
        "bd-c3d4": ("todo", "medium"),
        "bd-c3d4.1": ("in_progress", "low"),
        "bd-dead": ("cancelled", "low"),
    }
    part = found["bd-c3d4.1"]
    assert (part["parent"], part["dependencies"]) == ("bd-c3d4", ["bd-a1b2"])
    assert part["links"] == [{"type": "discovered-from", "task": "bd-a1b2"}]
    lock = found["bd-a1b2"]
    assert (lock["created_at"], lock["summary"]) == ("2025-10-01T07:00:00.123456Z", "flock")
    assert lock["completed_at"] == "2025-10-02T10:00:00.000Z"
    assert lock["foreign"]["beads"]["comments"][0]["text"] == "+1"
    assert lock["foreign"]["beads"]["created_at"] == "2025-10-01T10:00:00.123456789+03:00"
    assert said(report.problems) == ["5:27: This is not JSON: Expecting value."]


def test_shrimp_tasks_get_new_ids(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    bring(engine, FILES / "shrimp")
    found = tasks(engine)
    assert found["TSK-2"]["dependencies"] == ["TSK-1"]
    assert found["TSK-1"]["description"].endswith(
        "## Implementation guide\n\nThink\n\n## Verification criteria\n\nRead\n\n## Notes\n\nn"
    )
    assert found["TSK-1"]["foreign"]["shrimp"]["relatedFiles"][0]["path"] == "a.py"


def test_github_issues_keep_number_milestone_and_reason(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    bring(engine, FILES / "issues.json")
    found = tasks(engine)
    assert {id_: task["status"] for id_, task in found.items()} == {
        "TSK-12": "todo",
        "TSK-11": "cancelled",
        "TSK-10": "done",
    }
    assert found["TSK-12"] | {"labels": ["bug"], "assignee": "ada", "roadmap_item": "RMI-1"} == found["TSK-12"]
    assert (
        engine.context_data("roadmap/RMI-1")["value"] | {"title": "1.0", "target": "2024-06-01"}
        == (engine.context_data("roadmap/RMI-1")["value"])
    )


def test_github_issues_name_their_parent_and_what_blocks_them(tmp_path: Path, open_engine: Open) -> None:
    url = "https://github.com/o/r/issues/"
    rest = {"body": "", "state": "OPEN", "labels": []}
    issues = [
        {"number": 1, "title": "Whole", "url": f"{url}1", **rest},
        {"number": 2, "title": "Part", "url": f"{url}2", "parent": {"number": 1, "url": f"{url}1"}, **rest},
        {
            "number": 3,
            "title": "Last",
            "url": f"{url}3",
            "blockedBy": {"nodes": [{"number": 2}], "totalCount": 1},
            **rest,
        },
        {"number": 4, "title": "Other", "url": f"{url}4", "blockedBy": [{"number": 3, "url": f"{url}3"}], **rest},
    ]
    engine = open_engine(tmp_path)
    assert said(bring(engine, write(tmp_path / "issues.json", issues)).problems) == []
    found = tasks(engine)
    assert found["TSK-2"]["parent"] == "TSK-1"
    assert [found[id_]["dependencies"] for id_ in ("TSK-3", "TSK-4")] == [["TSK-2"], ["TSK-3"]]


def test_former_layout_comes_in_with_ideas_insights_epics_and_logs(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    report = bring(engine, FILES / "former")
    found = tasks(engine)
    assert (
        found["TSK-001"] | {"status": "done", "summary": "Готово.", "labels": ["archive", "workflow"]}
        == found["TSK-001"]
    )
    archive = found["TSK-ARCH-002"]
    assert (archive["status"], archive["priority"], archive["dependencies"]) == ("in_progress", "critical", ["TSK-001"])
    assert archive["created_at"] == "2025-06-03T07:41:23.000Z"
    assert (
        archive["foreign"]["former"] | {"estimated_hours": 8, "unknown_dependencies": ["TSK-404"]}
        == archive["foreign"]["former"]
    )
    assert found["TASK-2024-06-12-RULES"]["foreign"]["former"]["status"] == "на согласовании у заказчика"  # noqa: RUF001
    parts = [task for task in found.values() if task.get("parent") == "TSK-2"]
    assert [task["title"] for task in parts] == ["Log it", "Document it"]
    goals = {item["title"]: item["id"] for item in engine.storage.query("roadmap").items}
    assert goals == {"meta_workflow": found["TSK-001"]["roadmap_item"], "Архив": archive["roadmap_item"]}
    lesson = engine.context_data("lessons/INS-001")["value"]
    assert (lesson["title"], lesson["created_at"]) == ("Ошибка: данные были удалены.", "2025-05-26T00:00:00.000Z")
    assert engine.context_data("notes/ideas/IDEA-001")["value"]["value"]["title"] == "Единый архив"
    june = engine.context_data("notes/logs/meta_log/2025-06")["value"]["value"]
    assert june[0] == {"at": "2025-06-01 00:10", "text": "Режим code\n  продолжение строки"}
    epic = engine.context_data("notes/logs/epic_logs/epic5")["value"]["value"]
    assert [entry["event"] for entry in epic] == ["start", "end"]
    assert [str(remark.place) for remark in report.problems] == [
        "data/epic_logs/epic5.jsonl:2:48",
        "data/tasks.json:26:35",
    ]


def test_other_encoding_is_named_with_line_and_column_and_read_when_said(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    with pytest.raises(UsageError) as refused:
        bring(engine, FILES / "cp1251.json")
    assert "cp1251.json:2:28: This is not UTF-8: byte 0xc7." in refused.value.hint
    bring(engine, FILES / "cp1251.json", encoding="cp1251")
    assert tasks(engine)["TSK-1"]["title"] == "Задача"


def test_marked_utf_16_is_read(tmp_path: Path, open_engine: Open) -> None:
    path = tmp_path / "tasks.json"
    path.write_bytes('{"tasks": [{"id": "TSK-1", "title": "Задача"}]}'.encode("utf-16"))
    engine = open_engine(tmp_path)
    bring(engine, path)
    assert tasks(engine)["TSK-1"]["title"] == "Задача"


@pytest.mark.parametrize(
    "text",
    ['{"tasks": [{"id": 1', "[" * 100_000, '{"a":' * 500 + "1" + "}" * 500, '{"tasks": [{"id": 1, "title": NaN]}'],
)
def test_broken_json_is_told_with_its_place_and_nothing_is_written(
    tmp_path: Path, open_engine: Open, text: str
) -> None:
    engine = open_engine(tmp_path)
    with pytest.raises(UsageError) as refused:
        bring(engine, write(tmp_path / "tasks.json", text))
    assert "tasks.json:1:" in refused.value.hint
    assert engine.storage.last_seq() == 0


def test_unknown_file_is_refused_with_all_that_was_looked_for(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    with pytest.raises(UsageError) as refused:
        bring(engine, write(tmp_path / "x.json", {"a": 1}))
    for name in ("taskmaster", "backlog", "beads", "shrimp", "github", "former", "json", "markdown"):
        assert f"- {name} (" in refused.value.hint
    with pytest.raises(UsageError, match="not of the format beads"):
        bring(engine, tmp_path / "x.json", format="beads")
    with pytest.raises(UsageError, match="no format 'nothing'"):
        bring(engine, tmp_path / "x.json", format="nothing")


def test_folder_of_two_formats_is_refused_until_one_is_named(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    write(
        tmp_path / "shrimp_data" / "tasks.json", (FILES / "shrimp/shrimp_data/tasks.json").read_text(encoding="utf-8")
    )
    write(tmp_path / ".beads" / "issues.jsonl", (FILES / "beads/.beads/issues.jsonl").read_text(encoding="utf-8"))
    with pytest.raises(UsageError) as refused:
        bring(engine, tmp_path)
    assert "- beads: .beads/issues.jsonl" in refused.value.message
    assert "- shrimp: shrimp_data/tasks.json" in refused.value.message
    assert bring(engine, tmp_path, format="shrimp").counts()["created"] == 2


def test_no_more_is_read_than_the_bound_which_the_message_names(tmp_path: Path, open_engine: Open) -> None:
    big = {"tasks": [{"id": 1, "title": "A", "status": "pending", "details": "x" * 3_000_000}]}
    path = write(tmp_path / "tasks.json", big)
    with pytest.raises(UsageError) as refused:
        bring(open_engine(tmp_path), path, bound=2 * 1024 * 1024)
    assert "2 MiB" in refused.value.message
    assert "--max-size" in refused.value.hint


def test_device_is_no_file_to_import(tmp_path: Path, open_engine: Open) -> None:
    with pytest.raises(UsageError):
        bring(open_engine(tmp_path), Path("/dev/zero"))


def test_strict_brings_in_nothing_when_there_is_a_problem(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    with pytest.raises(ActionError) as refused:
        bring(engine, FILES / "beads", strict=True)
    assert "issues.jsonl:5:27" in refused.value.hint
    assert (tasks(engine), engine.storage.last_seq()) == ({}, 0)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from import_scene import bring, said, tasks, write

from llmgenie_mcp import Engine

Open = Callable[..., Engine]

LOG = """\
без времени
[2025-05-31 23:50] Начало
  дальше
[2025-06-01T10:00:00Z] [code] Режим
[01.06.2025 12:00] По-русски
=== 02.07.2025 ===
под днём
[9:15] Утро
## 2025-07-03 (четверг)
- [10:00:30] День
"""


def test_times_of_a_plain_log_are_read_however_they_are_written_and_no_line_is_lost(
    tmp_path: Path, open_engine: Open
) -> None:
    engine = open_engine(tmp_path)
    bring(engine, write(tmp_path / "data" / "meta_log.txt", LOG))
    found = {note["id"]: note["value"] for note in engine.storage.query("notes").items}
    assert found == {
        "logs/meta_log/undated": [{"at": "", "text": "без времени"}],
        "logs/meta_log/2025-05": [{"at": "2025-05-31 23:50", "text": "Начало\n  дальше"}],
        "logs/meta_log/2025-06": [
            {"at": "2025-06-01T10:00:00Z", "text": "[code] Режим"},
            {"at": "01.06.2025 12:00", "text": "По-русски"},
        ],
        "logs/meta_log/2025-07": [
            {"at": "2025-07-02", "text": "под днём"},
            {"at": "2025-07-02 9:15", "text": "Утро"},
            {"at": "2025-07-03", "text": "## 2025-07-03 (четверг)"},
            {"at": "2025-07-03 10:00:30", "text": "День"},
        ],
    }


def test_free_shapes_of_tasks_are_understood_and_the_folder_above_is_the_same_source(
    tmp_path: Path, open_engine: Open
) -> None:
    entries = [
        {"id": "TSK-002", "title": "Второй", "blocked_by": "TSK-001; TSK-003", "status": {"name": "в работе"}},
        {"id": "TSK-001", "title": "Первый", "depends_on": [{"id": "TSK-003"}], "description": ["строка", "и ещё"]},
        {"id": "TSK-003", "title": "Третий", "created": "05.03.2025", "status": "завершена"},
        {"title": "Без номера"},
    ]
    write(tmp_path / "data" / "tasks.json", {"tasks": entries})
    write(tmp_path / "data" / "sessions" / "one.json", {"log": []})
    engine = open_engine(tmp_path)
    assert said(bring(engine, tmp_path).problems) == []
    found = tasks(engine)
    assert found["TSK-002"] | {"dependencies": ["TSK-001", "TSK-003"], "status": "in_progress"} == found["TSK-002"]
    assert found["TSK-001"] | {"dependencies": ["TSK-003"], "description": "строка\nи ещё"} == found["TSK-001"]
    assert found["TSK-003"] | {"created_at": "2025-03-05T00:00:00.000Z", "status": "done"} == found["TSK-003"]
    assert [task["title"] for id_, task in found.items() if not id_.startswith("TSK-00")] == ["Без номера"]
    write(tmp_path / "data" / "tasks.json", {"tasks": [{"id": "TSK-000", "title": "Ещё один"}, *reversed(entries)]})
    again = bring(engine, tmp_path / "data")
    assert ([one["id"] for one in again.created], again.updated) == (["TSK-000"], [])

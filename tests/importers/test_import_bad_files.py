"""What is wrong with a file is told by file, line and column, with what to do; nothing is written then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from import_scene import bring, tasks, write

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import ActionError, UsageError

Open = Callable[..., Engine]
TEXT = json.dumps({"tasks": [{"id": 1, "title": "Задача", "status": "pending"}]}, ensure_ascii=False, indent=1)
LINE = '{"id": "bd-1", "title": "Ü", "issue_type": "task", "priority": 1}\n'

BAD = [
    ("tasks.json", TEXT.encode("cp1251"), "tasks.json:5:14: This is not UTF-8: byte 0xc7.", "--encoding cp1251"),
    ("tasks.json", TEXT.encode("utf-16-le"), "tasks.json:1:2: There is a NUL byte", "--encoding utf-16-le"),
    ("tasks.json", TEXT.encode()[:-20], "tasks.json:6:12: This is not JSON", "ends in the middle"),
    ("tasks.json", b"", "tasks.json:1:1: This file is empty.", ""),
    ("tasks.json", b"\0" * 5000, "tasks.json:1:1: There is a NUL byte", "damaged"),
    ("tasks.json", TEXT.encode().replace(b'"id"', b'"i\0d"'), "tasks.json:4:6: There is a NUL byte", ""),
    (
        "backlog/tasks/task-1 - A.md",
        b"---\nid: TASK-1\ntitle: [a\nstatus: x\n---\n",
        "task-1 - A.md:4:7: A comma or the closing ] is missing.",
        "",
    ),
    (
        ".beads/issues.jsonl",
        LINE.encode("cp1252") * 2,
        "issues.jsonl:1:26: This is not UTF-8: byte 0xdc.",
        "--encoding",
    ),
]


@pytest.mark.parametrize(("name", "data", "place", "hint"), BAD)
def test_broken_file_is_told_with_its_place_and_what_to_do(
    name: str, data: bytes, place: str, hint: str, tmp_path: Path, open_engine: Open
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    engine = open_engine(tmp_path)
    for named in (path, tmp_path):
        with pytest.raises((UsageError, ActionError)) as refused:
            bring(engine, named)
        told = f"{refused.value.message}\n{refused.value.hint}"
        assert place in told
        assert hint in told
    assert engine.storage.last_seq() == 0


GOOD = [("utf-8", b"\xef\xbb\xbf"), ("utf-16", b""), ("utf-32", b""), ("utf-16-be", b"\xfe\xff")]


@pytest.mark.parametrize(("encoding", "mark"), GOOD)
@pytest.mark.parametrize("name", ["tasks.json", ".beads/issues.jsonl", "backlog/tasks/task-1 - A.md"])
def test_marked_encodings_are_read_in_every_format(
    name: str, encoding: str, mark: bytes, tmp_path: Path, open_engine: Open
) -> None:
    front = "---\r\nid: TASK-1\r\ntitle: Задача\r\nstatus: To Do\r\n---\r\n"
    text = {"tasks.json": TEXT, ".beads/issues.jsonl": LINE.replace("Ü", "Задача")}.get(name, front)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(mark + text.encode(encoding))
    engine = open_engine(tmp_path)
    bring(engine, tmp_path)
    assert [task["title"] for task in tasks(engine).values()] == ["Задача"]


def test_nul_byte_in_a_text_comes_in_and_is_stored_as_it_is_or_marked(tmp_path: Path, open_engine: Open) -> None:
    path = write(tmp_path / "tasks.json", TEXT.replace("Задача", "a\\u0000b"))
    engine = open_engine(tmp_path)
    bring(engine, path)
    assert tasks(engine)["TSK-1"]["title"] in ("a\0b", "a\ufffdb")


def test_loops_of_links_end_the_reading_with_an_answer(tmp_path: Path, open_engine: Open) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "backlog").mkdir()
    (tmp_path / "backlog" / "tasks").symlink_to(tmp_path / "backlog")
    (tmp_path / "backlog" / "up").symlink_to(tmp_path)
    write(tmp_path / "backlog" / "config.yml", "project_name: x\n")
    (tmp_path / "tasks.json").symlink_to("tasks.json")
    engine = open_engine(tmp_path)
    with pytest.raises(UsageError, match="cannot be read: Too many levels of symbolic links"):
        bring(engine, tmp_path / "loop")
    bring(engine, tmp_path)
    assert tasks(engine) == {}


def test_hundred_megabytes_are_refused_before_they_are_in_memory(tmp_path: Path, open_engine: Open) -> None:
    path = tmp_path / "tasks.json"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    with pytest.raises(UsageError, match=r"tasks\.json: there is more to read than 16 MiB") as refused:
        bring(open_engine(tmp_path), path)
    assert "--max-size" in refused.value.hint


def test_every_doubtful_link_is_told_by_its_own_place(tmp_path: Path, open_engine: Open) -> None:
    text = """{"tasks": [
 {"id": 1, "title": "A", "status": "pending", "dependencies": [2, 9]},
 {"id": 2, "title": "B", "status": "pending", "dependencies": [3]},
 {"id": 3, "title": "C", "status": "pending", "dependencies": [1, 3]},
 {"id": 2, "title": "B again", "status": "pending", "dependencies": []}]}"""
    report = bring(open_engine(tmp_path), write(tmp_path / "tasks.json", text))
    told = {f"{one.place.line}:{one.place.column}": (one.message, one.hint) for one in report.problems}
    assert {where: message for where, (message, _) in told.items()} == {
        "5:2": "2 is there twice; the first is at tasks.json:3:2.",
        "2:67": "1 depends on 9, which is not there.",
        "4:67": "3 depends on itself.",
        "4:64": "3 would wait for itself: TSK-3 → TSK-1 → TSK-2 → TSK-3.",
    }
    assert all(hint for _, hint in told.values())

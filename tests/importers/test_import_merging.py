from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from import_scene import FILES, bring, said, tasks, write
from scene import define, lines, replayed

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.importers import import_path
from llmgenie_mcp.importers._cycles import closing

Open = Callable[..., Engine]


def task(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": number, "title": f"T{number}", "status": "pending", "dependencies": [], **more}


@pytest.mark.parametrize(
    "name", ["taskmaster", "taskmaster_legacy.json", "beads", "shrimp", "issues.json", "backlog", "former"]
)
def test_second_import_changes_nothing_and_writes_nothing(name: str, tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    first = bring(engine, FILES / name)
    before, seq = tasks(engine), engine.storage.last_seq()
    second = bring(engine, FILES / name)
    assert (
        second.counts() | {"created": 0, "updated": 0, "kept": 0, "unchanged": first.counts()["created"]}
        == second.counts()
    )
    assert second.problems == first.problems
    assert (tasks(engine), engine.storage.last_seq()) == (before, seq)


def test_whole_import_is_one_line_that_says_who_from_where_and_how_many(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    import_path(engine, FILES / "beads", actor=Actor("human", "ada"))
    (line,) = lines(engine)
    assert (line["type"], line["action"], line["actor"]) == (
        "action.completed",
        "import_tasks",
        {"kind": "human", "id": "ada"},
    )
    assert line["result"] | {"format": "beads", "created": 4, "problems": 1} == line["result"]
    assert line["result"]["path"].endswith("beads/.beads/issues.jsonl")
    assert replayed(engine)["tasks"] == tasks(engine)


def test_dry_run_says_the_same_and_does_nothing(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    would = bring(engine, FILES / "taskmaster", dry_run=True)
    assert (tasks(engine), engine.storage.last_seq()) == ({}, 0)
    assert bring(engine, FILES / "taskmaster").created == would.created


def test_only_what_changed_there_and_not_here_is_taken_over(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    path = write(tmp_path / "tasks.json", {"tasks": [task(description="old", priority="low")]})
    bring(engine, path)
    engine.run_action("update_task", {"id": "TSK-1", "description": "mine", "labels": ["kept"]})
    write(path, {"tasks": [task(description="theirs", priority="high", title="New")]})
    report = bring(engine, path)
    now = tasks(engine)["TSK-1"]
    assert now | {"title": "New", "priority": "high", "description": "mine", "labels": ["kept"]} == now
    assert report.updated[0]["fields"] == ["title", "priority"]
    assert [(kept["id"], kept["field"]) for kept in report.kept] == [("TSK-1", "description")]
    again = bring(engine, path)
    assert again.counts() | {"updated": 0, "kept": 0, "unchanged": 1} == again.counts()
    assert tasks(engine)["TSK-1"]["description"] == "mine"


def test_status_moved_here_stays_until_the_file_says_a_new_one(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    path = write(tmp_path / "tasks.json", {"tasks": [task()]})
    bring(engine, path)
    person = Actor("human", "ada")
    assert engine.run_action("complete_task", {"id": "TSK-1", "summary": "It was done and tested."}, actor=person).ok
    assert bring(engine, path).counts()["unchanged"] == 1
    assert tasks(engine)["TSK-1"]["status"] == "done"
    write(path, {"tasks": [task(status="cancelled")]})
    assert [kept["field"] for kept in bring(engine, path).kept] == ["status"]
    assert tasks(engine)["TSK-1"]["status"] == "done"


def test_field_that_the_file_no_longer_has_is_emptied(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    path = write(tmp_path / "tasks.json", {"tasks": [task(priority="high", complexity=3)]})
    bring(engine, path)
    write(path, {"tasks": [task()]})
    bring(engine, path)
    now = tasks(engine)["TSK-1"]
    assert now["priority"] == "medium"
    assert "complexity" not in now["foreign"]["taskmaster"]


def test_taken_ids_are_left_alone_and_references_follow_the_new_ones(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    for title in ("mine", "mine too"):
        engine.run_action("create_task", {"title": title})
    report = bring(engine, write(tmp_path / "tasks.json", {"tasks": [task(1), task(2, dependencies=[1]), task(7)]}))
    assert report.ids == {"1": "TSK-8", "2": "TSK-9", "7": "TSK-7"}
    assert tasks(engine)["TSK-9"]["dependencies"] == ["TSK-8"]
    assert tasks(engine)["TSK-1"]["title"] == "mine"
    assert engine.run_action("create_task", {"title": "next"}).result["id"] == "TSK-10"


def test_moved_file_is_known_again_and_another_one_is_another(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    path = write(tmp_path / "a" / "tasks.json", {"tasks": [task()]})
    bring(engine, path)
    other = write(tmp_path / "b" / "tasks.json", {"tasks": [task(title="Other")]})
    assert bring(engine, other).counts()["created"] == 1
    (tmp_path / "c").mkdir()
    moved = path.rename(tmp_path / "c" / "tasks.json")
    assert bring(engine, moved).counts()["unchanged"] == 1
    assert sorted(one["title"] for one in tasks(engine).values()) == ["Other", "T1"]


def test_states_of_the_projects_own_workflow_are_found_by_its_triggers(tmp_path: Path, open_engine: Open) -> None:
    define(
        tmp_path,
        "workflows",
        "task",
        "name: task\nversion: 9\nsubject: task\ninitial: queue\nstates:\n"
        "  queue: {on: {claim: doing}}\n  doing: {on: {complete: shipped}}\n  shipped: {final: true}\n",
    )
    engine = open_engine(tmp_path)
    said_there = ["done", "in-progress", "Queue", "cancelled"]
    listed = [task(number, status=word) for number, word in enumerate(said_there, 1)]
    report = bring(engine, write(tmp_path / "tasks.json", {"tasks": listed}))
    assert [one["status"] for one in tasks(engine).values()] == ["shipped", "doing", "queue", "queue"]
    assert said(report.changes) == ["21:3: The status 'cancelled' is not known: 4 is queue."]


def test_secrets_are_taken_out_before_anything_is_written(tmp_path: Path, open_engine: Open) -> None:
    token = f"ghp_{'a1B2' * 9}"
    engine = open_engine(tmp_path)
    report = bring(
        engine, write(tmp_path / "tasks.json", {"tasks": [task(description=f"use {token}", extra={"t": token})]})
    )
    assert "[github_token removed]" in tasks(engine)["TSK-1"]["description"]
    assert len([remark for remark in report.changes if "secret" in remark.message]) == 2
    engine.close()
    assert all(token not in path.read_text(encoding="utf-8") for path in (tmp_path / ".llmgenie").rglob("*.json*"))


def test_too_long_texts_are_cut_and_kept_whole_beside(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    bring(engine, write(tmp_path / "tasks.json", {"tasks": [task(title="t" * 300, description="d" * 30_000)]}))
    now = tasks(engine)["TSK-1"]
    assert (len(now["title"]), len(now["description"])) == (200, 20_000)
    assert (
        now["foreign"]["taskmaster"] | {"title": "t" * 300, "description": "d" * 30_000} == now["foreign"]["taskmaster"]
    )


def test_half_a_surrogate_and_deep_nesting_can_be_stored(tmp_path: Path, open_engine: Open) -> None:
    deep: Any = "end"
    for _ in range(200):
        deep = [deep]
    text = json.dumps({"tasks": [task(title="a\ud800b", more=deep)]})
    engine = open_engine(tmp_path)
    bring(engine, write(tmp_path / "tasks.json", text))
    assert tasks(engine)["TSK-1"]["title"] == "a\ufffdb"


def test_policy_stops_an_import_and_the_log_says_so(tmp_path: Path, open_engine: Open) -> None:
    define(
        tmp_path,
        "policies",
        "no_imports",
        "name: no_imports\nversion: 1\nlevel: always_on\napplies_to: {actions: ['*'], modes: ['*']}\n"
        "rules:\n  - id: never\n    effect: deny\n    reason: Only people import.\n"
        "    when: action.name == 'import_tasks' and subject.kind == 'agent'\n",
    )
    engine = open_engine(tmp_path)
    outcome, _ = import_path(engine, FILES / "beads")
    assert (outcome.status, outcome.reasons[0].rule) == ("denied", "no_imports/never")
    assert (tasks(engine), lines(engine)[-1]["type"]) == ({}, "action.denied")
    assert import_path(engine, FILES / "beads", actor=Actor("human", "ada"))[0].ok


def test_file_that_policies_call_secret_is_not_imported(tmp_path: Path, open_engine: Open) -> None:
    path = write(tmp_path / "secrets.json", {"tasks": [task()]})
    outcome, _ = import_path(open_engine(tmp_path), path)
    assert outcome.reasons[0].rule == "security/no-secret-files"


def test_circles_are_undone_at_what_is_new() -> None:
    old = {"a": ["b"], "b": ["c"]}
    assert list(closing(old, {"c": ["a", "d"], "d": ["d"]})) == [("c", "a", ["a", "b", "c"]), ("d", "d", ["d"])]
    chain = {str(number): [str(number + 1)] for number in range(20_000)}
    assert list(closing({}, chain)) == []
    assert len(list(closing({}, {**chain, "20000": ["0"]}))) == 1


def test_circle_through_a_task_that_was_here_is_undone_too(tmp_path: Path, open_engine: Open) -> None:
    engine = open_engine(tmp_path)
    path = write(tmp_path / "tasks.json", {"tasks": [task(1), task(2)]})
    bring(engine, path)
    engine.run_action("update_task", {"id": "TSK-1", "dependencies": ["TSK-2"]})
    write(path, {"tasks": [task(1), task(2, dependencies=[1])]})
    report = bring(engine, path)
    assert [remark.message for remark in report.problems] == ["2 would wait for itself: TSK-2 → TSK-1 → TSK-2."]
    assert tasks(engine)["TSK-2"]["dependencies"] == []

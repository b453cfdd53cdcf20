"""Tasks: made, linked, claimed by one only, completed when nothing they wait for is open."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import PYTHON, SUMMARY, codes, documents, lines, started

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.errors import BadParams, Conflict, UnknownName


def create(engine: Engine, title: str = "a task", **more: Any) -> str:
    """The id of a new task."""
    outcome = engine.run_action("create_task", {"title": title, **more})
    assert outcome.ok, outcome
    return str(outcome.result["id"])


def complete(engine: Engine, session: str, task: str) -> Any:
    return engine.run_action("complete_task", {"id": task, "summary": SUMMARY}, session=session)


def status(engine: Engine, task: str) -> str:
    return str(engine.storage.get("tasks", task)["status"])


def test_a_task_is_created_and_read_back(engine: Engine) -> None:
    task = create(engine, "Write the parser", description="All of it.", priority="high", labels=["core"])
    assert task == "TSK-1"
    value = engine.context_data("tasks/TSK-1")["value"]
    wanted = {"title": "Write the parser", "status": "todo", "priority": "high", "labels": ["core"], "version": 1}
    assert wanted.items() <= value.items()


def test_the_most_urgent_ready_task_is_claimed_first_then_the_oldest(engine: Engine, session: str) -> None:
    create(engine, "low", priority="low")
    first = create(engine, "medium, older")
    create(engine, "medium, younger")
    urgent = create(engine, "critical", priority="critical")
    waiting = create(engine, "critical too, but waits", priority="critical", dependencies=[first])
    order = [engine.run_action("claim_task", session=session).result["id"] for _ in range(4)]
    assert order == [urgent, first, "TSK-3", "TSK-1"]
    outcome = engine.run_action("claim_task", session=session)
    assert codes(outcome) == ["nothing_ready"]
    assert waiting in outcome.reasons[0].message


def test_a_claimed_task_belongs_to_the_session_and_the_actor(engine: Engine, session: str) -> None:
    create(engine)
    outcome = engine.run_action("claim_task", session=session, actor=Actor("agent", "cursor"))
    assert outcome.state == {"instance": "TSK-1", "workflow": "task", "from": "todo", "to": "in_progress"}
    task, own = engine.storage.get("tasks", "TSK-1"), engine.storage.get("sessions", session)
    assert (task["assignee"], task["session"], own["task"]) == ("cursor", session, "TSK-1")


def test_a_task_that_is_taken_or_waits_is_not_claimed(engine: Engine, session: str) -> None:
    first, second = create(engine), create(engine, dependencies=["TSK-1"])
    (reason,) = engine.run_action("claim_task", {"id": second}, session=session).reasons
    assert (reason.code, reason.values["task.open_dependencies"]) == ("guard_failed", [first])
    assert engine.run_action("claim_task", {"id": first}, session=session).ok
    (reason,) = engine.run_action("claim_task", session=session).reasons
    assert reason.message == f"{second} waits for what it depends on; complete or cancel that first."
    assert codes(engine.run_action("claim_task", {"id": first}, session=session)) == ["no_transition"]


def test_without_a_task_claiming_says_how_to_make_one(engine: Engine, session: str) -> None:
    (reason,) = engine.run_action("claim_task", session=session).reasons
    assert reason.fix is not None
    assert engine.run_action(reason.fix["action"], reason.fix["params"], session=session).ok
    assert engine.run_action("claim_task", session=session).ok


def test_a_task_is_not_completed_while_what_it_depends_on_is_open(engine: Engine, session: str) -> None:
    first, second = create(engine), create(engine, dependencies=["TSK-1"])
    assert codes(complete(engine, session, second)) == ["guard_failed"]
    assert status(engine, second) == "todo"
    assert complete(engine, session, first).result["now_ready"] == [second]
    assert complete(engine, session, second).ok
    assert status(engine, second) == "done"


def test_a_cancelled_dependency_is_waited_for_no_longer(engine: Engine, session: str) -> None:
    first, second = create(engine), create(engine, dependencies=["TSK-1"])
    assert engine.run_action("move_task", {"id": first, "trigger": "cancel"}, session=session).ok
    assert complete(engine, session, second).ok


def test_a_task_ends_with_a_summary_by_whichever_way(engine: Engine, session: str) -> None:
    task = create(engine)
    outcome = engine.run_action("complete_task", {"id": task, "summary": "done"}, session=session)
    assert outcome.reasons[0].rule == "logging/task-ends-with-summary"
    outcome = engine.run_action("move_task", {"id": task, "trigger": "complete"}, session=session)
    assert outcome.reasons[0].fix == {"action": "complete_task", "params": {"id": task}}
    assert codes(engine.run_action("move_task", {"id": task, "trigger": "claim"}, session=session)) == ["no_transition"]
    assert status(engine, task) == "todo"


def test_the_sessions_own_task_is_completed_when_none_is_named(engine: Engine, session: str) -> None:
    create(engine)
    with pytest.raises(BadParams):
        engine.run_action("complete_task", {"summary": SUMMARY}, session=session)
    engine.run_action("claim_task", session=session)
    assert engine.run_action("complete_task", {"summary": SUMMARY}, session=session).result["id"] == "TSK-1"


def test_a_task_is_blocked_released_cancelled_and_reopened(engine: Engine, session: str) -> None:
    task = create(engine)
    engine.run_action("claim_task", session=session)
    for trigger, to in [("release", "todo"), ("block", "blocked"), ("unblock", "todo"), ("cancel", "cancelled")]:
        outcome = engine.run_action("move_task", {"id": task, "trigger": trigger, "comment": "why"}, session=session)
        assert outcome.state is not None
        assert outcome.state["to"] == to
    assert lines(engine)[-1]["notes"] == ["why"]
    (reason,) = engine.run_action("move_task", {"id": task, "trigger": "block"}, session=session).reasons
    assert reason.fix == {"action": "move_task", "params": {"id": task, "trigger": "reopen"}}
    assert engine.run_action(reason.fix["action"], reason.fix["params"], session=session).ok
    assert engine.storage.get("tasks", task)["assignee"] is None


@pytest.mark.parametrize(
    ("links", "way"),
    [
        ({}, ["TSK-1", "TSK-1"]),
        ({"TSK-2": ["TSK-1"]}, ["TSK-1", "TSK-2", "TSK-1"]),
        ({"TSK-2": ["TSK-3"], "TSK-3": ["TSK-1"]}, ["TSK-1", "TSK-2", "TSK-3", "TSK-1"]),
    ],
)
def test_tasks_that_would_wait_for_each_other_are_refused_with_the_way(
    engine: Engine, links: dict[str, list[str]], way: list[str]
) -> None:
    for _ in range(3):
        create(engine)
    for task, dependencies in links.items():
        assert engine.run_action("update_task", {"id": task, "dependencies": dependencies}).ok
    with pytest.raises(BadParams) as error:
        engine.run_action("update_task", {"id": "TSK-1", "dependencies": [way[1]]})
    assert error.value.details["cycle"] == way
    assert " → ".join(way) in error.value.message
    assert engine.storage.get("tasks", "TSK-1")["dependencies"] == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.lists(st.integers(1, 6), max_size=3)), max_size=8))
def test_whatever_links_are_tried_no_cycle_is_stored(links: list[tuple[int, list[int]]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, Engine.open(folder, store="memory:") as engine:
        for _ in range(6):
            create(engine)
        for task, others in links:
            with suppress(BadParams):
                engine.run_action("update_task", {"id": f"TSK-{task}", "dependencies": [f"TSK-{o}" for o in others]})
        left = {key: set(task["dependencies"]) for key, task in documents(engine)["tasks"].items()}
        while free := [key for key, waits in left.items() if not waits & left.keys()]:
            for key in free:
                del left[key]
        assert left == {}


def test_unknown_ids_teach(engine: Engine, session: str) -> None:
    create(engine)
    for action, params in [
        ("claim_task", {"id": "TSK-11"}),
        ("complete_task", {"id": "TSK-11", "summary": SUMMARY}),
        ("move_task", {"id": "TSK-11", "trigger": "block"}),
        ("update_task", {"id": "TSK-11", "title": "x"}),
        ("update_task", {"id": "TSK-1", "dependencies": ["TSK-11"]}),
        ("create_task", {"title": "x", "dependencies": ["TSK-11"]}),
        ("start_session", {"task": "TSK-11"}),
    ]:
        with pytest.raises(UnknownName) as error:
            engine.run_action(action, params, session=session)
        assert error.value.hint == "Did you mean TSK-1?"
    with pytest.raises(UnknownName):
        engine.run_action("create_task", {"title": "x", "roadmap_item": "RMI-1"})
    assert [line["action"] for line in lines(engine)] == ["start_session", "create_task"]


def test_what_is_left_out_stays_and_null_is_for_what_may_be_empty(engine: Engine) -> None:
    create(engine, "t", description="d", labels=["a"])
    assert engine.run_action("update_task", {"id": "TSK-1", "assignee": "ada"}).ok
    assert engine.run_action("update_task", {"id": "TSK-1", "assignee": None, "title": "new"}).ok
    task = engine.storage.get("tasks", "TSK-1")
    assert (task["title"], task["description"], task["labels"], task["assignee"]) == ("new", "d", ["a"], None)
    with pytest.raises(BadParams):
        engine.run_action("update_task", {"id": "TSK-1", "title": None})
    with pytest.raises(BadParams) as error:
        engine.run_action("update_task", {"id": "TSK-1", "status": "done"})
    assert "moves with claim_task, complete_task and move_task" in error.value.message


def test_a_trigger_of_tasks_that_is_no_action_is_told_with_the_action_that_takes_it(
    engine: Engine, session: str
) -> None:
    """The refusal of claim_task names the triggers; the nearest action's name is none of them."""
    create(engine)
    assert engine.run_action("claim_task", session=session).ok
    for trigger, near in (("release", "tag_release"), ("block", "")):
        with pytest.raises(UnknownName) as error:
            engine.run_action(trigger, {"id": "TSK-1"}, session=session)
        assert "move_task" in error.value.hint
        assert not near or near not in error.value.hint
        fix = error.value.to_dict()["fix"]
        assert engine.run_action(fix["action"], {**fix["params"], "id": "TSK-1"}, session=session).ok
    with pytest.raises(UnknownName) as error:
        engine.run_action("complete", {}, session=session)
    assert "complete_task" in error.value.hint


def test_who_read_an_older_version_does_not_overwrite_a_newer(engine: Engine) -> None:
    create(engine)
    assert engine.run_action("update_task", {"id": "TSK-1", "title": "mine", "expected_version": 1}).ok
    with pytest.raises(Conflict):
        engine.run_action("update_task", {"id": "TSK-1", "title": "yours", "expected_version": 1})
    assert engine.storage.get("tasks", "TSK-1")["title"] == "mine"


def test_tasks_are_listed_by_urgency_and_found_by_words_and_fields(engine: Engine, session: str) -> None:
    create(engine, "Write the parser", priority="low", labels=["core"])
    create(engine, "Test the parser", dependencies=["TSK-1"])
    create(engine, "Docs")

    def listed(**params: Any) -> list[str]:
        return [task["id"] for task in engine.run_action("list_tasks", params).result["tasks"]]

    assert listed() == ["TSK-2", "TSK-3", "TSK-1"]
    assert listed(query="PARSER test") == ["TSK-2"]
    assert listed(query="priority:low") == ["TSK-1"]
    assert listed(query="labels:core") == ["TSK-1"]
    assert listed(query="labels:nothing") == []
    assert listed(ready=True) == ["TSK-3", "TSK-1"]
    assert listed(limit=1) == ["TSK-2"]
    assert len(lines(engine)) == 4, "reading writes no line"


def test_a_list_of_tasks_stays_small_unless_more_is_asked_for(engine: Engine) -> None:
    for number in range(60):
        create(engine, "🦀" * 150 + str(number), dependencies=[f"TSK-{n + 1}" for n in range(number)])
    few, many = (engine.run_action("list_tasks", params) for params in ({}, {"limit": 60}))
    assert len(json.dumps(few.to_dict(), ensure_ascii=False).encode()) < 10_000
    assert few.result["total"] == len(many.result["tasks"]) == 60


def test_progress_of_the_roadmap_is_counted_from_its_tasks(engine: Engine, session: str) -> None:
    item = engine.run_action("roadmap_add", {"title": "Version 1", "description": "long"}).result["id"]
    for _ in range(4):
        create(engine, roadmap_item=item)
    complete(engine, session, "TSK-1")
    engine.run_action("move_task", {"id": "TSK-2", "trigger": "cancel"}, session=session)
    wanted = {"done": 1, "total": 3, "percent": 33}
    assert engine.run_action("list_roadmap").result["items"][0]["progress"] == wanted
    assert engine.context_data("roadmap")["items"][0]["progress"] == wanted
    assert engine.context_data(f"roadmap/{item}")["value"]["progress"] == wanted
    assert engine.run_action("roadmap_update", {"id": item, "status": "active"}).ok
    with pytest.raises(UnknownName):
        engine.run_action("roadmap_update", {"id": "RMI-7", "title": "x"})
    with pytest.raises(BadParams):
        engine.run_action("roadmap_update", {"id": item, "title": None})


def test_forty_tasks_claimed_by_four_threads_are_claimed_once_each(engine: Engine) -> None:
    for _ in range(40):
        create(engine)
    sessions = [started(engine, mode="code") for _ in range(4)]

    def work(session: str) -> list[str]:
        claimed = []
        while (outcome := engine.run_action("claim_task", session=session)).ok:
            claimed.append(outcome.result["id"])
        return claimed

    with ThreadPoolExecutor(4) as pool:
        claimed = [task for own in pool.map(work, sessions) for task in own]
    assert sorted(claimed) == sorted(f"TSK-{n}" for n in range(1, 41))


CLAIMER = """
import sys
from llmgenie_mcp import Engine
with Engine.open(sys.argv[1]) as engine:
    session = engine.run_action("start_session", {"mode": "code"}).result["session"]["id"]
    print("ready", flush=True)
    sys.stdin.readline()
    while (outcome := engine.run_action("claim_task", session=session)).ok:
        print(outcome.result["id"], session, flush=True)
"""


def test_forty_tasks_claimed_by_four_processes_are_claimed_once_each(engine: Engine, repo: Path) -> None:
    for _ in range(40):
        create(engine)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    agents = [subprocess.Popen([PYTHON, "-c", CLAIMER, str(repo)], **pipes) for _ in range(4)]
    for agent in agents:
        assert agent.stdout.readline() == "ready\n"
    claimed = [line.split() for line in _all_output(agents)]
    assert sorted(task for task, _ in claimed) == sorted(f"TSK-{n}" for n in range(1, 41))
    assert len({session for _, session in claimed}) > 1, "they did work at the same time"
    engine.storage.refresh()
    stored = documents(engine)["tasks"]
    assert dict(claimed) == {key: task["session"] for key, task in stored.items()}


def _all_output(agents: list[subprocess.Popen[str]]) -> list[str]:
    for agent in agents:
        agent.stdin.write("go\n")
        agent.stdin.flush()
    outputs = [agent.communicate(timeout=60)[0] for agent in agents]
    assert [agent.returncode for agent in agents] == [0] * len(agents)
    return [line for output in outputs for line in output.splitlines()]

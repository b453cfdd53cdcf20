"""kill -9 of imports: everything of one, or nothing."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

from scene import lines as logged

from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.importers import import_path

HERE = Path(__file__).parent
COUNT = 150
KILLS = 3


def written(path: Path, count: int) -> Path:
    """A file of Task Master with so many tasks, each after the one before."""
    rest = {"status": "pending", "priority": "high", "details": "d" * 200, "testStrategy": "", "subtasks": []}
    tasks = [
        {"id": n, "title": f"Задача {n}", "description": "", "dependencies": [n - 1] if n > 1 else [], **rest}
        for n in range(1, count + 1)
    ]
    path.write_text(json.dumps({"master": {"tasks": tasks}}, ensure_ascii=False), encoding="utf-8")
    return path


def examined(project: Path, file: Path, count: int) -> bool:
    """Whether the import is there; it is whole or not at all, and the next one completes it without doubles."""
    with Engine.open(project) as engine:
        assert engine.storage.verify().ok
        before = len(engine.storage.query("tasks").items)
        lines = [line["action"] for line in logged(engine) if line["type"] == "action.completed"]
        assert (before, lines) in ((0, []), (count, ["import_tasks"]))
        outcome, report = import_path(engine, file, actor=Actor("human", "ada"))
        assert outcome.ok
        assert (len(report.created), report.unchanged) == ((count, 0) if before == 0 else (0, count))
        assert len(engine.storage.query("tasks").items) == count
        last = engine.storage.get("tasks", f"TSK-{count}")
        assert last is not None
        assert last["dependencies"] == [f"TSK-{count - 1}"]
    return before > 0


def test_import_killed_at_any_call_of_the_disk_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    file = written(tmp_path / "tasks.json", COUNT)
    script = [sys.executable, str(HERE / "importer.py"), str(file), str(tmp_path / "p"), "200"]
    done = subprocess.run(script, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    killed = int(done.stdout)
    assert 5 < killed < 200
    there = [examined(tmp_path / "p" / str(call), file, COUNT) for call in range(1, killed + 1)]
    assert there == sorted(there)  # once it is there it stays, however late the kill
    assert {True, False} == set(there)


def test_command_killed_at_random_moments_leaves_all_or_nothing(tmp_path: Path) -> None:
    file = written(tmp_path / "tasks.json", 1000)
    command = [sys.executable, "-m", "llmgenie_mcp", "--project"]
    seed = random.randrange(2**32)
    choose = random.Random(seed)
    for number in range(KILLS):
        project = tmp_path / str(number)
        project.mkdir()
        with subprocess.Popen([*command, str(project), "import", str(file)], stdout=subprocess.DEVNULL) as process:
            # From when it may have begun to write; the first sign of a store would come too late for some of it.
            killer = threading.Timer(0.3 + choose.random(), process.send_signal, [signal.SIGKILL])
            killer.start()
            assert process.wait(60) in (0, -9), seed
            killer.cancel()
        examined(project, file, 1000)

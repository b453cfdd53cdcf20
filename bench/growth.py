"""What grows with the number of tasks and the length of the log, and what must not: `python -m bench growth`.

Beside it stand stock TinyDB, which reads and writes its whole file at every call, and raw sqlite3 (WAL,
`synchronous=FULL`), a table of JSON texts by id.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import count, islice
from pathlib import Path

from tinydb import TinyDB

from bench.filling import Filling, place, repository, task
from bench.measure import SCALE, Curve, Effort, Found, Sampler, against, alone, appending, interleaved, timed
from llmgenie_mcp import Actor, Engine
from llmgenie_mcp.storage import open_storage

TASKS = (10, 100, 1_000, 10_000, 100_000)
LINES = (1_000, 10_000, 100_000, 1_000_000)
GROWTH = 1.3
OPENING = 100.0
"""Milliseconds that 100,000 log lines may add to opening."""
PERSON = Actor("human", "bench")
"""A person is not stopped by the mode that the project is in."""
OURS, TINY, SQLITE, APPEND = "llmgenie", "stock TinyDB", "sqlite3", "append + fdatasync"
FLAT = ("write", "read by id", "page of 50", "available_actions", "decision", "workflow_state", "claim a task")
"""What must cost the same at every size."""

Samples = dict[str, list[float]]


def measure(effort: Effort) -> Found:
    """Curves by tasks and by log lines, and rows on the largest beside the smallest."""
    with place() as folder:
        return [*_by_tasks(folder, effort), *_by_past(folder, effort), *_by_lines(folder, effort)]


def _by_tasks(folder: Path, effort: Effort) -> Found:
    sizes = effort.sizes(*TASKS)
    taken: dict[int, Samples] = {}
    for size in sizes:
        filling = Filling(folder / f"tasks-{size}")
        filling.tasks(size)
        filling.finish()
        taken[size] = _measured(folder, filling.store.parent, size, effort)
    curves: Found = [
        Curve(panel, name, unit, "tasks", _points(taken, f"{panel}: {name}", unit))
        for panel, names, unit in (
            ("write", (OURS, TINY, SQLITE, APPEND), "ms"),
            ("read by id", (OURS, TINY, SQLITE), "μs"),
            ("page of 50", (OURS, TINY, SQLITE), "ms"),
            ("open", (OURS, TINY, SQLITE), "ms"),
            ("available_actions", (OURS,), "ms"),
            ("workflow_state", (OURS,), "ms"),
            ("claim a task", (OURS,), "ms"),
            ("decision", (OURS,), "μs"),
        )
        for name in names
    ]
    # Small against large in turns: the pairs of the curves were taken minutes apart.
    return [*curves, *_flat(folder, sizes, effort)]


def _measured(folder: Path, project: Path, size: int, effort: Effort) -> Samples:
    rounds, few = effort.of(100, 3), effort.of(5 if size < 100_000 else 2, 1)
    with _tinydb(folder / f"tiny-{size}.json", size) as tiny, _sqlite(folder / f"raw-{size}.db", size) as raw:
        with Engine.open(project) as engine:
            ours = _ways(engine, size)
            quick: dict[str, Sampler] = {f"write: {APPEND}": appending(folder / "appended")}
            quick |= {f"{panel}: {OURS}": way for panel, way in ours.items()}
            quick |= {f"{panel}: {SQLITE}": timed(way) for panel, way in raw.items() if panel != "open"}
            found = interleaved(quick, rounds)
        slow = {f"{panel}: {TINY}": timed(way) for panel, way in tiny.items()}
        slow[f"open: {SQLITE}"] = timed(raw["open"])
        slow[f"open: {OURS}"] = timed(lambda: open_storage(project / ".llmgenie", read_only=True).close())
        return found | interleaved(slow, few, warm=0 if size >= 100_000 else 1)


def _ways(engine: Engine, size: int) -> dict[str, Sampler]:
    """What is asked of an engine, by panel."""
    middle = f"TSK-{max(1, size // 2)}"
    return {
        "write": timed(lambda: engine.run_action("create_task", {"title": "One more"})),
        "read by id": timed(lambda: engine.storage.get("tasks", middle), 20),
        "page of 50": timed(lambda: engine.context_data("tasks")),
        "available_actions": timed(engine.available_actions),
        "workflow_state": timed(engine.workflow_state),
        "decision": timed(lambda: engine.enforce(None, "file.write", {"path": "src/parser.py"})),
        "claim a task": timed(lambda: _claim(engine)),
    }


def _claim(engine: Engine) -> None:
    """The most urgent task that is ready, claimed and given back."""
    claimed = engine.run_action("claim_task", actor=PERSON)
    given = engine.run_action("move_task", {"id": claimed.result["id"], "trigger": "release"}, actor=PERSON)
    if not claimed.ok or not given.ok:
        raise RuntimeError(f"{claimed} {given}")


def _flat(folder: Path, sizes: tuple[int, ...], effort: Effort) -> Found:
    small, large = sizes[1 if len(sizes) > 2 else 0], sizes[-1]  # a page of 50 needs 50
    with Engine.open(folder / f"tasks-{small}") as one, Engine.open(folder / f"tasks-{large}") as other:
        both = ((small, one), (large, other))
        sides = {f"{size}: {panel}": way for size, engine in both for panel, way in _ways(engine, size).items()}
        taken = interleaved(sides, effort.of(200, 3))
    return [
        against(
            f"{panel} at {large:,} tasks",
            taken[f"{large}: {panel}"],
            f"at {small:,}",
            taken[f"{small}: {panel}"],
            "ms" if panel in ("write", "page of 50", "claim a task") else "μs",
            budget=GROWTH,
            short=panel == "write",
        )
        for panel in FLAT
    ]


def _by_past(folder: Path, effort: Effort) -> Found:
    """A project with 100 pieces of work behind it, beside one with 10,000: work in a review of each."""
    sizes = effort.of(100, 10), effort.of(10_000, 20)
    with ExitStack() as ending:
        sides: dict[str, Sampler] = {}
        for size in sizes:
            filling = Filling(repository(folder / f"past-{size}"))
            filling.tasks(100)
            filling.past(size)
            filling.finish()
            engine = ending.enter_context(Engine.open(filling.store.parent))
            sides |= {f"{size}: {name}": way for name, way in _reviewing(engine).items()}
        taken = interleaved(sides, effort.of(100, 2))
    few, many = sizes
    names = ("available_actions in a review", "workflow_state", "an event", "log_entry")
    return [
        against(
            f"{name}, {many:,} reviews ago",
            taken[f"{many}: {name}"],
            f"{few:,} ago",
            taken[f"{few}: {name}"],
            "ms",
            budget=GROWTH,
        )
        for name in names
    ]


def _reviewing(engine: Engine) -> dict[str, Sampler]:
    root = engine.project.root
    words = [
        "-c",
        "user.name=bench",
        "-c",
        "user.email=bench@example.org",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "One",
    ]
    subprocess.run(["git", "-C", str(root), *words], check=True)
    subprocess.run(["git", "-C", str(root), "switch", "-q", "-c", "feature/now"], check=True)
    session = engine.run_action("start_session", {"mode": "review"}).result["session"]["id"]
    started = engine.run_action("start_review", {}, session=session)
    if not started.ok:
        raise RuntimeError(f"{started}")
    return {
        "available_actions in a review": timed(
            partial(engine.available_actions, session=session, include_blocked=True)
        ),
        "workflow_state": timed(partial(engine.workflow_state, session)),
        "an event": timed(partial(engine.trigger_event, "deploy.done", {})),
        "log_entry": timed(partial(engine.run_action, "log_entry", {"text": "One more"}, session=session)),
    }


def _by_lines(folder: Path, effort: Effort) -> Found:
    sizes = effort.sizes(*LINES)
    smallest = _logged(folder / "few", sizes[0])
    points: dict[int, Samples] = {}
    rows: Found = []
    for size in sizes:
        project = _logged(folder / f"lines-{size}", size)
        points[size] = taken = _beside(project, smallest, effort)
        if size in (100_000, sizes[-1]):
            rows += _long(taken, size, sizes[0])
        shutil.rmtree(project)
    curves: Found = [
        Curve(panel, OURS, "ms", "log lines", _points(points, panel, "ms"))
        for panel in ("write", "open", "newest 50 lines", "available_actions")
    ]
    return [*curves, *rows]


def _logged(project: Path, lines: int) -> Path:
    filling = Filling(project)
    filling.tasks(1_000)
    filling.lines(lines)
    filling.finish()
    return project


def _beside(project: Path, smallest: Path, effort: Effort) -> Samples:
    """Samples of a project in turns with those of another, whose names end in `of few`."""
    opening = {
        f"open{name}": timed(lambda where=where: Engine.open(where, read_only=True).close())  # type: ignore[misc]
        for name, where in (("", project), (" of few", smallest))
    }
    taken = interleaved(opening, effort.of(15, 2))
    with Engine.open(project) as many, Engine.open(smallest) as few:
        sides: dict[str, Sampler] = {}
        for name, engine in (("", many), (" of few", few)):
            sides[f"write{name}"] = timed(partial(engine.run_action, "log_entry", {"text": "One more"}))
            sides[f"newest 50 lines{name}"] = timed(partial(engine.context_data, "meta-log"))
            sides[f"available_actions{name}"] = timed(engine.available_actions)
        return taken | interleaved(sides, effort.of(150, 3))


def _long(taken: Samples, size: int, few: int) -> Found:
    """Rows about a long log."""
    added = [mine - theirs for mine, theirs in zip(taken["open"], taken["open of few"], strict=True)]
    names = ("write", "newest 50 lines", "available_actions")
    return [
        *(
            against(
                f"{name} with {size:,} log lines",
                taken[name],
                f"with {few:,}",
                taken[f"{name} of few"],
                "ms",
                budget=GROWTH,
                short=name == "write" and size == 100_000,
            )
            for name in names
        ),
        alone(f"opening with {size:,} log lines: added", added, "ms", budget=OPENING, short=size == 100_000),
    ]


def _points(taken: Mapping[int, Samples], name: str, unit: str) -> tuple[tuple[int, float], ...]:
    return tuple((size, statistics.median(found[name]) * SCALE[unit]) for size, found in taken.items())


@contextmanager
def _tinydb(path: Path, size: int) -> Iterator[dict[str, Callable[[], object]]]:
    # Its file as it writes it, but in one go: a hundred thousand inserts would take a day.
    rows = {str(number): task(number) for number in range(1, size + 1)}
    path.write_text(json.dumps({"tasks": rows}), encoding="utf-8")
    with TinyDB(path, encoding="utf-8") as stock:
        table = stock.table("tasks", cache_size=0)
        yield {
            "write": lambda: table.insert(task(0)),
            "read by id": lambda: table.get(doc_id=max(1, size // 2)),
            "page of 50": lambda: list(islice(iter(table), 50)),
            "open": lambda: _opened(path),
        }


def _opened(path: Path) -> None:
    with TinyDB(path, encoding="utf-8") as stock:
        len(stock.table("tasks"))


@contextmanager
def _sqlite(path: Path, size: int) -> Iterator[dict[str, Callable[[], object]]]:
    def connect() -> sqlite3.Connection:
        made = sqlite3.connect(path, isolation_level=None)
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("PRAGMA synchronous=FULL")
        return made

    with closing(connect()) as base:
        base.execute("CREATE TABLE tasks (number INTEGER PRIMARY KEY, id TEXT UNIQUE, document TEXT)")
        base.execute("BEGIN")
        rows = ((f"TSK-{number}", json.dumps(task(number))) for number in range(1, size + 1))
        base.executemany("INSERT INTO tasks (id, document) VALUES (?, ?)", rows)
        base.execute("COMMIT")
        new = count(size + 1)
        one, page = "SELECT document FROM tasks WHERE id = ?", "SELECT document FROM tasks ORDER BY number LIMIT 50"

        def insert() -> None:
            number = next(new)
            row = f"TSK-{number}", json.dumps(task(number))
            base.execute("INSERT INTO tasks (id, document) VALUES (?, ?)", row)

        def open_and_count() -> None:
            with closing(connect()) as other:
                other.execute("SELECT max(number) FROM tasks").fetchone()

        yield {
            "write": insert,
            "read by id": lambda: json.loads(base.execute(one, (f"TSK-{max(1, size // 2)}",)).fetchone()[0]),
            "page of 50": lambda: [json.loads(row[0]) for row in base.execute(page)],
            "open": open_and_count,
        }

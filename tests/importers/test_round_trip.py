from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from import_scene import bring, tasks, unpack

from llmgenie_mcp import Engine, exporters
from llmgenie_mcp.records import PRIORITIES, Task
from llmgenie_mcp.redact import find

STATES = ("todo", "in_progress", "blocked", "done", "cancelled")
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

characters = st.characters(exclude_categories=["Cs"])
texts = st.one_of(
    st.text(characters, max_size=60),
    st.sampled_from(
        [
            "",
            "---\nid: x\n---\n",
            "<!-- summary -->",
            "\\<!-- summary -->\nmore\n<!-- summary -->\n",
            "## Head\n\ntext\n",
            "\n\nfirst\r\nsecond\r",
            "```\n## code\n```",
            "  ends with blanks  ",
            "key: value # no comment",
            "- [ ] #1 a\n- [x] #2 b",
        ]
    ),
).filter(lambda text: not find(text))
titles = st.text(characters, min_size=1, max_size=40).map(str.strip).filter(lambda text: text and not find(text))
words = st.one_of(
    titles,
    st.sampled_from(["no", "null", "1", "1e3", "~", "@x", "a: b", "#", "- a", "'", '"', "on", "{", "2025-01-01"]),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), words
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
).filter(lambda value: not find(value))


@st.composite
def projects(draw: st.DrawFn, ids: st.SearchStrategy[str], *, extra: bool) -> list[dict[str, Any]]:
    """Tasks that depend on earlier ones and are parts of earlier ones."""
    names = draw(st.lists(ids, min_size=1, max_size=6, unique_by=str.casefold))
    made: list[dict[str, Any]] = []
    for number, id_ in enumerate(names):
        before = st.sampled_from(names[:number]) if number else st.nothing()
        task = Task(
            id=id_,
            title=draw(titles),
            description=draw(texts),
            status=draw(st.sampled_from(STATES)),
            priority=draw(st.sampled_from(PRIORITIES if extra else PRIORITIES[1:])),
            dependencies=draw(st.lists(before, max_size=3, unique=True)) if number else [],
            labels=draw(st.lists(titles, max_size=3, unique_by=lambda label: " ".join(label.split()))) if extra else [],
            assignee=draw(st.none() | titles) if extra else None,
            summary=draw(texts) if extra else "",
            created_at=f"2025-01-01T00:00:0{number}.000Z",
        ).model_dump()
        task["labels"] = [" ".join(label.split()) for label in task["labels"]]
        if number and draw(st.booleans()):
            task["parent"] = draw(before)
        if extra and draw(st.booleans()):
            task["links"] = (
                [{"type": draw(titles), "task": draw(st.sampled_from(names).filter(lambda to, me=id_: to != me))}]
                if number
                else []
            )
            task["foreign"] = {"tool": draw(st.dictionaries(words, values, max_size=3))}
            task["estimate"] = draw(values)
        made.append(task)
    return made


free_ids = st.from_regex(r"[A-Za-z]{1,6}-[0-9a-z]{1,4}(\.[0-9])?", fullmatch=True).filter(lambda id_: not find(id_))
own_ids = st.integers(1, 999).map(lambda number: f"TSK-{number}")


def there_and_back(
    documents: list[dict[str, Any]], form: str
) -> tuple[exporters.Exported, dict[str, dict[str, Any]], dict[str, str]]:
    """The export of a project with these tasks, what an empty project has after importing it, and the map of ids."""
    with tempfile.TemporaryDirectory() as place:
        first, second = empty_projects()
        with first.storage.begin() as tx:
            for document in documents:
                tx.put("tasks", document["id"], document)
            tx.commit({"type": "test"})
        made = exporters.export(first, form)
        where = unpack(made, Path(place) / ("backlog" if form == "backlog" else "."))
        report = bring(second, where, format=form)
        assert report.problems == []
        again = bring(second, where, format=form)
        assert (
            again.counts() | {"created": 0, "updated": 0, "kept": 0, "unchanged": len(report.created)} == again.counts()
        )
        return made, tasks(second), report.ids


@cache
def engines() -> tuple[Engine, Engine]:
    """Two projects that are used over and over: loading definitions takes longer than all the rest."""
    folders = [Path(tempfile.mkdtemp(prefix="llmgenie-round-trip-")) for _ in range(2)]
    for folder in folders:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    first, second = (Engine.open(folder, store="memory:") for folder in folders)
    return first, second


def empty_projects() -> tuple[Engine, Engine]:
    """The two projects, without what the example before left there."""
    for engine in engines():
        with engine.storage.begin() as tx:
            for table in ("tasks", "notes", "roadmap"):
                for document in tx.query(table):
                    tx.delete(table, document["id"])
            tx.commit({"type": "test"})
    return engines()


def kept(task: dict[str, Any], *left: str) -> dict[str, Any]:
    return {name: value for name, value in task.items() if name not in ("version", "imported", *left)}


@quick
@given(projects(free_ids, extra=True))
def test_json_gives_the_same_tasks(documents: list[dict[str, Any]]) -> None:
    _, found, _ = there_and_back(documents, "json")
    assert [kept(task) for task in found.values()] == [kept(task) for task in documents]


@quick
@given(projects(free_ids, extra=True))
def test_markdown_gives_the_same_tasks(documents: list[dict[str, Any]]) -> None:
    _, found, _ = there_and_back(documents, "markdown")
    same = {task["id"]: kept(task, "updated_at") for task in documents}
    assert {id_: kept(task, "updated_at") for id_, task in found.items()} == same


@quick
@given(projects(own_ids, extra=False))
def test_task_master_gives_back_what_it_can_say(documents: list[dict[str, Any]]) -> None:
    made, found, _ = there_and_back(documents, "taskmaster")
    by_id = {id_: key for key, id_ in made.ids.items()}
    back = {task["imported"]["taskmaster"]["id"]: task for task in found.values()}
    ours = {task["id"]: key for key, task in back.items()}
    for task in documents:
        there = back[by_id[task["id"]]]
        for name in ("title", "description", "status", "priority"):
            assert there[name] == task[name]
        said = [by_id[to] for to in made.fields[f"tasks/{task['id']}"]["dependencies"]]
        assert [ours[to] for to in there["dependencies"]] == said
        if len(said) < len(task["dependencies"]):
            assert any(task["id"] in lost for lost in made.lost)


@quick
@given(projects(own_ids, extra=True))
def test_backlog_gives_back_what_it_can_say(documents: list[dict[str, Any]]) -> None:
    for task in documents:
        task.pop("foreign", None)
        task["priority"] = "high" if task["priority"] == "critical" else task["priority"]
        task["assignee"] = (task["assignee"] or "").lstrip("@") or None
    _, found, ids = there_and_back(documents, "backlog")
    assert ids == {}
    for task in documents:
        there = found[task["id"]]
        for name in ("title", "description", "status", "priority", "labels", "assignee", "summary", "dependencies"):
            assert there[name] == task[name], name
        assert there.get("parent") == task.get("parent")

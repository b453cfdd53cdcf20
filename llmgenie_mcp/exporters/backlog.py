"""Backlog.md's folder: `config.yml` and a Markdown file for each task, with the section markers that it looks for."""

from __future__ import annotations

import re
from typing import Any

from llmgenie_mcp.exchange import apart
from llmgenie_mcp.exporters._backlog import CONFIG, NAME, config, documents, file_name, milestones
from llmgenie_mcp.exporters._content import Content, Exported, Format, foreign_of, given_back, worded
from llmgenie_mcp.exporters._front import front
from llmgenie_mcp.exporters._numbers import Numbers
from llmgenie_mcp.exporters._said import priority, status
from llmgenie_mcp.outcome import Document

STATUSES = {
    "todo": "To Do",
    "in_progress": "In Progress",
    "blocked": "Blocked",
    "done": "Done",
    "cancelled": "Cancelled",
}
SAID = ("title", "description", "status", "parent", "roadmap_item", "labels", "assignee", "summary")
PRIORITIES = {"critical": "high"}
MARKERS = {
    "Acceptance Criteria": "AC",
    "Definition of Done": "DOD",
    "Implementation Plan": "SECTION:PLAN",
    "Implementation Notes": "SECTION:NOTES",
    "Comments": "COMMENTS",
}
FOLDERS = ("completed", "drafts", "archive/tasks", "archive/drafts")
DRAFTS = ("drafts", "archive/drafts")
RESERVED = {"DRAFT", "DOC", "DECISION"}
"""Prefixes that Backlog.md takes for no task."""
_ID = re.compile(r"([A-Za-z]{1,20})-(\d{1,9}(?:\.\d{1,9}){0,5})")
_END = re.compile(r"<!-- (SECTION:[A-Z_]+|AC|DOD|COMMENTS):END -->")


def _write(content: Content) -> Exported:
    made = Exported()
    goals = milestones(content, made)
    prefix, ids = _ids(content)
    statuses: dict[str, None] = {}
    for task in content.tasks:
        said, where, id_ = status(task, NAME, STATUSES), _folder(task), ids[task["id"]]
        if where not in DRAFTS:
            statuses.setdefault(said)
        made.files[f"{where}/{file_name(task, id_)}"] = _file(task, id_, said, ids, goals, made).encode()
        made.ids[f"archive/{id_}" if where.startswith("archive/") else id_] = task["id"]
    spare = [STATUSES.get(state, state) for state in content.workflow.states]
    made.files[CONFIG] = config(content, prefix, statuses, spare).encode()
    documents(content, made)
    return made


def _folder(task: Document) -> str:
    """Where the tool had it, while its state is what was read there; else with the others."""
    foreign = foreign_of(task, NAME)
    folder = foreign.get("folder")
    as_read = foreign.get("read_as", task["status"]) == task["status"]
    return folder if folder in FOLDERS and as_read else "tasks"


def _ids(content: Content) -> tuple[str, dict[str, str]]:
    """The prefix of all ids, and what each task is called: by its own id where that has the prefix, drafts as drafts."""
    drafts, archived, others = list[Document](), list[Document](), list[Document]()
    for task in content.tasks:
        where = _folder(task)
        (drafts if where in DRAFTS else archived if where.startswith("archive/") else others).append(task)
    prefixes = [match[1].upper() for task in others if (match := _ID.fullmatch(_said(task)))]
    prefix = max(sorted(set(prefixes) - RESERVED), key=prefixes.count, default="TSK")
    return prefix, {**_called(archived, prefix), **_called(others, prefix), **_called(drafts, "DRAFT")}


def _said(task: Document) -> str:
    """The id that the tool gave it; else its own."""
    return str(foreign_of(task, NAME).get("id") or task["id"])


def _called(tasks: list[Document], prefix: str) -> dict[str, str]:
    found, taken = dict[str, str](), set[str]()
    numbers = Numbers()
    for task in tasks:
        match = _ID.fullmatch(id_ := _said(task))
        if match is not None and match[1].upper() == prefix and id_.upper() not in taken:
            found[task["id"]] = id_
            taken.add(id_.upper())
            numbers.ask(task["id"], match[2].partition(".")[0])
    for task in tasks:
        if task["id"] not in found:
            numbers.ask(task["id"])
    given = numbers.given()
    return {task["id"]: found.get(task["id"]) or f"{prefix}-{given[task['id']]}" for task in tasks}


def _file(task: Document, id_: str, said: str, ids: dict[str, str], goals: dict[str, str], made: Exported) -> str:
    foreign = foreign_of(task, NAME)
    level = priority(task, PRIORITIES)
    if level != task.get("priority"):
        made.lost.append(f"{task['id']} is {task.get('priority')}: Backlog.md knows no more than {level}.")
    dependencies = [to for to in task.get("dependencies") or () if to in ids]
    more = given_back(foreign)
    people = more.pop("assignee", None)
    if not isinstance(people, list) or str(people[0]).lstrip("@") != task.get("assignee"):
        people = None
    fields: dict[str, Any] = {
        "id": id_,
        "title": task["title"],
        "status": said,
        "assignee": people or ([f"@{task['assignee']}"] if task.get("assignee") else []),
        "created_date": _date(task.get("created_at")),
        "updated_date": _date(task.get("updated_at")),
        "labels": list(task.get("labels") or ()),
        "dependencies": [ids[to] for to in dependencies],
        "priority": level,
    }
    if task.get("parent") in ids:
        fields["parent_task_id"] = ids[task["parent"]]
    if more.get("milestone") in goals.values() or task.get("roadmap_item") in goals:
        more.pop("milestone", None)  # it is the roadmap item that counts
    if task.get("roadmap_item") in goals:
        fields["milestone"] = goals[task["roadmap_item"]]
    description, sections = apart(task)
    if any(_END.search(text) for text in (description, task.get("summary") or "", *sections.values())):
        made.lost.append(f"{task['id']} has marks of Backlog.md in its own text: they end the section there.")
    made.fields[f"tasks/{task['id']}"] = worded(task, *SAID, priority=level, dependencies=dependencies)
    body = _section("Description", "SECTION:DESCRIPTION", description)
    body += "".join(_section(heading, MARKERS.get(heading, ""), text) for heading, text in sections.items())
    body += _section("Final Summary", "SECTION:FINAL_SUMMARY", str(task.get("summary") or ""))
    return front({**fields, **more}) + body


def _section(heading: str, marker: str, text: str) -> str:
    if not text:
        return ""
    inner = f"<!-- {marker}:BEGIN -->\n{text}\n<!-- {marker}:END -->" if marker else text
    return f"\n## {heading}\n\n{inner}\n"


def _date(said: object) -> str:
    """As Backlog.md has it: UTC, to the minute."""
    return str(said or "")[:16].replace("T", " ")


FORMAT = Format(NAME, "Backlog.md", _write, folder=True)

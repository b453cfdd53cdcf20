"""Backlog.md's folder: `config.yml` and a Markdown file for each task, with the section markers that it looks for."""

from __future__ import annotations

import re
from typing import Any

from llmgenie_mcp.exchange import apart
from llmgenie_mcp.exporters._content import Content, Exported, Format, foreign_of, given_back, worded
from llmgenie_mcp.exporters._front import front, scalar
from llmgenie_mcp.exporters._numbers import Numbers
from llmgenie_mcp.exporters._said import priority, status
from llmgenie_mcp.outcome import Document

NAME = "backlog"
STATUSES = {
    "todo": "To Do",
    "in_progress": "In Progress",
    "blocked": "Blocked",
    "done": "Done",
    "cancelled": "Cancelled",
}
SAID = ("title", "description", "status", "parent", "labels", "assignee", "summary")
PRIORITIES = {"critical": "high"}
MARKERS = {
    "Acceptance Criteria": "AC",
    "Definition of Done": "DOD",
    "Implementation Plan": "SECTION:PLAN",
    "Implementation Notes": "SECTION:NOTES",
}
_ID = re.compile(r"([A-Za-z]{1,20})-(\d{1,9}(?:\.\d{1,9}){0,5})")
_UNFIT = re.compile(r"[^\w()+,;=@-]+")
_END = re.compile(r"<!-- (SECTION:[A-Z_]+|AC|DOD):END -->")


def _write(content: Content) -> Exported:
    made = Exported()
    prefix, ids = _ids(content)
    statuses: dict[str, None] = dict.fromkeys(STATUSES.get(state, state) for state in content.workflow.states)
    for task in content.tasks:
        said = status(task, NAME, STATUSES)
        statuses.setdefault(said)
        id_ = ids[task["id"]]
        name = f"{id_.lower()} - {_UNFIT.sub('-', task['title']).strip('-')[:100] or 'task'}.md"
        folder = foreign_of(task, NAME).get("folder")
        where = folder if folder in ("completed", "drafts", "archive/tasks") else "tasks"
        made.files[f"{where}/{name}"] = _file(task, id_, said, ids, made).encode()
        made.ids[id_] = task["id"]
    made.files["config.yml"] = _config(content.project, prefix, list(statuses)).encode()
    return made


def _ids(content: Content) -> tuple[str, dict[str, str]]:
    """The prefix of all ids, and what each task is called: by its own id where that has the prefix."""
    prefixes = [match[1].upper() for task in content.tasks if (match := _ID.fullmatch(task["id"]))]
    prefix = max(sorted(set(prefixes)), key=prefixes.count, default="TSK")
    found, taken = dict[str, str](), set[str]()
    numbers = Numbers()
    for task in content.tasks:
        match = _ID.fullmatch(task["id"])
        if match is not None and match[1].upper() == prefix and task["id"].upper() not in taken:
            found[task["id"]] = task["id"]
            taken.add(task["id"].upper())
            numbers.ask(task["id"], match[2].partition(".")[0])
    for task in content.tasks:
        if task["id"] not in found:
            numbers.ask(task["id"])
    given = numbers.given()
    return prefix, {task["id"]: found.get(task["id"]) or f"{prefix}-{given[task['id']]}" for task in content.tasks}


def _config(project: str, prefix: str, statuses: list[str]) -> str:
    listed = ", ".join(f'"{word}"' if "," not in word and '"' not in word else scalar(word) for word in statuses)
    default = f'"{statuses[0]}"' if statuses else '"To Do"'
    lines = [
        f"project_name: {scalar(project)}",
        f"default_status: {default}",
        f"statuses: [{listed}]",
        "labels: []",
        "date_format: yyyy-mm-dd",
        f'task_prefix: "{prefix.lower()}"',
    ]
    return "\n".join([*lines, ""])


def _file(task: Document, id_: str, said: str, ids: dict[str, str], made: Exported) -> str:
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

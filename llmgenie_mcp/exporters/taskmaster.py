"""Task Master's `.taskmaster/tasks/tasks.json`. Two levels are all it has: what lies deeper becomes a subtask of the topmost."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from llmgenie_mcp.exchange import MARK, apart
from llmgenie_mcp.exporters._content import Content, Exported, Format, foreign_of, given_back, worded
from llmgenie_mcp.exporters._numbers import Numbers
from llmgenie_mcp.exporters._said import priority, status
from llmgenie_mcp.outcome import Document

NAME, MASTER = "taskmaster", "master"
METADATA = "taskmaster/metadata"
STATUSES = {
    "todo": "pending",
    "in_progress": "in-progress",
    "done": "done",
    "blocked": "blocked",
    "cancelled": "cancelled",
}
PRIORITIES = {"critical": "high"}


class _Writer:
    def __init__(self, content: Content) -> None:
        self.made, self.content = Exported(), content
        self.tasks = {task["id"]: task for task in content.tasks}
        self.tops: dict[str, str] = {}
        self.below: dict[str, list[str]] = defaultdict(list)
        self.tag: dict[str, str] = {}
        self.number: dict[str, int] = {}
        self.about = _about(content)

    def write(self) -> Exported:
        for id_ in self.tasks:
            self.tops[id_] = top = self._top(id_)
            self.tag[id_] = str(foreign_of(self.tasks[top], NAME).get("tag") or MASTER)
            if top != id_:
                self.below[top].append(id_)
        tags = sorted({*self.tag.values(), *self.about, MASTER}, key=lambda tag: (tag != MASTER, tag))
        for tag in tags:
            self._number([id_ for id_ in self.tasks if self.tops[id_] == id_ and self.tag[id_] == tag], by_id=True)
        for parts in self.below.values():
            self._number(parts, by_id=False)
        whole = {tag: self._tag(tag) for tag in tags}
        if self.about:
            self.made.ids["metadata"] = METADATA
        self.made.files[".taskmaster/tasks/tasks.json"] = (
            json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
        ).encode()
        return self.made

    def _top(self, id_: str) -> str:
        seen, at = {id_}, id_
        while (parent := str(self.tasks[at].get("parent"))) in self.tasks and parent not in seen:
            seen.add(parent)
            at = parent
        if self.tasks[id_].get("parent") not in (None, at):
            self.made.lost.append(f"{id_} is a subtask of {at}: Task Master has no deeper levels.")
        return at

    def _number(self, ids: list[str], *, by_id: bool) -> None:
        numbers = Numbers()
        for id_ in ids:
            said = foreign_of(self.tasks[id_], NAME).get("id")
            prefix, _, digits = id_.rpartition("-")
            numbers.ask(id_, said, int(digits) if by_id and prefix == "TSK" and digits.isdecimal() else None)
        self.number.update(numbers.given())

    def _key(self, id_: str) -> str:
        top = self.tops[id_]
        return str(self.number[id_]) if top == id_ else f"{self.number[top]}.{self.number[id_]}"

    def _tag(self, tag: str) -> Document:
        tasks = [task for id_, task in self.tasks.items() if self.tops[id_] == id_ and self.tag[id_] == tag]
        written = [self._task(task) for task in tasks]
        if tag in self.about:
            return {"tasks": written, **self.about[tag]}
        times = [str(task.get("created_at", "")) for task in tasks], [str(task.get("updated_at", "")) for task in tasks]
        about = {
            "created": min(times[0], default=""),
            "updated": max(times[1], default=""),
            "description": self.content.project,
            "exporter": MARK,
        }
        return {"tasks": written, "metadata": about}

    def _task(self, task: Document) -> Document:
        written = self._fields(task)
        written["subtasks"] = [self._fields(self.tasks[id_]) for id_ in self.below[task["id"]]]
        return written

    def _fields(self, task: Document) -> Document:
        id_, foreign = task["id"], foreign_of(task, NAME)
        description, sections = apart(task)
        if not sections.keys() <= {"Details", "Test strategy"}:
            description, sections = str(task.get("description") or ""), {}
        said, level = status(task, NAME, STATUSES), priority(task, PRIORITIES)
        dependencies = [(to, self._dependency(id_, to)) for to in task.get("dependencies") or ()]
        key = f"{self.tag[id_]}:{self._key(id_)}" if self.tag[id_] != MASTER else self._key(id_)
        self.made.ids[key] = id_
        kept = [to for to, written in dependencies if written is not None]
        self.made.fields[f"tasks/{id_}"] = worded(
            task, "title", "description", "status", "parent", priority=level, dependencies=kept
        )
        if level != task.get("priority"):
            self.made.lost.append(f"{id_} is {task.get('priority')}: Task Master knows no more than {level}.")
        return {
            "id": self.number[id_],
            "title": task["title"],
            "description": description,
            "details": sections.get("Details", ""),
            "testStrategy": sections.get("Test strategy", ""),
            "status": said,
            "priority": level,
            "dependencies": [written for _, written in dependencies if written is not None],
            **given_back(foreign),
        }

    def _dependency(self, id_: str, to: str) -> Any:
        """How a task names another: by number beside it, else in full; None where it cannot."""
        if to not in self.tasks or self.tag[to] != self.tag[id_]:
            self.made.lost.append(f"{id_} depends on {to}, which is in another tag or gone.")
            return None
        top = self.tops[id_]
        beside = {self.number[other] for other in self.below[top]}
        if self.tops[to] != to:
            return self.number[to] if top != id_ and self.tops[to] == top else self._key(to)
        if top != id_ and self.number[to] in beside:
            return str(self.number[to])  # a number would be the subtask beside it
        return self.number[to]


def _about(content: Content) -> dict[str, Document]:
    """What Task Master itself said of its tags, by tag: an import keeps that as a note."""
    value = next((note.get("value") for note in content.tables["notes"] if note["id"] == METADATA), None)
    known = value.items() if isinstance(value, dict) else ()
    return {tag: about for tag, about in known if isinstance(about, dict) and isinstance(about.get("metadata"), dict)}


FORMAT = Format(NAME, "Task Master", lambda content: _Writer(content).write())

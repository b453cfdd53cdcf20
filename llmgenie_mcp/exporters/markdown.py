"""llmgenie's own export as Markdown: a file for each task and roadmap item, which git merges where one JSON file conflicts.

What every write changes (`version`, `updated_at`) is left out: it would conflict and says nothing.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from llmgenie_mcp.exchange import MARK
from llmgenie_mcp.exporters._content import Content, Exported, Format
from llmgenie_mcp.exporters._front import front
from llmgenie_mcp.outcome import Document

KINDS = {"tasks": "task", "roadmap": "roadmap item"}
_FIRST = (
    "id",
    "title",
    "status",
    "priority",
    "assignee",
    "labels",
    "dependencies",
    "parent",
    "roadmap_item",
    "session",
    "target",
)
_LEFT = frozenset({"version", "updated_at", "description", "summary"})
_OPTIONAL = frozenset({"assignee", "labels", "dependencies", "roadmap_item", "session", "target"})
_MARK = re.compile(r"^(\\*<!-- summary -->)$", re.MULTILINE)


def _write(content: Content) -> Exported:
    made = Exported()
    for table, kind in KINDS.items():
        names: set[str] = set()
        for document in content.tables[table]:
            name = file_name(document["id"], names)
            made.files[f"{table}/{name}.md"] = _file(document, kind).encode()
            made.fields[f"{table}/{document['id']}"] = document
    return made


def file_name(id_: str, taken: set[str]) -> str:
    """A name that every file system takes, and tells from the others whatever it thinks of capitals."""
    name = quote(id_, safe=" ()+,;=@äöüßабвгдежзийклмнопрстуфхцчшщъыьэюя")[:150].lstrip(".") or "_"
    if name.casefold() in taken or name != id_:
        name = f"{name}-{hashlib.sha256(id_.encode()).hexdigest()[:8]}"
    taken.add(name.casefold())
    return name


def _file(document: Document, kind: str) -> str:
    names = [name for name in _FIRST if name in document]
    names += sorted(name for name in document if name not in names and name not in _LEFT)
    fields = {name: document[name] for name in names if name not in _OPTIONAL or document[name] not in (None, "", [])}
    description, summary = _text(document.get("description")), _text(document.get("summary"))
    if kind == "task" and summary:
        summary = f"<!-- summary -->\n{summary}"
    return front({MARK: kind, **fields}) + description + summary


def _text(value: object) -> str:
    """A text with a line end behind it; a line that would be taken for the mark of the summary is escaped."""
    return _MARK.sub(r"\\\1", str(value)) + "\n" if value else ""


FORMAT = Format("markdown", "A file for each task, for git", _write, folder=True)

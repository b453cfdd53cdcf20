"""Backlog.md: the folder `backlog`, a Markdown file with front matter for each task.

Fields and section markers as in files of https://github.com/MrLesk/Backlog.md; the markers are optional.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmgenie_mcp.errors import counted
from llmgenie_mcp.importers._front import Front, read_front
from llmgenie_mcp.importers._items import Format, Found, Item, Place, Reference, Sign, listed, problem, words
from llmgenie_mcp.importers._shapes import left_over
from llmgenie_mcp.importers._tree import Tree, Unreadable
from llmgenie_mcp.importers._words import means_done

FOLDERS = ("tasks", "completed", "drafts", "archive/tasks", "archive/drafts", "milestones", "archive/milestones")
ARCHIVED = "archive/"
"""Before the key of an archived task: Backlog.md gives its id away again."""
DOCUMENTS = ("decisions", "docs")
CONFIGS = ("config.yml", "backlog.config.yml")
_TAKEN = (
    *("id", "title", "status", "assignee", "created_date", "updated_date", "labels", "dependencies", "priority"),
    "parent_task_id",
)
_MARKER = re.compile(r"^<!-- (?:SECTION:[A-Z_]+|AC|DOD|COMMENTS):(?:BEGIN|END) -->[ \t]*\n?", re.MULTILINE)
_MARKED = re.compile(
    r"\s*<!-- (SECTION:[A-Z_]+|AC|DOD|COMMENTS):BEGIN -->\n(.*?)\n?<!-- \1:END -->[ \t]*\n?", re.DOTALL
)
_HEADING = re.compile(r"^## (.+?)[ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)


def _find(tree: Tree) -> Iterator[Sign]:
    if tree.is_file:
        front = _front(tree, tree.path.name)
        if front is not None and {"id", "title", "status"} <= front.fields.keys() and "llmgenie" not in front.fields:
            yield Sign(tree.path.name, "its front matter has id, title and status")
        return
    for folder in ("backlog/", ".backlog/", ""):
        if names := tree.files(*(f"{folder}{config}" for config in CONFIGS)):
            count = len(tree.files(f"{folder}tasks/*.md"))
            if count or (tree.root / f"{folder}tasks").is_dir():
                yield Sign(
                    folder.rstrip("/") or ".", f"{names[0]} is there, and {counted(count, 'file')} in {folder}tasks"
                )
                return
        names = [
            name for name in tree.files(f"{folder}tasks/*.md") if re.search(r"/[A-Za-z]+-\d+(\.\d+)* - ", f"/{name}")
        ]
        if names:
            yield Sign(folder.rstrip("/") or ".", f"{folder}tasks holds files such as {names[0].rpartition('/')[2]}")
            return


def _front(tree: Tree, name: str) -> Front | None:
    try:
        return read_front(tree, name)
    except Unreadable:
        return None


def _read(tree: Tree, sign: Sign) -> Iterator[Found]:
    found = list(_all(tree, sign))
    keys: dict[str, str] = {}
    for item in found:  # in the order of FOLDERS: where an archived task and another have one id, it means the other
        if isinstance(item, Item) and item.table == "tasks":
            keys.setdefault(item.key.removeprefix(ARCHIVED).casefold(), item.key)
    for item in found:
        if isinstance(item, Item):  # old files have ids in lower case, and are named in upper case
            item.waits_for = [_spelt(ref, keys) for ref in item.waits_for]
            item.parent = _spelt(item.parent, keys) if item.parent else None
        yield item


def _spelt(ref: Reference, keys: dict[str, str]) -> Reference:
    return Reference(keys.get(ref.key.casefold(), ref.key), ref.place)


def _all(tree: Tree, sign: Sign) -> Iterator[Found]:
    folder = "" if sign.path == "." else f"{sign.path}/"
    names = [name for part in FOLDERS for name in tree.files(f"{folder}{part}/*.md")]
    names = list(dict.fromkeys(names))
    milestones = {
        words(front.fields.get("id"))
        for name in names
        if "/milestones/" in f"/{name}" and (front := _front(tree, name))
    }
    for name in names:
        try:
            front = read_front(tree, name)
        except Unreadable as error:
            yield problem(
                Place(error.file, error.line, error.column), error.message, error.hint or "The other files came in."
            )
            continue
        if front is None or "id" not in front.fields:
            if front is not None or not name.lower().endswith("readme.md"):
                yield problem(Place(name), "This file has no front matter with an id.", "It was left out.")
            continue
        yield from (problem(place, message) for place, message in front.faults)
        item = _milestone(front, name) if "/milestones/" in f"/{name}" else _task(front, name, folder)
        if item.table == "tasks" and (goal := words(front.fields.get("milestone"))) in milestones:
            item.goal = Reference(goal, front.place("milestone"))
        yield item
    if not tree.is_file:
        yield from _documents(tree, folder)


def _documents(tree: Tree, folder: str) -> Iterator[Found]:
    """Decisions, documents and settings: kept as notes."""
    for name in tree.files(*(f"{folder}{part}/**/*.md" for part in DOCUMENTS), *(f"{folder}{one}" for one in CONFIGS)):
        try:
            text = tree.text(name).text
        except Unreadable as error:
            yield problem(Place(error.file, error.line, error.column), error.message, error.hint)
            continue
        within = name.removeprefix(folder)
        slug = "/".join(
            filter(None, (re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-._") for part in within.split("/")))
        )
        wanted = f"backlog/{slug}"[:90].rstrip("/-._")
        yield Item(
            f"file:{within}", Place(name), {"value": text}, table="notes", wanted=wanted, foreign={"file": within}
        )


def _task(front: Front, name: str, folder: str) -> Item:
    fields, said = dict[str, Any](), front.fields
    id_ = words(said["id"]).strip()
    where = name.removeprefix(folder).rpartition("/")[0]
    archived = where.startswith(ARCHIVED)
    key, other = (f"{ARCHIVED}{id_}", id_) if archived else (id_, f"{ARCHIVED}{id_}")
    fields["title"] = words(said.get("title"))
    description, sections = _parts(front.body)
    fields["description"] = description
    fields["summary"] = sections.pop("Final Summary", "")
    fields["labels"] = listed(said.get("labels"))
    people = [words(person).lstrip("@") for person in listed(said.get("assignee"))]
    fields["assignee"] = people[0] if people else None
    for ours, theirs in (("priority", "priority"), ("created_at", "created_date"), ("updated_at", "updated_date")):
        if said.get(theirs) not in (None, ""):
            fields[ours] = said[theirs]
    foreign = {"id": id_, **left_over(said, *_TAKEN)}
    if len(people) > 1:
        foreign["assignee"] = listed(said["assignee"])
    if where not in ("", "tasks"):
        foreign["folder"] = where
    if where:
        foreign["file"] = name.rpartition("/")[2]
    status = words(said.get("status")) or ("draft" if where == "drafts" else None)
    item = Item(key, Place(name), fields, status=status, wanted=id_, sections=sections, foreign=foreign)
    item.before = other
    if archived and not means_done(status or ""):
        item.meant = "archived"  # Backlog.md leaves the status as it was, and shows the task no more
    item.waits_for = [
        Reference(words(to), front.place("dependencies", index))
        for index, to in enumerate(listed(said.get("dependencies")))
    ]
    if said.get("parent_task_id"):
        item.parent = Reference(words(said["parent_task_id"]), front.place("parent_task_id"))
    return item


def _milestone(front: Front, name: str) -> Item:
    said, (description, sections) = front.fields, _parts(front.body)
    fields = {"title": words(said.get("title")) or words(said["id"]), "description": description}
    foreign = {"id": said["id"], **left_over(said, "id", "title"), "file": name.rpartition("/")[2]}
    if "/archive/" in f"/{name}":
        foreign["folder"] = "archive/milestones"
    key = words(said["id"])
    return Item(key, Place(name), fields, table="roadmap", sections=sections, foreign=foreign)


def _parts(body: str) -> tuple[str, dict[str, str]]:
    """The description, and the other sections by heading; two of one heading are put together.

    What stands between markers is taken as it is, headings in it included.
    """
    heads = [(head[1], head.start(), head.end()) for head in _HEADING.finditer(body)]
    fences = [match.start() for match in _FENCE.finditer(body)]
    parts: dict[str, str] = {}
    before, at = None, 0
    for index, (name, start, end) in enumerate(heads):
        if start < at or sum(at <= fence < start for fence in fences) % 2:
            continue  # inside of a marked section, or of code
        before = body[:start] if before is None else before
        marked = _MARKED.match(body, end)
        following = [head[1] for head in heads[index + 1 :] if not sum(end <= fence < head[1] for fence in fences) % 2]
        at = marked.end() if marked else following[0] if following else len(body)
        said = marked[2] if marked else _MARKER.sub("", body[end:at]).strip("\n")
        parts[name] = f"{parts[name]}\n\n{said}" if name in parts else said
    description = parts.pop("Description", "")
    above = _MARKER.sub("", body if before is None else before).strip("\n")
    return f"{above}\n\n{description}" if above and description else above or description, parts


FORMAT = Format(
    "backlog",
    "Backlog.md",
    "a folder backlog with config.yml and tasks/*.md, each with front matter: id, title, status",
    _find,
    _read,
)

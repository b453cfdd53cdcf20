"""beads: `.beads/issues.jsonl`, one issue a line.

Fields as in files of https://github.com/steveyegge/beads (`internal/types/types.go`): in `dependencies` the issue of `issue_id`
depends on that of `depends_on_id`, which with `parent-child` is its parent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmgenie_mcp.importers._items import Format, Found, Item, Place, Reference, Sign, listed, problem, words
from llmgenie_mcp.importers._json import Json, json_lines
from llmgenie_mcp.importers._shapes import left_over, not_an_object, twice_written
from llmgenie_mcp.importers._tree import Tree, Unreadable

PATHS = (".beads/issues.jsonl", ".beads/beads.jsonl", "issues.jsonl", "beads.jsonl")
ANY = (*PATHS, ".beads/*.jsonl")
_WAITS = frozenset({"blocks", "conditional-blocks", "waits-for"})
_TAKEN = (
    *(
        "id",
        "title",
        "description",
        "status",
        "priority",
        "assignee",
        "labels",
        "created_at",
        "updated_at",
        "dependencies",
        "closed_at",
    ),
    *("design", "notes", "acceptance_criteria", "close_reason", "parent"),
)


def _find(tree: Tree) -> Iterator[Sign]:
    for names in (tree.files(*PATHS), tree.files(*ANY)):
        signs = [sign for name in names if (sign := _sign(tree, name)) is not None]
        if signs:
            yield from signs
            return


def _sign(tree: Tree, name: str) -> Sign | None:
    try:
        lines = json_lines(tree.text(name))
    except Unreadable:
        return None
    looked, fitting = 0, 0
    for line in lines:
        looked += 1
        value = line.value if isinstance(line, Json) else None
        fitting += (
            isinstance(value, dict)
            and {"id", "title"} <= value.keys()
            and bool({"issue_type", "priority"} & value.keys())
        )
        if looked == 20:
            break
    return Sign(name, "its lines are issues with id, title and issue_type") if fitting * 2 > looked else None


def _read(tree: Tree, sign: Sign) -> Iterator[Found]:
    for line in json_lines(tree.text(sign.path)):
        if not isinstance(line, Json):
            yield problem(line[0], line[1], "This line was left out.")
            continue
        yield from twice_written(line)
        issue = line.value
        if not isinstance(issue, dict):
            yield not_an_object(line.place(), "issue")
        elif not isinstance(issue.get("id"), str) or not issue["id"]:
            yield problem(line.place(), "This issue has no id.", "It was left out.")
        else:
            yield _issue(line, issue)


def _issue(line: Json, issue: dict[str, Any]) -> Item:
    key = issue["id"]
    fields: dict[str, Any] = {
        "title": words(issue.get("title")),
        "description": words(issue.get("description")),
        "labels": listed(issue.get("labels")),
        "assignee": words(issue.get("assignee")) or None,
        "summary": words(issue.get("close_reason")),
    }
    for name in ("priority", "created_at", "updated_at"):
        if issue.get(name) not in (None, ""):
            fields[name] = issue[name]
    if issue.get("closed_at"):
        fields["completed_at"] = issue["closed_at"]
    sections = {
        "Design": words(issue.get("design")),
        "Acceptance criteria": words(issue.get("acceptance_criteria")),
        "Notes": words(issue.get("notes")),
    }
    foreign = left_over(issue, *_TAKEN)
    item = Item(key, line.place(), fields, status=words(issue.get("status")) or None, wanted=key, sections=sections)
    item.foreign = foreign
    for index, dependency in enumerate(listed(issue.get("dependencies"))):
        _dependency(item, dependency, line.place("dependencies", index))
    if issue.get("parent") and item.parent is None:
        item.parent = Reference(words(issue["parent"]), line.place("parent"))
    return item


def _dependency(item: Item, dependency: Any, place: Place) -> None:
    if not isinstance(dependency, dict) or not dependency.get("depends_on_id"):
        item.foreign.setdefault("unread_dependencies", []).append(dependency)
        return
    ref = Reference(words(dependency["depends_on_id"]), place)
    kind = words(dependency.get("type")) or "blocks"
    if kind == "parent-child" and item.parent is None:
        item.parent = ref
    elif kind in _WAITS:
        item.waits_for.append(ref)
    else:
        item.links.append((kind, ref))
    more = left_over(dependency, "issue_id", "depends_on_id", "type")
    if more or kind != "blocks":
        item.foreign.setdefault("dependencies", []).append({"depends_on_id": ref.key, "type": kind, **more})


FORMAT = Format(
    "beads",
    "beads",
    '.beads/issues.jsonl: a line for each issue, {"id": "bd-a1b2", "title": …, "issue_type": …}',
    _find,
    _read,
    worldwide=True,
)

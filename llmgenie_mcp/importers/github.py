"""GitHub issues, as `gh issue list --json number,title,body,state,labels,assignees,… ` writes them (cli.github.com/manual)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmgenie_mcp.errors import counted
from llmgenie_mcp.importers._items import Format, Found, Item, Reference, Sign, listed, words
from llmgenie_mcp.importers._json import Json, read_json
from llmgenie_mcp.importers._shapes import entries, left_over, most_have, not_an_object, twice_written, value_of
from llmgenie_mcp.importers._tree import Tree

PATHS = ("issues.json", "github-issues.json", "gh-issues.json")
_TAKEN = ("number", "title", "body", "state", "labels", "assignees", "createdAt", "updatedAt", "closedAt", "milestone")
_ADDRESS = re.compile(r"https?://[^/]+/([^/]+/[^/]+)/issues/\d+")


def _find(tree: Tree) -> Iterator[Sign]:
    for name in tree.files(*PATHS):
        value = value_of(tree, name)
        if most_have(value, "number", "title"):
            yield Sign(name, f"it is a list of {counted(len(value), 'issue')} with number and title")


def _read(tree: Tree, sign: Sign) -> Iterator[Found]:
    read = read_json(tree, sign.path)
    yield from twice_written(read)
    goals: dict[str, Item] = {}
    for number, issue in enumerate(read.value):
        if not isinstance(issue, dict):
            yield not_an_object(read.place(number), "issue")
            continue
        milestone = issue.get("milestone")
        if isinstance(milestone, dict) and milestone.get("title"):
            key = _key(issue, f"milestone {words(milestone.get('number')) or milestone['title']}")
            if key not in goals:
                goals[key] = _goal(read, milestone, key, number)
                yield goals[key]
        yield _issue(read, issue, number)


def _key(issue: dict[str, Any], rest: str) -> str:
    match = _ADDRESS.match(words(issue.get("url")))
    return f"{match[1]} {rest}" if match else rest


def _goal(read: Json, milestone: dict[str, Any], key: str, number: int) -> Item:
    fields: dict[str, Any] = {
        "title": words(milestone["title"]),
        "description": words(milestone.get("description")),
        "target": words(milestone.get("dueOn"))[:10],
    }
    foreign = left_over(milestone, "title", "description", "dueOn")
    return Item(key, read.place(number, "milestone"), fields, table="roadmap", foreign=foreign)


def _issue(read: Json, issue: dict[str, Any], number: int) -> Item:
    said = words(issue.get("number"))
    labels = [words(one.get("name")) if isinstance(one, dict) else words(one) for one in listed(issue.get("labels"))]
    people = [
        words(one.get("login")) if isinstance(one, dict) else words(one) for one in listed(issue.get("assignees"))
    ]
    fields: dict[str, Any] = {
        "title": words(issue.get("title")),
        "description": words(issue.get("body")),
        "labels": labels,
        "assignee": people[0] if people else None,
    }
    for ours, theirs in (("created_at", "createdAt"), ("updated_at", "updatedAt"), ("completed_at", "closedAt")):
        if issue.get(theirs):
            fields[ours] = issue[theirs]
    item = Item(_key(issue, f"#{said}"), read.place(number), fields, wanted=f"TSK-{said}" if said.isdecimal() else None)
    reason = words(issue.get("stateReason")).casefold()
    item.status = "not planned" if reason in ("not_planned", "duplicate") else words(issue.get("state")) or None
    item.foreign = {"number": issue.get("number"), **left_over(issue, *_TAKEN)}
    item.foreign |= {"labels": entries(issue.get("labels"))} if entries(issue.get("labels")) else {}
    if len(people) > 1:
        item.foreign["assignees"] = issue["assignees"]
    for other in _others(issue.get("parent"))[:1]:
        item.parent = Reference(_other_key(other, issue), read.place(number, "parent"))
    for other in _others(issue.get("blockedBy")):
        item.waits_for.append(Reference(_other_key(other, issue), read.place(number, "blockedBy")))
    milestone = issue.get("milestone")
    if isinstance(milestone, dict) and milestone.get("title"):
        key = _key(issue, f"milestone {words(milestone.get('number')) or milestone['title']}")
        item.goal = Reference(key, read.place(number, "milestone"))
    return item


def _others(value: Any) -> list[dict[str, Any]]:
    """The issues of a field: one, a list, or `{"nodes": […]}` as GitHub's GraphQL has it."""
    found = value["nodes"] if isinstance(value, dict) and "nodes" in value else listed(value)
    return [one for one in entries(found) if one.get("number")]


def _other_key(other: dict[str, Any], issue: dict[str, Any]) -> str:
    return _key(other if _ADDRESS.match(words(other.get("url"))) else issue, f"#{words(other['number'])}")


FORMAT = Format(
    "github",
    "GitHub issues",
    "issues.json, or the file you name: gh issue list --state all --limit 1000 --json number,title,body,state,labels,…",
    _find,
    _read,
    worldwide=True,
)

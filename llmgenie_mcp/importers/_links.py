"""What tasks have at issue trackers, brought in with them: the next sync goes on where the other project was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmgenie_mcp.errors import counted
from llmgenie_mcp.importers._ids import Key
from llmgenie_mcp.importers._items import Item
from llmgenie_mcp.importers._report import Report
from llmgenie_mcp.outbox import LINKS
from llmgenie_mcp.storage import Transaction
from llmgenie_mcp.trackers.fields import FIELDS


def bring_links(
    tx: Transaction, items: Sequence[Item], found: Mapping[Key, str], report: Report, *, person: bool
) -> None:
    """Write the links that are new; one that is here stays as it is.

    Args:
        tx: the open transaction; the tasks and comments are written already.
        items: of the table `links`.
        found: the documents that the items of other tables became.
        report: what is told.
        person: whether a person imports. What a link says of an issue is believed, so an agent brings in none.
    """
    there = {link["id"]: link for link in tx.query(LINKS)}
    taken = {(link["tracker"], link["issue"]): link["task"] for link in there.values()}
    left = [item for item in items if not person and _id(item, found) not in there]
    if left:
        hint = "A person brings them in: llmgenie import PATH."
        report.change(left[0].place, f"{counted(len(left), 'link')} with issues not taken over.", hint)
        return
    for item in items:
        id_, issue = _id(item, found), (item.fields.get("tracker"), item.fields.get("issue"))
        if id_ is None or not _is_whole(item.fields):
            report.problem(
                item.place, f"{item.key} is no link of a task that is there with an issue.", "It was left out."
            )
        elif id_ in there:
            report.unchanged += 1
        elif issue in taken:
            report.problem(
                item.place, f"Issue {issue[1]} of {issue[0]} is linked with {taken[issue]} here.", "So it stays."
            )
        else:
            task, said = id_.removeprefix(f"{issue[0]}/"), item.fields["comments"]
            comments = {theirs: found.get(("comments", ours), ours) for theirs, ours in said.items()}
            tx.put(LINKS, id_, {**item.fields, "id": id_, "task": task, "comments": comments})
            taken[issue] = task
            report.touched = True
            report.made(item, id_, f"issue {issue[1]}")


def _id(item: Item, found: Mapping[Key, str]) -> str | None:
    task = found.get(("tasks", item.parent.key)) if item.parent else None
    return f"{item.fields.get('tracker')}/{task}" if task else None


def _is_whole(link: Mapping[str, Any]) -> bool:
    agreed, comments = link.get("agreed"), link.get("comments")
    return (
        type(link.get("issue")) is int
        and all(isinstance(link.get(name), str) and link[name] for name in ("tracker", "nonce", "at"))
        and isinstance(comments, dict)
        and all(isinstance(ours, str) for ours in comments.values())
        and isinstance(agreed, dict)
        and all(isinstance(side := agreed.get(name), dict) and side.keys() >= set(FIELDS) for name in ("here", "there"))
    )

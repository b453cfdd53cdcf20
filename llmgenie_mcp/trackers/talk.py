"""Comments, both ways, and those that keep what lost a conflict.

A comment is a document of its own, `CMT-1`, that names its task. Each goes to the other side once; what a person edits there
is edited here too, and nothing said there is ever edited by llmgenie.
"""

from __future__ import annotations

from collections.abc import Iterable

from llmgenie_mcp import redact
from llmgenie_mcp.exchange import digest
from llmgenie_mcp.outcome import Document, now
from llmgenie_mcp.storage import Transaction
from llmgenie_mcp.trackers.fields import carries, marked, marker, without_markers
from llmgenie_mcp.trackers.issue import Comment
from llmgenie_mcp.trackers.place import COMMENTS, Place


def keep_lost(place: Place, task: str, text: str, field: str, lost: Document) -> str:
    """Keep a value that gave way as a comment on the task, and in the log; once. Returns the comment's id.

    Args:
        place: where.
        task: its id.
        text: of the comment.
        field: of the task.
        lost: field, side, value and winner.
    """
    key = f"{place.name}:{field}:{digest(lost)}"
    for known in place.comments(task):
        if known.get("key") == key:
            return str(known["id"])
    made: list[str] = []

    def write(tx: Transaction) -> None:
        made.append(tx.next_id("CMT"))
        document = {"task": task, "author": "llmgenie", "text": redact.redact(text), "at": now()}
        tx.put(COMMENTS, made[0], {**document, "id": made[0], "private": True, "key": key})

    place.commit("conflict", write, task=task, lost=redact.cut(redact.redact(lost), whole=4000))
    return made[0]


def send(place: Place, task: str) -> None:
    """Put the comments that are new here on the issue. Raises Unanswered, ActionError."""
    link = place.link(task)
    if link is None or link["issue"] is None or link.get("gone"):
        return
    told = set(link["comments"].values())
    number = link["issue"]
    for said in place.comments(task):
        if said["id"] in told or said.get("private"):
            continue
        if place.dry_run:
            place.say("commented", f"{place.label(number)} would get {said['id']}", task=task, issue=number)
            continue
        found = _arrived(place, link, said) if link.get("saying") == said["id"] else None
        if found is None:
            place.keep("saying", task, {**link, "saying": said["id"]})
            text = f"_{said['author']}, by llmgenie:_\n\n{redact.redact(said['text'])}"
            found = place.tracker.comment(number, marked(text, marker(said["id"], link["nonce"])))
        link = {**link, "comments": {**link["comments"], str(found.id): said["id"]}, "saying": None}
        place.keep("said", task, link, comment=said["id"], issue=number)
        place.say("commented", f"{place.label(number)} has {said['id']}", task=task, issue=number)


def _arrived(place: Place, link: Document, said: Document) -> Comment | None:
    """The comment that an attempt made of which the end is not known."""
    there = place.tracker.comments_of(link["issue"])
    return next((one for one in there if carries(one.text, link["nonce"], said["id"])), None)


def hear(place: Place, task: str, comments: Iterable[Comment]) -> None:
    """Take over what was said on the issue of a task."""
    for comment in sorted(comments, key=lambda one: one.id):
        link = place.link(task)
        if link is None:
            return
        _hear(place, task, link, comment)


def _hear(place: Place, task: str, link: Document, comment: Comment) -> None:
    known = link["comments"].get(str(comment.id))
    own = next((one["id"] for one in place.comments(task) if carries(comment.text, link["nonce"], one["id"])), None)
    if own is not None:
        if known is None and not place.dry_run:
            place.keep("said", task, {**link, "comments": {**link["comments"], str(comment.id): own}}, comment=own)
        return
    text = redact.redact(without_markers(comment.text))
    before = place.storage.get(COMMENTS, known) if known else None
    if before is not None and (before["text"] == text or before.get("from") != place.name):
        return
    if place.dry_run:
        place.say("commented", f"{task} would get a comment of {comment.author}", task=task, issue=comment.issue)
        return

    def write(tx: Transaction) -> None:
        id_ = known or tx.next_id("CMT")
        document = {"task": task, "author": comment.author, "text": text, "at": comment.created_at, "from": place.name}
        tx.put(COMMENTS, id_, {**(before or {}), **document, "id": id_})
        place.put_link(tx, task, {**link, "comments": {**link["comments"], str(comment.id): id_}})

    place.commit("commented", write, task=task, issue=comment.issue, author=comment.author)
    place.say("commented", f"{task} has what {comment.author} said", task=task, issue=comment.issue)

"""Context data: documents by key, as callers read them (`tasks`, `tasks/TSK-12`, `meta-log`, `notes/anything` …).

A list holds a short form of each document and is paged, so that no answer floods a model's context.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from llmgenie_mcp.errors import BadParams, NotWritable, UnknownName, shorten
from llmgenie_mcp.outcome import PRIORITIES
from llmgenie_mcp.redact import TEXT, cut
from llmgenie_mcp.storage import Document, Page, Storage
from llmgenie_mcp.validation import check_name

TABLES: dict[str, tuple[str, ...]] = {
    "tasks": ("id", "title", "status", "priority", "assignee", "dependencies", "roadmap_item"),
    "roadmap": ("id", "title", "status", "target", "progress"),
    "sessions": ("id", "status", "actor", "role", "mode", "task", "branch", "instance", "created_at"),
    "instances": ("id", "workflow", "state", "subject", "session", "updated_at"),
    "approvals": ("id", "status", "action", "instance", "question", "decided_by", "created_at"),
    "runs": ("id", "action", "command", "status", "exit_code", "commit", "seconds", "created_at"),
    "opinions": ("id", "verdict", "model", "branch", "commit", "base", "counts", "created_at"),
    "notes": ("id", "updated_at"),
    "lessons": ("id", "title", "tags", "created_at"),
    "comments": ("id", "task", "author", "at", "text"),
    "outbox": ("id", "status", "destination", "attempts", "next_at", "error", "created_at"),
}
"""Keys that list documents, with the fields of the short form."""

LOG = "meta-log"
LONGEST_QUERY = 500
"""Characters: every word is looked for in every document, and in every line of a log that has a hundred thousand."""
FEW = 50
MAX_BYTES = 9_000
"""A list of FEW items stops growing here, under the 10 KB that an answer may have."""
UNSEARCHED = ("created_at", "updated_at", "version", "ts", "prev", "seal")
"""Fields in which a word of a query is not looked for: 99 is not to find whatever was written at 14:39.599."""
ONE = {
    **{table: table.removesuffix("s") for table in TABLES},
    "roadmap": "goal",
    "outbox": "item of the outbox",
}
"""What one document of a table is to people."""
SAID = 10
"""Comments that are shown with a task; all of them are `comments` with the query `task:TSK-1`."""
ITEM_BYTES = 3_000
"""No item of a list is much longer; the document itself is."""


def read(storage: Storage, key: str, query: str | None = None, limit: int = 50, cursor: str | None = None) -> Document:
    """The value behind `key`.

    Args:
        key: a table (`tasks`), one document (`tasks/TSK-1`), `meta-log`, `meta-log/SEQ`.
        query: words that must all occur; `field:value` compares one field.
        limit: at most this many items (1 to 500); a long list also ends at about 9 KB, unless `limit` asks for more than 50.
        cursor: from the answer before.

    Returns:
        {"key", "value"} for a document, {"key", "items", "total", "cursor"} for a list.

    Raises:
        UnknownName: no such key or document. BadParams: limit or cursor out of range.
    """
    if not isinstance(limit, int) or not 1 <= limit <= 500:
        raise BadParams(f"limit is {shorten(limit)}.", "Use 1 to 500, and the cursor for more.")
    for part, what in ((query, "query"), (cursor, "cursor")):
        if part is not None:
            check_name(part, what)
    if query is not None and len(query) > LONGEST_QUERY:
        raise BadParams(f"The query has {len(query):,} characters.", f"At most {LONGEST_QUERY}: give fewer words.")
    table, _, name = check_name(key, "key").strip("/").partition("/")
    if table == LOG:
        return _log(storage, key, name, query, limit, cursor)
    if table not in TABLES:
        known = [*TABLES, LOG]
        from difflib import get_close_matches

        near = get_close_matches(table, known, n=1, cutoff=0.5)
        meant = f"Did you mean {near[0]}? " if near else ""
        hint = f"{meant}Keys are {', '.join(known)}; one document is table/id."
        raise UnknownName("context key", key, known, hint=hint)
    if name:
        document = storage.get(table, name)
        if document is None:
            raise UnknownName(ONE[table], name, [d["id"] for d in storage.query(table).items])
        told = _elsewhere(storage, name) if table == "tasks" else {}
        return {"key": key, "value": {**enrich(storage, table, document), **told}}
    return _list(storage, table, query, limit, cursor)


def writer(key: str, value: object) -> tuple[str, Document]:
    """The action and parameters by which `key` is written.

    Raises:
        NotWritable: the key is the engine's own; says what to do instead.
    """
    table, _, name = check_name(key, "key").strip("/").partition("/")
    if table in ("tasks", "roadmap") and name:
        if not isinstance(value, Mapping):
            raise BadParams(f"The value for {key} is {shorten(value)}.", "Give an object with the fields to change.")
        return ("update_task" if table == "tasks" else "roadmap_update"), {**value, "id": name}
    if table == "notes" and name:
        return "record_note", {"key": name, "value": value}
    words, action, params = _INSTEAD.get(table, (_WRITABLE, "", {}))
    fix = {"fix": {"action": action, "params": dict(params)}} if action else {}
    raise NotWritable(f"{shorten(key)} cannot be written with update_context.", words, **fix)


_WRITABLE = "Writable: notes/NAME (anything), tasks/ID and roadmap/ID (fields to change)."
_INSTEAD: dict[str, tuple[str, str, Mapping[str, str]]] = {
    "tasks": ("Use run_action create_task, or name one: tasks/TSK-1.", "create_task", {"title": "…"}),
    "roadmap": ("Use run_action roadmap_add, or name one: roadmap/RMI-1.", "roadmap_add", {"title": "…"}),
    "approvals": ("Only a person answers: run_action request_approval asks one.", "request_approval", {}),
    LOG: ("Use run_action log_entry; the log itself is append-only.", "log_entry", {"text": "…"}),
    "sessions": ("Use run_action start_session, switch_mode, pause_session, finish_session.", "start_session", {}),
    "instances": ("Use the triggers of the workflow by run_action.", "", {}),
    "comments": ("Use run_action comment_task.", "comment_task", {"id": "TSK-1", "text": "…"}),
    "lessons": ("Use run_action record_lesson.", "record_lesson", {"title": "…"}),
    "opinions": ("Only a model that the settings name gives one: run_action review_diff.", "review_diff", {}),
    "outbox": ("It is written along with what it delivers; a person says llmgenie outbox.", "", {}),
}
"""What to do instead of writing a key: in words, and the action that does it with its parameters."""


def enrich(storage: Storage, table: str, document: Document) -> Document:
    """A document with what is computed from others: a roadmap item's progress."""
    if table == "roadmap":
        return {**document, "progress": progress(storage.query("tasks", {"roadmap_item": document["id"]}).items)}
    return document


def _elsewhere(storage: Storage, task: str) -> Document:
    """The last comments on a task, short, and its issues at trackers; nothing where there are none."""
    said = storage.query("comments", {"task": task}).items[-SAID:]
    issues = {
        link["tracker"]: {"issue": link["issue"], "url": link.get("url")}
        for link in storage.query("links", {"task": task}).items
        if link["issue"] is not None
    }
    shown = [{name: shorten(one[name], 300) for name in ("id", "author", "at", "text")} for one in said]
    return {**({"comments": shown} if shown else {}), **({"issues": issues} if issues else {})}


def progress(tasks: Iterable[Document]) -> Document:
    """How far a roadmap item is: its tasks by number, cancelled ones left out."""
    counted = [task for task in tasks if task["status"] != "cancelled"]
    done = sum(task["status"] == "done" for task in counted)
    return {"done": done, "total": len(counted), "percent": round(100 * done / len(counted)) if counted else 0}


def task_order(task: Mapping[str, Any]) -> tuple[int, int]:
    """Sorts tasks by priority, then by age."""
    rank = PRIORITIES.index(task["priority"]) if task.get("priority") in PRIORITIES else len(PRIORITIES)
    return rank, int(str(task["id"]).rpartition("-")[2]) if str(task["id"]).rpartition("-")[2].isdigit() else 0


def matcher(query: str | None) -> Callable[[Mapping[str, Any]], bool]:
    """A predicate for `query`: words that all occur anywhere, `field:value` that one field equals."""
    terms = (query or "").lower().split()
    pairs = [term.split(":", 1) for term in terms if ":" in term]
    words = [term for term in terms if ":" not in term]

    def matches(document: Mapping[str, Any]) -> bool:
        for name, wanted in pairs:
            value = document.get(name)
            values = value if isinstance(value, list) else [value]
            if wanted not in (str(part).lower() for part in values):
                return False
        if not words:
            return True
        text = "\n".join(_texts({k: v for k, v in document.items() if k not in UNSEARCHED})).lower()
        return all(word in text for word in words)

    return matches


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif value is not None:
        yield str(value)


def fitting(items: Iterable[Document]) -> list[Document]:
    """The first of `items` for which an answer has room, at least one, each cut to what a list shows."""
    found: list[Document] = []
    size = 0
    for item in items:
        short, bytes_ = item, _bytes(item)
        if bytes_ > TEXT:  # no text and no whole that is cut is as short as this in JSON
            short = cut(item, whole=ITEM_BYTES)
            bytes_ = _bytes(short)
        size += bytes_
        if size > MAX_BYTES and found:
            break
        found.append(short)
    return found


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _bytes(item: Document) -> int:
    return len(_encode(item).encode("utf-8", "replace"))


def _list(storage: Storage, table: str, query: str | None, limit: int, cursor: str | None) -> Document:
    if query:
        matches = matcher(query)
        found = [d for d in storage.query(table).items if matches(d)]
        start = _number(cursor)
        page = Page(
            found[start : start + limit], len(found), str(start + limit) if start + limit < len(found) else None
        )
    else:
        page = storage.query(table, limit=limit, cursor=cursor)
    fields = TABLES[table]
    full = (enrich(storage, table, document) for document in page.items)
    short = [{f: v for f in fields if (v := document.get(f)) not in (None, [], "")} for document in full]
    items = fitting(short) if limit <= FEW else [cut(item, whole=ITEM_BYTES) for item in short]
    if len(items) < len(short):
        return _list(storage, table, query, len(items), cursor)
    return {"key": table, "items": items, "total": page.total, "cursor": page.cursor}


def _log(storage: Storage, key: str, seq: str, query: str | None, limit: int, cursor: str | None) -> Document:
    if seq:
        number = _number(seq)
        lines = storage.log(after=number - 1, limit=1, changes=True).items
        if not lines or lines[0]["seq"] != number:
            raise UnknownName("line of the meta-log", seq, hint=f"The log has lines 1 to {storage.last_seq()}.")
        return {"key": key, "value": lines[0]}
    matches = matcher(query)
    before = _number(cursor) if cursor else None
    items: list[Document] = []
    size = 0
    while True:
        page = storage.log(before=before, limit=200 if query else limit, newest_first=True)
        for line in page.items:
            before = line["seq"]
            if not matches(line):
                continue
            line = cut(line, whole=ITEM_BYTES)  # noqa: PLW2901 - as a list shows it
            size += _bytes(line)
            if len(items) == limit or (size > MAX_BYTES and limit <= FEW and items):
                return {"key": LOG, "items": items, "total": storage.last_seq(), "cursor": str(items[-1]["seq"])}
            items.append(line)
        if not page.items or before == 1:
            return {"key": LOG, "items": items, "total": storage.last_seq(), "cursor": None}
        if len(items) == limit:
            return {"key": LOG, "items": items, "total": storage.last_seq(), "cursor": str(before)}


def _number(text: str | None) -> int:
    if text is None:
        return 0
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise BadParams(f"{shorten(text)!r} is no position.", "Hand back the cursor of the answer before, unchanged.")
    return int(text)


def complete(storage: Storage, prefix: str) -> list[str]:
    """Keys that start with `prefix`, at most 100."""
    table, slash, _ = check_name(prefix, "key").partition("/")
    if not slash:
        return [key for key in (*TABLES, LOG) if key.startswith(prefix)]
    if table not in TABLES:
        return []
    keys = (f"{table}/{document['id']}" for document in storage.query(table).items)
    return [key for key in keys if key.startswith(prefix)][:100]

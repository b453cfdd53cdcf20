"""What is worth keeping: log entries, notes, lessons learned."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field

from llmgenie_mcp.engine.situation import ActionContext
from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.records import Document, Text, Title, now

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*(/[A-Za-z0-9][A-Za-z0-9_.\-]*)*")


class LogEntry(Params):
    """Parameters of log_entry."""

    text: Text = Field(min_length=1, description="What happened or was decided, and why.")
    task: str | None = Field(default=None, max_length=100, description="The task it is about.")


class RecordNote(Params):
    """Parameters of record_note."""

    key: str = Field(max_length=100, description="Name of the note, such as design/storage.")
    value: Any = Field(description="Text or any JSON; null removes the note.")
    expected_version: int | None = Field(
        default=None, ge=0, description="Refuse when the note has another version; 0: is new."
    )


class RecordLesson(Params):
    """Parameters of record_lesson."""

    title: Title = Field(description="The lesson, in one line.")
    text: Text = Field(default="", description="What happened, why, and what to do next time.")
    tags: list[Title] = Field(default=[], max_length=20, description="Free words to find it by.")


@action(
    "log_entry",
    params=LogEntry,
    everywhere=True,
    example={"text": "Chose a hand-written parser: the grammar is small.", "task": "TSK-1"},
)
def log_entry(ctx: ActionContext, params: LogEntry) -> Document:
    """Write a line into the meta-log: a decision, a reason, something observed."""
    ctx.notes.append(params.text)
    return {"logged": True}


@action(
    "record_note", params=RecordNote, example={"key": "design/parser", "value": "One token of lookahead is enough."}
)
def record_note(ctx: ActionContext, params: RecordNote) -> Document:
    """Keep something under a name; read it back as notes/NAME."""
    if not _KEY.fullmatch(params.key):
        raise BadParams(f"{params.key!r} is no name for a note.", "Use letters, digits, . _ - and / between parts.")
    known = ctx.write.get("notes", params.key)
    if params.value is None and params.expected_version in (None, (known or {}).get("version", 0)):
        return {"key": f"notes/{params.key}", "removed": ctx.write.delete("notes", params.key)}
    document = {"created_at": (known or {}).get("created_at", now()), "updated_at": now(), "value": params.value}
    written = ctx.write.put("notes", params.key, document, expected_version=params.expected_version)
    return {"key": f"notes/{params.key}", "version": written["version"]}


@action(
    "record_lesson",
    params=RecordLesson,
    example={"title": "Run the tests before submit", "text": "A review was sent back for it.", "tags": ["review"]},
)
def record_lesson(ctx: ActionContext, params: RecordLesson) -> Document:
    """Keep a lesson learned, so that the next session finds it."""
    id_ = ctx.write.next_id("LSN")
    session = ctx.situation.session
    document = {**params.model_dump(), "session": session["id"] if session else None, "created_at": now()}
    ctx.write.put("lessons", id_, document)
    return {"id": id_}

"""An item's fields, made to fit llmgenie's records: too long texts, unknown words, secrets, what cannot be stored."""

from __future__ import annotations

from typing import Any

from llmgenie_mcp.exchange import joined
from llmgenie_mcp.importers._items import Item, listed, words
from llmgenie_mcp.importers._report import Report
from llmgenie_mcp.importers._words import priority_of, state_of, time_of
from llmgenie_mcp.records import RoadmapItem, Session, Task
from llmgenie_mcp.redact import find, redact
from llmgenie_mcp.workflow import Workflow

TITLE, TEXT, DEEP = 200, 20_000, 40
"""Characters of a title and of a text that a record takes, and how deep foreign data may be nested."""
MODELS: dict[str, type[Task | RoadmapItem | Session]] = {"tasks": Task, "roadmap": RoadmapItem, "sessions": Session}
"""What a table's documents are checked by."""
_TEXTS = ("description", "summary", "text")
_TIMES = ("created_at", "updated_at", "completed_at")


def fit(item: Item, report: Report, workflow: Workflow, *, own: bool) -> None:
    """Make an item storable in place; whatever is lost by it goes to its `foreign` part, and to the report.

    Args:
        item: as it was read.
        report: what is to be told.
        workflow: of tasks.
        own: the file is llmgenie's own: words and times stand as they are.
    """
    item.fields, item.foreign = _clean(item.fields, item), _clean(item.foreign, item)
    item.sections = _clean({name: text for name, text in item.sections.items() if text.strip()}, item)
    if item.table == "tasks":
        _task(item, workflow)
    if item.table in ("tasks", "roadmap") or "title" in item.fields:
        _title(item)
    _texts(item)
    _times(item, own=own)
    _check(item, report)


def _task(item: Item, workflow: Workflow) -> None:
    fields = item.fields
    if item.status is not None:
        said = " ".join(words(item.status).split()) or workflow.initial
        state, known = state_of(item.meant or said, workflow)
        fields["status"] = state
        if said != state:
            item.foreign |= {"status": said, "read_as": state}
            if item.meant:
                item.note(f"{item.key} is {item.meant} there, whatever its status says ({said[:60]}): it is {state}.")
            elif known:
                item.read_as = said, state
            else:
                hint = f"The states are {', '.join(workflow.states)}; the word is kept with the task."
                item.note(f"The status {said[:60]!r} is not known: {item.key} is {state}.", hint)
    if "priority" in fields:
        said = fields["priority"]
        found = priority_of(said)
        if found is None:
            del fields["priority"]
            if said not in (None, ""):
                item.foreign.setdefault("priority", said)
                item.note(f"The priority {words(said)[:60]!r} is not known: {item.key} is medium.")
        else:
            fields["priority"] = found
            if found != said:
                item.foreign.setdefault("priority", said)
    if "labels" in fields:
        labels = [" ".join(words(label).split()) for label in listed(fields["labels"])]
        fields["labels"] = list(dict.fromkeys(label[:TITLE] for label in labels if label))
    if fields.get("assignee", None) is not None and not isinstance(fields["assignee"], str):
        fields["assignee"] = words(fields["assignee"])


def _title(item: Item) -> None:
    title = words(item.fields.get("title")).strip()
    if not title:
        title = item.key
        item.note(f"{item.key} has no title: its id stands for it.")
    if len(title) > TITLE:
        item.foreign.setdefault("title", title)
        item.note(f"The title of {item.key} is {len(title)} characters long: it was cut to {TITLE}.")
        title = f"{title[: TITLE - 1].rstrip()}…"
    item.fields["title"] = title


def _texts(item: Item) -> None:
    fields = item.fields
    if item.sections:
        item.foreign["sections"] = item.sections
        whole = joined(words(fields.get("description")), item.sections)
        if len(whole) <= TEXT:
            fields["description"] = whole
        else:
            item.note(f"{item.key} says more than {TEXT:,} characters: some of it is in `foreign` alone.")
    for name in _TEXTS:
        if name not in fields:
            continue
        text = words(fields[name])
        if len(text) > TEXT:
            item.foreign.setdefault(name, text)
            item.note(f"The {name} of {item.key} is {len(text):,} characters long: it was cut to {TEXT:,}.")
            text = f"{text[: TEXT - 1]}…"
        fields[name] = text


def _times(item: Item, *, own: bool) -> None:
    for name in _TIMES:
        said = item.fields.get(name)
        if name not in item.fields or (own and isinstance(said, str)):
            continue
        found = time_of(said)
        if found is None:
            del item.fields[name]
            if said not in (None, ""):
                item.note(f"{words(said)[:60]!r} is no time that is known: {name} of {item.key} is left out.")
        else:
            item.fields[name] = found
        if said != found and said not in (None, ""):
            item.foreign.setdefault(name, said)


def _check(item: Item, report: Report) -> None:
    """What does not fit the record goes to `foreign`."""
    from pydantic import ValidationError

    model = MODELS.get(item.table)
    try:
        if model is not None:
            model(id="ID-1", **{name: value for name, value in item.fields.items() if value is not None})
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            name = str(fault["loc"][0])
            if name in item.fields:
                item.foreign.setdefault(name, item.fields.pop(name))
                if name == "title":
                    item.fields["title"] = item.key[:TITLE]
                report.problem(
                    item.place, f"{name} of {item.key} does not fit: {fault['msg']}.", "It is left as it was."
                )


def _clean(value: Any, item: Item) -> Any:
    """`value` as the store takes it: no secrets, nothing too large or too deep."""
    if kinds := find(value):
        item.note(
            f"{item.key} holds what looks like a secret ({', '.join(kinds)}): it was taken out.",
            "Secrets are kept nowhere in llmgenie; if it is a real one, change it.",
        )
        value = redact(value)
    return _storable(value, 1)


def _storable(value: Any, depth: int) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 1000:
        return str(value)
    if isinstance(value, dict | list) and depth > DEEP:
        return words(value) if depth < 500 else "…"
    if isinstance(value, dict):
        return {str(key): _storable(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [_storable(part, depth + 1) for part in value]
    return value

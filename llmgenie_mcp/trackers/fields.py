"""The fields that a task and its issue share, in a form in which they can be compared, and the marker in an issue's body.

| here                  | there                                                                             |
|-----------------------|-----------------------------------------------------------------------------------|
| title                 | title                                                                             |
| description           | body, without the marker                                                          |
| labels                | labels, without those by which the settings choose issues                         |
| assignee              | the first of the people it is assigned to; the others stay                        |
| status done           | closed as completed                                                               |
| status cancelled      | closed as not planned                                                             |
| any other status      | open                                                                              |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from llmgenie_mcp import redact
from llmgenie_mcp.errors import shorten
from llmgenie_mcp.trackers.issue import Issue

Values: TypeAlias = dict[str, Any]
FIELDS = ("title", "description", "labels", "assignee", "state")
TITLE, TEXT, LABELS = 200, 20_000, 30
"""Characters of a title and a text, and labels, that a task has at most (`records.Task`)."""
LONGEST_LABEL = 50
"""Characters of a label that goes out; longer ones stay here."""
MARKER = re.compile(r"<!-- llmgenie: (\S{1,100}) ([0-9a-f]{32}) -->")


def here_of(task: Mapping[str, Any]) -> Values:
    """A task's values."""
    status = task["status"]
    return {
        "title": str(task["title"]).strip(),
        "description": _plain(str(task.get("description") or "")),
        "labels": _sorted(task.get("labels") or ()),
        "assignee": task.get("assignee") or None,
        "state": status if status in ("done", "cancelled") else "open",
    }


def there_of(issue: Issue, chosen: Iterable[str]) -> Values:
    """An issue's values; `chosen` are the labels by which the settings choose issues."""
    left_out = {name.casefold() for name in chosen}
    return {
        "title": issue.title.strip(),
        "description": without_markers(issue.body),
        "labels": _sorted(name for name in issue.labels if name.casefold() not in left_out),
        "assignee": issue.people[0] if issue.people else None,
        "state": issue.state,
    }


def fitted(there: Mapping[str, Any], number: int) -> Values:
    """An issue's values as a task can have them: without secrets, and not longer than its fields."""
    title = redact.redact(there["title"]).strip() or f"#{number}"
    text = redact.redact(there["description"])
    return {
        "title": shorten(title, TITLE),
        "description": text if len(text) <= TEXT else f"{text[: TEXT - 1]}…",
        "labels": fitted_labels(there["labels"]),
        "assignee": there["assignee"],
        "state": there["state"],
    }


def is_ours(issue: Issue, chosen: Iterable[str]) -> bool:
    """Whether an issue has all the labels by which the settings choose issues."""
    return {name.casefold() for name in chosen} <= {name.casefold() for name in issue.labels}


def fitted_labels(labels: Iterable[str]) -> list[str]:
    """An issue's labels as a task can have them."""
    return _sorted(name for each in labels if (name := redact.redact(each).strip()))


def whole(field: str, there: Mapping[str, Any], number: int) -> bool:
    """Whether a task can have an issue's value as it is. What is only here in part never goes back there."""
    return field == "labels" or bool(fitted(there, number)[field] == there[field])


def sent(here: Mapping[str, Any], field: str) -> Any:
    """A task's value as it goes out: no secret leaves."""
    value = redact.redact(here[field])
    if field == "labels":
        return [name for name in value if len(name) <= LONGEST_LABEL]
    return value


def marker(what: str, nonce: str) -> str:
    """What stands, unseen by readers, at the end of a text that llmgenie wrote elsewhere."""
    return f"<!-- llmgenie: {what} {nonce} -->"


def marked(text: str, *markers: str) -> str:
    """A text for elsewhere with markers behind it; what looks like one in the text itself is taken out."""
    return "\n\n".join(part for part in (MARKER.sub("", text).rstrip(), *markers) if part)


def markers(text: str) -> list[str]:
    """The markers in a text, as they stand there."""
    return [found[0] for found in MARKER.finditer(text)]


def carries(text: str, nonce: str, what: str) -> bool:
    """Whether a text has the marker of what was sent with `nonce`."""
    return any(found[1] == what and found[2] == nonce for found in MARKER.finditer(text))


def without_markers(text: str) -> str:
    """A text as readers see it."""
    return _plain(MARKER.sub("", text))


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip()


def _sorted(names: Iterable[str]) -> list[str]:
    """Labels, each once whatever its case, as trackers tell them apart."""
    return sorted({name.casefold(): name for name in names}.values(), key=lambda name: (name.casefold(), name))

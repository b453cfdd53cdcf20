"""What a Backlog.md folder holds beside tasks: settings, milestones, decisions and documents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from llmgenie_mcp.exchange import apart
from llmgenie_mcp.exporters._content import Content, Exported, foreign_of, given_back, worded
from llmgenie_mcp.exporters._front import front, scalar
from llmgenie_mcp.exporters._numbers import Numbers
from llmgenie_mcp.outcome import Document

NAME = "backlog"
CONFIG = "config.yml"
_UNFIT = re.compile(r"[^\w()+,;=@-]+")
_MILESTONE = re.compile(r"m-(\d{1,9})")
_STATUSES = re.compile(r"^statuses:.*(?:\n[ \t]*- .*)*", re.MULTILINE)
_PREFIX = re.compile(r"^task_prefix:.*", re.MULTILINE)


def file_name(document: Document, id_: str) -> str:
    """The name that the tool gave its file, as long as that goes with the id; else one as the tool makes it."""
    known = foreign_of(document, NAME).get("file")
    if (
        isinstance(known, str)
        and known == PurePosixPath(known).name
        and known.casefold().startswith(f"{id_.casefold()} ")
    ):
        return known
    return f"{id_.lower()} - {_UNFIT.sub('-', document['title']).strip('-')[:100] or 'task'}.md"


def milestones(content: Content, made: Exported) -> dict[str, str]:
    """Write a milestone for each roadmap item; the milestone's id by that of the item."""
    numbers = Numbers()
    items = content.tables["roadmap"]
    for item in items:
        said = _MILESTONE.fullmatch(str(foreign_of(item, NAME).get("id")))
        numbers.ask(item["id"], int(said[1]) + 1 if said else None)
    given = {id_: f"m-{number - 1}" for id_, number in numbers.given().items()}  # the tool counts from 0
    for item in items:
        key, foreign = given[item["id"]], foreign_of(item, NAME)
        folder = "archive/milestones" if foreign.get("folder") == "archive/milestones" else "milestones"
        description, sections = apart(item)
        body = "".join(
            f"\n## {heading}\n\n{text}\n" for heading, text in {"Description": description, **sections}.items()
        )
        head = front({"id": key, "title": item["title"], **given_back(foreign)})
        made.files[f"{folder}/{file_name(item, key)}"] = (head + body).encode()
        made.fields[f"roadmap/{item['id']}"] = worded(item, "title", "description")
        made.ids[key] = item["id"]
    return given


def documents(content: Content, made: Exported) -> None:
    """Give back the decisions and documents that came from the tool and are texts still."""
    for note in content.tables["notes"]:
        name = foreign_of(note, NAME).get("file")
        if isinstance(name, str) and isinstance(note.get("value"), str) and _inside(name):
            made.files.setdefault(name, note["value"].encode())
        if isinstance(name, str):
            made.ids[f"file:{name}"] = note["id"]
            made.fields[f"notes/{note['id']}"] = worded(note, "value")


def config(content: Content, prefix: str, statuses: Iterable[str], spare: Iterable[str]) -> str:
    """The settings: those that came from the tool, with the statuses that are in use and the prefix; else new ones.

    Args:
        content: what is exported.
        prefix: of task ids.
        statuses: the words that tasks have.
        spare: further ones, for settings that are new.
    """
    there = _known_config(content)
    line = f'task_prefix: "{prefix.lower()}"'
    if there is None:
        words = list(dict.fromkeys([*spare, *statuses]))
        lines = [
            f"project_name: {scalar(content.project)}",
            f"default_status: {_quoted(words[0]) if words else _quoted('To Do')}",
            _listed(words),
            "labels: []",
            "date_format: yyyy-mm-dd",
            line,
        ]
        return "\n".join([*lines, ""])
    text, known = there
    folded = {word.casefold() for word in known}
    if missing := [word for word in dict.fromkeys(statuses) if word.casefold() not in folded]:
        text = _replaced(_STATUSES, _listed([*known, *missing]), text)
    return _replaced(_PREFIX, line, text)


def _known_config(content: Content) -> tuple[str, list[str]] | None:
    from llmgenie_mcp.loader.yamlfault import Fault
    from llmgenie_mcp.loader.yamltext import parse

    for note in content.tables["notes"]:
        if foreign_of(note, NAME).get("file") == CONFIG and isinstance(text := note.get("value"), str):
            try:
                said: Any = parse(text).root.data()
            except Fault:
                return None
            words = said.get("statuses") if isinstance(said, dict) else None
            return text, [str(word) for word in words] if isinstance(words, list) else []
    return None


def _replaced(pattern: re.Pattern[str], line: str, text: str) -> str:
    if pattern.search(text):
        return pattern.sub(lambda _: line, text, count=1)
    return f"{text.rstrip()}\n{line}\n"


def _listed(words: Iterable[str]) -> str:
    return f"statuses: [{', '.join(map(_quoted, words))}]"


def _quoted(word: str) -> str:
    return f'"{word}"' if '"' not in word and "\\" not in word else scalar(word)


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.parts[:1] in (("decisions",), ("docs",))

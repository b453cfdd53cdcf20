"""llmgenie's own export as Markdown: a file with front matter for each task and each roadmap item."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmgenie_mcp.errors import counted
from llmgenie_mcp.exchange import MARK
from llmgenie_mcp.importers._front import Front, read_front
from llmgenie_mcp.importers._items import Format, Found, Place, Sign, problem
from llmgenie_mcp.importers._tree import Tree, Unreadable

_TABLES = {"task": "tasks", "roadmap item": "roadmap"}
_SUMMARY = re.compile(r"^<!-- summary -->\n", re.MULTILINE)
_ESCAPED = re.compile(r"^\\(\\*<!-- summary -->)$", re.MULTILINE)


def _find(tree: Tree) -> Iterator[Sign]:
    names = [name for name in tree.files("tasks/*.md", "roadmap/*.md") if name.endswith(".md") and _marked(tree, name)]
    if names:
        yield Sign(
            names[0] if tree.is_file else ".",
            f"{names[0]} says that llmgenie exported it"
            if tree.is_file
            else f"{counted(len(names), 'file')} such as {names[0]} {'is' if len(names) == 1 else 'are'} llmgenie's",
        )


def _marked(tree: Tree, name: str) -> bool:
    try:
        front = read_front(tree, name)
    except Unreadable as error:
        # Somebody broke it: told when it is read with the others.
        return not tree.is_file and f"\n{MARK}:" in _head(tree, error.file)
    return front is not None and front.fields.get(MARK) in _TABLES


def _head(tree: Tree, name: str) -> str:
    try:
        return tree.text(name).text[:2000]
    except Unreadable:
        return ""


def _read(tree: Tree, sign: Sign) -> Iterator[Found]:
    from llmgenie_mcp.importers.llmgenie_json import own_item

    for name in [sign.path] if tree.is_file else tree.files("roadmap/*.md", "tasks/*.md"):
        try:
            front = read_front(tree, name)
        except Unreadable as error:
            yield problem(
                Place(error.file, error.line, error.column), error.message, error.hint or "The other files came in."
            )
            continue
        if front is None or front.fields.get(MARK) not in _TABLES:
            yield problem(Place(name), f"This file does not say {MARK}: task in its front matter.", "It was left out.")
            continue
        yield from (problem(place, message) for place, message in front.faults)
        fields = dict(front.fields)
        table = _TABLES[fields.pop(MARK)]
        if not isinstance(fields.get("id"), str) or not fields["id"]:
            yield problem(front.place("id"), "This file has no id.", "It was left out.")
            continue
        fields |= _texts(front, table)
        yield from own_item(fields, table, Place(name))


def _texts(front: Front, table: str) -> dict[str, str]:
    description, summary = front.body, ""
    if table == "tasks" and (mark := _SUMMARY.search(front.body)) is not None:
        description, summary = front.body[: mark.start()], front.body[mark.end() :]
    texts = {"description": _plain(description)}
    return {**texts, "summary": _plain(summary)} if table == "tasks" else texts


def _plain(text: str) -> str:
    """The text without the line end that the export put behind it."""
    return _ESCAPED.sub(r"\1", text.removesuffix("\n"))


FORMAT = Format(
    "markdown",
    "llmgenie's export as Markdown",
    "a folder with tasks/*.md whose front matter says llmgenie: task",
    _find,
    _read,
    own=True,
)

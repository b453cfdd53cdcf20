"""Markdown with YAML front matter: `---`, fields, `---`, and the text."""

from __future__ import annotations

import re
from typing import Any

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.importers._items import Place
from llmgenie_mcp.importers._tree import Text, Tree
from llmgenie_mcp.loader.yamlfault import Fault
from llmgenie_mcp.loader.yamltext import Tree as Nodes
from llmgenie_mcp.loader.yamltext import parse

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Front:
    """A file with front matter.

    Attributes:
        text: of the whole file, line ends as `\\n`.
        fields: the front matter.
        body: what follows it.
        start: where the body begins, in characters.
        faults: what is odd in the front matter but did not stop the reading: place and message.
    """

    text: Text
    fields: dict[str, Any]
    body: str
    start: int
    faults: tuple[tuple[Place, str], ...]
    nodes: Nodes
    offset: int

    def place(self, *way: str | int) -> Place:
        """Where a field stands; the beginning of the file when it is not there."""
        found = self.nodes.find(way)
        if len(found.path) < min(len(way), 1):
            return Place(self.text.name)
        return Place(*self.text.at(self.offset + found.node.start))


def read_front(tree: Tree, name: str) -> Front | None:
    """A file with front matter; None when it has none. Raises Unreadable, also for what is not YAML there; UsageError."""
    found: Front | None = tree.once(name, _parsed)
    return found


def _parsed(text: Text) -> Front | None:
    # A checkout with core.autocrlf has \r\n throughout; a lone \r is the text's own.
    whole = Text(text.name, text.text.replace("\r\n", "\n")) if re.match(r"---[ \t]*\r\n", text.text) else text
    match = _FRONT.match(whole.text)
    if match is None:
        return None
    offset = match.start(1)
    try:
        nodes = parse(match[1])
    except Fault as fault:
        raise whole.unreadable(offset + fault.index, f"{fault.message}.", fault.hint) from None
    fields = nodes.root.data()
    if fields is None:
        fields = {}
    if not isinstance(fields, dict):
        raise whole.unreadable(offset, "The front matter is no list of fields.", "Write `name: value` lines.")
    faults = tuple((Place(*whole.at(offset + fault.index)), f"{fault.message}.") for fault in nodes.faults)
    return Front(whole, fields, whole.text[match.end() :], match.end(), faults, nodes, offset)

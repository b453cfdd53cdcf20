"""What a model's context holds of other servers' tools, straight in the client and behind llmgenie: `python -m bench context`.

Ten servers of twenty tools each are made up; a tool takes some 770 bytes, as those of the reference servers filesystem,
memory, everything and git do (48 tools, 37,375 bytes, November 2026). Bytes are those of compact JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic_core

from bench.filling import place
from bench.measure import Effort, Found, Row, Spread
from llmgenie_mcp import trust
from llmgenie_mcp.config import Upstream
from llmgenie_mcp.engine import Engine
from llmgenie_mcp.faces import mcp_answers
from llmgenie_mcp.faces.mcp_tools import TOOLS
from llmgenie_mcp.upstream import listing
from llmgenie_mcp.upstream.tools import tool_of

SERVERS = ("github", "gitlab", "jira", "slack", "drive", "files", "memory", "postgres", "sentry", "browser")
VERBS = ("get", "list", "create", "update", "delete")
NOUNS = ("issue", "page", "comment", "user")
QUERIES = ("create github issue", "read a file", "list slack users")
OURS = 8_000
"""Bytes that all of tools/list may take."""
PROSE = "Says which one is meant; names are those that the service shows."


def measure(_effort: Effort) -> Found:
    """Sizes; they are exact."""
    with place() as folder:
        return _rows(folder / "project")


def _rows(project: Path) -> Found:
    store = project / ".llmgenie"
    store.mkdir(parents=True)
    settings = {"upstreams": {name: {"command": [name]} for name in SERVERS}}
    (store / "llmgenie.yaml").write_text(json.dumps(settings), encoding="utf-8")
    trust.trust(store)
    listed = {name: list(tools(name)) for name in SERVERS}
    for name, found in listed.items():
        upstream, usable = Upstream(command=(name,)), [tool_of(tool) for tool in found]
        listing.keep(store, name, upstream, usable, [], "")
        listing.accept(store, name, upstream, usable)
    straight = sum(_size(found) for found in listed.values())
    ours = sum(_size(tool.listed.model_dump(mode="json", by_alias=True, exclude_none=True)) for tool in TOOLS.values())
    made: Found = [
        Row("10 servers, 200 tools: all of tools/list, straight", "B", Spread.of([straight]), short=True),
        _row("the same behind llmgenie: tools/list", ours, straight, budget=OURS, short=True),
    ]
    with Engine.open(project) as engine:
        first = engine.available_actions()
        made.append(_row("+ get_available_actions, which names the servers", ours + _answer(first), straight))
        for query in QUERIES:
            answer = _answer(engine.available_actions(query=query, limit=10))
            made.append(_row(f"+ a search: {query!r}, 10 found, 3 with schema", ours + answer, straight))
    return made


def tools(server: str) -> Iterator[dict[str, Any]]:
    """Tools as a server of that name lists them."""
    for number, verb in enumerate(VERBS):
        for noun in NOUNS:
            names = ("owner", "name", f"{noun}_id", "filter", "cursor", "format")[: 3 + number % 4]
            properties = {name: {"type": "string", "description": PROSE} for name in names}
            yield {
                "name": f"{verb}_{noun}",
                "title": f"{verb.title()} {noun}",
                "description": f"{verb.title()} a {noun} in {server.title()}. Needs the right to do so; {PROSE.lower()}",
                "inputSchema": {"type": "object", "properties": properties, "required": list(names[:2])},
                "annotations": {"readOnlyHint": verb in ("get", "list"), "destructiveHint": verb == "delete"},
            }


def _row(name: str, size: int, straight: int, **more: Any) -> Row:
    ratio = Spread.of([size / straight])
    return Row(name, "B", Spread.of([size]), "straight", Spread.of([straight]), ratio, bounds="value", **more)


def _answer(data: dict[str, Any]) -> int:
    """Bytes of an answer as a client gets it, text and data."""
    return _size(mcp_answers.result(mcp_answers.actions_text(data), data).model_dump(mode="json", exclude_none=True))


def _size(value: Any) -> int:
    return len(pydantic_core.to_json(value))

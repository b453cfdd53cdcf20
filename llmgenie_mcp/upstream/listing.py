"""What the tools of an upstream were when they were listed last, and which of them a person accepted: two files of the user's.

They lie in the user's state folder, outside every project, one folder a project. What was accepted is sealed with the
user's own key, as approvals are, so that no program that writes there without the key accepts a tool.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import trust
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import now
from llmgenie_mcp.upstream.folder import folder
from llmgenie_mcp.upstream.tools import Tool, read_tool

if TYPE_CHECKING:
    from llmgenie_mcp.config import Upstream

LISTED, ACCEPTED = ".tools.json", ".accepted.json"


@dataclass(frozen=True, slots=True)
class Listing:
    """The tools of one upstream.

    Attributes:
        tools: by the server's own names, only those that the settings take.
        listed_at: when they were listed, in UTC; "" when they never were by this definition.
        problems: what was wrong with tools that were left out.
        accepted: by name, what a person accepted: {marks, description}.
        server: what the server calls itself, and its version.
    """

    tools: Mapping[str, Tool] = field(default_factory=dict)
    listed_at: str = ""
    problems: tuple[str, ...] = ()
    accepted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    server: str = ""

    def changes(self, tool: Tool) -> list[str] | None:
        """What of a tool has changed since a person accepted it; None: nobody has accepted it."""
        known = self.accepted.get(tool.name)
        return None if known is None else tool.changed(known["marks"])

    def waiting(self) -> list[Tool]:
        """The tools that wait for a person: new ones and changed ones."""
        return [tool for tool in self.tools.values() if self.changes(tool) != []]


def definition_mark(upstream: Upstream) -> str:
    """Differs when it may be another server: by the program with its place and environment, or the address and headers."""
    parts = ("command", "cwd", "env", "url", "headers", "secret_headers")
    told = upstream.model_dump(mode="json", include=set(parts))
    if upstream.login is not None:
        told["login"] = upstream.login.model_dump(mode="json")
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def load(store: Path, name: str, upstream: Upstream) -> Listing:
    """What is known of the upstream `name`; nothing when it is defined otherwise than when it was listed."""
    mark = definition_mark(upstream)
    kept = _read(folder(store) / f"{name}{LISTED}")
    if kept.get("definition") != mark:
        return Listing()
    try:
        every = [read_tool(tool) for tool in kept["tools"]]
        tools = {tool.name: tool for tool in every if taken(upstream, tool.name)}
        return Listing(
            tools, kept["listed_at"], tuple(kept["problems"]), _accepted(store, name, mark), str(kept.get("server", ""))
        )
    except (KeyError, TypeError, ValueError):
        return Listing()


def taken(upstream: Upstream, tool: str) -> bool:
    """Whether the settings take a tool of that name."""
    return any(fnmatchcase(tool, pattern) for pattern in upstream.tools)


def keep(
    store: Path, name: str, upstream: Upstream, tools: Iterable[Tool], problems: Iterable[str], server: str
) -> None:
    """Keep the tools of an upstream as they were listed now; nothing is written when they are those that are known."""
    place = folder(store) / f"{name}{LISTED}"
    found = {
        "definition": definition_mark(upstream),
        "server": server,
        "tools": [tool.to_dict() for tool in tools],
        "problems": list(problems),
    }
    known = _read(place)
    if {key: known.get(key) for key in found} != json.loads(json.dumps(found)):
        _write(place, {**found, "listed_at": now()})


def accept(store: Path, name: str, upstream: Upstream, tools: Iterable[Tool]) -> None:
    """Remember tools as accepted, beside those that were before. Only a face that saw a person calls it."""
    mark = definition_mark(upstream)
    fresh = {tool.name: {"marks": dict(tool.marks), "description": tool.description} for tool in tools}
    facts = {"store": str(store.resolve()), "name": name, "definition": mark}
    facts["tools"] = json.dumps({**_accepted(store, name, mark), **fresh}, sort_keys=True)
    _write(folder(store) / f"{name}{ACCEPTED}", {**facts, "seal": trust.seal(facts)})


def forget(store: Path, name: str) -> bool:
    """Forget an upstream's tools and what was accepted of them; whether there was anything."""
    found = False
    for ending in (LISTED, ACCEPTED):
        with contextlib.suppress(FileNotFoundError):
            (folder(store) / f"{name}{ending}").unlink()
            found = True
    return found


def _accepted(store: Path, name: str, definition: str) -> dict[str, Any]:
    """What a person accepted of this very definition; nothing when the seal is not this user's."""
    kept = _read(folder(store) / f"{name}{ACCEPTED}")
    facts = {key: kept.get(key) for key in ("store", "name", "definition", "tools")}
    whose = {"store": str(store.resolve()), "name": name, "definition": definition}
    if any(facts[key] != value for key, value in whose.items()) or not trust.is_sealed(facts, kept.get("seal")):
        return {}
    try:
        tools = json.loads(str(facts["tools"]))
        return {tool: entry for tool, entry in tools.items() if isinstance(entry["marks"], dict)}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file as a whole, for its user alone."""
    for place in (trust.state_folder(), path.parent.parent, path.parent):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=True)
        Path(fresh).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(fresh).unlink()
        raise

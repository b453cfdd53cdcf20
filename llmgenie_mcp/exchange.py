"""What import and export share: digests by which a change is told, texts made of sections, what was exported where."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from llmgenie_mcp.outcome import now
from llmgenie_mcp.storage.disk import make_folder, replace_file

FOREIGN = "foreign"
"""Field of a document with what other tools know of it: {format: {…}}."""
IMPORTED = "imported"
"""Field of a document with where it came from: {format: {id, from, at, fields: {field: digest}}}."""
UNTRACKED = frozenset({"id", "version", "updated_at", IMPORTED})
"""Fields that the store or an import writes by itself."""
NOTED = frozenset(
    {
        *("id", "tag", "folder", "file", "session", "sections", "status", "read_as"),
        *("title", "description", "summary", "text", "priority", "created_at", "updated_at", "completed_at"),
    }
)
"""Fields below `foreign.FORMAT` by which an import notes how the file says something; all others are the tool's own."""
_PLAIN = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"))
LEDGER = "exports.json"
MARK = "llmgenie"
"""Key by which files of llmgenie's own formats are known."""


def formats_in(package: str, path: Iterable[str]) -> Iterator[Any]:
    """The `FORMAT` of every module of a package whose name does not begin with an underscore, by their names.

    Args:
        package: its name.
        path: its `__path__`.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_"))
    return (importlib.import_module(f"{package}.{name}").FORMAT for name in names)


def digest(value: Any) -> str:
    """Twelve hexadecimal characters that differ when a JSON value differs; all empty ones are alike."""
    if value in ("", [], {}):
        value = None
    return hashlib.sha256(_PLAIN.encode(value).encode()).hexdigest()[:12]


def digests(document: Mapping[str, Any]) -> dict[str, str]:
    """The digest of each field of a document that people and tools change."""
    return {name: digest(value) for name, value in document.items() if name not in UNTRACKED}


def sections_text(sections: Mapping[str, str]) -> str:
    """Texts by heading, as Markdown to be put behind a description; empty ones are left out."""
    return "".join(f"\n\n## {heading}\n\n{text.strip()}" for heading, text in sections.items() if text.strip())


def joined(description: str, sections: Mapping[str, str]) -> str:
    """A description with the further texts that another tool keeps apart."""
    return (description + sections_text(sections)).lstrip("\n")


def parted(description: str, sections: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """What `joined` was given, as long as nobody changed those sections in the text since; else the text, and none."""
    behind = sections_text(sections)
    if behind and description.endswith(behind):
        return description.removesuffix(behind), sections
    if behind and description == behind.lstrip("\n"):
        return "", sections
    return description, {}


def apart(document: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """A task's own description, and the sections that a tool it came from kept apart."""
    description = str(document.get("description") or "")
    tools = document.get(FOREIGN)
    for known in tools.values() if isinstance(tools, dict) else ():
        sections = known.get("sections") if isinstance(known, dict) else None
        if isinstance(sections, dict) and all(isinstance(text, str) for text in sections.values()):
            own, found = parted(description, sections)
            if found:
                return own, found
    return description, {}


class Ledger:
    """What was exported where: kept in the project's `.llmgenie`, so that export never takes a file that is not its own.

    Args:
        store: the project's `.llmgenie` folder.
    """

    def __init__(self, store: Path) -> None:
        self._path = store / LEDGER

    def find(self, output: Path) -> dict[str, Any]:
        """The entry for what was written to `output`, or an empty one.

        It holds `format`, `at`, `files` {name: sha256}, `fields` {table/id: digests} and `ids` {key in the file: id}.
        """
        entry = self._read().get(_name(output))
        return entry if isinstance(entry, dict) else {}

    def covering(self, path: Path) -> dict[str, Any]:
        """The entry for an export that wrote the file or folder at `path`, be it as a part of what was written."""
        known = self._read()
        for output in (path, *path.parents):
            entry = known.get(_name(output))
            if isinstance(entry, dict) and (output == path or str(path.relative_to(output)) in entry.get("files", ())):
                return entry
        return {}

    def note(self, output: Path, format: str, files: Mapping[str, bytes], **more: Mapping[str, Any]) -> None:  # noqa: A002
        """Remember what was written to `output`. Raises OSError."""
        known = self._read()
        written = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
        known[_name(output)] = {"format": format, "at": now(), "files": written, **more}
        make_folder(self._path.parent)
        replace_file(self._path, json.dumps(known, ensure_ascii=False, indent=0).encode())

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            known = json.loads(self._path.read_bytes())
            if isinstance(known, dict):
                return known
        return {}


def _name(output: Path) -> str:
    return os.fspath(output.absolute())

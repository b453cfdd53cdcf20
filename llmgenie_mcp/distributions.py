"""What installed distributions offer to llmgenie: their entry points, read without running anything of theirs.

The groups are those below. Their format is that of the packaging specifications
(https://packaging.python.org/en/latest/specifications/entry-points/).
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from pathlib import Path

from llmgenie_mcp.frozen import dataclass

EXTENSIONS = "llmgenie_mcp"
"""Modules that register themselves with the decorators of `plugins`."""
DEFINITIONS = "llmgenie_mcp.definitions"
"""Packages with `policies/` and `workflows/` beside their code."""
AGENTS = "llmgenie_mcp.agents"
IMPORTERS = "llmgenie_mcp.importers"
EXPORTERS = "llmgenie_mcp.exporters"
GROUPS = (EXTENSIONS, DEFINITIONS, AGENTS, IMPORTERS, EXPORTERS)
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class Point:
    """One entry point.

    Attributes:
        group: one of `GROUPS`.
        name: what the distribution calls it.
        value: what it names: `package.module` or `package.module:NAME`.
        distribution: who brings it, as `normalized`.
        version: of the distribution.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str

    @property
    def module(self) -> str:
        """The module that it names."""
        return re.split(r"[:\[]", self.value, maxsplit=1)[0].strip()

    def folder(self) -> Path | None:
        """The folder of the package that it names, found without importing it; None when there is none."""
        from importlib.util import find_spec

        top, *rest = self.module.split(".")
        try:
            spec = find_spec(top)  # of a top-level package it imports nothing
        except (ImportError, ValueError):
            return None
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if (folder := Path(place, *rest)).is_dir():
                return folder
        return None


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found.

    Attributes:
        points: by distribution, group and name.
        unreadable: by distribution, why its entry points cannot be read.
    """

    points: tuple[Point, ...]
    unreadable: tuple[tuple[str, str], ...] = ()

    def of(self, group: str) -> tuple[Point, ...]:
        """Those of one group."""
        return tuple(point for point in self.points if point.group == group)


def normalized(name: str) -> str:
    """A distribution's name as packaging tools compare it: lower case, one hyphen for each run of `-`, `_` and `.`.

    The rule is https://packaging.python.org/en/latest/specifications/name-normalization/.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def scan() -> Scan:
    """Look through all installed distributions, once; a few milliseconds for 100 of them.

    One that cannot be read does not hide the others, as it would with `importlib.metadata.entry_points`.
    """
    from importlib.metadata import distributions

    found: dict[str, list[Point]] = {}
    unreadable = []
    for distribution in distributions():
        name = "?"
        try:
            text = distribution.read_text("entry_points.txt") or ""
            if not re.search(r"^\s*\[\s*llmgenie_mcp\b", text, re.MULTILINE):
                continue
            name = normalized(distribution.metadata["Name"] or "?")
            if name in found:  # the one that comes first on the path is the one that is imported
                continue
            found[name] = [
                Point(point.group, point.name, point.value, name, distribution.version)
                for point in distribution.entry_points
                if point.group in GROUPS
            ]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with somebody's metadata is told, and costs nobody else
            unreadable.append((name, f"Its entry points cannot be read: {type(error).__name__}: {error}"))
    points = [point for name in sorted(found) for point in sorted(found[name], key=lambda p: (p.group, p.name))]
    return Scan(tuple(points), tuple(unreadable))


def definition_folders() -> dict[str, Path | str]:
    """The folder with `policies/` and `workflows/`, by distribution; or why there is none, for people."""
    found: dict[str, Path | str] = {}
    for point in scan().of(DEFINITIONS):
        folder = point.folder()
        if point.distribution in found:
            found[point.distribution] = f"It has more than one entry point of {DEFINITIONS}: name one package."
        elif folder is None:
            found[point.distribution] = f"Its entry point of {DEFINITIONS} names {point.module}, which is no package."
        elif not any((folder / part).is_dir() for part in ("policies", "workflows")):
            hint = "Are its YAML files in the wheel?"
            found[point.distribution] = f"There is no policies/ and no workflows/ in {folder}. {hint}"
        else:
            found[point.distribution] = folder
    return found


def mark() -> tuple[tuple[str, int], ...]:
    """Differs when something was installed or taken away: a `stat` for each folder that pip installs into."""
    found = []
    for place in dict.fromkeys(sys.path):
        if place.rstrip(os.sep).endswith(_INSTALLED):
            try:
                found.append((place, os.stat(place).st_mtime_ns))  # noqa: PTH116 - called by every hook
            except OSError:
                continue
    return tuple(found)

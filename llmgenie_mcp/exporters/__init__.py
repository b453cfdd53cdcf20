"""A project's tasks written for other tools and for git: JSON, Markdown, CSV, Task Master, Backlog.md.

A format is one file in this folder with a `FORMAT`; `formats` finds them. What is written depends on the documents alone, so
that the same project gives the same bytes. No file is overwritten that an export did not write, or that was changed since.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from llmgenie_mcp import plugins
from llmgenie_mcp.distributions import EXPORTERS
from llmgenie_mcp.errors import UsageError, shorten
from llmgenie_mcp.exchange import formats_in
from llmgenie_mcp.exporters._content import Content, Exported, Format
from llmgenie_mcp.outcome import Actor, Outcome
from llmgenie_mcp.registry import Objects, objects

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine


def formats() -> dict[str, Format]:
    """Every format by name: llmgenie's own, and those of plug-ins (entry points of group `llmgenie_mcp.exporters`)."""
    return {**_own(), **outside().found}


@cache
def _own() -> dict[str, Format]:
    return {form.name: form for form in formats_in(__name__, __path__)}


@cache
def outside() -> Objects[Format]:
    """The formats of plug-ins, who brought them, and those that could not be loaded."""
    plugins.load()  # what a module of theirs registers belongs to them, whoever imports it first
    return objects(EXPORTERS, Format, _own())


def export(engine: Engine, name: str) -> Exported:
    """What an export of the project is.

    Args:
        engine: of the project.
        name: of the format.

    Raises:
        UsageError: there is no such format.
    """
    known = formats()
    if name not in known:
        raise UsageError(f"There is no format {shorten(name)!r}.", f"Formats: {', '.join(known)}.")
    engine.storage.refresh()
    return known[name].write(Content.of(engine))


def export_to(
    engine: Engine, name: str, output: Path, *, force: bool = False, actor: Actor | None = None
) -> tuple[Outcome, Exported]:
    """Write an export to a file or folder.

    Args:
        engine: of the project.
        name: of the format.
        output: the file, or the folder for formats of several files.
        force: overwrite what no export wrote.
        actor: who exports; an agent when left out.

    Returns:
        The outcome, with {files, removed, unchanged} as its result, denied when a policy is against writing there.

    Raises:
        UsageError: a file is there that no export wrote, or the path cannot be used. ActionError: it cannot be written.
    """
    from llmgenie_mcp.exporters._writing import put

    made = export(engine, name)
    return put(engine, formats()[name], made, output, force=force, actor=actor or Actor()), made


__all__ = ["Content", "Exported", "Format", "export", "export_to", "formats", "outside"]

"""Tasks of other tools, and llmgenie's own exports, brought into a project.

A format is one file in this folder with a `FORMAT`; `formats` finds them. `import_path` is the whole flow: which format is
it → read it → may it come in → merge → one transaction with one line in the meta-log, or nothing at all.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import UsageError, shorten

if TYPE_CHECKING:
    from pathlib import Path

    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.importers._items import Format, Found, Item, Place, Reference, Remark, Sign
    from llmgenie_mcp.importers._reading import Reading
    from llmgenie_mcp.importers._report import Progress, Report
    from llmgenie_mcp.importers._tree import DEFAULT_BOUND, MEBIBYTE, Tree
    from llmgenie_mcp.outcome import Actor, Outcome
    from llmgenie_mcp.project import Project
    from llmgenie_mcp.registry import Objects
    from llmgenie_mcp.workflow import Workflow

_HOME = {
    **dict.fromkeys(("Format", "Found", "Item", "Place", "Reference", "Remark", "Sign"), "_items"),
    **dict.fromkeys(("Progress", "Report"), "_report"),
    **dict.fromkeys(("DEFAULT_BOUND", "MEBIBYTE", "Tree"), "_tree"),
}
"""Where the names of this page come from; imported when they are asked for, because every process loads the action."""
MOST_TOLD = 20
TOLD_EVERY = 250
"""Items after which it is told how far a reading is."""


def formats() -> dict[str, Format]:
    """Every format by name: llmgenie's own, and those of plug-ins (entry points of group `llmgenie_mcp.importers`)."""
    return {**_own(), **outside().found}


@cache
def _own() -> dict[str, Format]:
    from llmgenie_mcp.exchange import formats_in

    return {form.name: form for form in formats_in(__name__, __path__)}


@cache
def outside() -> Objects[Format]:
    """The formats of plug-ins, who brought them, and those that could not be loaded."""
    from llmgenie_mcp import plugins
    from llmgenie_mcp.distributions import IMPORTERS
    from llmgenie_mcp.importers._items import Format
    from llmgenie_mcp.registry import objects

    plugins.load()  # what a module of theirs registers belongs to them, whoever imports it first
    return objects(IMPORTERS, Format, _own())


def detect(tree: Tree, wanted: str | None = None) -> tuple[Format, Sign]:
    """Which format it is, and by what that was told.

    Args:
        tree: the file or folder.
        wanted: the format's name, when somebody said so.

    Raises:
        UsageError: it looks like none or several, or not like the one that was named.
    """
    known = formats()
    if wanted is not None and wanted not in known:
        raise UsageError(f"There is no format {shorten(wanted)!r}.", f"Formats: {', '.join(known)}.")
    signs = [(form, sign) for form in known.values() if wanted in (None, form.name) for sign in form.find(tree)]
    best = [pair for pair in signs if pair[1].sure] or signs
    if len(best) == 1:
        return best[0]
    if best:
        listed = "\n".join(f"- {form.name}: {sign.path}: {sign.why}" for form, sign in best)
        raise UsageError(
            f"{tree.path} looks like more than one thing:\n{listed}",
            "Name the file or folder that you mean, or say --format NAME.",
        )
    asked = [known[wanted]] if wanted else list(known.values())
    listed = "\n".join(f"- {form.name} ({form.title}): {form.looks_for}" for form in asked)
    broken = "\n".join(
        f"{e.file}:{e.line}:{e.column}: {e.message} {e.hint}".rstrip() for e in tree.unreadable()[:MOST_TOLD]
    )
    raise UsageError(
        f"{tree.path} is of no format that is known."
        if wanted is None
        else f"{tree.path} is not of the format {wanted}.",
        f"{broken}\nLooked for:\n{listed}".strip(),
    )


def read(tree: Tree, form: Format, sign: Sign, report: Report, progress: Progress | None = None) -> list[Item]:
    """The items of a tree; remarks go to the report."""
    from llmgenie_mcp.importers._items import Item

    items: list[Item] = []
    for found in form.read(tree, sign):
        if isinstance(found, Item):
            items.append(found)
            if progress is not None and len(items) % TOLD_EVERY == 0:
                progress(len(items), None, f"read {len(items):,}")
        else:
            report.add(found)
    return items


def import_path(
    engine: Engine,
    path: Path,
    *,
    format: str | None = None,  # noqa: A002 - what callers say
    dry_run: bool = False,
    strict: bool = False,
    bound: int | None = None,
    encoding: str | None = None,
    actor: Actor | None = None,
    session: str | None = None,
    progress: Progress | None = None,
) -> tuple[Outcome, Report]:
    """Bring the tasks at `path` into the project: all of it in one transaction, or nothing.

    Args:
        engine: of the project.
        path: a file or a folder.
        format: its name; None finds it by content.
        dry_run: say what would be done, and do nothing.
        strict: do nothing when there is any problem.
        bound: at most so many bytes are read; None: 16 MiB.
        encoding: of the files; None: UTF-8, or what their first bytes say.
        actor: who imports; an agent when left out.
        session: the session it belongs to.
        progress: called as progress(done, total or None, message) while it reads.

    Returns:
        The outcome (denied when a policy is against it) and what was done.

    Raises:
        UsageError: there is nothing to read, its format is not known, or it is too much.
        ActionError: there are problems, and `strict` was asked for, or nothing could be read. StorageError.
    """
    from llmgenie_mcp.importers._act import perform
    from llmgenie_mcp.importers._reading import failed
    from llmgenie_mcp.outcome import Actor

    workflow = engine.definitions.workflows["task"]
    found = reading(engine.project, workflow, path, format=format, bound=bound, encoding=encoding, progress=progress)
    outcome = perform(engine, path, found, actor or Actor(), session, dry_run=dry_run, strict=strict)
    if strict and found.report.problems and outcome.ok:
        raise failed(found.report, "Nothing was imported")
    return outcome, found.report


def reading(
    project: Project,
    workflow: Workflow,
    path: Path,
    *,
    format: str | None = None,  # noqa: A002 - what callers say
    bound: int | None = None,
    encoding: str | None = None,
    progress: Progress | None = None,
) -> Reading:
    """Read what is at `path` and make it ready, without touching the store; arguments as for `import_path`.

    Raises:
        UsageError, ActionError: as `import_path`.
    """
    from llmgenie_mcp.importers._ids import source_name
    from llmgenie_mcp.importers._reading import Reading
    from llmgenie_mcp.importers._report import Report
    from llmgenie_mcp.importers._tree import DEFAULT_BOUND, MEBIBYTE, Tree

    tree = Tree(path, bound=DEFAULT_BOUND * MEBIBYTE if bound is None else bound, encoding=encoding)
    form, sign = detect(tree, format)
    source = source_name(tree.root / sign.path, project.root)
    report = Report(form.name, source, f"{sign.path}: {sign.why}")
    items = read(tree, form, sign, report, progress)
    return Reading.of(project, (path, tree.root / sign.path), form, items, workflow, report, progress)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


__all__ = [
    "DEFAULT_BOUND",
    "MEBIBYTE",
    "Format",
    "Found",
    "Item",
    "Place",
    "Progress",
    "Reference",
    "Remark",
    "Report",
    "Sign",
    "Tree",
    "detect",
    "formats",
    "import_path",
    "outside",
    "reading",
]

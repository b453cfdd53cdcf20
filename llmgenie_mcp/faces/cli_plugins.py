"""`plugins`: what was installed beside llmgenie, what each adds, and what could not be loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command, quick_imports
from llmgenie_mcp.faces.cli_read import pass_cli
from llmgenie_mcp.frozen import dataclass

if TYPE_CHECKING:
    from llmgenie_mcp.distributions import Point
    from llmgenie_mcp.engine.plugged import Plugged
    from llmgenie_mcp.registry import Failure

Status = Literal["in force", "switched off", "held", "in part", "left out"]
MARKS: dict[Status, str] = {
    "in force": "ok",
    "switched off": "off",
    "held": "warn",
    "in part": "warn",
    "left out": "fail",
}
WIDTH = 10


@dataclass(frozen=True, slots=True)
class Plugin:
    """An installed plug-in, as people are shown it.

    Attributes:
        name: the distribution's.
        version: the distribution's.
        status: "in force"; "switched off" here; "held": its actions refuse; "in part": without a format or so that could not
            be loaded; "left out": nothing of it is there.
        modules: what of it is imported, or holds its definitions.
        adds: names by kind: actions, signals, policies, importers …
        reasons: why it is held or left out.
    """

    name: str
    version: str
    status: Status
    modules: tuple[str, ...]
    adds: dict[str, tuple[str, ...]]
    reasons: tuple[str, ...]


@click.command("plugins", cls=Command)
@pass_cli
def plugins_(cli: Cli) -> None:
    """List plug-ins, what each adds, and what could not be loaded.

    A plug-in is an installed distribution with entry points of llmgenie's groups. In the settings a project switches
    one off (plugins: {disabled: [NAME]}) or pins its version (plugins: {pinned: {NAME: VERSION}}).
    Exits with 1 while one is held or not loaded as a whole.
    """
    with quick_imports():
        has = in_force(cli)
        found = installed(has)
    lines = [line for one in found for line in _lines(one)] or ["No plug-in is installed; docs/plugins.md says how."]
    lines += [f"{text.mark('warn')} {text.line(note, 300)}" for note in (*has.missing, *has.waiting)]
    ok = not has.missing and all(one.status in {"in force", "switched off"} for one in found)
    notes = [*has.missing, *has.waiting]
    cli.show({"items": [asdict(one) for one in found], "notes": notes}, lines, ok=ok)


def in_force(cli: Cli) -> Plugged:
    """What of the plug-ins is in force for the project; outside of any, as they are."""
    from llmgenie_mcp.config import Settings
    from llmgenie_mcp.engine.definitions import load
    from llmgenie_mcp.engine.plugged import plugged

    try:
        project = cli.project
    except LlmgenieError:
        if cli.folder is not None:
            raise
        return plugged(Settings(), trusted=False)
    try:
        return load(project).plugged
    except LlmgenieError:
        return load(project, own=False).plugged  # `doctor` tells what is wrong with the project's own


def installed(has: Plugged) -> list[Plugin]:
    """Every plug-in that is installed, by name; `has` says what is in force of them."""
    from llmgenie_mcp import distributions, exporters, importers, plugins, registry
    from llmgenie_mcp.engine.plugged import versions

    known, points = versions(), distributions.scan().points
    agents = ((point, registry.named(point)[1]) for point in distributions.scan().of(distributions.AGENTS))
    partly = [
        *importers.outside().failures,
        *exporters.outside().failures,
        *(registry.Failure(point.value, why, point.distribution) for point, why in agents if why),
    ]
    whole = plugins.failures()
    listed = []
    for name in sorted({*known, *(failure.distribution for failure in whole)}):
        own = [point for point in points if point.distribution == name]
        status, reasons = _status(name, has, whole, partly)
        modules = tuple(dict.fromkeys(point.module for point in own))
        adds = {} if status == "left out" else _adds(name, own)
        listed.append(Plugin(name, known.get(name, ""), status, modules, adds, reasons))
    return listed


def _status(name: str, has: Plugged, whole: list[Failure], partly: list[Failure]) -> tuple[Status, tuple[str, ...]]:
    if name in has.off:
        return "switched off", ()
    for status, failures in (("left out", whole), ("in part", partly)):
        if reasons := tuple(f"{one.module}: {one.message}" for one in failures if one.distribution == name):
            return "left out" if status == "left out" else "in part", reasons
    return ("held", (has.held[name],)) if name in has.held else ("in force", ())


def _adds(name: str, points: list[Point]) -> dict[str, tuple[str, ...]]:
    """Names by kind; kinds of which it adds none are left out."""
    from llmgenie_mcp import distributions, exporters, importers, plugins

    found: dict[str, list[str]] = {family: [] for family in plugins.FAMILIES}
    for (family, thing), origin in plugins.origins().items():
        if origin.distribution == name:
            found[family].append(thing)
    folder = distributions.definition_folders().get(name)
    for part in ("policies", "workflows"):
        found[part] = _definitions(folder / part) if isinstance(folder, Path) else []
    for kind, origins in (("importers", importers.outside().origins), ("exporters", exporters.outside().origins)):
        found[kind] = [form for form, origin in origins.items() if origin.distribution == name]
    found["agents"] = [point.name for point in points if point.group == distributions.AGENTS]
    return {kind: tuple(sorted(names)) for kind, names in found.items() if names}


def _definitions(folder: Path) -> list[str]:
    from llmgenie_mcp.loader.packaged import definition_files

    return [path.name.rpartition(".")[0] for path in definition_files(folder)]


def _lines(one: Plugin) -> Iterator[str]:
    yield f"{text.mark(MARKS[one.status])} {text.strong(one.name)} {one.version}  {one.status}"
    for kind, names in one.adds.items():
        yield f"    {kind:<{WIDTH}} {text.line(', '.join(names), 200)}"
    yield f"    {'from':<{WIDTH}} {text.line(', '.join(one.modules), 200)}"
    for reason in one.reasons:
        yield f"    {text.line(reason, 500)}"
    if one.status in {"left out", "in part"}:
        yield f"  → Mend it, or: pip uninstall {one.name}"


COMMANDS = (plugins_,)

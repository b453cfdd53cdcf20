"""Checking definition files, and the schemas that editors check them with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmgenie_mcp.errors import BadParams, DefinitionError, UsageError, counted
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command, quick_imports
from llmgenie_mcp.faces.cli_read import pass_cli

if TYPE_CHECKING:
    from llmgenie_mcp.project import Project

Problem = dict[str, Any]
TRIGGER_KEYS = frozenset({"run", "schedule", "files"})
ACTION_KEYS = frozenset({"command", "call", "action", "steps"})
POLICY_KEYS = frozenset({"rules", "applies_to", "level"})


def report(cli: Cli, files: Sequence[str]) -> None:
    """Check `files`, or everything that is in force for the project, and print every problem; exit 1 if there is one."""
    with quick_imports():
        problems = of_files(files) if files else of_project(cli.project)
    checked = counted(len(files), "file") if files else "everything in force"
    lines = problem_lines(problems) or [f"{text.mark('ok')} {checked}: no problem."]
    cli.show({"problems": problems}, lines, ok=not problems)


def problem_lines(problems: Iterable[Problem]) -> list[str]:
    """Problems as `file:line:column: message`, with what is allowed there below."""
    lines = []
    for problem in problems:
        place = f"{problem['file']}:{problem['line']}:{problem['column']}" if problem["line"] else problem["file"]
        where = f"{problem['where']}: " if problem.get("where") else ""
        lines.append(f"{place}: {where}{problem['message']}")
        if problem.get("hint"):
            lines.append(f"    {problem['hint']}")
    return lines


def of_project(project: Project) -> list[Problem]:
    """Every problem of the settings, workflows, policies, trigger rules and declared actions in force."""
    from llmgenie_mcp import trust

    return _of_catalog(project.store, trusted=trust.is_trusted(project.store))


def of_files(files: Sequence[str]) -> list[Problem]:
    """Every problem of these files, as they would be over the packaged definitions."""
    from tempfile import TemporaryDirectory

    from llmgenie_mcp.config import FILE_NAME

    with TemporaryDirectory(prefix="llmgenie-check-") as folder:
        store = Path(folder) / ".llmgenie"
        named: dict[str, str] = {}
        for given in files:
            path = Path(given)
            part = _part(path)
            place = store / part / path.name if part else store / FILE_NAME
            label = f"{store.name}/{part}/{path.name}" if part else str(place)
            if label in named:
                raise BadParams(f"{given} and {named[label]} have the same name.", "Check them one after the other.")
            named[label] = given
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
        found = _of_catalog(store, trusted=True)
    return [{**problem, "file": named.get(problem["file"], problem["file"])} for problem in found]


def _part(path: Path) -> str | None:
    """The folder in which a definition has its place; None for settings. Raises UsageError: it cannot be read."""
    from llmgenie_mcp.config import FILE_NAME, Settings
    from llmgenie_mcp.loader import yamltext
    from llmgenie_mcp.loader.yamlfault import Fault
    from llmgenie_mcp.marks import SUFFIXES

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", "Name a workflow, policy or settings file."
        ) from None
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path} is no definition file.", f"They end in {', '.join(SUFFIXES)}.")
    if path.name == FILE_NAME:
        return None
    try:
        content = yamltext.parse(data.decode("utf-8")).root.data()
    except (ValueError, Fault):
        content = None
    keys = set(content) if isinstance(content, dict) else set()
    if keys & POLICY_KEYS or (path.parent.name == "policies" and "states" not in keys):
        return "policies"
    if "states" not in keys and (keys & ACTION_KEYS or path.parent.name == "actions"):
        return "actions"
    if "states" not in keys and (keys & TRIGGER_KEYS or path.parent.name == "triggers"):
        return "triggers"
    return None if keys & set(Settings.model_fields) and "states" not in keys else "workflows"


def _of_catalog(store: Path, *, trusted: bool) -> list[Problem]:
    from llmgenie_mcp import plugins
    from llmgenie_mcp.config import Settings
    from llmgenie_mcp.engine.definitions import catalog_of, offered
    from llmgenie_mcp.engine.plugged import plugged
    from llmgenie_mcp.loader.settings import read_settings

    problems, settings, actions = [], None, plugins.actions()
    has = plugged(Settings(), trusted)
    try:
        settings = read_settings(store)
        has = plugged(settings.value if settings else Settings(), trusted)
        actions, _ = offered(store, settings.value if settings else Settings(), trusted, has)
    except DefinitionError as error:
        problems += _listed(error)
    try:
        catalog = catalog_of(store, settings, trusted, has, actions, thorough=True)
    except DefinitionError as error:
        return problems + _listed(error)
    return problems + [problem.to_dict() for told in catalog.faults.values() for problem in told]


def _listed(error: DefinitionError) -> list[Problem]:
    found = error.details.get("problems")
    if isinstance(found, list) and found:
        return found
    return [{"file": "", "line": 0, "column": 0, "message": error.message, "hint": error.hint}]


@click.command(cls=Command)
@click.option(
    "--write", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Write the schemas there."
)
@click.option(
    "--check", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Exit 1 if those there are stale."
)
@pass_cli
def schema(cli: Cli, write: Path | None, check: Path | None) -> None:
    """Write or check the JSON Schemas of the file formats."""
    if (write is None) == (check is None):
        raise click.UsageError("Give either --write DIR or --check DIR.")
    with quick_imports():
        from tempfile import TemporaryDirectory

        from llmgenie_mcp.loader.packaged import write_schemas
    if write is not None:
        changed = [str(path) for path in write_schemas(write)]
        cli.show({"written": changed}, [f"wrote {path}" for path in changed] or ["Up to date; nothing written."])
        return
    assert check is not None  # noqa: S101 - one of the two is given
    with TemporaryDirectory(prefix="llmgenie-schema-") as folder:
        fresh = write_schemas(Path(folder))
        stale = [str(check / path.name) for path in fresh if not _same(path, check / path.name)]
    told = {path: "stale" if Path(path).exists() else "not there" for path in stale}
    lines = [f"{text.mark('fail')} {path} is {word}  → llmgenie schema --write {check}" for path, word in told.items()]
    cli.show({"stale": stale}, lines or [f"{text.mark('ok')} the schemas in {check} are up to date."], ok=not stale)


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


COMMANDS = (schema,)

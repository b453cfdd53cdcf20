"""`doctor`: is everything as it should be, and how is it mended?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from llmgenie_mcp.errors import DefinitionError, LlmgenieError
from llmgenie_mcp.faces import cli_text as text
from llmgenie_mcp.faces.cli_base import Cli, Command, quick_imports
from llmgenie_mcp.faces.cli_checks import Check
from llmgenie_mcp.faces.cli_doctor_live import examine_live
from llmgenie_mcp.faces.cli_doctor_points import examine_points, mend_points
from llmgenie_mcp.faces.cli_doctor_store import examine_store
from llmgenie_mcp.faces.cli_doctor_upstream import examine_upstreams
from llmgenie_mcp.faces.cli_progress import Working
from llmgenie_mcp.faces.cli_read import pass_cli
from llmgenie_mcp.project import Project, git_top

MCP_RANGE = ((2, 3), (3, 0))
"""As pyproject.toml says: at least the first, below the second."""


@click.command(cls=Command)
@click.option("--repair", is_flag=True, help="Mend the store; copies of what is replaced are kept in set-aside/.")
@click.option("--fix", is_flag=True, help="Write stale or missing hooks again, and mend the store as --repair does.")
@pass_cli
def doctor(cli: Cli, repair: bool, fix: bool) -> None:
    """Look whether all is well, and how to mend it.

    Every installed hook is sent a push to main, as its host would send it, and has to refuse.
    Exits with 1 while something is broken.
    """
    repair = repair or fix
    done = _repair(cli.project) if repair else []
    done += [f"{name} is written again." for name in mend_points(cli.project)] if fix else []
    with Working("Looking at everything", quiet=cli.json):
        checks = examine(cli)
    ok = all(check.status != "fail" for check in checks)
    lines = [f"repaired: {sentence}" for sentence in done] or (["Nothing had to be repaired."] if repair else [])
    for check in checks:
        lines.append(f"{text.mark(check.status)}{' ' * (5 - len(check.status))}{check.name}: {check.message}")
        lines.append(f"      → {check.fix}" if check.fix else "")
    data = {"healthy": ok, "repaired": done, "checks": [asdict(check) for check in checks]}
    cli.show(data, lines, ok=ok)


def examine(cli: Cli) -> list[Check]:
    """Every check, in the order in which people should mend things."""
    checks = [_python(), _mcp(), _git()]
    try:
        project = cli.project
    except LlmgenieError as error:
        return [*checks, Check("project", "fail", error.message, error.hint)]
    for look in (
        _project,
        _definitions,
        _trust,
        _commands,
        examine_store,
        _plugins,
        _state_folder,
        examine_points,
        examine_live,
        examine_upstreams,
    ):
        checks += look(project)
    return checks


def _repair(project: Project) -> list[str]:
    with quick_imports():
        from llmgenie_mcp.engine import runs
        from llmgenie_mcp.storage import open_storage
    storage = open_storage(project.store)
    try:
        done = storage.repair()
        settled = runs.settle_orphans(storage)
    finally:
        storage.close()
    return [*done, *(f"{run} is closed as interrupted: the process that ran it is gone." for run in settled)]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= (3, 11):  # noqa: UP036 - whoever runs it from a checkout may have another
        return Check("python", "ok", f"{version} ({sys.executable})")
    return Check("python", "fail", f"{version} is too old.", "Use Python 3.11 or newer.")  # type: ignore[unreachable]


def _mcp() -> Check:
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("mcp")
    except PackageNotFoundError:
        return Check("mcp", "fail", "The MCP SDK is not installed.", "pip install 'mcp>=2.3,<3'")
    numbers = tuple(int(part) if part.isdigit() else 0 for part in found.split(".")[:2])
    if MCP_RANGE[0] <= numbers < MCP_RANGE[1]:
        return Check("mcp", "ok", found)
    return Check("mcp", "fail", f"{found} does not fit.", "pip install 'mcp>=2.3,<3'")


def _git() -> Check:
    from llmgenie_mcp.signals.git import git

    found = git(Path.cwd(), "--version") if shutil.which("git") else None
    if found:
        return Check("git", "ok", found.removeprefix("git version "))
    return Check("git", "warn", "git was not found.", "Install git: reviews and releases need it.")


def _project(project: Project) -> Iterator[Check]:
    yield Check("project", "ok", f"{project.root}, found by {project.source}; store {project.store}")
    if git_top(project.root) is None:
        yield Check(
            "project", "warn", "It is no git checkout: reviews and releases need one.", f"git init {project.root}"
        )


def _definitions(project: Project) -> Iterator[Check]:
    from llmgenie_mcp.faces.cli_check import of_project, problem_lines

    with quick_imports():
        problems = of_project(project)
    if not problems:
        yield Check("definitions", "ok", "workflows, policies and settings load")
    for problem in problems:
        message, *hint = problem_lines([problem])
        yield Check("definitions", "fail", message, hint[0].strip() if hint else "Correct the file.")


def _trust(project: Project) -> Iterator[Check]:
    from llmgenie_mcp import trust

    if not trust.definition_files(project.store):
        yield Check("trust", "ok", "the project has no definitions of its own")
    elif trust.is_trusted(project.store):
        yield Check("trust", "ok", "a person accepted the project's definitions as they are")
    else:
        yield Check(
            "trust",
            "warn",
            "The project's own definitions are not accepted: its commands do not run.",
            f"A person in a terminal: llmgenie trust --project {project.root}",
        )


def _commands(project: Project) -> Iterator[Check]:
    from llmgenie_mcp.config import FILE_NAME
    from llmgenie_mcp.loader.settings import load_settings

    try:
        commands = load_settings(project.store).commands
    except DefinitionError:
        return  # told by the check of the definitions
    if "test" not in commands:
        add = f"In {project.store / FILE_NAME}: commands: {{test: {{argv: [pytest, -q]}}}}"
        yield Check("commands", "warn", "There is no `test` command: run_tests cannot run.", add)
    for name, command in commands.items():
        place = project.root / command.cwd
        if shutil.which(command.argv[0], path=None) is None and not (place / command.argv[0]).is_file():
            message = f"{name}: {command.argv[0]} was not found."
            yield Check("commands", "warn", message, "Install it, or correct argv in the settings.")
        elif not place.is_dir():
            yield Check(
                "commands", "warn", f"{name}: the folder {command.cwd} does not exist.", "Correct cwd in the settings."
            )
    if commands:
        yield Check("commands", "ok", ", ".join(commands))


def _plugins(project: Project) -> Iterator[Check]:
    with quick_imports():
        from llmgenie_mcp import plugins
        from llmgenie_mcp.engine.definitions import load
    try:
        has = load(project).plugged
    except LlmgenieError:
        has = load(project, own=False).plugged  # what is wrong is told by the check of the definitions
    failures = [failure for failure in plugins.failures() if failure.distribution not in has.off]
    for failure in failures:
        yield Check("plugins", "fail", f"{failure.module}: {failure.message}", "Mend or uninstall that extension.")
    for note in (*has.held.values(), *has.missing):
        yield Check("plugins", "fail", note, "llmgenie plugins lists what is installed.")
    for note in has.waiting:
        yield Check("plugins", "warn", note)
    if not failures and not has.held and not has.missing:
        yield Check("plugins", "ok", f"{len(plugins.actions())} actions, {len(plugins.signals())} signals")


def _state_folder(_: Project) -> Iterator[Check]:
    from llmgenie_mcp.trust import state_folder

    folder = state_folder()
    key = folder / "approval.key"
    try:
        if key.exists() and key.stat().st_mode & 0o077:
            yield Check(
                "state folder", "fail", f"{key} can be read by others: they could forge approvals.", f"chmod 600 {key}"
            )
            return
    except OSError as error:
        yield Check(
            "state folder", "fail", f"{folder} cannot be read: {error.strerror}.", "Correct the folder's rights."
        )
        return
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    if os.access(nearest, os.W_OK):
        yield Check("state folder", "ok", str(folder))
    else:
        yield Check("state folder", "fail", f"{folder} cannot be written.", "Name another: LLMGENIE_STATE_DIR=…")


COMMANDS = (doctor,)

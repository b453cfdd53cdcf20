"""Whether each commit of a range stands by itself: a command of the settings, run on it in a checkout of its own.

Tests on the end of a branch say nothing of the commits before it; `git bisect` and a partial revert meet those.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from llmgenie_mcp import process, trust
from llmgenie_mcp.errors import ActionError, ProjectError, UsageError

if TYPE_CHECKING:
    from llmgenie_mcp.config import Command
    from llmgenie_mcp.project import Project

TAIL = 2000
"""Characters of a failing command's output that are kept."""
TIMEOUT = 120.0
"""Seconds for git to check a commit out."""


def command_named(project: Project, name: str) -> Command:
    """The command of the settings that may be run here.

    Args:
        project: whose settings.
        name: of the command.

    Raises:
        UsageError: there is none of that name, it takes parameters, or nobody accepted the settings.
        DefinitionError: the settings cannot be read.
    """
    from llmgenie_mcp.loader.settings import load_settings

    commands = load_settings(project.store).commands
    if name not in commands:
        known = f"There are: {', '.join(sorted(commands))}." if commands else "The settings have no commands."
        raise UsageError(f"The settings name no command {name!r}.", f"{known} See commands: in llmgenie.yaml.")
    if not trust.is_trusted(project.store):
        raise UsageError(
            "Nobody accepted this project's commands, so none is run.", "Read and accept them: llmgenie trust"
        )
    if commands[name].params:
        raise UsageError(f"The command {name} takes parameters.", "Name one that runs as it is.")
    return commands[name]


def failures(folder: Path, command: Command, commits: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Runs `command` on each of the commits, in one linked checkout beside the others, which is gone afterwards.

    Args:
        folder: inside the repository.
        command: what is run, in its own `cwd` below the checkout.
        commits: their hashes.

    Yields:
        The hash and what went wrong; "" where nothing did.

    Raises:
        ProjectError: git makes no checkout.
    """
    with tempfile.TemporaryDirectory(prefix="llmgenie-each-") as place:
        checkout = Path(place) / "checkout"
        try:
            for commit in commits:
                new = ("worktree", "add", "-q", "--detach", str(checkout), commit)
                again = ("-C", str(checkout), "checkout", "-q", "--force", "--detach", commit)
                _git(folder, *(again if checkout.exists() else new))
                _git(folder, "-C", str(checkout), "clean", "-q", "-ffdx")
                yield commit, _failure(command, checkout)
        finally:
            process.run_git(folder, ("worktree", "remove", "--force", str(checkout)), timeout=TIMEOUT)


def _failure(command: Command, checkout: Path) -> str:
    where = checkout / (command.cwd or ".")
    try:
        done = process.run(command.argv, cwd=where, env=command.env, timeout=command.timeout, tail=TAIL)
    except ActionError as error:
        return error.message
    if done.timed_out:
        return f"did not end within {command.timeout:g} s"
    last = done.output.strip().rpartition("\n")[2]
    return f"failed with exit code {done.exit_code}: {last}" if done.exit_code else ""


def _git(folder: Path, *arguments: str) -> None:
    done = process.run_git(folder, ("-c", "core.hooksPath=/dev/null", *arguments), timeout=TIMEOUT)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ProjectError(f"git makes no checkout to run it in: {said}", "Run git worktree prune, and try again.")

"""The guard of a project without an Engine: from what `compiled` kept, else from the definitions, which are then kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from llmgenie_mcp import compiled, distributions
from llmgenie_mcp.compiled import Compiled
from llmgenie_mcp.engine.guard import Guard
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.project import Project
from llmgenie_mcp.storage import Storage, open_storage

if TYPE_CHECKING:
    from llmgenie_mcp.engine.definitions import Definitions

LOCK_SECONDS = 1.5
"""So long does a hook wait for another process; a host gives it a few seconds in all."""
_OPEN = re.compile(r"^level:\s*[\"']?(?:situational|audit)\b", re.MULTILINE)


@contextmanager
def open_guard(project: Project, *, read_only: bool = False) -> Iterator[Guard]:
    """The guard, with its store open.

    Raises:
        StorageError: the store cannot be used. OSError, DefinitionError: llmgenie's own definitions cannot be read.
    """
    known = compiled.read(project.store) or _compile(project)
    storage = open_storage(project.store, lock_timeout=LOCK_SECONDS, read_only=read_only)
    try:
        yield Guard(
            project,
            storage,
            known.policy_set,
            known.initial_mode,
            known.trusted,
            broken=known.broken,
            closed=known.closed,
            routes=known.routes,
        )
    finally:
        storage.close()


def guard_of(
    project: Project, storage: Storage, definitions: Callable[[], Definitions], committed: Callable[[], None]
) -> Guard:
    """The guard over a store that is open already, by the definitions as they are now.

    Args:
        project: whose.
        storage: its store; stays its giver's to close.
        definitions: gives them, or raises DefinitionError; then the packaged ones are in force.
        committed: called after every line written to the meta-log.
    """
    found, broken, closed = _in_force(project, definitions)
    return Guard(
        project,
        storage,
        found.policies,
        found.workflows["modes"].initial,
        found.trusted,
        found.workflows,
        found.settings,
        broken,
        closed,
        committed,
        found.routes,
    )


def _is_open(error: DefinitionError, store: Path) -> bool:
    """Whether all that is broken are policies which never bind everywhere: situational ones and audits."""
    problems = error.details.get("problems")
    if not isinstance(problems, list) or not problems:
        return False
    return all(_is_situational(str(problem.get("file", "")), store) for problem in problems)


def _in_force(project: Project, definitions: Callable[[], Definitions]) -> tuple[Definitions, str, bool]:
    """The definitions; the packaged ones, why, and whether that closes the door, when the project's own are broken."""
    try:
        return definitions(), "", False
    except DefinitionError as error:
        from llmgenie_mcp.engine.definitions import load

        return load(project, own=False), error.message, not _is_open(error, project.store)


def _compile(project: Project) -> Compiled:
    from llmgenie_mcp.engine.definitions import load

    folders = distributions.definition_folders().values()
    plugged = tuple(str(folder) for folder in folders if isinstance(folder, Path))
    mark = compiled.mark_of(project.store, plugged)
    found, broken, closed = _in_force(project, lambda: load(project))
    policies = compiled.compile_policies(found.policies)
    waiting = tuple(map(asdict, found.routes))
    kept = Compiled(policies, found.workflows["modes"].initial, found.trusted, broken, closed, waiting, plugged)
    compiled.write(project.store, kept, mark)
    return kept


def _is_situational(file: str, store: Path) -> bool:
    path = store.parent / file if file.startswith(".llmgenie") else Path(file)
    if path.parent.name != "policies":
        return False
    try:
        return _OPEN.search(path.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False

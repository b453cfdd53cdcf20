"""The action `import_tasks`: judged by the policies, done in one transaction, told in one line of the meta-log.

`llmgenie import` runs the same action; a person may name a path outside of the project there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from llmgenie_mcp.errors import LlmgenieError, UsageError, shorten
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.outcome import Actor, Document, Outcome
from llmgenie_mcp.plugins import Params, action

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine
    from llmgenie_mcp.engine.situation import ActionContext, Situation
    from llmgenie_mcp.importers._reading import Reading
    from llmgenie_mcp.project import Project

NAME = "import_tasks"


class ImportTasks(Params):
    """Parameters of import_tasks."""

    path: str = Field(min_length=1, max_length=4000, description="The file or folder, below the project's folder.")
    format: str | None = Field(default=None, max_length=40, description="Its format; found by content when left out.")
    dry_run: bool = Field(default=False, description="Say what would be done, and do nothing.")
    strict: bool = Field(default=False, description="Do nothing when there is any problem.")
    encoding: str | None = Field(default=None, max_length=40, description="Of the files; UTF-8 when left out.")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What was read, or why nothing was: told when the policies have let it."""

    reading: Reading | None = None
    error: LlmgenieError | None = None


def _prepare(ctx: ActionContext, params: ImportTasks) -> _Prepared:
    """Read the files, before the lock is taken."""
    from llmgenie_mcp import importers

    try:
        path = below(ctx.situation.project, params.path)
        read = importers.reading(
            ctx.situation.project,
            ctx.situation.workflows["task"],
            path,
            format=params.format,
            encoding=params.encoding,
            progress=ctx.progress,
        )
    except LlmgenieError as error:
        return _Prepared(error=error)
    return _Prepared(read)


def _operations(situation: Situation, params: ImportTasks) -> Iterator[Operation]:
    """Policies say which files may be read."""
    yield Operation("file.read", {"path": str(situation.project.root / params.path)})


@action(
    NAME, params=ImportTasks, prepare=_prepare, operations=_operations, example={"path": "backlog", "dry_run": True}
)
def import_tasks(ctx: ActionContext, params: ImportTasks) -> Document:
    """Bring in tasks of Task Master, Backlog.md, beads, Shrimp, GitHub or an llmgenie export; `dry_run` only tells."""
    from llmgenie_mcp.importers._reading import failed

    found: _Prepared = ctx.prepared
    if found.error is not None:
        raise found.error
    assert found.reading is not None  # noqa: S101 - one of the two is there
    read = found.reading
    read.bring(ctx.write, ctx.situation.actor, dry_run=params.dry_run)
    if params.strict and read.report.problems:
        raise failed(read.report, "Nothing was imported")
    ctx.notes.append(f"{'dry run, ' if params.dry_run else ''}{read.told}")
    return {**({"dry_run": True} if params.dry_run else {}), **read.report.answer()}


def below(project: Project, said: str) -> Path:
    """A path that an agent names, as it is: below the project's folder, links followed.

    Raises:
        UsageError: it leads out of there.
    """
    found = Path(os.path.realpath(project.root / said))
    if not any(found.is_relative_to(os.path.realpath(base)) for base in (project.root, project.store.parent)):
        raise UsageError(
            f"{shorten(said)} lies outside of the project.",
            "Name a file or folder of the project; a person imports others: llmgenie import PATH.",
        )
    return found


def perform(
    engine: Engine, path: Path, read: Reading, actor: Actor, session: str | None, *, dry_run: bool, strict: bool
) -> Outcome:
    """Run the action on what was read from wherever; the log gets its line when anything was written or refused.

    A dry run and an import that changes nothing leave no line.
    """
    from llmgenie_mcp.engine.acting import Act
    from llmgenie_mcp.engine.situation import ActionContext, TransactionReader, World

    definitions, storage = engine.definitions, engine.storage
    offer = definitions.action(NAME)
    judged = ImportTasks(path=str(path.absolute()))
    params = ImportTasks(path=read.source, format=read.form.name)
    ctx = ActionContext(engine.situation(session, actor=actor), routes=definitions.routes)
    ctx.prepared = _Prepared(read)
    with storage.begin() as tx:
        ctx.tx = tx
        ctx.situation = definitions.situation(engine.project, TransactionReader(tx), session, actor, World())
        judgement = definitions.judge(offer, ctx.situation, judged)
        act = Act(
            offer, params.model_dump(), params, ctx, session, None, storage, definitions.open_actions, engine.wake
        )
        if not judgement.allowed:
            return Outcome("denied", NAME, reasons=judgement.refusals) if dry_run else act.refuse(judgement)
        read.bring(tx, actor)
        if dry_run or not read.report.touched or (strict and read.report.problems):
            return Outcome("ok", NAME, read.report.brief(), session=session)
        return act.do(None)

"""The act of importing: judged by the policies, done in one transaction, told in one line of the meta-log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from llmgenie_mcp.engine.acting import Act
from llmgenie_mcp.engine.judge import Judgement, refusal_of
from llmgenie_mcp.engine.situation import ActionContext, TransactionReader, World
from llmgenie_mcp.importers._items import Format, Item
from llmgenie_mcp.importers._merge import Merge, exported_to, prepared
from llmgenie_mcp.importers._report import Report
from llmgenie_mcp.outcome import Actor, Document, Outcome
from llmgenie_mcp.plugins import Action, Params

if TYPE_CHECKING:
    from llmgenie_mcp.engine import Engine


class ImportTasks(Params):
    """Parameters of import_tasks."""

    path: str = Field(max_length=4000, description="The file or folder.")
    format: str = Field(max_length=40, description="Its format.")


def perform(
    engine: Engine,
    form: Format,
    source: str,
    path: Path,
    items: Sequence[Item],
    report: Report,
    actor: Actor,
    session: str | None,
    *,
    dry_run: bool,
    strict: bool,
) -> Outcome:
    """Merge the items into the store, unless a policy is against it; the log gets its line when anything was written."""
    definitions = engine.definitions
    reading = engine.enforce(None, "file.read", {"path": str(path.absolute())}, actor=actor, session=session)
    params = ImportTasks(path=source, format=form.name)
    ctx = ActionContext(engine.situation(session, actor=actor), routes=definitions.routes)

    def told(_ctx: ActionContext, _params: ImportTasks) -> Document:
        return report.brief()

    offer = Action("import_tasks", "Bring in the tasks of another tool.", ImportTasks, told)
    items = prepared(items, form, definitions.workflows["task"], report)
    exported = exported_to(engine.project.store, path)
    with engine.storage.begin() as tx:
        ctx.tx = tx
        ctx.situation = definitions.situation(engine.project, TransactionReader(tx), session, actor, World())
        judgement = definitions.judge(offer, ctx.situation, params)
        if not reading.allowed:
            judgement = Judgement((*map(refusal_of, reading.reasons), *judgement.refusals), decision=reading)
        asked = params.model_dump()
        opened = definitions.open_actions
        act = Act(offer, asked, params, ctx, session, None, engine.storage, opened, engine.wake)
        if not judgement.allowed:
            return Outcome("denied", offer.name, reasons=judgement.refusals) if dry_run else act.refuse(judgement)
        Merge(tx, form, source, engine.project.root, exported, report).bring(items)
        ctx.notes.append(f"from {source} ({form.title}): {report.told()}")
        if dry_run or not report.touched or (strict and report.problems):
            return Outcome("ok", offer.name, report.brief(), session=session)
        return act.do(None)

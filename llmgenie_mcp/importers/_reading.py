"""What is to be imported, read and made ready without any lock; `bring` then writes it within a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.importers._items import Format, Item
from llmgenie_mcp.importers._merge import Merge, exported_to, prepared
from llmgenie_mcp.importers._report import Progress, Report
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.project import Project
from llmgenie_mcp.storage import Transaction
from llmgenie_mcp.workflow import Workflow

MOST_TOLD = 20


@dataclass
class Reading:
    """Items that can be written.

    Attributes:
        form: their format.
        source: what they come from, by name.
        base: the project's folder.
        items: ready to be merged.
        exported: what was last exported to where they come from.
        report: what is told.
        brought: whether `bring` was called.
    """

    form: Format
    source: str
    base: Path
    items: list[Item]
    exported: Mapping[str, Any]
    report: Report
    brought: bool = False

    @classmethod
    def of(
        cls,
        project: Project,
        paths: Sequence[Path],
        form: Format,
        items: list[Item],
        workflow: Workflow,
        report: Report,
        progress: Progress | None = None,
    ) -> Reading:
        """Make items ready; `paths` are where they were read, the named one first, and `workflow` is that of tasks.

        Raises:
            ActionError: there are problems, and nothing could be read.
        """
        if report.problems and not items:
            raise failed(report, "Nothing could be read")
        report.initial = workflow.initial
        ready = prepared(items, form, workflow, report, progress)
        return cls(form, report.path, project.root, ready, exported_to(project.store, *paths), report)

    def bring(self, tx: Transaction, actor: Actor, *, dry_run: bool = False) -> None:
        """Merge the items into the store, once; a dry run puts nothing, and for an agent no task that is here is moved."""
        if self.brought:
            return
        into: Any = _Dry(tx) if dry_run else tx
        moves = actor.kind != "agent"
        Merge(into, self.form, self.source, self.base, self.exported, self.report, moves=moves).bring(self.items)
        self.brought = True

    @property
    def told(self) -> str:
        """From where, and how many of what: the note of the log line."""
        return f"from {self.source} ({self.form.title}): {self.report.told()}"


class _Dry:
    """A transaction that reads, and puts nothing."""

    def __init__(self, tx: Transaction) -> None:
        self.query, self.next_id = tx.query, tx.next_id

    def put(self, table: str, id_: str, document: Mapping[str, Any]) -> None:
        """Nothing is put."""


def failed(report: Report, what: str) -> ActionError:
    """The error of an import that brings in nothing because of the report's problems."""
    told = [f"{remark.place}: {remark.message}" for remark in report.problems[:MOST_TOLD]]
    more = len(report.problems) - len(told)
    return ActionError(
        f"{what}: {len(report.problems)} problem{'s' * (len(report.problems) != 1)} in {report.path}.",
        "\n".join([*told, f"… {more} more" if more else "Mend them, or leave strict out."]),
        problems=[remark.to_dict() for remark in report.problems],
    )

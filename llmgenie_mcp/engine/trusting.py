"""That trust in a project's definitions was lost, or given again: one line in the log, by whoever notices first.

An edit of the definitions silences rules, webhooks and notifications until a person accepts it. Nobody does the editing
here, so whoever acts next, or delivers, looks.
"""

from __future__ import annotations

from llmgenie_mcp import trust
from llmgenie_mcp.engine import deliveries
from llmgenie_mcp.engine.definitions import Definitions
from llmgenie_mcp.project import Project
from llmgenie_mcp.storage import Storage

TABLE, ID = "told", "trust"
LOST, GIVEN = "definitions.changed", "definitions.accepted"


def notice(storage: Storage, project: Project, definitions: Definitions) -> None:
    """Write down that trust was lost or given again since somebody looked last.

    Definitions that were never accepted lose nothing.

    Args:
        storage: the project's store; nothing is written to one that is read-only.
        project: whose.
        definitions: as they are now.
    """
    if storage.read_only or not _differs(storage.get(TABLE, ID) is not None, project, definitions):
        return
    with storage.begin() as tx:
        lost = tx.get(TABLE, ID) is not None
        if not _differs(lost, project, definitions):
            return
        line = {"type": GIVEN if lost else LOST, "actor": deliveries.SYSTEM}
        if lost:
            tx.delete(TABLE, ID)
        else:
            tx.put(TABLE, ID, {"lost": True})
        if silent := waiting(definitions):
            line["works_again" if lost else "silent"] = silent
        deliveries.commit(tx, line, definitions.routes, project, storage.last_seq() + 1)


def waiting(definitions: Definitions) -> list[str]:
    """What events would lead to, as `trigger:NAME` and so on, whether it is accepted or not."""
    named = {
        "trigger": definitions.catalog.triggers,
        "webhook": definitions.settings.webhooks,
        "notification": definitions.settings.notifications,
    }
    return [f"{kind}:{name}" for kind, names in named.items() for name in names]


def _differs(lost: bool, project: Project, definitions: Definitions) -> bool:
    if definitions.trusted:
        return lost
    return not lost and trust.record(project.store).exists()

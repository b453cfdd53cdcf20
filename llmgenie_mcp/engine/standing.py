"""Where things stand, as data: by the definitions, or by the little of them that `outline` keeps. Light to import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Document
from llmgenie_mcp.redact import cut

if TYPE_CHECKING:
    from llmgenie_mcp.engine.situation import Reader
    from llmgenie_mcp.project import Project
    from llmgenie_mcp.storage import Storage
    from llmgenie_mcp.workflow import Workflow

PROJECT_MODE = "modes"
"""Id of the instance that holds the mode of work done outside any session."""

ENGINE_WORKFLOWS = ("modes", "task")
"""Workflows that named actions move (`switch_mode`, `claim_task` …); their triggers are no actions of their own."""
OUTBOX = "outbox"
"""As `outbox.TABLE`, whose module takes longer to import than all of this."""

READ_AT_ONCE = 50
"""Documents that are copied before it is known whether they are wanted."""
SHOWN = 20
"""So many sessions and instances are told, and half as many questions; context data has all."""


@dataclass(frozen=True, slots=True)
class StoreReader:
    """Reads what was committed."""

    storage: Storage

    def get(self, table: str, id: str) -> Document | None:  # noqa: A002
        """The document, or None."""
        return self.storage.get(table, id)

    def all(self, table: str, where: Mapping[str, object] | None = None) -> list[Document]:
        """Documents whose fields equal those of `where`."""
        return self.storage.query(table, where).items

    def each(
        self, table: str, where: Mapping[str, object] | None = None, *, newest_first: bool = False
    ) -> Iterator[Document]:
        """As `all`, or the other way round, one after the other."""
        cursor, more = None, True
        while more:
            page = self.storage.query(table, where, limit=READ_AT_ONCE, cursor=cursor, newest_first=newest_first)
            yield from page.items
            cursor, more = page.cursor, page.cursor is not None

    def count(self, table: str, where: Mapping[str, object] | None = None) -> int:
        """How many there are."""
        return self.storage.query(table, where, limit=0).total


@dataclass(frozen=True, slots=True)
class InForce:
    """What of the definitions is told.

    Attributes:
        policies: their names.
        notes: what people should know about the definitions, a sentence each.
        waiting: names of what waits for events: trigger rules, webhooks, notifications.
        trusted: whether a person accepted the project's own definitions.
    """

    policies: Iterable[str]
    notes: tuple[str, ...]
    waiting: tuple[str, ...]
    trusted: bool


def standing(
    known: InForce,
    project: Project,
    reader: Reader,
    flows: Mapping[str, Workflow],
    session: Document | None,
    mode: str,
    warnings: Iterable[str],
) -> Document:
    """Project, mode, session, open instances with what may come next, approvals that wait, counts of tasks."""
    counted = {status: reader.count("tasks", {"status": status}) for status in flows["task"].states}
    running = [instance_line(document, flows.get(document["workflow"])) for document in open_instances(reader, flows)]
    modes = flows["modes"].states
    answer: Document = {
        "project": {
            "name": project.name,
            "root": str(project.root),
            "store": str(project.store),
            "found_by": project.source,
        },
        "mode": mode,
        "mode_description": modes[mode].description if mode in modes else "",
        "session": cut({k: v for k, v in (session or {}).items() if v not in (None, "", [])}) or None,
        "sessions_open": [
            d["id"] for status in ("active", "paused") for d in reader.all("sessions", {"status": status})
        ][-SHOWN:],
        "instances": running[:SHOWN],
        "approvals_pending": [
            {k: approval.get(k) for k in ("id", "action", "question")}
            for approval in reader.all("approvals", {"status": "pending"})
        ][-SHOWN // 2 :],
        "tasks": {status: number for status, number in counted.items() if number},
        "workflows": sorted(flows),
        "policies": sorted(known.policies),
        "trusted": known.trusted,
        "warnings": [*known.notes, *warnings, *_about_deliveries(known, reader)],
    }
    return {k: v for k, v in answer.items() if v not in (None, [], "")}


def open_instances(reader: Reader, workflows: Mapping[str, Workflow]) -> list[Document]:
    """The instances of `workflows` that have not ended, in the order they were started."""
    found = [
        document
        for name, flow in workflows.items()
        if name not in ENGINE_WORKFLOWS
        for state, definition in flow.states.items()
        if not definition.final
        for document in reader.all("instances", {"workflow": name, "state": state})
    ]
    return sorted(found, key=lambda document: document["created_at"])


def session_and_mode(reader: Reader, session: str | None, initial_mode: str) -> tuple[Document | None, str]:
    """The session's document, and the mode: the session's, else the project's.

    Raises:
        UnknownName: there is no such session.
    """
    document = None
    if session is not None:
        document = reader.get("sessions", session)
        if document is None:
            known = [d["id"] for status in ("active", "paused") for d in reader.all("sessions", {"status": status})]
            error = UnknownName("session", session, known, fix={"action": "start_session", "params": {}})
            error.hint += " None is yours? Start one: run_action start_session, without `session`."
            raise error
    held = reader.get("instances", PROJECT_MODE)
    return document, document["mode"] if document else held["state"] if held else initial_mode


def instance_line(instance: Mapping[str, Any], workflow: Workflow | None) -> Document:
    """An instance with what may come next."""
    line: Document = {k: instance.get(k) for k in ("id", "workflow", "state", "subject", "session") if instance.get(k)}
    if workflow and instance["state"] in workflow.states:
        state = workflow.states[instance["state"]]
        if state.description:
            line["description"] = state.description
        line["next"] = {
            trigger: transition.target + (" (needs a person)" if transition.approval else "")
            for trigger, transition in workflow.transitions(instance["state"]).items()
        }
    return line


def _about_deliveries(known: InForce, reader: Reader) -> Iterator[str]:
    if known.waiting and not known.trusted:
        names = ", ".join(known.waiting)
        yield f"Nobody accepted {names} yet, so no event leads to them: a person says llmgenie trust."
    if dead := reader.count(OUTBOX, {"status": "dead"}):
        yield f"Deliveries given up: {dead}; a person looks with llmgenie outbox."

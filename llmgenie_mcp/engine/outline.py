"""The little of a project's definitions that reading commands tell, kept as plain data: reading it needs no pydantic.

It lies beside what `compiled` keeps for hooks, and counts only while nothing behind it has changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from llmgenie_mcp import kept, marks
from llmgenie_mcp.engine.standing import InForce, session_and_mode, standing
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Document

if TYPE_CHECKING:
    from llmgenie_mcp.engine.definitions import Definitions
    from llmgenie_mcp.engine.situation import Reader
    from llmgenie_mcp.project import Project
    from llmgenie_mcp.workflow import Workflow

PART = ".outline"


@dataclass(frozen=True, slots=True)
class Way:
    """As `workflow.Transition`, as far as it is told."""

    target: str
    approval: str | None


@dataclass(frozen=True, slots=True)
class Stage:
    """As `workflow.State`, as far as it is told."""

    description: str
    final: bool
    ways: Mapping[str, Way]


@dataclass(frozen=True, slots=True)
class Flow:
    """As `workflow.Workflow`, as far as it is told."""

    initial: str
    states: Mapping[str, Stage]

    def transitions(self, state: str) -> Mapping[str, Way]:
        """All triggers that work in `state`."""
        return self.states[state].ways


@dataclass(frozen=True)
class Outline:
    """What is told of the definitions.

    Attributes:
        flows: the workflows by name, as JSON.
        policies: name, level, origin and description of each.
        notes, waiting, trusted: as `standing.InForce`.
        plugged: the folders in which plug-ins have definitions.
        actions: the descriptions of all actions by name.
    """

    flows: dict[str, Any]
    policies: tuple[Document, ...]
    notes: tuple[str, ...]
    waiting: tuple[str, ...]
    trusted: bool
    plugged: tuple[str, ...]
    actions: dict[str, str]

    @cached_property
    def workflows(self) -> dict[str, Flow]:
        """The workflows, ready to be told."""
        return {name: _flow(flow) for name, flow in self.flows.items()}

    def state(self, project: Project, reader: Reader, session: str | None, warnings: list[str]) -> Document:
        """As `Engine.workflow_state`.

        Raises:
            UnknownName: there is no such session.
        """
        flows = cast("Mapping[str, Workflow]", self.workflows)
        document, mode = session_and_mode(reader, session, flows["modes"].initial)
        names = tuple(policy["name"] for policy in self.policies)
        known = InForce(names, self.notes, self.waiting, self.trusted)
        return standing(known, project, reader, flows, document, mode, warnings)


def read(store: Path) -> Outline | None:
    """What was kept for `store`; None when there is nothing, or something behind it has changed."""
    try:
        data = json.loads(kept.place(store, PART).read_bytes())
        if data.pop("mark") == _mark(store, data["plugged"]):
            lists = ("policies", "notes", "waiting", "plugged")
            found = Outline(**{**data, **{name: tuple(data[name]) for name in lists}})
            return found if found.workflows["modes"].initial else None
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        pass
    return None


def mark_of(store: Path) -> tuple[object, tuple[str, ...]]:
    """What `of` needs from before the definitions were read: the mark, and the folders of plug-ins in it."""
    from llmgenie_mcp import distributions

    folders = distributions.definition_folders().values()
    plugged = tuple(str(folder) for folder in folders if isinstance(folder, Path))
    return _mark(store, plugged), plugged


def _mark(store: Path, plugged: Iterable[str]) -> list[Any]:
    """As for hooks, and differs also when tools of other servers, or what was accepted of them, do."""
    return [*kept.mark_of(store, plugged), *([*mark] for mark in marks.listings(store))]


def of(store: Path, definitions: Definitions, before: tuple[object, tuple[str, ...]]) -> Outline:
    """The outline, which is also kept for the next command, unless a plug-in has a part in it that leaves no mark.

    Args:
        store: the project's.
        definitions: in force.
        before: `mark_of` from before they were read: a change meanwhile must not go unnoticed.
    """
    from llmgenie_mcp import plugins

    mark, plugged = before
    catalog, settings = definitions.catalog, definitions.settings
    flows = {
        name: {
            "version": flow.version,
            "subject": flow.subject,
            "origin": catalog.workflows[name].origin,
            "description": flow.description,
            "initial": flow.initial,
            "states": {
                state: {
                    "description": stage.description,
                    "final": stage.final,
                    "ways": {t: [way.target, way.approval] for t, way in flow.transitions(state).items()},
                }
                for state, stage in flow.states.items()
            },
        }
        for name, flow in definitions.workflows.items()
    }
    policies = tuple(
        {"name": name, "level": entry.value.level, "origin": entry.origin, "description": entry.value.description}
        for name, entry in catalog.policies.items()
    )
    actions = {name: action.description for name, action in definitions.actions.items()}
    waiting = (*catalog.triggers, *settings.webhooks, *settings.notifications)
    found = Outline(
        flows, policies, (*catalog.notes, *definitions.held), waiting, definitions.trusted, plugged, actions
    )
    if not plugins.failures() and not any(plugins.origin("providers", name) for name in plugins.providers()):
        kept.write(kept.place(store, PART), {"mark": mark, **asdict(found)})
    return found


def _flow(plain: Mapping[str, Any]) -> Flow:
    states = {
        name: Stage(state["description"], state["final"], {t: Way(*way) for t, way in state["ways"].items()})
        for name, state in plain["states"].items()
    }
    return Flow(plain["initial"], states)

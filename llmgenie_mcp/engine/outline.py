"""The little of a project's definitions that reading commands tell, kept as plain data: reading it needs no pydantic.

It lies beside what `compiled` keeps for hooks, and counts only while nothing behind it has changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from llmgenie_mcp import kept, marks
from llmgenie_mcp.engine.flow import Flow, flow, plain
from llmgenie_mcp.engine.standing import InForce, session_and_mode, standing
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Document

if TYPE_CHECKING:
    from llmgenie_mcp.engine.definitions import Definitions
    from llmgenie_mcp.engine.known import Known
    from llmgenie_mcp.engine.situation import Reader
    from llmgenie_mcp.project import Project
    from llmgenie_mcp.workflow import Workflow

PART = ".outline"


@dataclass(frozen=True)
class Outline:
    """What is told of the definitions.

    Attributes:
        flows: the workflows by name, as JSON (`flow.plain`).
        origins: where each of them comes from.
        policies: name, level, origin and description of each.
        rules: the policies as `Engine.policy` tells them, by name.
        enforced: the policies as `answers.enforcement` tells them.
        notes, waiting, trusted: as `standing.InForce`.
        held: sentences on groups of actions of which some wait for a person.
        plugged: the folders in which plug-ins have definitions.
        actions: the descriptions of all actions by name.
        judged: what else `known` needs, as JSON (`known.plain`); None when some action can only be judged by itself.
    """

    flows: dict[str, Any]
    origins: Mapping[str, str]
    policies: tuple[Document, ...]
    rules: dict[str, Document]
    enforced: tuple[Document, ...]
    notes: tuple[str, ...]
    held: tuple[str, ...]
    waiting: tuple[str, ...]
    trusted: bool
    plugged: tuple[str, ...]
    actions: dict[str, str]
    judged: Document | None

    @cached_property
    def workflows(self) -> dict[str, Flow]:
        """The workflows, ready to be told."""
        return {name: flow(data) for name, data in self.flows.items()}

    @property
    def known(self) -> Known | None:
        """What can say what is open; None when only the Engine can."""
        if self.judged is None:
            return None
        from llmgenie_mcp.engine.known import known

        with suppress(ValueError, TypeError, AttributeError, KeyError):  # as in `read`: it is no more than a file
            return known(self.workflows, self.judged, self.trusted)
        return None

    def state(self, project: Project, reader: Reader, session: str | None, warnings: list[str]) -> Document:
        """As `Engine.workflow_state`.

        Raises:
            UnknownName: there is no such session.
        """
        flows = cast("Mapping[str, Workflow]", self.workflows)
        document, mode = session_and_mode(reader, session, flows["modes"].initial)
        names = tuple(policy["name"] for policy in self.policies)
        known = InForce(names, (*self.notes, *self.held), self.waiting, self.trusted)
        return standing(known, project, reader, flows, document, mode, warnings)

    def enforcement(self, project: Project, warnings: Iterable[str]) -> Document:
        """As `Engine.enforcement_status`."""
        from llmgenie_mcp.engine import answers

        return answers.enforcement(self.enforced, (*self.notes, *warnings), self.trusted, project)


def read(store: Path) -> Outline | None:
    """What was kept for `store`; None when there is nothing, or something behind it has changed."""
    try:
        data = json.loads(kept.place(store, PART).read_bytes())
        if data.pop("mark") == _mark(store, data["plugged"]):
            lists = ("policies", "enforced", "notes", "held", "waiting", "plugged")
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
    """As for hooks, and differs also when tools of other servers do, or what was accepted of them, or llmgenie's actions."""
    return [*kept.mark_of(store, plugged), *([*mark] for mark in (*marks.listings(store), *_actions()))]


def _actions() -> Iterator[tuple[str, int, int]]:
    """The mark of the modules that have actions and say what is told of them."""
    package = Path(__file__).resolve().parent.parent
    for folder in ("actions", "importers", "providers"):
        with os.scandir(package / folder) as listing:
            for module in sorted(listing, key=lambda entry: entry.name):
                if module.name.endswith(".py"):
                    stat = module.stat()
                    yield module.name, stat.st_mtime_ns, stat.st_size


def of(store: Path, definitions: Definitions, before: tuple[object, tuple[str, ...]]) -> Outline:
    """The outline, which is also kept for the next command, unless a plug-in has a part in it that leaves no mark.

    Args:
        store: the project's.
        definitions: in force.
        before: `mark_of` from before they were read: a change meanwhile must not go unnoticed.
    """
    from llmgenie_mcp import plugins
    from llmgenie_mcp.engine import answers, known, overview

    mark, plugged = before
    catalog, settings = definitions.catalog, definitions.settings
    flows = {name: plain(workflow) for name, workflow in definitions.workflows.items()}
    origins = {name: entry.origin for name, entry in catalog.workflows.items()}
    policies = tuple(overview.policies(definitions))
    rules = {name: overview.policy(definitions, name) for name in catalog.policies}
    actions = {name: action.description for name, action in definitions.actions.items()}
    waiting = (*catalog.triggers, *settings.webhooks, *settings.notifications)
    found = Outline(
        flows,
        origins,
        policies,
        rules,
        tuple(answers.enforced(definitions)),
        catalog.notes,
        definitions.held,
        waiting,
        definitions.trusted,
        plugged,
        actions,
        known.plain(definitions),
    )
    if not plugins.failures() and not any(plugins.origin("providers", name) for name in plugins.providers()):
        kept.write(kept.place(store, PART), {"mark": mark, **asdict(found)})
    return found

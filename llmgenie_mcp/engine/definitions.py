"""Everything that is defined for a project, loaded as one: settings, workflows, policies, actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from llmgenie_mcp import marks, plugins, trust, validation
from llmgenie_mcp.config import Settings
from llmgenie_mcp.engine import judge
from llmgenie_mcp.engine.judge import Judgement
from llmgenie_mcp.engine.offers import workflow_actions
from llmgenie_mcp.engine.part import spelled_out
from llmgenie_mcp.engine.plugged import Plugged, plugged
from llmgenie_mcp.engine.situation import Reader, Situation, World, situation_in, vocabulary
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.loader import Loaded
from llmgenie_mcp.loader.catalog import Catalog, load_catalog
from llmgenie_mcp.loader.settings import read_settings
from llmgenie_mcp.operations import OPERATIONS
from llmgenie_mcp.outbox import NOTIFICATION, TRACKER, TRIGGER, WEBHOOK, Route, Routes
from llmgenie_mcp.plugins import Action
from llmgenie_mcp.policy import PolicySet
from llmgenie_mcp.project import Project
from llmgenie_mcp.records import Actor
from llmgenie_mcp.triggers import event_type
from llmgenie_mcp.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Definitions:
    """What is in force.

    Attributes:
        settings: of the project.
        catalog: workflows and policies with their origin.
        workflows: the definitions by name.
        policies: ready to decide.
        actions: everything that may be run, by name: registered ones and those that workflows bring along.
        trusted: whether a person accepted the project's own definitions.
        mark: changes when a file behind them changes.
        routes: who waits for which events; nobody before a person accepted the definitions.
        opened: what `open_actions` found before, by mode, workflow and state.
        plugged: what of the installed plug-ins is in force.
    """

    settings: Settings
    catalog: Catalog
    workflows: Mapping[str, Workflow]
    policies: PolicySet
    actions: dict[str, Action]
    trusted: bool
    mark: object
    routes: Routes = ()
    opened: dict[tuple[str, str | None, str | None], tuple[str, ...]] = field(default_factory=dict)
    plugged: Plugged = field(default_factory=Plugged)

    def action(self, name: str) -> Action:
        """The action of that name. Raises UnknownName."""
        if validation.check_name(name, "action") not in self.actions:
            raise UnknownName("action", name, self.actions, **self._moved_by(name))
        return self.actions[name]

    def _moved_by(self, name: str) -> dict[str, Any]:
        """For a trigger of tasks, which is no action by itself, what takes it; else nothing."""
        if name not in self.workflows["task"].triggers or f"{name}_task" in self.actions:
            return {}
        fix = {"action": "move_task", "params": {"id": "…", "trigger": name}}
        return {
            "hint": f'{name} is a trigger of tasks: run_action move_task {{"id": "…", "trigger": "{name}"}}.',
            "fix": fix,
        }

    @property
    def held(self) -> tuple[str, ...]:
        """A sentence on every group of actions of which some wait for a person."""
        waiting = Counter((offer.group or offer.name, offer.waits) for offer in self.actions.values() if offer.waits)
        return tuple(
            f"{group}: {number} of its tools {'waits' if number == 1 else 'wait'} for a person who accepts "
            f"{'it' if number == 1 else 'them'}, in a terminal: {command}"
            for (group, command), number in waiting.items()
        )

    def situation(self, project: Project, reader: Reader, session: str | None, actor: Actor, world: World) -> Situation:
        """What is known when `actor` asks something in `session`.

        Raises:
            UnknownName: there is no such session.
        """
        if session is not None:
            validation.check_name(session, "session")
        return situation_in(
            project,
            reader,
            session,
            actor,
            world,
            settings=self.settings,
            workflows=self.workflows,
            trusted=self.trusted,
            initial_mode=self.workflows["modes"].initial,
            judge=self._judge_by_name,
        )

    def judge(
        self, offer: Action, situation: Situation, args: BaseModel | None, *, every_reason: bool = True
    ) -> Judgement:
        """Whether `offer` may be done with `args`; None asks whether it is available at all. See `judge.judge`."""
        situation.params = None if args is None else args.model_dump(mode="json")
        return judge.judge(self.catalog, self.policies, offer, situation, args, every_reason=every_reason)

    def open_actions(self, situation: Situation) -> tuple[str, ...]:
        """Names of the actions that the states of `situation` open; guards and policies are not looked at."""
        instance = (situation.session or {}).get("instance")
        document = situation.reader.get("instances", instance) if instance else None
        place = (situation.mode, document["workflow"], document["state"]) if document else (situation.mode, None, None)
        if place not in self.opened:
            self.opened[place] = judge.open_names(self.catalog, self.actions, self.settings, situation.mode, document)
        return self.opened[place]

    def _judge_by_name(self, situation: Situation, name: str, params: Mapping[str, Any]) -> Judgement:
        within = spelled_out(self, name, params)
        offer, situation.known_settings = within.action(name), within.settings
        return self.judge(offer, situation, validation.check(offer, params, None)[1])


def load(project: Project, *, own: bool = True) -> Definitions:
    """Load all definitions of `project`.

    Args:
        project: whose.
        own: False leaves out the project's own definitions and settings, for when those cannot be read.

    Raises:
        DefinitionError: a file is wrong; every problem as file:line:column.
    """
    mark = mark_of(project.store)
    store = project.store if own else None
    read = read_settings(store)
    settings = read.value if read else Settings.defaults()
    trusted = own and trust.is_trusted(project.store)
    has = plugged(settings, trusted)
    registered, notes = offered(store, settings, trusted, has)
    catalog = catalog_of(store, read, trusted, has, registered)
    if catalog.faults:
        has = has.with_faults(catalog.faults)
        registered, _ = offered(store, settings, trusted, has)
    catalog = replace(catalog, notes=(*catalog.notes, *notes, *has.notes))
    workflows = {name: entry.value for name, entry in catalog.workflows.items()}
    actions = {**registered, **workflow_actions(workflows, registered)}
    return Definitions(
        settings,
        catalog,
        workflows,
        PolicySet(catalog.effective_policies()),
        dict(sorted(actions.items())),
        trusted,
        mark,
        tuple(_routes(settings, catalog)) if trusted else (),
        plugged=has,
    )


def catalog_of(
    store: Path | None,
    settings: Loaded[Settings] | None,
    trusted: bool,
    has: Plugged,
    actions: Mapping[str, Action],
    *,
    thorough: bool = False,
) -> Catalog:
    """The catalog of all definitions, told of everything that they may name.

    Args:
        store: the project's `.llmgenie`, or None for none of its own.
        settings: as they were read; None where there are none.
        trusted: whether a person accepted them.
        has: what of the plug-ins is in force.
        actions: the registered ones, see `offered`.
        thorough: see `load_catalog`.

    Raises:
        DefinitionError: as `load_catalog` does.
    """
    return load_catalog(
        store,
        actions=actions,
        operations=OPERATIONS,
        vocabulary=vocabulary(has.off),
        trusted=trusted,
        settings=settings,
        plugged=has.definitions(),
        thorough=thorough,
    )


def mark_of(store: Path) -> object:
    """Differs when anything that a project defines differs, or what its providers read."""
    return (marks.definitions(store), *(provider.mark(store) for provider in plugins.providers().values()))


def offered(
    store: Path | None, settings: Settings, trusted: bool, has: Plugged | None = None
) -> tuple[dict[str, Action], list[str]]:
    """Every action by name but those that workflows bring, and what people should know of those left out.

    Args:
        store: the project's `.llmgenie`, or None for none of its own.
        settings: the project's.
        trusted: whether a person accepted its definitions.
        has: what of the plug-ins is in force; found by the settings when left out.

    Raises:
        DefinitionError: a file that a provider reads is wrong.
    """
    has = has or plugged(settings, trusted)
    actions, notes = has.actions(), []
    for name, provider in plugins.providers().items():
        if not has.has("providers", name):
            continue
        for action in provider.provide(store, settings, trusted):
            if action.name in actions:
                notes.append(f"The action {action.name} of {name} is left out: there is one of that name.")
            else:
                actions[action.name] = has.offer(plugins.origin("providers", name), action)
    return actions, notes


def _routes(settings: Settings, catalog: Catalog) -> Iterator[Route]:
    for name, rule in catalog.triggers.items():
        patterns = rule.patterns or ((source,) if (source := event_type(name, rule)) else ())
        if rule.enabled:
            yield Route(TRIGGER, name, patterns, rule.when, rule.max_depth, rule.per_minute)
    for name, webhook in settings.webhooks.items():
        yield Route(WEBHOOK, name, webhook.events, webhook.when)
    for name, told in settings.notifications.items():
        if told.events:
            yield Route(NOTIFICATION, name, told.events, told.when)
    for name, tracker in settings.trackers.items():
        yield Route(TRACKER, name, (), create=tracker.create)

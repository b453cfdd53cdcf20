"""All definitions in force: the packaged ones, overlaid by a project's own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from llmgenie_mcp.config import Settings
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.expressions import Problem, Vocabulary
from llmgenie_mcp.loader import Loaded, Located, definition_error, load_yaml
from llmgenie_mcp.loader.packaged import definition_files, load_packaged, packaged
from llmgenie_mcp.loader.schema import nearest
from llmgenie_mcp.loader.structure import check_workflow, matches
from llmgenie_mcp.loader.triggers import check_settings, check_trigger
from llmgenie_mcp.rules import Policy, check_policy
from llmgenie_mcp.triggers import Trigger, TriggerRule
from llmgenie_mcp.workflow import Workflow

D = TypeVar("D", Workflow, Policy, Trigger)
Origin: TypeAlias = Literal["packaged", "project"]
Load: TypeAlias = Callable[[Path | Traversable, str, type[Any]], Loaded[Any]]
BESIDE = ".project"
"""Ends the name of a policy that applies beside the packaged one; no definition's own name has a dot."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[D]):
    """A definition and where it comes from.

    Attributes:
        value: the definition.
        origin: "packaged" or "project".
        path: its file.
        file: the file as messages name it.
        sha256: of the file's bytes, in hexadecimal.
    """

    value: D
    origin: Origin
    path: Path | Traversable
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is in force.

    Attributes:
        workflows: by name; a project's own replaces the packaged one of that name.
        policies: by name; all of them have a say. A project's own replaces the packaged one of that name only when
            trusted; until then it applies beside it as `name.project`, and what one of the two denies is denied.
        notes: what people should know about it, one sentence each.
        triggers: the project's trigger rules by name, from files of their own and from its settings.
    """

    workflows: Mapping[str, Entry[Workflow]]
    policies: Mapping[str, Entry[Policy]]
    notes: tuple[str, ...] = ()
    triggers: Mapping[str, TriggerRule] = field(default_factory=dict)

    def effective_policies(self) -> tuple[Policy, ...]:
        """Every policy that has a say, each with a name of its own."""
        return tuple(entry.value for entry in self.policies.values())


def load_catalog(
    store: Path | None,
    *,
    actions: Collection[str],
    operations: Collection[str],
    vocabulary: Vocabulary,
    trusted: bool,
    settings: Loaded[Settings] | None = None,
) -> Catalog:
    """Load and check the packaged definitions and those of a project.

    Args:
        store: the project's `.llmgenie` folder with its `workflows/` and `policies/`, which need not exist; or None.
        actions: names of the registered actions.
        operations: names of what agents do outside llmgenie that policies speak of.
        vocabulary: the facts that guards, rules and messages may name.
        trusted: whether a person accepted the project's definitions; until then its policies only add to packaged ones,
            and what needs a person in a packaged workflow does so in the project's own of that name.
        settings: the project's, when it has a file of them: its trigger rules are checked here too.

    Raises:
        DefinitionError: anything is wrong anywhere; all problems of all files at once.
    """
    reading = _Reading()
    shipped = reading.folder(packaged("workflows"), "workflows", Workflow, load_packaged)
    rules = reading.folder(packaged("workflows/policies"), "workflows/policies", Policy, load_packaged)
    own = reading.own(store, "workflows", Workflow)
    own_rules = reading.own(store, "policies", Policy)
    triggers = reading.own(store, "triggers", Trigger)
    if not trusted:
        own = {name: _with_people(shipped.get(name), loaded) for name, loaded in own.items()}
        own_rules = {loaded.value.name: loaded for loaded in map(partial(_beside, rules), own_rules.values())}
    workflows, policies = {**shipped, **own}, {**rules, **own_rules}
    actions = {*actions, *(f"start_{loaded.value.name}" for loaded in workflows.values())}
    actions |= {f"{name}.*" for name in (settings.value.upstreams if settings else ())}
    # The packaged definitions name each other's triggers; a project that replaces one of them must not break the others.
    flows = [loaded.value for loaded in (*shipped.values(), *workflows.values())]
    known = {*actions, *(trigger for flow in flows for trigger in flow.triggers)}
    if reading.problems:
        # A file that could not be read may define what others name.
        known |= {*_named(loaded.value for loaded in workflows.values())}
    complete = not reading.problems
    free = {trigger for loaded in shipped.values() for trigger in loaded.value.triggers}
    for loaded in workflows.values():
        reading.problems += loaded.located(check_workflow(loaded.value, actions=known, vocabulary=vocabulary))
        reading.problems += loaded.located(_taken(loaded.value, {*actions} - free))
    modes = workflows["modes"].value.states if "modes" in workflows else {}
    for rule in policies.values():
        reading.problems += rule.located(check_policy(rule.value, vocabulary))
        if complete:
            reading.problems += rule.located(_policy_names(rule.value, known, {*known, *operations}, modes))
    for trigger in triggers.values() if complete else ():
        reading.problems += trigger.located(check_trigger(trigger.value, vocabulary, known))
    if settings is not None:
        names = known if complete else None
        reading.problems += settings.located(check_settings(settings.value, vocabulary, names, triggers))
    if reading.problems:
        raise definition_error(reading.problems, reading.unlisted)
    rules_on_events = {
        **(settings.value.triggers if settings else {}),
        **{name: loaded.value for name, loaded in triggers.items()},
    }
    notes = (*_notes("workflow", shipped, own), *_notes("policy", rules, own_rules))
    return Catalog(_entries(workflows, own), _entries(policies, own_rules), notes, MappingProxyType(rules_on_events))


class _Reading:
    """Reads folders and collects what is wrong in all of them."""

    def __init__(self) -> None:
        self.problems: list[Located] = []
        self.unlisted = 0

    def own(self, store: Path | None, part: str, model: type[D]) -> dict[str, Loaded[D]]:
        """The project's definitions of one kind by name."""
        if store is None:
            return {}
        return self.folder(store / part, f"{store.name}/{part}", model, _load_own)

    def folder(self, folder: Path | Traversable, label: str, model: type[D], load: Load) -> dict[str, Loaded[D]]:
        """The definitions in a folder by name; a name twice or unlike its file's is a problem."""
        found: dict[str, Loaded[D]] = {}
        for path in definition_files(folder):
            try:
                loaded = load(path, f"{label}/{path.name}", model)
            except DefinitionError as error:
                self.refused(error)
                continue
            name, (stem, _, suffix) = loaded.value.name, path.name.rpartition(".")
            if name in found:
                self.report(loaded, f"{name!r} is defined in {found[name].file} already", "Keep one of the two files.")
                continue
            if stem != name:
                hint = f"Rename the file to {name}.{suffix}, or write `name: {stem}`."
                self.report(loaded, f"The file {path.name} holds {name!r}", hint)
            found[name] = loaded
        return found

    def refused(self, error: DefinitionError) -> None:
        """Keep the problems of a file that could not be loaded."""
        listed: Any = error.details["problems"]
        count: Any = error.details["count"]
        self.problems += [Located(**problem) for problem in listed]
        self.unlisted += count - len(listed)

    def report(self, loaded: Loaded[Any], message: str, hint: str) -> None:
        """A problem with the name of a definition."""
        self.problems += loaded.located([Problem(("name",), message, hint)])


def _load_own(path: Path | Traversable, file: str, model: type[D]) -> Loaded[D]:
    return load_yaml(path, model, file=file)


def _entries(loaded: Mapping[str, Loaded[D]], own: Collection[str]) -> Mapping[str, Entry[D]]:
    return MappingProxyType(
        {
            name: Entry(found.value, "project" if name in own else "packaged", found.path, found.file, found.sha256)
            for name, found in sorted(loaded.items())
        }
    )


def _policy_names(
    policy: Policy, actions: Collection[str], known: Collection[str], modes: Collection[str]
) -> Iterator[Problem]:
    """Names in a policy that nothing is called by; `known` are `actions` and the operations of agents."""
    for part, names, what in (("actions", known, "action, trigger or operation"), ("modes", modes, "mode")):
        for index, pattern in enumerate(getattr(policy.applies_to, part) or ()):
            if not matches(pattern, names):
                message = f"No {what} is called {pattern!r}"
                yield Problem(("applies_to", part, index), message, nearest(pattern, names))
    for index, rule in enumerate(policy.rules):
        if rule.fix is not None and "{" not in rule.fix.action and not matches(rule.fix.action, actions):
            message = f"No action is called {rule.fix.action!r}"
            yield Problem(("rules", index, "fix", "action"), message, nearest(rule.fix.action, actions))


def _named(workflows: Iterable[Workflow]) -> Iterator[str]:
    """Everything that states list as open."""
    return (pattern for flow in workflows for state in flow.states.values() for pattern in state.actions or ())


def _beside(packaged_rules: Collection[str], loaded: Loaded[Policy]) -> Loaded[Policy]:
    """A policy that nobody trusts yet does not take a packaged one's name, which it would otherwise replace."""
    name = loaded.value.name
    if name not in packaged_rules:
        return loaded
    return replace(loaded, value=loaded.value.model_copy(update={"name": f"{name}{BESIDE}"}))


def _taken(flow: Workflow, actions: Collection[str]) -> Iterator[Problem]:
    """Triggers that can never be asked for, because an action of that name does something else."""
    places = [((), flow.on), *((("states", name), state.on) for name, state in flow.states.items())]
    for place, transitions in places:
        for trigger in sorted(transitions.keys() & set(actions)):
            message = f"{trigger!r} is the name of an action, which would be run instead of this trigger"
            yield Problem((*place, "on", trigger, "[key]"), message, "Give the trigger another name.")


def _with_people(packaged_flow: Loaded[Workflow] | None, loaded: Loaded[Workflow]) -> Loaded[Workflow]:
    """A workflow that nobody trusts yet does not take the person out of a packaged one's steps."""
    if packaged_flow is None or not packaged_flow.value.asking & loaded.value.triggers:
        return loaded
    return replace(loaded, value=loaded.value.with_people(packaged_flow.value.asking))


def _notes(kind: str, shipped: Mapping[str, Loaded[Any]], own: Mapping[str, Loaded[Any]]) -> Iterator[str]:
    for name, loaded in sorted(own.items()):
        if name in shipped:
            yield f"The {kind} {name} is the project's own ({loaded.file}); the packaged one is not in force."
        elif name.endswith(BESIDE):
            plain = name.removesuffix(BESIDE)
            yield (
                f"The {kind} {plain} of the project ({loaded.file}) applies as {name} beside the packaged one, "
                "until a person accepts it with `llmgenie trust`."
            )

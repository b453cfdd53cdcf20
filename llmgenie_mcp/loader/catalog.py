"""All definitions in force: the packaged ones, those of plug-ins beside them, overlaid by a project's own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import partial
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from llmgenie_mcp import plugins
from llmgenie_mcp.config import Settings
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.expressions import Problem, Vocabulary
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.loader import Loaded, Located, definition_error, load_yaml
from llmgenie_mcp.loader.adjusted import adjust, adjustment_notes, check_adjustments
from llmgenie_mcp.loader.packaged import definition_files, load_packaged, packaged
from llmgenie_mcp.loader.schema import nearest
from llmgenie_mcp.loader.structure import check_workflow, matches
from llmgenie_mcp.loader.triggers import check_settings, check_trigger
from llmgenie_mcp.rules import Adjustment, Policy, check_policy
from llmgenie_mcp.triggers import Trigger, TriggerRule
from llmgenie_mcp.workflow import Workflow

if TYPE_CHECKING:
    from llmgenie_mcp.declared import ActionFile

D = TypeVar("D", Workflow, Policy, Trigger, "ActionFile")
Origin: TypeAlias = Literal["packaged", "plugin", "project"]
Load: TypeAlias = Callable[[Path | Traversable, str, type[Any]], Loaded[Any]]
BESIDE = ".project"
"""Ends the name of a policy that applies beside the packaged one; no definition's own name has a dot."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[D]):
    """A definition and where it comes from.

    Attributes:
        value: the definition.
        origin: "packaged", "plugin" or "project".
        path: its file.
        file: the file as messages name it.
        sha256: of the file's bytes, in hexadecimal.
        plugin: the distribution that brings it, for origin "plugin".
    """

    value: D
    origin: Origin
    path: Path | Traversable
    file: str
    sha256: str
    plugin: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is in force.

    Attributes:
        workflows: by name; a project's own replaces the packaged one of that name.
        policies: by name; all of them have a say. A project's own replaces the packaged one of that name only when
            trusted; until then it applies beside it as `name.project`, and what one of the two denies is denied.
        notes: what people should know about it, one sentence each.
        triggers: the project's trigger rules by name, from files of their own and from its settings.
        declared: the project's actions without code, by name.
        faults: by plug-in, what is wrong with its definitions, of which then none is in force.
    """

    workflows: Mapping[str, Entry[Workflow]]
    policies: Mapping[str, Entry[Policy]]
    notes: tuple[str, ...] = ()
    triggers: Mapping[str, TriggerRule] = field(default_factory=dict)
    declared: Mapping[str, ActionFile] = field(default_factory=dict)
    faults: Mapping[str, tuple[Located, ...]] = field(default_factory=dict)

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
    thorough: bool = False,
    plugged: Mapping[str, Path] = MappingProxyType({}),
) -> Catalog:
    """Load and check the packaged definitions, those of plug-ins and those of a project.

    Args:
        store: the project's `.llmgenie` folder with its `workflows/` and `policies/`, which need not exist; or None.
        actions: names of the registered actions.
        operations: names of what agents do outside llmgenie that policies speak of.
        vocabulary: the facts that guards, rules and messages may name.
        trusted: whether a person accepted the project's definitions; until then its policies only add to packaged ones,
            and what a step of a packaged workflow asks for, that of the project's own of that name asks for too.
        settings: the project's, when it has a file of them: its trigger rules are checked here too.
        thorough: look also at what was looked at when a person accepted it, and takes long to look at.
        plugged: by plug-in, the folder with its `workflows/` and `policies/`. They come beside the packaged ones and
            replace none. What is wrong in one is a fault of that plug-in, and no problem of the project.

    Raises:
        DefinitionError: anything is wrong anywhere; all problems of all files at once.
    """
    reading = _Reading()
    shipped = reading.folder(packaged("workflows"), "workflows", Workflow, load_packaged)
    rules = reading.folder(packaged("workflows/policies"), "workflows/policies", Policy, load_packaged)
    brought: dict[str, str] = {}
    faults: dict[str, tuple[Located, ...]] = {}
    for plugin, folder in plugged.items():
        its = _of_plugin(plugin, folder, shipped, rules, {*actions}, operations, vocabulary)
        if its.problems:
            faults[plugin] = tuple(its.problems)
            continue
        shipped, rules = {**shipped, **its.workflows}, {**rules, **its.policies}
        brought |= dict.fromkeys((f"workflow {name}" for name in its.workflows), plugin)
        brought |= dict.fromkeys((f"policy {name}" for name in its.policies), plugin)
    own = reading.own(store, "workflows", Workflow)
    own_rules = reading.own(store, "policies", Policy)
    triggers = reading.own(store, "triggers", Trigger)
    declared = _declared(reading, store)
    if not trusted:
        own = {name: _no_looser(shipped.get(name), loaded) for name, loaded in own.items()}
        own_rules = {loaded.value.name: loaded for loaded in map(partial(_beside, rules), own_rules.values())}
    workflows, policies = {**shipped, **own}, {**rules, **own_rules}
    changes: Mapping[str, Adjustment] = settings.value.policies if settings else {}
    if settings is not None:
        reading.problems += settings.located(check_adjustments(policies, changes))
    beside = "" if trusted else BESIDE
    adjusted = adjust(policies, changes, beside)
    changed = tuple(adjustment_notes(policies, adjusted, changes, beside))
    policies = adjusted
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
    reading.problems += _about_declared(
        declared,
        vocabulary,
        known if complete else None,
        {*operations, *(name for flow in flows for name in (*flow.triggers, f"start_{flow.name}"))},
        modes,
        schemas=thorough or not trusted,
    )
    if settings is not None:
        names = known if complete else None
        reading.problems += settings.located(check_settings(settings.value, vocabulary, names, triggers))
    if reading.problems:
        raise definition_error(reading.problems, reading.unlisted)
    rules_on_events = {
        **(settings.value.triggers if settings else {}),
        **{name: loaded.value for name, loaded in triggers.items()},
    }
    notes = (*_notes("workflow", shipped, own, brought), *_notes("policy", rules, own_rules, brought), *changed)
    return Catalog(
        _entries("workflow", workflows, own, brought),
        _entries("policy", policies, own_rules, brought),
        notes,
        MappingProxyType(rules_on_events),
        MappingProxyType({name: loaded.value for name, loaded in declared.items()}),
        faults,
    )


@dataclass(frozen=True, slots=True)
class _Plugged:
    """The definitions of one plug-in, by name, and what is wrong with them."""

    workflows: dict[str, Loaded[Workflow]]
    policies: dict[str, Loaded[Policy]]
    problems: list[Located]


def _of_plugin(
    plugin: str,
    folder: Path,
    shipped: Mapping[str, Loaded[Workflow]],
    rules: Mapping[str, Loaded[Policy]],
    actions: set[str],
    operations: Collection[str],
    vocabulary: Vocabulary,
) -> _Plugged:
    """Read and check what a plug-in brings, over what there is already: `shipped` and `rules`."""
    reading = _Reading()
    flows = reading.folder(folder / "workflows", f"{plugin}/workflows", Workflow, _load_own)
    policies = reading.folder(folder / "policies", f"{plugin}/policies", Policy, _load_own)
    for name in flows.keys() & shipped.keys():
        reading.report(flows[name], f"There is a workflow {name!r} already", "Give yours another name, and its file.")
    if not reading.problems:
        every = [loaded.value for loaded in (*shipped.values(), *flows.values())]
        actions |= {f"start_{flow.name}" for flow in every}
        known = {*actions, *(trigger for flow in every for trigger in flow.triggers)}
        free = {trigger for loaded in shipped.values() for trigger in loaded.value.triggers}
        modes = shipped["modes"].value.states if "modes" in shipped else {}
        for flow in flows.values():
            reading.problems += flow.located(check_workflow(flow.value, actions=known, vocabulary=vocabulary))
            reading.problems += flow.located(_taken(flow.value, actions - free))
        for rule in policies.values():
            reading.problems += rule.located(check_policy(rule.value, vocabulary))
            reading.problems += rule.located(_policy_names(rule.value, known, {*known, *operations}, modes))
    beside = [_beside(rules, loaded, f".{plugin}") for loaded in policies.values()]
    return _Plugged(flows, {loaded.value.name: loaded for loaded in beside}, reading.problems)


class _Reading:
    """Reads folders and collects what is wrong in all of them."""

    def __init__(self) -> None:
        self.problems: list[Located] = []
        self.unlisted = 0

    def own(self, store: Path | None, part: str, model: type[D], load: Load | None = None) -> dict[str, Loaded[D]]:
        """The project's definitions of one kind by name."""
        if store is None:
            return {}
        return self.folder(store / part, f"{store.name}/{part}", model, load or _load_own)

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


def _declared(reading: _Reading, store: Path | None) -> dict[str, Loaded[ActionFile]]:
    """The project's actions without code; what reads them is imported where there are any."""
    if store is None or not (store / "actions").is_dir():
        return {}
    from llmgenie_mcp.declared import ActionFile
    from llmgenie_mcp.loader.declared import load_declared

    return reading.own(store, "actions", ActionFile, load_declared)


def _about_declared(
    declared: Mapping[str, Loaded[ActionFile]],
    vocabulary: Vocabulary,
    actions: Collection[str] | None,
    taken: set[str],
    modes: Collection[str],
    *,
    schemas: bool,
) -> list[Located]:
    if not declared:
        return []
    from llmgenie_mcp.loader.declared import check_all

    taken = taken | plugins.actions().keys()
    wrong = check_all(declared, vocabulary, actions=actions, taken=taken, modes=modes, schemas=schemas)
    return [located for file, problem in wrong for located in file.located([problem])]


def _load_own(path: Path | Traversable, file: str, model: type[D]) -> Loaded[D]:
    return load_yaml(path, model, file=file)


def _entries(
    kind: str, loaded: Mapping[str, Loaded[D]], own: Collection[str], brought: Mapping[str, str]
) -> Mapping[str, Entry[D]]:
    made = {}
    for name, found in sorted(loaded.items()):
        plugin = "" if name in own else brought.get(f"{kind} {name}", "")
        origin: Origin = "project" if name in own else "plugin" if plugin else "packaged"
        made[name] = Entry(found.value, origin, found.path, found.file, found.sha256, plugin)
    return MappingProxyType(made)


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


def _beside(rules: Collection[str], loaded: Loaded[Policy], ending: str = BESIDE) -> Loaded[Policy]:
    """A policy of a plug-in, or that nobody trusts yet, does not take the name of one that it would otherwise replace."""
    name = loaded.value.name
    if name not in rules:
        return loaded
    return replace(loaded, value=loaded.value.model_copy(update={"name": f"{name}{ending}"}))


def _taken(flow: Workflow, actions: Collection[str]) -> Iterator[Problem]:
    """Triggers that can never be asked for, because an action of that name does something else."""
    places = [((), flow.on), *((("states", name), state.on) for name, state in flow.states.items())]
    for place, transitions in places:
        for trigger in sorted(transitions.keys() & set(actions)):
            message = f"{trigger!r} is the name of an action, which would be run instead of this trigger"
            yield Problem((*place, "on", trigger, "[key]"), message, "Give the trigger another name.")


def _no_looser(packaged_flow: Loaded[Workflow] | None, loaded: Loaded[Workflow]) -> Loaded[Workflow]:
    """A workflow that nobody trusts yet takes no person, guard or role out of a packaged one's steps."""
    if packaged_flow is None:
        return loaded
    return replace(loaded, value=loaded.value.no_looser_than(packaged_flow.value))


def _notes(
    kind: str, shipped: Mapping[str, Loaded[Any]], own: Mapping[str, Loaded[Any]], brought: Mapping[str, str]
) -> Iterator[str]:
    for name, loaded in sorted(own.items()):
        if name in shipped:
            other = f"that of {brought[f'{kind} {name}']}" if f"{kind} {name}" in brought else "the packaged one"
            yield f"The {kind} {name} is the project's own ({loaded.file}); {other} is not in force."
        elif name.endswith(BESIDE):
            plain = name.removesuffix(BESIDE)
            yield (
                f"The {kind} {plain} of the project ({loaded.file}) applies as {name} beside the packaged one, "
                "until a person accepts it with `llmgenie trust`."
            )

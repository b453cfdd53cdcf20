"""Scenario files: where they are, and whether the names in them exist."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeAlias

from llmgenie_mcp import validation
from llmgenie_mcp.errors import BadParams, DefinitionError
from llmgenie_mcp.expressions import Problem, Vocabulary
from llmgenie_mcp.expressions.mistake import KEY
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.loader import Loaded, Located, definition_error, load_yaml
from llmgenie_mcp.loader.catalog import Entry, Origin
from llmgenie_mcp.loader.packaged import definition_files, packaged
from llmgenie_mcp.loader.schema import nearest
from llmgenie_mcp.plugins import Action
from llmgenie_mcp.rules import Effect, Level, Policy
from llmgenie_mcp.scenarios import Case, Given, ScenarioFile, Then, When
from llmgenie_mcp.workflow import Workflow

FOLDER = "scenarios"
Loc: TypeAlias = tuple[str | int, ...]
_STRICTNESS = {"allow": 0, "ask": 1, "deny": 2}
_IN_BRACKETS = re.compile(r"\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Names:
    """What the names in a scenario file may mean.

    Attributes:
        policies: those in force, by name.
        workflows: those in force, by name.
        actions: what may be run, by name.
        operations: what agents do by themselves, each with its parameters as `operations.OPERATIONS` has them.
        vocabulary: the facts there are.
        built_in: roots of facts that follow from the rest of the situation and cannot be given.
    """

    policies: Mapping[str, Entry[Policy]]
    workflows: Mapping[str, Workflow]
    actions: Mapping[str, Action]
    operations: Mapping[str, str]
    vocabulary: Vocabulary
    built_in: Iterable[str]

    @property
    def rules(self) -> dict[str, tuple[Effect, Level]]:
        """The effect of every rule and the level of its policy, by policy/rule."""
        return {
            f"{name}/{rule.id}": (rule.effect, entry.value.level)
            for name, entry in self.policies.items()
            for rule in entry.value.rules
        }


@dataclass(frozen=True, slots=True)
class Source:
    """A scenario file that was found: its path, its name in messages, and whose it is."""

    path: Path | Traversable
    file: str
    origin: Origin


def scenario_sources(store: Path) -> list[Source]:
    """The packaged scenario files, then those of the project whose `.llmgenie` folder is `store`."""
    shipped = f"workflows/{FOLDER}"
    found = [Source(path, f"{shipped}/{path.name}", "packaged") for path in definition_files(packaged(shipped))]
    own = [Source(path, f"{store.name}/{FOLDER}/{path.name}", "project") for path in definition_files(store / FOLDER)]
    return found + own


def load_scenarios(sources: Iterable[Source], names: Names) -> list[tuple[Source, Loaded[ScenarioFile], str]]:
    """Read scenario files.

    A packaged file says what packaged policies do: where a project's own stand in for them it is read and not to be run.

    Args:
        sources: the files.
        names: what the names in them may mean.

    Returns:
        Each source with what it holds, and why it is not to be run; empty when it is.

    Raises:
        DefinitionError: a file does not fit the format or names what does not exist; all problems of all files at once.
    """
    found: list[tuple[Source, Loaded[ScenarioFile], str]] = []
    problems: list[Located] = []
    unlisted = 0
    for source in sources:
        try:
            loaded = load_yaml(source.path, ScenarioFile, file=source.file)
        except DefinitionError as error:
            listed: Any = error.details["problems"]
            count: Any = error.details["count"]
            problems += [Located(**problem) for problem in listed]
            unlisted += count - len(listed)
            continue
        skipped = _replaced(loaded.value, names) if source.origin == "packaged" else ""
        if not skipped:
            problems += loaded.located(check_scenarios(loaded.value, names))
        found.append((source, loaded, skipped))
    if problems:
        raise definition_error(problems, unlisted)
    return found


def _replaced(file: ScenarioFile, names: Names) -> str:
    if file.policy is None:
        own = sorted(name for name, entry in names.policies.items() if entry.origin == "project")
        return f"the project has policies of its own: {', '.join(own)}" if own else ""
    entry = names.policies.get(file.policy)
    return f"the project's own {file.policy} replaces the packaged one" if entry and entry.origin == "project" else ""


def check_scenarios(file: ScenarioFile, names: Names) -> list[Problem]:
    """Names in `file` that nothing is called by, parameters that do not fit, and expectations that contradict themselves."""
    problems = []
    if file.policy is not None and file.policy not in names.policies:
        problems.append(_unknown(("policy",), "policy", file.policy, names.policies))
    problems += _given(("given",), file.given, names)
    for index, case in enumerate(file.scenarios):
        problems += _case(("scenarios", index), case, file.policy, names)
    return problems


def _case(loc: Loc, case: Case, only: str | None, names: Names) -> Iterator[Problem]:
    yield from _given((*loc, "given"), case.given, names)
    yield from _when((*loc, "when"), case.when, names)
    yield from _then((*loc, "then"), case.then, only, names)


def _given(loc: Loc, given: Given, names: Names) -> Iterator[Problem]:
    modes = names.workflows["modes"].states
    if given.mode is not None and given.mode not in modes:
        yield _unknown((*loc, "mode"), "mode", given.mode, modes)
    if given.instance is not None:
        flow = names.workflows.get(given.instance.workflow)
        if flow is None:
            yield _unknown((*loc, "instance", "workflow"), "workflow", given.instance.workflow, names.workflows)
        elif given.instance.state not in flow.states:
            yield _unknown((*loc, "instance", "state"), f"state of {flow.name}", given.instance.state, flow.states)
    for root, fields in given.facts.items():
        if root in names.built_in:
            hint = "It follows from mode, session, role, actor and instance, and from what is asked."
            yield Problem((*loc, "facts", root, KEY), f"{root!r} cannot be given as a fact", hint)
        else:
            yield from _facts((*loc, "facts"), root, fields, names.vocabulary)


def _facts(loc: Loc, name: str, value: Any, vocabulary: Vocabulary) -> Iterator[Problem]:
    """`value` stands at the key that is the last part of `name`; a mapping holds facts below it, where there are any."""
    below = (*loc, name.rpartition(".")[2])
    if found := vocabulary.check_names([(name, 0)]):
        _, message, hint = found[0]
        yield Problem((*below, KEY), message, hint)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _facts(below, f"{name}.{key}", part, vocabulary)


def _when(loc: Loc, when: When, names: Names) -> Iterator[Problem]:
    if when.operation is not None:
        if when.operation not in names.operations:
            hint = f"{when.operation} is an action: write `action:`." if when.operation in names.actions else ""
            yield _unknown((*loc, "operation"), "operation", when.operation, names.operations, hint)
            return
        known = _params_of(names.operations[when.operation]) | _below("resource", names.vocabulary)
        for name in when.params or ():
            if name not in known:
                what = f"parameter of {when.operation}"
                yield _unknown((*loc, "params", name, KEY), what, name, _params_of(names.operations[when.operation]))
    elif when.action is not None:
        offer = names.actions.get(when.action)
        if offer is None:
            hint = f"{when.action} is an operation: write `operation:`." if when.action in names.operations else ""
            yield _unknown((*loc, "action"), "action", when.action, names.actions, hint)
        elif when.params is not None:
            try:
                validation.check(offer, when.params, None)
            except BadParams as error:
                yield Problem((*loc, "params"), error.message, error.hint)


def _then(loc: Loc, then: Then, only: str | None, names: Names) -> Iterator[Problem]:
    known = names.rules
    expected: list[tuple[Loc, str]] = [] if then.rule is None else [((*loc, "rule"), then.rule)]
    expected += [((*loc, "rules", index), rule) for index, rule in enumerate(then.rules or ())]
    for place, rule in expected:
        effect, level = known.get(rule, ("allow", ""))
        does = {"deny": "denies", "ask": "asks", "allow": "allows"}[effect]
        if level == "audit":
            yield Problem(
                place, f"{rule} is of level audit and never stands against anything", "Write it under `audit:`."
            )
        elif level and _STRICTNESS[effect] > _STRICTNESS[then.decision]:
            hint = f"Write `decision: {effect}`, or name another rule."
            yield Problem(place, f"{rule} {does}, so the decision cannot be {then.decision}", hint)
    audited = [((*loc, "audit", index), rule) for index, rule in enumerate(then.audit or ())]
    for place, rule in audited:
        if rule in known and known[rule][1] != "audit":
            yield Problem(place, f"{rule} is enforced, not of level audit", "Write it under `rule:` or `rules:`.")
    for place, rule in [*expected, *audited]:
        if rule not in known:
            yield _unknown(place, "rule", rule, known)
        elif only is not None and rule.partition("/")[0] != only:
            hint = f"This file asks {only} alone: remove its `policy`, or name a rule of {only}."
            yield Problem(place, f"{rule} is not asked", hint)
    if then.fix is not None and then.fix not in names.actions:
        yield _unknown((*loc, "fix"), "action", then.fix, names.actions)


def _unknown(loc: Loc, what: str, name: str, known: Iterable[str], hint: str = "") -> Problem:
    return Problem(loc, f"No {what} is called {name!r}", hint or nearest(name, known))


def _params_of(text: str) -> set[str]:
    """The names in a line of `OPERATIONS`: `branch (the destination), remote` has branch and remote."""
    return {word.strip() for word in _IN_BRACKETS.sub("", text).split(",")}


def _below(root: str, vocabulary: Vocabulary) -> set[str]:
    return {name.removeprefix(f"{root}.") for name in vocabulary if name.startswith(f"{root}.")}

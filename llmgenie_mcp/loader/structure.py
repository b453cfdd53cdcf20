"""Does a workflow make sense as a whole? What the model of a single part cannot see."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase

from llmgenie_mcp.errors import ExpressionError
from llmgenie_mcp.expressions import Problem, Vocabulary, message_names, templates
from llmgenie_mcp.loader.schema import nearest
from llmgenie_mcp.workflow import Guard, Transition, Workflow

KEY = "[key]"
Loc = tuple[str | int, ...]


def check_workflow(
    workflow: Workflow, *, actions: Collection[str], vocabulary: Vocabulary, check_names: bool = True
) -> list[Problem]:
    """What is wrong with a workflow that reads well; empty when nothing is.

    Args:
        workflow: the definition.
        actions: every name that a state may list, triggers of other workflows included.
        vocabulary: the facts that guards and messages may name.
        check_names: False leaves out what needs `actions` and `vocabulary`.

    Returns:
        Problems whose `loc` `Loaded.position` finds; a last part `[key]` points at a key.
    """
    problems = [*_targets(workflow), *_final_states(workflow), *_duplicate_guards(workflow)]
    problems += _ways(workflow) if workflow.initial in workflow.states else _initial(workflow)
    if check_names:
        problems += [*_actions(workflow, actions), *_facts(workflow, vocabulary)]
    return problems


def matches(pattern: str, names: Iterable[str]) -> bool:
    """Whether a name or glob means at least one of `names`.

    A name that ends in `.*` stands for names that are not known yet: those of another server's tools.
    """
    return any(fnmatchcase(name, pattern) or (name[-2:] == ".*" and pattern.startswith(name[:-1])) for name in names)


def written(workflow: Workflow) -> Iterator[tuple[Loc, Transition]]:
    """Every transition once, as the file has it, with the keys that lead to it."""
    for trigger, transition in workflow.on.items():
        yield ("on", trigger), transition
    for name, state in workflow.states.items():
        for trigger, transition in state.on.items():
            yield ("states", name, "on", trigger), transition


def _initial(workflow: Workflow) -> list[Problem]:
    return [
        Problem(("initial",), f"There is no state {workflow.initial!r}", nearest(workflow.initial, workflow.states))
    ]


def _targets(workflow: Workflow) -> Iterator[Problem]:
    for loc, transition in written(workflow):
        if transition.target not in workflow.states:
            hint = nearest(transition.target, workflow.states)
            yield Problem((*loc, "target"), f"There is no state {transition.target!r}", hint)


def _final_states(workflow: Workflow) -> Iterator[Problem]:
    for name, state in workflow.states.items():
        for part, what in (("on", "triggers"), ("actions", "actions")):
            if state.final and getattr(state, part):
                hint = f"An instance that reaches it has ended: remove `{part}` or `final`."
                yield Problem(("states", name, part, KEY), f"The final state {name!r} has {what}", hint)


def _duplicate_guards(workflow: Workflow) -> Iterator[Problem]:
    for loc, transition in written(workflow):
        seen: set[str] = set()
        for index, guard in enumerate(transition.guards):
            if guard.condition.normal in seen:
                yield Problem((*loc, "guards", index, "expression"), "The same guard stands here twice", "Remove one.")
            seen.add(guard.condition.normal)


def _ways(workflow: Workflow) -> Iterator[Problem]:
    """States that cannot be reached, and states that cannot be left."""
    ways = {
        name: {t.target for t in workflow.transitions(name).values()} & {*workflow.states} for name in workflow.states
    }
    finals = {name for name, state in workflow.states.items() if state.final}
    if workflow.initial in finals:
        yield Problem(
            ("initial",), f"The initial state {workflow.initial!r} is final", "An instance would end as it starts."
        )
    reached = _reached(ways, workflow.initial)
    for name in workflow.states:
        loc = ("states", name, KEY)
        if name not in reached:
            yield Problem(
                loc, f"Nothing leads from {workflow.initial!r} to the state {name!r}", "Add a trigger, or remove it."
            )
        elif name in finals:
            continue
        elif not ways[name] - {name}:
            if not _has_unknown_target(workflow, name):
                yield Problem(
                    loc, f"Nothing leads out of the state {name!r}", "Add a trigger under `on`, or `final: true`."
                )
        elif finals and not _reached(ways, name) & finals:
            yield Problem(loc, f"No final state can be reached from {name!r}", f"Final: {', '.join(sorted(finals))}.")


def _has_unknown_target(workflow: Workflow, name: str) -> bool:
    """What is said of that target is enough."""
    return any(t.target not in workflow.states for t in workflow.transitions(name).values())


def _reached(ways: dict[str, set[str]], start: str) -> set[str]:
    reached, left = {start}, [start]
    while left:
        fresh = ways[left.pop()] - reached
        reached |= fresh
        left += fresh
    return reached


def _actions(workflow: Workflow, actions: Collection[str]) -> Iterator[Problem]:
    known = {*actions, *workflow.triggers}
    for name, state in workflow.states.items():
        for index, pattern in enumerate(state.actions or ()):
            if not matches(pattern, known):
                message = f"No action or trigger is called {pattern!r}"
                yield Problem(("states", name, "actions", index), message, nearest(pattern, known))
    for loc, transition in written(workflow):
        for index, guard in enumerate(transition.guards):
            if guard.fix is not None and "{" not in guard.fix.action and not matches(guard.fix.action, known):
                message = f"No action or trigger is called {guard.fix.action!r}"
                yield Problem((*loc, "guards", index, "fix", "action"), message, nearest(guard.fix.action, known))


def _facts(workflow: Workflow, vocabulary: Vocabulary) -> Iterator[Problem]:
    for loc, transition in written(workflow):
        for index, guard in enumerate(transition.guards):
            yield from _guard(guard, (*loc, "guards", index), vocabulary)
        for index, effect in enumerate(transition.effects):
            if effect.log is not None:
                yield from check_template(effect.log, (*loc, "effects", index, "log"), vocabulary)


def _guard(guard: Guard, loc: Loc, vocabulary: Vocabulary) -> Iterator[Problem]:
    for offset, message, hint in vocabulary.check(guard.condition):
        yield Problem((*loc, "expression"), message, hint, offset)
    yield from check_template(guard.message, (*loc, "message"), vocabulary)
    if guard.fix is not None:
        yield from check_template(guard.fix.message, (*loc, "fix", "message"), vocabulary)
        for place, text in templates(guard.fix.params, (*loc, "fix", "params")):
            yield from check_template(text, place, vocabulary)


def check_template(template: str, loc: Loc, vocabulary: Vocabulary) -> Iterator[Problem]:
    """What is wrong with the `{names}` of a text."""
    try:
        names = message_names(template)
    except ExpressionError as error:
        yield Problem(loc, error.message, error.hint, error.offset)
        return
    for offset, message, hint in vocabulary.check_names(names):
        yield Problem(loc, message, hint, offset)

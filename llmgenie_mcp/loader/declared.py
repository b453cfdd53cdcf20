"""A project's declared actions (`.llmgenie/actions/*.yaml`): read, and checked beyond their shape."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Collection, Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from llmgenie_mcp.config import PLACEHOLDER
from llmgenie_mcp.declared import ActionFile, Step, names_in
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.expressions import Problem, Vocabulary, templates
from llmgenie_mcp.loader import Loaded, load_bytes, read
from llmgenie_mcp.loader.given import check_given
from llmgenie_mcp.loader.packaged import definition_files
from llmgenie_mcp.loader.schema import nearest

FOLDER = "actions"
FACTS_OF_THE_CALL = ("subject", "action", "resource", "context", "session", "instance")
"""Roots of facts that steps may not ask for: what they say is the sequence's, and soon no longer true."""
KEPT = 500
_known: dict[tuple[str, str], Loaded[ActionFile]] = {}


def load_declared(path: Path | Traversable, file: str, _model: type[Any] = ActionFile) -> Loaded[ActionFile]:
    """One file; parsed once while its content stays the same. DefinitionError when it is wrong."""
    data = read(path, file)
    key = str(path), hashlib.sha256(data).hexdigest()
    if key not in _known or _known[key].file != file:
        found = load_bytes(data, ActionFile, file, path)
        if len(_known) >= KEPT:
            _known.clear()
        _known[key] = found
    return _known[key]


def readable(store: Path) -> Iterator[ActionFile]:
    """The declared actions of `store` in files that can be read and that they are named after; `catalog` tells of others."""
    for path in definition_files(store / FOLDER):
        try:
            found = load_declared(path, f"{store.name}/{FOLDER}/{path.name}").value
        except DefinitionError:
            continue
        if path.name.rpartition(".")[0] == found.name:
            yield found


def check_all(
    files: Mapping[str, Loaded[ActionFile]],
    vocabulary: Vocabulary,
    *,
    actions: Collection[str] | None,
    taken: Collection[str],
    modes: Collection[str],
    schemas: bool,
) -> Iterator[tuple[Loaded[ActionFile], Problem]]:
    """What is wrong with files that read well, each with its problem.

    Args:
        files: by name.
        vocabulary: the facts that guards may name.
        actions: names of what may be run; None when they are not all known.
        taken: names that something else has.
        modes: of the workflow `modes`.
        schemas: whether to check the schemas of parameters with a validator, which takes a tenth of a second to import.
    """
    facts = {name for name in vocabulary if name.partition(".")[0] not in FACTS_OF_THE_CALL}
    for name, loaded in files.items():
        found = loaded.value
        if name in taken:
            message = f"The name {name!r} is taken: that is an action, trigger or operation of llmgenie or a plug-in"
            yield loaded, Problem(("name",), message, f"Give it a name of its own, such as my_{name}.")
        for index, mode in enumerate(found.modes):
            if mode not in modes:
                yield loaded, Problem(("modes", index), f"There is no mode {mode!r}", nearest(mode, modes))
        if schemas and (wrong := _schema(found)) is not None:
            yield loaded, wrong
        for problem in _plan(found, facts, actions):
            yield loaded, problem
    yield from _circles(files)


def _schema(found: ActionFile) -> Problem | None:
    if not found.params:
        return None
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema({"type": "object", **found.params})
    except jsonschema.SchemaError as error:
        message = f"This is no JSON Schema: {error.message[:200]}"
        return Problem(
            ("params", *error.absolute_path), message, "See https://json-schema.org/understanding-json-schema."
        )
    return None


def _plan(found: ActionFile, facts: set[str], actions: Collection[str] | None) -> Iterator[Problem]:
    """What is wrong with the steps: unknown actions, and names that nothing has."""
    names = {f"params.{name}" for name in found.properties} | {f"params.{name}.*" for name in found.properties}
    for index, step in enumerate(found.plan):
        loc: tuple[str | int, ...] = ("steps", index) if found.steps else ()
        whole = loc if found.steps or found.action is None else ("action",)
        if step.action is not None and actions is not None and not _is_known(step.action, actions):
            message = f"No action is called {step.action!r}"
            yield Problem((*whole, "action"), message, nearest(step.action, actions))
        if step.action is not None:
            yield from check_given(step.action, step.params, (*whole, "params"))
        for problem in _placeholders(step, found):
            yield Problem((*loc, *problem.loc), problem.message, problem.hint, problem.offset)
        if not found.steps and found.action is None:
            continue
        known = Vocabulary(names)
        for below, mentioned in names_in(step.params):
            for offset, message, hint in known.check_names(mentioned):
                yield Problem((*whole, "params", *below), message, hint, offset)
        for offset, message, hint in Vocabulary(names | facts).check(step.condition):
            yield Problem((*loc, "when"), message, hint, offset)
        names |= {f"steps.{step.id}.{part}" for part in ("status", "error", "result", "result.*")}


def _is_known(name: str, actions: Collection[str]) -> bool:
    """Whether an action is called so; the tools of another server are not all known before it was asked."""
    return name in actions or f"{name.partition('.')[0]}.*" in actions


def _placeholders(step: Step, found: ActionFile) -> Iterator[Problem]:
    """`{name}` in a command or call that stands for nothing, and was meant to: `awk {print}` is left as it is."""
    texts: list[tuple[tuple[str | int, ...], str]] = []
    if step.command is not None:
        texts = [(("command", "argv", index), part) for index, part in enumerate(step.command.argv)]
    elif step.call is not None:
        body = ((("call", "body", *loc), text) for loc, text in templates(step.call.body))
        texts = [(("call", "url"), step.call.url), *body]
    for loc, text in texts:
        for match in PLACEHOLDER.finditer(text):
            name = match[1]
            near = difflib.get_close_matches(name, step.params, n=1, cutoff=0.6)
            if name in step.params or not (near or name in found.properties or loc[-1] == "url"):
                continue
            hint = (
                f"Did you mean {near[0]}?"
                if near
                else f"Declare it: params: {{properties: {{{name}: {{type: string}}}}}}."
            )
            if found.steps and not near:
                hint = f'Write it beside the {loc[0]}: params: {{{name}: "{{params.{name}}}"}}.'
            yield Problem(loc, f"{{{name}}} stands for nothing", hint, match.start(1))


def _circles(files: Mapping[str, Loaded[ActionFile]]) -> Iterator[tuple[Loaded[ActionFile], Problem]]:
    """Declared actions that lead to themselves, told at the step that closes the circle."""
    over: set[str] = set()
    for start in files:
        way = [start] if start not in over else []
        left = [enumerate(files[name].value.plan) for name in way]
        while way:
            here = way[-1]
            for index, step in left[-1]:
                other = step.action
                if other is None or other not in files or other in over:
                    continue
                if other in way:
                    yield files[here], _circle(files[here].value, index, [*way[way.index(other) :], other])
                    continue
                way.append(other)
                left.append(enumerate(files[other].value.plan))
                break
            else:
                over.add(way.pop())
                left.pop()


def _circle(found: ActionFile, index: int, circle: list[str]) -> Problem:
    loc: tuple[str | int, ...] = ("steps", index, "action") if found.steps else ("action", "action")
    message = f"This goes in a circle: {' → '.join(circle)}"
    return Problem(loc, message, "No declared action may lead to itself.")

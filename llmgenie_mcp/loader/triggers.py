"""Checks of trigger rules, and of what else waits for events, beyond their shape: names that nothing is called by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import schedules
from llmgenie_mcp.expressions import Expression, Problem, Vocabulary, message_names, templates
from llmgenie_mcp.expressions.patterns import compile_glob
from llmgenie_mcp.loader.given import check_given
from llmgenie_mcp.loader.schema import nearest
from llmgenie_mcp.loader.structure import matches
from llmgenie_mcp.triggers import EVENT_VOCABULARY, TriggerRule

if TYPE_CHECKING:
    from llmgenie_mcp.config import Settings


def check_trigger(rule: TriggerRule, vocabulary: Vocabulary, actions: Collection[str]) -> Iterator[Problem]:
    """What is wrong with a rule that reads well: undeclared names, unknown actions.

    Args:
        rule: the rule.
        vocabulary: the facts that guards may name.
        actions: names of what may be run.
    """
    known = vocabulary | EVENT_VOCABULARY
    yield from _check_source(rule)
    for offset, message, hint in known.check(rule.condition):
        yield Problem(("when",), message, hint, offset)
    for offset, message, hint in known.check_names(message_names(rule.session)):
        yield Problem(("session",), message, hint, offset)
    for index, step in enumerate(rule.run):
        if not matches(step.action, actions):
            message = f"No action is called {step.action!r}"
            yield Problem(("run", index, "action"), message, nearest(step.action, actions))
        yield from check_given(step.action, step.params, ("run", index, "params"))
        yield from check_templates(step.params, known, ("run", index, "params"))


def _check_source(rule: TriggerRule) -> Iterator[Problem]:
    """What is wrong with a rule's times and files."""
    if rule.schedule is not None and (wrong := schedules.wrong_schedule(rule.schedule)) is not None:
        offset, message = wrong
        yield Problem(("schedule",), message, schedules.HINT, offset)
    if (wrong_zone := schedules.wrong_zone(rule.timezone)) is not None:
        yield Problem(("timezone",), *wrong_zone)
    for index, pattern in enumerate(rule.files or ()):
        try:
            compile_glob(pattern)
        except ValueError as error:
            yield Problem(("files", index), str(error), "Such as docs/**, **/*.py or pyproject.toml.")
            continue
        if pattern.startswith("/") or {".", ".."} & {*pattern.split("/")}:
            message = f"The pattern {pattern!r} fits no file: paths are told as from the project's folder"
            yield Problem(("files", index), message, "Such as docs/**, **/*.py or pyproject.toml.")


def check_templates(params: Mapping[str, Any], known: Vocabulary, loc: tuple[str | int, ...]) -> Iterator[Problem]:
    """Undeclared names in the texts of a JSON object that stands at `loc`."""
    for below, text in templates(params):
        for offset, message, hint in known.check_names(message_names(text)):
            yield Problem((*loc, *below), message, hint, offset)


def check_settings(
    settings: Settings, vocabulary: Vocabulary, actions: Collection[str] | None, files: Collection[str]
) -> Iterator[Problem]:
    """What is wrong with the parts of settings that wait for events.

    Args:
        settings: as read.
        vocabulary: the facts that guards may name.
        actions: names of what may be run; None when they are not all known.
        files: names of the trigger rules that have a file of their own.
    """
    for name, rule in settings.triggers.items():
        loc = ("triggers", name)
        if name in files:
            yield Problem((*loc, "[key]"), f"{name!r} has a file in triggers/ already", "Keep one of the two.")
        for problem in check_trigger(rule, vocabulary, actions) if actions is not None else ():
            yield replace(problem, loc=(*loc, *problem.loc))
    for part in ("webhooks", "notifications"):
        for name, waiting in getattr(settings, part).items():
            for offset, message, hint in EVENT_VOCABULARY.check(Expression.parse(waiting.when)):
                yield Problem((part, name, "when"), message, hint, offset)
    for name, notification in settings.notifications.items():
        for field in ("title", "body"):
            for offset, message, hint in EVENT_VOCABULARY.check_names(message_names(getattr(notification, field))):
                yield Problem(("notifications", name, field), message, hint, offset)

"""What runs as a part of another action: a step of a sequence. It is judged, run and logged as any action is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.outcome import Document, Outcome
from llmgenie_mcp.storage import Transaction

if TYPE_CHECKING:
    from llmgenie_mcp.config import Call, Command
    from llmgenie_mcp.declared import ActionFile, Step
    from llmgenie_mcp.engine.definitions import Definitions


@dataclass(frozen=True, slots=True)
class Part:
    """A step of another action.

    Attributes:
        keep: called as keep(tx, outcome) in the transaction of its end, so that what came of it is kept with what it did.
        commands, calls: what the definition of that action brings along; beside those of the settings, for this step alone.
    """

    keep: Callable[[Transaction, Outcome], None]
    commands: Mapping[str, Command] = field(default_factory=dict)
    calls: Mapping[str, Call] = field(default_factory=dict)

    def within(self, definitions: Definitions) -> Definitions:
        """The definitions for this step.

        A program or call that the definition itself spells out is open where that action is: a person accepted it there.
        Policies have their say about `run_command` and `call_http` all the same.
        """
        name = "run_command" if self.commands else "call_http" if self.calls else ""
        if not name:
            return definitions
        settings = definitions.settings
        more = {"commands": {**settings.commands, **self.commands}, "calls": {**settings.calls, **self.calls}}
        actions = {**definitions.actions, name: replace(definitions.actions[name], everywhere=True)}
        return replace(definitions, settings=settings.model_copy(update=more), actions=actions, opened={})


def part_of(file: ActionFile, step: Step, keep: Callable[[Transaction, Outcome], None]) -> tuple[str, Part]:
    """A step of a declared action, and the name that a program or call which it spells out has: no setting is called so."""
    from llmgenie_mcp.declared import inner_schema

    name, schema = f"{file.name}.{step.id}", {"params": inner_schema(step)}
    commands = {name: step.command.model_copy(update=schema)} if step.command else {}
    calls = {name: step.call.model_copy(update=schema)} if step.call else {}
    return name, Part(keep, commands, calls)


def spelled_out(definitions: Definitions, action: str, params: Mapping[str, object]) -> Definitions:
    """The definitions in which a step can be judged by the name that refusals give it, so that a person can be asked."""
    name = params.get("name")
    file_name, _, id_ = name.partition(".") if isinstance(name, str) else ("", "", "")
    file = definitions.catalog.declared.get(file_name)
    step = next((step for step in file.plan if step.id == id_ and step.does == action), None) if file else None
    if file is None or step is None or step.action is not None:
        return definitions
    return part_of(file, step, lambda _tx, _outcome: None)[1].within(definitions)


def kept_alone(part: Part, tx: Transaction, outcome: Outcome, actor: Document) -> None:
    """Keep what came of a step that only reads, and so commits nothing itself."""
    part.keep(tx, outcome)
    tx.commit({"type": "action.step", "actor": actor, "action": outcome.action})

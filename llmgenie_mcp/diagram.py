"""A workflow as a drawing: Mermaid text for READMEs, chats and the board, plain text for terminals.

Mermaid's state diagrams: https://mermaid.js.org/syntax/stateDiagram.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from llmgenie_mcp.errors import UnknownName

if TYPE_CHECKING:
    from llmgenie_mcp.workflow import Transition, Workflow

ANY = "ANY"
# What Mermaid's lexer takes for words of its own, in any case (its diagrams/state/parser/stateDiagram.jison).
_KEYWORDS = frozenset(
    {"accdescr", "acctitle", "as", "class", "classdef", "click", "default", "direction"}
    | {"end", "hide", "href", "note", "scale", "state", "style"}
)


def mermaid(workflow: Workflow, current: str | None = None, history: Sequence[tuple[str, str, str]] = ()) -> str:
    """The workflow as a `stateDiagram-v2`.

    Triggers that work everywhere are drawn once, from one box that stands for any state.

    Args:
        workflow: what to draw.
        current: the state to mark.
        history: (source, trigger, target) of the steps taken so far: their edges are ticked and their states shaded.

    Raises:
        UnknownName: the workflow has no state `current`.
    """
    _check(workflow, current)
    taken = {(source, trigger) for source, trigger, _ in history}
    lines = ["stateDiagram-v2", f"    [*] --> {_id(workflow.initial)}"]
    lines += [f'    state "{name}" as {_id(name)}' for name in workflow.states if name in _KEYWORDS]
    if workflow.on:
        lines.append(f'    state "{_any(workflow)}" as {ANY}')
    for name, state in workflow.states.items():
        for trigger, transition in state.on.items():
            tick = " ✓" if (name, trigger) in taken else ""
            lines.append(f"    {_id(name)} --> {_id(transition.target)} : {trigger}{tick}{_conditions(transition)}")
        if state.final:
            lines.append(f"    {_id(name)} --> [*]")
    own = {(name, trigger) for name, state in workflow.states.items() for trigger in state.on}
    for trigger, transition in workflow.on.items():
        tick = " ✓" if any(name == trigger for _, name in taken - own) else ""
        lines.append(f"    {ANY} --> {_id(transition.target)} : {trigger}{tick}{_conditions(transition)}")
    return "\n".join([*lines, *_classes(workflow, current, history), ""])


def text(workflow: Workflow, current: str | None = None) -> str:
    """The workflow for a terminal: a line per state with its ways out, `>` before the current one, ASCII only.

    Raises:
        UnknownName: the workflow has no state `current`.
    """
    _check(workflow, current)
    rows = [(name, "(final)" if state.final else _ways(state.on)) for name, state in workflow.states.items()]
    if workflow.on:
        rows.append((f"({_any(workflow)})", _ways(workflow.on)))
    width = max(len(name) for name, _ in rows)
    lines = [f"{workflow.name}, version {workflow.version}, starts in {workflow.initial}"]
    for name, ways in rows:
        lines.append(f"{'>' if name == current else ' '} {name:<{width}}  {ways}".rstrip())
    return "\n".join([*lines, ""])


def _check(workflow: Workflow, current: str | None) -> None:
    if current is not None and current not in workflow.states:
        raise UnknownName("state", current, workflow.states)


def _id(name: str) -> str:
    """Mermaid's keywords cannot name a state; names of states have no capitals, so this is unique."""
    return f"STATE_{name}" if name in _KEYWORDS else name


def _any(workflow: Workflow) -> str:
    return "any state that is not final" if any(state.final for state in workflow.states.values()) else "any state"


def _ways(on: dict[str, Transition]) -> str:
    return ", ".join(f"{trigger} -> {transition.target}{_conditions(transition)}" for trigger, transition in on.items())


def _conditions(transition: Transition) -> str:
    """What stands between the trigger and its target, as ` [2 guards, person]`."""
    count = len(transition.guards)
    words = [f"{count} guard{'s' if count > 1 else ''}"] if count else []
    words += ["person"] if transition.approval == "human" else []
    words += [f"role {' or '.join(transition.roles)}"] if transition.roles else []
    return f" [{', '.join(words)}]" if words else ""


def _classes(workflow: Workflow, current: str | None, history: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    seen = {name for source, _, target in history for name in (source, target)} - {current}
    visited = [_id(name) for name in workflow.states if name in seen]
    if visited:
        yield "    classDef visited fill:#e5e7eb,stroke:#6b7280,color:#111827"
        yield f"    class {','.join(visited)} visited"
    if current is not None:
        yield "    classDef current fill:#fde68a,stroke:#b45309,stroke-width:3px,color:#111827"
        yield f"    class {_id(current)} current"

"""Modes: what kind of work is going on."""

from __future__ import annotations

from pydantic import Field

from llmgenie_mcp.engine.situation import PROJECT_MODE, ActionContext, Situation
from llmgenie_mcp.errors import UnknownName
from llmgenie_mcp.plugins import Move, Params, action, given
from llmgenie_mcp.records import Document, Text, Title


class SwitchMode(Params):
    """Parameters of switch_mode."""

    mode: Title = Field(
        description="discuss, meta, code, debug, docs, test, review or release, or a mode of the project's own."
    )
    reason: Text = Field(default="", description="Why; it is kept in the log.")


@given
def _switched(situation: Situation, params: SwitchMode) -> Move | None:
    modes = situation.workflows["modes"].states
    if params.mode not in modes:
        raise UnknownName("mode", params.mode, modes)
    if params.mode == situation.mode:
        return None
    session = (situation.session or {}).get("id")
    return Move("modes", params.mode, session or PROJECT_MODE)


@action(
    "switch_mode",
    params=SwitchMode,
    everywhere=True,
    move=_switched,
    example={"mode": "code", "reason": "The plan is agreed."},
)
def switch_mode(ctx: ActionContext, params: SwitchMode) -> Document:
    """Switch to another mode; the switch is logged and the new list of actions comes back."""
    if params.reason:
        ctx.notes.append(params.reason)
    mode = ctx.situation.workflows["modes"].states[params.mode]
    return {"mode": params.mode, "description": mode.description, "changed": ctx.situation.move is not None}


@action(
    "log_mode_switch",
    params=SwitchMode,
    everywhere=True,
    move=_switched,
    example={"mode": "code", "reason": "The plan is agreed."},
)
def log_mode_switch(ctx: ActionContext, params: SwitchMode) -> Document:
    """Log a mode switch and make it; another name of switch_mode."""
    return switch_mode(ctx, params)

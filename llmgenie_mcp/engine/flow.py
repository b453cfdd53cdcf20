"""Workflows as plain data: what `workflow.Workflow` says, ready to be told and judged by without pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, NamedTuple

from llmgenie_mcp.chart import Chart, Place
from llmgenie_mcp.frozen import dataclass

if TYPE_CHECKING:
    from llmgenie_mcp.expressions import Expression
    from llmgenie_mcp.workflow import Workflow


class Fix(NamedTuple):
    """As `expressions.fix.Fix`."""

    action: str
    params: dict[str, Any] = {}  # noqa: RUF012 - never changed, as in the model
    message: str = ""


class Guard(NamedTuple):
    """As `workflow.Guard`."""

    expression: str
    message: str
    fix: Fix | None = None

    @property
    def condition(self) -> Expression:
        """The compiled expression; remembered by `Expression.parse`."""
        from llmgenie_mcp.expressions import Expression  # telling where things stand needs none

        return Expression.parse(self.expression)


class Effect(NamedTuple):
    """As `workflow.Effect`."""

    log: str | None = None
    emit: str | None = None


class Way(NamedTuple):
    """As `workflow.Transition`."""

    target: str
    description: str = ""
    guards: tuple[Guard, ...] = ()
    effects: tuple[Effect, ...] = ()
    approval: str | None = None
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage(Place):
    """As `workflow.State`."""

    description: str = ""
    actions: list[str] | None = None
    on: dict[str, Way] = field(default_factory=dict)
    final: bool = False


@dataclass(frozen=True)
class Flow(Chart[Way]):
    """As `workflow.Workflow`."""

    name: str
    initial: str
    states: dict[str, Stage]
    version: int = 1
    description: str = ""
    subject: str = "text"
    on: dict[str, Way] = field(default_factory=dict)


def plain(workflow: Workflow) -> dict[str, Any]:
    """A workflow as JSON, without what is as it is by default."""
    return workflow.model_dump(mode="json", exclude_defaults=True)


def flow(data: Mapping[str, Any]) -> Flow:
    """The workflow that `plain` made `data` of. TypeError, KeyError, AttributeError: it made it of none."""
    states = {
        name: Stage(**{**_without(state), "on": _ways(state.get("on", {}))}) for name, state in data["states"].items()
    }
    return Flow(**{**_without(data), "states": states, "on": _ways(data.get("on", {}))})


def _ways(data: Mapping[str, Any]) -> dict[str, Way]:
    return {trigger: _way(way) for trigger, way in data.items()}


def _way(data: Mapping[str, Any]) -> Way:
    guards = tuple(
        Guard(**{**guard, "fix": Fix(**guard["fix"]) if guard.get("fix") else None}) for guard in data.get("guards", ())
    )
    effects = tuple(Effect(**effect) for effect in data.get("effects", ()))
    return Way(**{**_without(data), "guards": guards, "effects": effects, "roles": tuple(data.get("roles", ()))})


def _without(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is for a team's own tools is nobody's business here."""
    return {name: value for name, value in data.items() if name != "metadata"}

"""What the states of a workflow open and where they lead, whatever the workflow is made of: models, or plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

REMEMBERED = 2000
"""Of so many actions a workflow remembers which states open them; an agent may ask about any name."""


class Way(Protocol):
    """A transition, as far as it matters here."""

    @property
    def target(self) -> str:
        """The state it leads to."""


T = TypeVar("T", bound=Way)


class Place:
    """A state.

    Attributes:
        actions: names or globs of the actions open here; None opens all.
        on: the state's own triggers and where they lead.
        final: whether an instance that reaches it has ended.
    """

    if TYPE_CHECKING:
        actions: list[str] | None
        on: dict[str, Any]
        final: bool

    def opens(self, action: str) -> bool:
        """Whether `action` may be run here: it is listed, is a trigger of this state, or nothing is listed at all."""
        if self.actions is None or action in self.on:
            return True
        names, patterns = self.listed
        return action in names or any(fnmatchcase(action, pattern) for pattern in patterns)

    @cached_property
    def listed(self) -> tuple[frozenset[str], tuple[str, ...]]:
        """The names and the patterns of `actions`, apart: most are names, and every action is looked up in every state."""
        patterns = tuple(entry for entry in self.actions or () if any(char in entry for char in "*?["))
        return frozenset(self.actions or ()) - frozenset(patterns), patterns


class Chart(Generic[T]):
    """A workflow: states, and the transitions between them.

    `T` is what its transitions are.

    Attributes:
        name: unique among workflows.
        states: by name.
        on: triggers that work in every state that is not final, unless the state has its own.
    """

    if TYPE_CHECKING:
        name: str
        states: dict[str, Any]
        on: dict[str, T]

    def transitions(self, state: str) -> Mapping[str, T]:
        """All triggers that work in `state`, the state's own over those of the workflow; none in a final state."""
        here = self.states[state]
        if here.final:
            return {}
        return {**{k: t for k, t in self.on.items() if t.target != state}, **here.on}

    def edges(self) -> Iterator[tuple[str, str, T]]:
        """Every (state, trigger, transition)."""
        for name in self.states:
            for trigger, transition in self.transitions(name).items():
                yield name, trigger, transition

    @cached_property
    def triggers(self) -> frozenset[str]:
        """Every trigger of the workflow."""
        return frozenset(trigger for _, trigger, _ in self.edges())

    def opened_in(self, action: str) -> tuple[str, ...]:
        """The states that open `action`. Asked for every action at every question, so what was found is kept."""
        found = self._opened.get(action)
        if found is None:
            found = tuple(name for name, state in self.states.items() if state.opens(action))
            if len(self._opened) < REMEMBERED:
                self._opened[action] = found
        return found

    @cached_property
    def _opened(self) -> dict[str, tuple[str, ...]]:
        return {}

    def states_with(self, trigger: str) -> list[str]:
        """The states in which `trigger` works."""
        return [state for state, name, _ in self.edges() if name == trigger]

    def path(self, start: str, trigger: str) -> list[str] | None:
        """The fewest triggers that lead from `start` to a state where `trigger` works; None when there is no way."""
        goals = set(self.states_with(trigger))
        seen = {start}
        paths: list[tuple[str, list[str]]] = [(start, [])]
        while paths:
            state, way = paths.pop(0)
            if state in goals:
                return way
            for name, transition in self.transitions(state).items():
                if transition.target not in seen:
                    seen.add(transition.target)
                    paths.append((transition.target, [*way, name]))
        return None

    @property
    def prefix(self) -> str:
        """First part of the ids of its instances: `REV` for `review`."""
        return self.name.replace("_", "")[:3].upper()

"""What of the installed plug-ins is in force for one project: switched off, pinned, or with definitions that are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from llmgenie_mcp import distributions, plugins
from llmgenie_mcp.config import FILE_NAME, Settings
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.loader import Located
from llmgenie_mcp.outcome import Refusal
from llmgenie_mcp.plugins import Action


@dataclass(frozen=True, slots=True)
class Plugged:
    """The plug-ins of a project.

    Attributes:
        off: those switched off.
        held: by plug-in, why its actions are refused.
        missing: about those that are pinned and not there, a sentence each.
        failed: about those that could not be loaded.
        waiting: about those that are switched off once a person accepts it.
    """

    off: frozenset[str] = frozenset()
    held: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know, a sentence each."""
        return (*self.held.values(), *self.missing, *self.failed, *self.waiting)

    def has(self, family: str, name: str) -> bool:
        """Whether something registered is in force here."""
        return plugins.origin(family, name) not in self.off

    def actions(self) -> dict[str, Action]:
        """The registered actions; those of a plug-in that is held refuse, and say why."""
        found = {}
        for name, action in plugins.actions().items():
            if (plugin := plugins.origin("actions", name)) not in self.off:
                found[name] = self.offer(plugin, action)
        return found

    def offer(self, plugin: str, action: Action) -> Action:
        """An action that `plugin` brings, as it is here; "" is llmgenie itself."""
        return _refusing(plugin, action, self.held[plugin]) if plugin in self.held else action

    def definitions(self) -> dict[str, Path]:
        """The folders with the definitions in force, by plug-in."""
        failed = {failure.distribution for failure in plugins.failures()}
        return {
            name: folder
            for name, folder in distributions.definition_folders().items()
            if isinstance(folder, Path) and name not in self.off and name not in failed
        }

    def with_faults(self, faults: Mapping[str, tuple[Located, ...]]) -> Plugged:
        """As it is when the definitions of some are wrong: nobody knows what they would refuse, so these do nothing."""
        told = {name: f"{problems[0]}. {problems[0].hint}".rstrip() for name, problems in faults.items()}
        held = {name: f"The definitions of {name} are wrong: {why}" for name, why in told.items()}
        return replace(self, held={**self.held, **held})


def plugged(settings: Settings, trusted: bool) -> Plugged:
    """What of the plug-ins is in force.

    Args:
        settings: of the project.
        trusted: whether a person accepted them; until then they switch nothing off, which might be somebody's policy.
    """
    config, installed = settings.plugins, versions()
    off = frozenset(config.disabled) if trusted else frozenset()
    lost = {name: why for name, why in distributions.definition_folders().items() if isinstance(why, str)}
    held = {name: f"The definitions of {name} are not there: {why}" for name, why in lost.items() if name not in off}
    held |= {
        name: f"{name} {installed[name]} is installed, and {FILE_NAME} pins {wanted}: "
        f"pip install '{name}=={wanted}', or correct plugins.pinned there."
        for name, wanted in config.pinned.items()
        if name in installed and name not in off and not fnmatchcase(installed[name], wanted)
    }
    missing = [
        f"{name} {wanted} is pinned in {FILE_NAME}, and it is not installed: pip install '{name}=={wanted}'"
        for name, wanted in config.pinned.items()
        if name not in installed
    ]
    failed = [
        f"The plug-in {failure.distribution} is left out: {failure.module}: {failure.message}"
        for failure in plugins.failures()
        if failure.distribution not in off
    ]
    listed = ", ".join(name for name in config.disabled if name in installed and not trusted)
    waiting = f"{listed}: switched off once a person accepts the settings: llmgenie trust." if listed else ""
    return Plugged(off, held, tuple(missing), tuple(failed), (waiting,) if waiting else ())


def versions() -> dict[str, str]:
    """The installed version of every plug-in, by name."""
    return {point.distribution: point.version for point in distributions.scan().points}


def _refusing(plugin: str, action: Action, why: str) -> Action:
    """An action that is listed and refuses; nothing of the plug-in's own code is asked."""

    def ready(_situation: Any, _params: Any) -> Refusal:
        return Refusal("not_configured", f"plugins.{plugin}", why)

    return replace(action, ready=ready, move=None, resource=None, operations=None)

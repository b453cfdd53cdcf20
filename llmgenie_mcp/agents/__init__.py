"""Coding agents: one adapter a file, each with an `AGENT` that translates its host's hooks and says what `init` writes.

A new agent is one new module here (or an entry point of group `llmgenie_mcp.agents`) and no edit elsewhere.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from llmgenie_mcp.edits import Edit
from llmgenie_mcp.errors import UnknownName, UsageError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.hosts import HookEvent, Reply, Verdict


@dataclass(frozen=True, slots=True)
class Site:
    """Where hooks are installed, and what they run.

    Attributes:
        root: the project's folder.
        hook: the command of the hook as an argument list, without the host's name: `[*hook, "cursor"]` is what is run.
        server: the command of the MCP server as an argument list.
        timeout: seconds that a host waits for the hook; more than the hook's own deadline.
    """

    root: Path
    hook: tuple[str, ...]
    server: tuple[str, ...]
    timeout: int = 10


@dataclass(frozen=True, slots=True)
class Probe:
    """A payload as the host sends it for `git push origin main`, and how a denial is told from its answer.

    Attributes:
        payload: what is written to the hook's stdin.
        event: the host's name of the event.
    """

    payload: Mapping[str, Any]
    event: str


class Agent(Protocol):
    """One host."""

    @property
    def name(self) -> str:
        """What is given to `--agent` and to the hook: `claude-code`."""

    @property
    def title(self) -> str:
        """What people call it: `Claude Code`."""

    @property
    def checked(self) -> str:
        """How far it was checked against the real program, one sentence for people."""

    def read(self, payload: Mapping[str, Any]) -> HookEvent:
        """Translate what the host wrote. Raises PayloadError: it is not a payload of this host."""

    def reply(self, event: HookEvent, verdict: Verdict) -> Reply:
        """What this host has to get for `verdict`; a denial never rests on a form that the host does not honour."""

    def denied(self, event: str, reply: Reply) -> bool:
        """Whether this host would take `reply` to the event as a denial, by its documented rules; for `doctor`."""

    def probe(self, folder: Path) -> Probe:
        """A payload that the packaged policies deny: `git push origin main` in `folder`."""

    def used_in(self, root: Path, home: Path) -> bool:
        """Whether people seem to use this agent here."""

    def edits(self, site: Site) -> Sequence[Edit]:
        """What must be in the project's files: the MCP entry, the hooks, the rules."""

    @property
    def program(self) -> tuple[str, ...]:
        """What tells the installed host's version, such as ("claude", "--version"); empty when nothing depends on it."""

    def outdated(self, version: str) -> str:
        """What does not hold for the host of that version, for people; "" when all does.

        Args:
            version: what `program` printed.
        """

    def complaints(self, root: Path) -> Sequence[str]:
        """What is wrong in the host's own files as they are: event names it does not know, wrong versions, a sentence each."""


def names() -> list[str]:
    """Names of the agents there are, by their modules: `claude_code` is `claude-code`. Imports none of them."""
    return list(_names())


@cache
def _names() -> tuple[str, ...]:
    """Looked for once: every hook that a server answers asks."""
    return tuple(sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def find(name: str) -> Agent:
    """The agent of that name; only its own module is imported.

    Raises:
        UnknownName: there is none. UsageError: it is a plug-in's, and cannot be loaded.
    """
    if name in names():
        found: Agent = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").AGENT
        return found
    from llmgenie_mcp import distributions, registry

    outside = {point.name: point for point in distributions.scan().of(distributions.AGENTS)}
    if name not in outside:
        raise UnknownName("agent", name, [*names(), *outside])
    loaded, why = registry.named(outside[name])
    if why:
        hint = "Mend or uninstall that plug-in: llmgenie plugins."
        raise UsageError(f"The agent {name} of {outside[name].distribution} cannot be loaded: {why}", hint)
    agent: Agent = loaded
    return agent


__all__ = ["Agent", "Probe", "Site", "find", "names"]

"""What `doctor` looks at where agents are stopped: hooks, git hooks, and what the hosts' own files get wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmgenie_mcp.errors import StorageError
from llmgenie_mcp.faces.cli_base import quick_imports
from llmgenie_mcp.faces.cli_checks import Check

if TYPE_CHECKING:
    from llmgenie_mcp.agents import Site
    from llmgenie_mcp.faces.points import Hook
    from llmgenie_mcp.project import Project

FIX = "llmgenie doctor --fix"
CHANGED = ".changed"
"""Ends the name of a file of ours as somebody changed it, when it had to be written again."""


def examine_points(project: Project) -> Iterator[Check]:
    """Every check of the enforcement points."""
    with quick_imports():
        from llmgenie_mcp.faces import points
        from llmgenie_mcp.faces.cli_init import site_of

    site = site_of(project.root)
    hooks = [hook for hook in points.installed(project.root, site) if points.is_set_up(hook.agent, project.root, site)]
    if not hooks:
        yield Check(
            "hooks", "warn", "No agent's hooks are installed: only llmgenie's own tools enforce.", "llmgenie init"
        )
    yield from _stale(hooks, site)
    for name in dict.fromkeys(hook.agent.name for hook in hooks):
        yield from _of_agent([hook for hook in hooks if hook.agent.name == name], project)
    for agent, file in points.lost(project.root, site, _written(project)):
        yield Check(f"hooks of {agent.name}", "fail", f"{file}: the hooks that init wrote are not there any more.", FIX)
    yield from _git(project, site_of(project.store.parent))


def mend_points(project: Project) -> list[str]:
    """Write again what is stale or missing for the agents that are set up; returns the names of the files."""
    with quick_imports():
        from llmgenie_mcp.edits import ledger
        from llmgenie_mcp.faces import points
        from llmgenie_mcp.faces.cli_init import site_of, survey

    site, written = site_of(project.root), _written(project)
    set_up = [hook.agent for hook in points.installed(project.root, site)]
    set_up += [agent for agent, _ in points.lost(project.root, site, written)]
    names = list(dict.fromkeys(agent.name for agent in set_up if points.is_set_up(agent, project.root, site)))
    if not names and not written:
        return []  # what was never set up is not set up behind people's backs
    known = ledger.load(project.store).entries
    for change in survey(project, names).changes:
        made = known.get(change.place)
        if change.problem and made is not None and made.original is None and change.place.is_file():
            # A file of ours alone that somebody changed: it does not work as it is, and is kept beside.
            change.place.replace(change.place.with_name(f"{change.place.name}{CHANGED}"))
    return ledger.apply(project.store, survey(project, names).changes)


def _written(project: Project) -> list[Path]:
    """The files that `init` wrote; none when its memory is damaged, which the check of the store tells."""
    from llmgenie_mcp.edits import ledger

    try:
        return [Path(os.path.realpath(path)) for path in ledger.written(project.store)]
    except StorageError:
        return []


def _of_agent(hooks: list[Hook], project: Project) -> Iterator[Check]:
    from llmgenie_mcp.faces import points

    agent = hooks[0].agent
    name = f"hooks of {agent.name}"
    if said := agent.outdated(points.version_of(agent)):
        yield Check(name, "warn", said, f"Update {agent.title}.")
    for sentence in agent.complaints(project.root):
        yield Check(name, "fail", sentence, f"Correct the file, or {FIX}")
    probed = {hook.command: hook for hook in hooks if points.is_probed(hook, project.root)}
    if not probed:
        events = ", ".join(dict.fromkeys(hook.event for hook in hooks))
        yield Check(name, "fail", f"None of them stands where a command can be stopped (only {events}).", FIX)
    for hook in probed.values():
        refused, said = points.refuses(hook, project.root)
        if refused:
            yield Check(name, "ok", f"{hook.file}: a push to main, sent as {agent.title} would, is refused")
        else:
            yield Check(name, "fail", f"{hook.file}: a push to main, sent as {agent.title} would, passes ({said})", FIX)


def _stale(hooks: list[Hook], site: Site) -> Iterator[Check]:
    """Hooks that run what is not there, or ask about another project: one finding for all that say the same.

    Where a project was moved, or Python updated, every hook of every agent does.
    """
    found: dict[str, list[Hook]] = {}
    for hook in hooks:
        if said := _wrong(hook, site):
            found.setdefault(said, []).append(hook)
    for said, those in found.items():
        agents = dict.fromkeys(hook.agent.name for hook in those)
        files = dict.fromkeys(hook.file for hook in those)
        events = f" ({', '.join(dict.fromkeys(hook.event for hook in those))})" if len(files) == 1 else ""
        status: Literal["warn", "fail"] = "warn" if "installation" in said else "fail"
        yield Check(f"hooks of {', '.join(agents)}", status, f"{', '.join(files)}{events}: {said}", FIX)


def _wrong(hook: Hook, site: Site) -> str:
    """What is wrong with the command of a hook, in words that do not name the host."""
    words = hook.words
    for part in (words[0], next((word for word in words if word.endswith("hook.py")), words[0])):
        if os.path.isabs(part) and not Path(part).exists():  # noqa: PTH117 - a command's word, not a path yet
            return f"{part} is gone, so the hook cannot run."
    *installation, root = site.hook
    command = " ".join("HOST" if word == hook.agent.name else word for word in words)[:200]
    if "--project" not in words or words[words.index("--project") + 1 :][:1] != [root]:
        return f"asks about another project than {root}, which may have been moved or copied: {command}"
    if words[: len(installation)] != installation:
        return f"runs another installation than this one: {command}"
    return ""


def _git(project: Project, site: Site) -> Iterator[Check]:
    from llmgenie_mcp.edits.githooks import HOOKS
    from llmgenie_mcp.faces import points

    missing = points.git_hooks_missing(project, site)
    if missing is None:
        return
    if missing:
        yield Check(
            "git hooks", "warn", f"missing or stale: {', '.join(missing)}", "llmgenie init, or llmgenie doctor --fix"
        )
    if elsewhere := points.git_hooks_elsewhere(project.root):
        yield Check("git hooks", "warn", elsewhere[0], "Add the line there, or unset core.hooksPath and llmgenie init")
    elif len(missing) < len(HOOKS):
        refused, said = points.git_refuses(project.root)
        if refused:
            yield Check("git hooks", "ok", "a push to main, told as git tells it, is refused")
        else:
            yield Check("git hooks", "fail", f"a push to main, told as git tells it, passes ({said})", FIX)

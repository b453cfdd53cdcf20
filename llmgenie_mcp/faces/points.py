"""The enforcement points of a project: which hooks are installed, and whether each of them really refuses."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmgenie_mcp import agents
from llmgenie_mcp.edits import AddItem, SetMember, WholeFile, githooks, jsonc
from llmgenie_mcp.edits.jsontext import JsoncError
from llmgenie_mcp.faces.hook_git import PROBED
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.hosts import PROBE, Reply

if TYPE_CHECKING:
    from llmgenie_mcp.agents import Agent, Site
    from llmgenie_mcp.project import Project

OURS = "hook.py"
PROBE_SECONDS = 20.0
VERSION_SECONDS = 5.0
PUSH_TO_MAIN = f"refs/heads/main {PROBED.decode()} refs/heads/main {'0' * 40}\n"
"""What git tells pre-push of a new branch `main`; githooks(5)."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook in a host's file.

    Attributes:
        agent: whose.
        file: where it stands, relative to the project.
        event: on which the host runs it.
        command: what the host runs: a line for its shell, or an argument list.
    """

    agent: Agent
    file: str
    event: str
    command: str | tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """The command as an argument list; of one that no shell could read, its words as they stand."""
        if not isinstance(self.command, str):
            return list(self.command)
        try:
            words = shlex.split(self.command)
        except ValueError:
            return self.command.split()
        return (
            words[4:] if words[:2] == ["sh", "-c"] else words
        )  # `sh -c SCRIPT NAME` stands before ours, see `_files.closed`


def installed(root: Path, site: Site) -> Iterator[Hook]:
    """Every hook of ours in the files of every agent; files that cannot be read are told by `Agent.complaints`.

    Args:
        root: the project's folder.
        site: tells the adapters where they would write.
    """
    for name in agents.names():
        agent = agents.find(name)
        for file in _files_of(agent, site):
            yield from _hooks(agent, root, file)


def is_set_up(agent: Agent, root: Path, site: Site) -> bool:
    """Whether an agent whose hooks are there was meant: one that shares their file with another has its MCP entry too."""
    files = set(_files_of(agent, site))
    others = (agents.find(name) for name in agents.names() if name != agent.name)
    if not any(files & set(_files_of(other, site)) for other in others):
        return True
    entries = [edit for edit in agent.edits(site) if isinstance(edit, SetMember)]
    return all(_has(root / edit.path, edit.keys) for edit in entries)


def lost(root: Path, site: Site, written: Collection[Path]) -> Iterator[tuple[Agent, str]]:
    """Agents that were set up here, with the file in which none of their hooks stands any more.

    Args:
        root: the project's folder.
        site: tells the adapters where they would write.
        written: every file that `init` wrote.
    """
    for name in agents.names():
        agent = agents.find(name)
        if all(Path(os.path.realpath(root / edit.path)) in written for edit in agent.edits(site)):
            yield from ((agent, file) for file in _files_of(agent, site) if not any(_hooks(agent, root, file)))


def version_of(agent: Agent) -> str:
    """What the installed host says of its version; "" where it is not installed, or nothing depends on it."""
    if not agent.program or shutil.which(agent.program[0]) is None:
        return ""
    try:
        done = subprocess.run(agent.program, capture_output=True, timeout=VERSION_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")[:200]


def refuses(hook: Hook, root: Path) -> tuple[bool, str]:
    """Whether the host would take what its installed command answers to a push to main as a refusal; and what it answered.

    The command is run as the host does it: with its own payload on stdin, through a shell where the host uses one.
    """
    probe = hook.agent.probe(root)
    reply = _run(hook.command, json.dumps(probe.payload), root)
    if isinstance(reply, str):
        return False, reply
    said = (reply.stderr or reply.stdout).strip().split("\n")[0][:300]
    return hook.agent.denied(probe.event, reply), f"exit code {reply.code}: {said or 'it said nothing'}"


def is_probed(hook: Hook, root: Path) -> bool:
    """Whether this hook stands at the event that the probe is about."""
    return (
        hook.event.lower() == hook.agent.probe(root).event.lower()
    )  # VS Code reads Copilot's file, in its own spelling


def git_refuses(root: Path) -> tuple[bool, str]:
    """As `refuses`, for the pre-push that git would run; ours comes first in it, so that others in it are not reached."""
    repo = githooks.repository(root)
    place = repo.hooks / "pre-push" if repo else root
    if repo is None or not os.access(place, os.X_OK) or not place.is_file():
        return False, f"{place} is not there, or may not be run"
    reply = _run((str(place), PROBE, PROBE), PUSH_TO_MAIN, repo.top)
    if isinstance(reply, str):
        return False, reply
    said = reply.stderr.strip().split("\n")[0][:300]
    return reply.code != 0 and "llmgenie" in said, f"exit code {reply.code}: {said or 'it said nothing'}"


def git_hooks_missing(project: Project, site: Site) -> list[str] | None:
    """Names of git's hooks in which our lines are missing or stale; None where there is no repository."""
    repo = githooks.repository(project.root)
    if repo is None:
        return None
    found = githooks.plan_hooks(repo, site.hook)
    return sorted({Path(change.path).name.removesuffix(githooks.ASIDE) for change in found.changes})


def git_hooks_elsewhere(root: Path) -> list[str]:
    """What a person has to do by hand where core.hooksPath leads out of the repository; empty where it does not."""
    repo = githooks.repository(root)
    return [] if repo is None or repo.own_hooks else githooks.plan_hooks(repo, ("llmgenie-hook",)).notes


def _files_of(agent: Agent, site: Site) -> list[str]:
    """The files in which the hooks of an agent stand."""
    found = dict.fromkeys(
        edit.path
        for edit in agent.edits(site)
        if (isinstance(edit, AddItem) and edit.keys[0] == "hooks")
        or (isinstance(edit, WholeFile) and edit.path.endswith(".json"))
    )
    return list(found)


def _has(path: Path, keys: tuple[str, ...]) -> bool:
    try:
        return jsonc.source(path.read_text(encoding="utf-8-sig"), keys) is not None
    except (OSError, UnicodeDecodeError, JsoncError):
        return False


def _hooks(agent: Agent, root: Path, file: str) -> Iterator[Hook]:
    try:
        data = jsonc.parse((root / file).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, JsoncError):
        return
    hooks = data.get("hooks") if isinstance(data, dict) else None
    for event, items in hooks.items() if isinstance(hooks, dict) else ():
        for command in _commands(items):
            if OURS in str(command):
                yield Hook(agent, file, str(event), command)


def _commands(item: Any) -> Iterator[str | tuple[str, ...]]:
    if isinstance(item, list):
        for one in item:
            yield from _commands(one)
    elif isinstance(item, dict):
        yield from _commands(item.get("hooks"))
        line = item.get("exec") or item.get("command") or item.get("bash")
        if isinstance(line, str):
            words = item.get("args")
            yield (line, *map(str, words)) if isinstance(words, list) else line


def _run(command: str | tuple[str, ...], given: str, root: Path) -> Reply | str:
    """The answer, or why there is none."""
    words = ["sh", "-c", command] if isinstance(command, str) else list(command)
    try:
        done = subprocess.run(
            words,
            input=given.encode(),
            capture_output=True,
            cwd=root,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it could not be run: {error}"
    return Reply(done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"), done.returncode)

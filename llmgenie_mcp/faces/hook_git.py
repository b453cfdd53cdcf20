"""Git's own hooks: what is committed and pushed is judged whoever does it, by an agent's tool or in a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmgenie_mcp import commits
from llmgenie_mcp.engine import conversations, oversight, tally
from llmgenie_mcp.errors import UsageError
from llmgenie_mcp.hosts import PROBE, HookEvent, Reply
from llmgenie_mcp.markers import agent_named
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.outcome import Actor
from llmgenie_mcp.project import git_top
from llmgenie_mcp.repository import repository_folders

if TYPE_CHECKING:
    from llmgenie_mcp.engine.guard import Guard
    from llmgenie_mcp.faces.hook_answer import HookRequest

HOOKS = ("pre-commit", "commit-msg", "pre-push")
REFUSED = 1
PROBED = b"1" * 40
"""The hash that `doctor` asks about."""


def answer_git(request: HookRequest, guard: Guard) -> Reply:
    """Judge what git is about to do.

    Raises:
        LlmgenieError: it cannot be judged; git is then stopped.
    """
    name, *arguments = request.arguments or ("",)
    if name not in HOOKS:
        raise UsageError(f"git has no hook {name!r} that llmgenie answers.", f"There are {', '.join(HOOKS)}.")
    guard.storage.refresh()
    folder = request.folder
    checkout = git_top(folder) or folder
    actor = _actor(request)
    event = HookEvent("git", name, "before", str(folder), can_deny=True)
    session = conversations.session_of(guard.storage, event, checkout) if actor.kind == "agent" else None
    ruling = guard.judge(_operations(request, name, arguments, guard), actor=actor, folder=checkout, session=session)
    effect = "allow" if ruling.effect == "allow" else "deny"
    unlogged = ""
    if not _is_probe(request, arguments):
        tally.note(guard.project.store, "git", name, effect, tuple(f"{r.policy}/{r.rule}" for r in ruling.reasons))
        unlogged = guard.record(ruling, effect, host="git", event=name)
    if effect == "deny":
        return Reply(stderr=f"{oversight.explained(ruling, 'deny')}\n", code=REFUSED)
    if unlogged:
        return Reply(stderr=f"llmgenie: the log cannot be written, so nothing is done: {unlogged}\n", code=REFUSED)
    return Reply()


def _operations(request: HookRequest, name: str, arguments: list[str], guard: Guard) -> list[Operation]:
    folder = request.folder
    if name == "pre-commit":
        return [_told(one) for one in commits.staged(folder, request.environment.get("GIT_INDEX_FILE"))]
    if name == "commit-msg":
        edited = (
            request.environment.get("GIT_EDITOR") != ":"
        )  # git says so when the message was given on the command line
        return _message(folder, arguments, guard, edited=edited)
    remote, url = (*arguments, "", "")[:2]
    return commits.pushed(folder, remote, url, request.payload.decode("utf-8", "replace").splitlines())


def _told(operation: Operation) -> Operation:
    """As a refusal and the log say it: secrets as sentences, and the branch, which the guard looks up, left open.

    The guard tells a HEAD that is detached, and so on no branch, from one that cannot be read.
    """
    if operation.name != "git.commit":
        return operation
    params = dict(operation.params)
    params["branch"] = params.get("branch") or ""
    params["secrets"] = [f"{one['kind']} in {one['path']}:{one['line']}" for one in params.get("secrets") or ()]
    return replace(operation, params=params)


def _message(folder: Path, arguments: list[str], guard: Guard, *, edited: bool) -> list[Operation]:
    found = repository_folders(folder)
    if not arguments or (found and (found[0] / "MERGE_HEAD").exists()):
        return []  # a merge takes over commits that were judged when they were made
    text = commits.message(folder, folder / arguments[0], edited=edited)
    tasks = commits.tasks_named(text, lambda id_: guard.storage.get("tasks", id_) is not None)
    return [Operation("git.commit", {"branch": "", "message": text, "task_missing": not tasks})]


def _is_probe(request: HookRequest, arguments: list[str]) -> bool:
    """Whether `doctor` asks: a remote may have its name, but nobody can push that commit."""
    return arguments == [PROBE, PROBE] and PROBED in request.payload


def _actor(request: HookRequest) -> Actor:
    """An agent marks the commands it runs; who runs git without such a mark counts as a person."""
    if (agent := agent_named(request.environment.get("NAMES", "").split())) is not None:
        return Actor("agent", agent)
    import getpass

    try:
        return Actor("human", getpass.getuser())
    except (OSError, KeyError):
        return Actor("human", "user")

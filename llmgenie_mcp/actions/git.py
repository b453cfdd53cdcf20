"""Git for real: the merge that a review leads to, and the tag of a release."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from pydantic import Field

from llmgenie_mcp.actions.command import run_named, unready
from llmgenie_mcp.engine.offers import TriggerParams, find_move
from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.errors import ActionError
from llmgenie_mcp.plugins import Move, Params, action
from llmgenie_mcp.process import run_git
from llmgenie_mcp.records import Document, Refusal, Text
from llmgenie_mcp.signals.release import tag_of

TIMEOUT = 300.0


class Merge(Params):
    """Parameters of merge."""

    branch: str = Field(min_length=1, max_length=200, description="The branch merged into, such as main.")
    source: str | None = Field(
        default=None, max_length=200, description="The branch to merge; the current one when left out."
    )
    instance: str | None = Field(
        default=None, max_length=100, description="The review, such as REV-1, when it is not clear."
    )
    message: Text = Field(default="", description="Text for the merge commit.")


def _review(situation: Situation, params: Merge | None) -> Move | Refusal | None:
    if params is None:
        return find_move(situation, "merge", None)
    source = _source(situation, params)
    return find_move(situation, "merge", params.instance, subject=source)


def _branches(situation: Situation, params: Merge) -> Document:
    return {"type": "branch", "branch": params.branch, "source": _source(situation, params)}


@action("merge", params=Merge, slow=True, move=_review, resource=_branches, example={"branch": "main"})
def merge(ctx: ActionContext, params: Merge) -> Document:
    """Merge a branch into `branch`, with a merge commit; leaves everything as it was when it cannot."""
    folder, source, target = ctx.situation.folder, _source(ctx.situation, params), params.branch
    if source is None:
        raise ActionError("There is no branch to merge: HEAD is detached.", "Name it as `source`.")
    if source == target:
        raise ActionError(
            f"{source} cannot be merged into itself.", "Check out the branch to merge, or name it as `source`."
        )
    for name in (source, target):
        _git(folder, ["show-ref", "--verify", "-q", f"refs/heads/{name}"], f"There is no branch {name!r}.")
    judged = str(ctx.situation.fact("git.subject_head"))
    branch = _git(folder, ["symbolic-ref", "-q", "--short", "HEAD"], "", check=False)
    before = [branch] if branch else ["--detach", _git(folder, ["rev-parse", "HEAD"], "HEAD cannot be read.")]
    ctx.progress(1, 3, f"checking out {target}")
    _git(folder, ["checkout", "-q", target, "--"], f"{target} cannot be checked out.")
    ctx.progress(2, 3, f"merging {source}")
    move = ctx.situation.move
    message = params.message or f"Merge branch '{source}' into {target}" + (f" ({move.id})" if move else "")
    try:
        # The commit that was judged, whatever the branch has got since.
        _git(folder, ["merge", "--no-ff", "-q", "-m", message, judged], f"{source} cannot be merged into {target}.")
    except ActionError:
        _git(folder, ["merge", "--abort"], "", check=False)
        _git(folder, ["checkout", "-q", *before, "--"], "", check=False)
        raise
    commit = _git(folder, ["rev-parse", "HEAD"], "HEAD cannot be read.")
    ctx.run |= {"exit_code": 0, "made": commit, "into": target}
    return {"merged": source, "into": target, "commit": commit}


def _release(trigger: str) -> Any:
    def move(situation: Situation, params: TriggerParams | None) -> Move | Refusal:
        found = find_move(situation, trigger, params.instance if params else None)
        if found is not None:
            return found
        fix = {"action": "start_release", "params": {"version": "…"}}
        return Refusal("no_transition", f"release.{trigger}", "No release is open.", fix=fix)

    return move


def _version(situation: Situation, _params: object) -> Document:
    version = (situation.instance or {}).get("subject")
    return {"type": "version", "version": version} if version else {"type": "version"}


@action(
    "tag_release",
    params=TriggerParams,
    slow=True,
    move=_release("tag_release"),
    resource=_version,
    example={"instance": "REL-1"},
)
def tag_release(ctx: ActionContext, params: TriggerParams) -> Document:
    """Set the annotated tag of the approved version on the commit checked out."""
    version = str((ctx.situation.instance or {})["subject"])
    tag = tag_of(version)
    message = params.comment or f"Release {version}"
    judged = str(ctx.situation.fact("git.head"))
    _git(ctx.situation.folder, ["tag", "-a", tag, "-m", message, judged], f"The tag {tag} cannot be set.")
    ctx.run |= {"made": tag, "tagged": judged}
    return {"tag": tag, "commit": judged}


def _publishable(situation: Situation, _params: object) -> Refusal | None:
    return unready(situation, "publish") if "publish" in situation.settings.commands else None


@action(
    "publish",
    params=TriggerParams,
    slow=True,
    move=_release("publish"),
    resource=_version,
    ready=_publishable,
    example={"instance": "REL-1"},
)
def publish(ctx: ActionContext, params: TriggerParams) -> Document:
    """Publish the tagged version: runs the settings' `publish` command, where there is one."""
    if params.comment:
        ctx.notes.append(params.comment)
    version = str((ctx.situation.instance or {})["subject"])
    command = ctx.situation.settings.commands.get("publish")
    if command is None:
        return {"version": version, "note": "There is no `publish` command in the settings; only the state was moved."}
    takes_version = "version" in command.params.get("properties", {})
    return {"version": version, **run_named(ctx, "publish", {"version": version} if takes_version else {})}


def _source(situation: Situation, params: Merge) -> str | None:
    if params.source is not None:
        return params.source
    branch = situation.fact("git.branch")
    return branch if isinstance(branch, str) else None


def _git(folder: Path, arguments: list[str], problem: str, *, check: bool = True) -> str:
    """What git prints; ActionError with `problem` and git's own words when it fails."""
    try:
        done = run_git(folder, arguments, timeout=TIMEOUT, GIT_TERMINAL_PROMPT="0", GIT_EDITOR="true")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ActionError(problem or "git does not work here.", str(error)) from error
    if done.returncode and check:
        words = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise ActionError(problem, f"git says: {words[:500]}" if words else "Look with git status.")
    return done.stdout.decode("utf-8", "replace").strip()

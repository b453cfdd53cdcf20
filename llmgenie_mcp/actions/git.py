"""Git for real: the merge that a review leads to, and the tag of a release."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

from pydantic import Field

from llmgenie_mcp.actions._open import publishable, review, source_of
from llmgenie_mcp.actions.command import run_named
from llmgenie_mcp.engine.made import carried_along
from llmgenie_mcp.engine.moves import Triggered
from llmgenie_mcp.engine.offers import TriggerParams
from llmgenie_mcp.engine.situation import ActionContext, Situation
from llmgenie_mcp.errors import ActionError, UnknownName
from llmgenie_mcp.plugins import Params, action
from llmgenie_mcp.process import run_git
from llmgenie_mcp.records import Document, Text
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


def _branches(situation: Situation, params: Merge) -> Document:
    return {"type": "branch", "branch": params.branch, "source": source_of(situation, params)}


@action("merge", params=Merge, slow=True, move=review, resource=_branches, example={"branch": "main"})
def merge(ctx: ActionContext, params: Merge) -> Document:
    """Merge a branch into `branch`, with a merge commit; leaves everything as it was when it cannot."""
    folder, source, target = ctx.situation.folder, source_of(ctx.situation, params), params.branch
    if source is None:
        raise ActionError("There is no branch to merge: HEAD is detached.", "Name it as `source`.")
    if source == target:
        raise ActionError(
            f"{source} cannot be merged into itself.", "Check out the branch to merge, or name it as `source`."
        )
    for name in (source, target):
        branches = ctx.situation.fact("git.branches")
        if isinstance(branches, list) and name not in branches:
            raise UnknownName("branch", name, branches)
    judged = str(ctx.situation.fact("git.subject_head"))
    held = _held(folder, target)
    place, before = held or folder, [] if held else _position(folder)
    if held:
        ctx.progress(1, 3, f"going to {held}, where {target} is checked out")
    else:
        ctx.progress(1, 3, f"checking out {target}")
        _git(folder, ["checkout", "-q", target, "--"], f"{target} cannot be checked out.")
    ctx.progress(2, 3, f"merging {source}")
    move = ctx.situation.move
    message = params.message or f"Merge branch '{source}' into {target}" + (f" ({move.id})" if move else "")
    try:
        # The commit that was judged, whatever the branch has got since.
        _git(place, ["merge", "--no-ff", "-q", "-m", message, judged], f"{source} cannot be merged into {target}.")
    except ActionError as error:
        _git(place, ["merge", "--abort"], "", check=False)
        if before:
            _git(folder, ["checkout", "-q", *before, "--"], "", check=False)
        if "CONFLICT" not in error.hint:
            raise
        again = "reopen, run_tests, submit and request_approval" if move else "merge again"
        way = f"Check out {source}, git merge {target}, resolve and commit; then {again}."
        raise ActionError(error.message, f"{error.hint}\n{way}") from error
    commit = _git(place, ["rev-parse", "HEAD"], "HEAD cannot be read.")
    ctx.run |= {"exit_code": 0, "made": commit, "into": target}
    done: Document = {"merged": source, "into": target, "commit": commit}
    if more := [*carried_along(partial(ctx.situation.reader.all, "runs"), place, commit, target)]:
        done["note"] = (
            f"Below it {target} has commits that no remote has and no review covered ({len(more)}, the newest "
            f"{more[0][:10]}), so a push of {target} needs a person."
        )
    return done


RELEASE = {"version": "…"}
"""How a release is started, where there is none."""


def _version(situation: Situation, _params: object) -> Document:
    version = (situation.instance or {}).get("subject")
    return {"type": "version", "version": version} if version else {"type": "version"}


@action(
    "tag_release",
    params=TriggerParams,
    slow=True,
    move=Triggered("tag_release", "release", RELEASE),
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


@action(
    "publish",
    params=TriggerParams,
    slow=True,
    move=Triggered("publish", "release", RELEASE),
    resource=_version,
    ready=publishable,
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


def _position(folder: Path) -> list[str]:
    """What is checked out, as `git checkout` takes it."""
    branch = _git(folder, ["symbolic-ref", "-q", "--short", "HEAD"], "", check=False)
    return [branch] if branch else ["--detach", _git(folder, ["rev-parse", "HEAD"], "HEAD cannot be read.")]


def _held(folder: Path, branch: str) -> Path | None:
    """The other worktree that has a branch checked out; git lets only that one change it. None: no other has.

    Raises:
        ActionError: somebody's work in that worktree is not committed, so that a failed merge could not be taken back.
    """
    listed = _git(folder, ["worktree", "list", "--porcelain"], "The worktrees cannot be listed.")
    here = _git(folder, ["rev-parse", "--show-toplevel"], "", check=False)
    for entry in listed.split("\n\n"):
        first, *others = entry.splitlines() or [""]
        place = Path(first.removeprefix("worktree "))
        if f"branch refs/heads/{branch}" not in others or str(place) == here or not place.is_dir():
            continue
        merging = _git(place, ["rev-parse", "-q", "--verify", "MERGE_HEAD"], "", check=False)
        if merging or _git(place, ["status", "--porcelain", "-uno"], f"{place} cannot be looked at."):
            raise ActionError(
                f"{branch} is checked out in {place}, and changes there are not committed.",
                "Nothing was merged. Have them committed or stashed there, or another branch checked out; then merge again.",
            )
        return place
    return None


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

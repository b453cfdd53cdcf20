"""What git says about the folder one works in."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.plugins import signal
from llmgenie_mcp.process import run_git

TIMEOUT = 20.0
STORES = ":(exclude,top,glob)**/.llmgenie/**"


def git(folder: Path, *arguments: str) -> str | None:
    """What `git ARGUMENTS` prints in `folder`, without the last line end; None when it fails.

    Optional locks are off, so that asking never disturbs a git command of the user's.
    """
    try:
        done = run_git(folder, arguments, timeout=TIMEOUT, GIT_OPTIONAL_LOCKS="0")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").rstrip("\n") if done.returncode == 0 else None


@signal(
    "git",
    {
        "branch": "Name of the branch checked out; null when HEAD is detached.",
        "head": "Full hash of the commit checked out.",
        "clean": "True when nothing is changed, staged or untracked (the store itself left out).",
        "branches": "Names of the local branches, as a list.",
        "upstream": "Name of the upstream branch; null when there is none.",
        "tags": "Names of the tags on HEAD, as a list.",
        "subject_head": "Full hash of the head of the branch merged, else of the one the instance is about, else of HEAD.",
    },
)
def read(field: str, situation: Situation) -> Any:
    """One fact about the working folder; unknown outside git or before the first commit."""
    folder = situation.folder
    if field == "branch":
        ref = git(folder, "rev-parse", "--symbolic-full-name", "HEAD")
        unborn = git(folder, "symbolic-ref", "-q", "HEAD") if ref is None else None
        full = ref or unborn
        return UNKNOWN if full is None else full.removeprefix("refs/heads/") if full.startswith("refs/heads/") else None
    if field == "head":
        return _known(git(folder, "rev-parse", "--verify", "-q", "HEAD"))
    if field == "clean":
        status = git(folder, "status", "--porcelain", "--untracked-files=normal", "--", ":/", STORES)
        return UNKNOWN if status is None else status == ""
    if field == "branches":
        return _lines(git(folder, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"))
    if field == "upstream":
        if git(folder, "rev-parse", "--git-dir") is None:
            return UNKNOWN
        return git(folder, "rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
    if field == "tags":
        return _lines(git(folder, "tag", "--points-at", "HEAD"))
    return _subject_head(situation)


def _subject_head(situation: Situation) -> Any:
    source, flow = situation.resource.get("source"), situation.workflow
    if not isinstance(source, str) and situation.instance and flow and flow.subject == "branch":
        source = situation.instance["subject"]
    if not isinstance(source, str):
        return _known(git(situation.folder, "rev-parse", "--verify", "-q", "HEAD^{commit}"))
    return _known(git(situation.folder, "rev-parse", "--verify", "-q", f"refs/heads/{source}^{{commit}}"))


def _known(value: str | None) -> Any:
    return UNKNOWN if value is None else value


def _lines(text: str | None) -> Any:
    return UNKNOWN if text is None else text.splitlines()

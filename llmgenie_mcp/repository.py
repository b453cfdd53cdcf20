"""What a repository's own files say (gitrepository-layout(5)): where they are, what HEAD stands for, which refs there are.

Read without starting git where plain files say it; git is asked where they do not.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from llmgenie_mcp.process import run_git

TIMEOUT = 10.0
"""Seconds for one question to git."""
HEADS, TAGS = "refs/heads/", "refs/tags/"
_LINKS = 5
"""git follows so many symbolic refs."""


def current_branch(folder: Path) -> str | None:
    """Name of the branch checked out in `folder`, also one without commits; None when HEAD is detached or outside git."""
    ref = head_ref(folder)
    return ref.removeprefix(HEADS) if ref and ref.startswith(HEADS) else None


def head_ref(folder: Path) -> str | None:
    """Full name of the ref that HEAD stands for; None when it is detached or `folder` is outside git.

    Plain files are read without starting git; it is asked where they do not say it (reftable, a HEAD that is a link).
    """
    place = repository_folders(folder)
    name = "HEAD"
    for _ in range(_LINKS + 1):
        if place is None:
            break
        path = (place[0] if name == "HEAD" else place[1]) / name
        try:
            text = "" if path.is_symlink() else os.fsdecode(path.read_bytes())
        except (OSError, ValueError):
            if name == "HEAD":
                break
            return name  # packed, or without commits yet
        if not text.startswith("ref:"):
            if name != "HEAD":
                return name
            if text:
                return None
            break
        name = text[4:].strip()
        if name.endswith(".invalid"):
            break
    try:
        answer = ask(folder, "symbolic-ref", "-q", "HEAD")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.rstrip("\n") if answer else None


def repository_folders(folder: Path) -> tuple[Path, Path] | None:
    """The git folder of the checkout around `folder`, and the one it shares with other worktrees; None if not found."""
    for place in (folder, *folder.absolute().parents):
        dot = place / ".git"
        try:
            if dot.is_dir():
                return dot, dot
            if dot.is_file():
                own = place / os.fsdecode(dot.read_bytes()).removeprefix("gitdir:").strip()
                shared = own / "commondir"
                return own, own / os.fsdecode(shared.read_bytes()).strip() if shared.is_file() else own
        except (OSError, ValueError):
            return None
    return None


def refs_in(shared: Path) -> list[str] | None:
    """The refs that plain files hold (gitrepository-layout(5)); None where they are kept otherwise, as in reftables."""
    if (shared / "reftable").exists() or not (shared / "refs" / "heads").is_dir():
        return None
    found = set()
    for folder, _, names in os.walk(shared / "refs"):
        inside = Path(folder).relative_to(shared).as_posix()
        found |= {f"{inside}/{name}" for name in names if not name.endswith(".lock")}
    try:
        packed = os.fsdecode((shared / "packed-refs").read_bytes())
    except FileNotFoundError:
        packed = ""
    except OSError:
        return None
    lines = (line.split(" ", 1) for line in packed.splitlines() if line and line[0] not in "#^")
    return sorted(found | {parts[1] for parts in lines if len(parts) == 2})


def ask(folder: Path, *arguments: str) -> str | None:
    """What git prints; None when it fails. Raises OSError, subprocess.TimeoutExpired."""
    done = run_git(folder, arguments, timeout=TIMEOUT, GIT_OPTIONAL_LOCKS="0")
    return os.fsdecode(done.stdout) if done.returncode == 0 else None

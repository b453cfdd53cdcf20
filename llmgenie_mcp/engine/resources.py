"""What an operation is about, as policies see it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgenie_mcp import trust
from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.outcome import Document

_OURS = (Path(__file__).resolve().parent.parent, Path(sys.prefix).resolve())
"""Where llmgenie and its Python are: without them no hook runs."""
_SAID_OTHERWISE: dict[str, Document] = {
    "git.commit": {"amend": False, "task_missing": False, "secrets": [], "secret_paths": [], "first": False},
    "git.push": {"delete": False, "reviewed": False},
    "git.push_tag": {"delete": False, "reviewed": False},
    "git.reset": {"hard": False},
    **{name: {"holds_llmgenie": False} for name in ("file.read", "file.write", "file.delete")},
    "opaque": {"touches": []},
}
"""What holds unless it is said: these are found by looking, so nothing found is nothing there."""


def resource_of(
    situation: Situation, operation: str, params: Mapping[str, Any], *, base: Path | None = None
) -> Document:
    """What an operation is about: its parameters, branches by their own name, paths relative to the project.

    Args:
        situation: where it is asked.
        operation: its name.
        params: its parameters; what is null is not known, and counts against the operation.
        base: the folder that paths are relative to; the folder worked in when left out.
    """
    resource = {"type": operation.partition(".")[0], "force": False, "no_verify": False}
    resource |= _SAID_OTHERWISE.get(operation, {})
    resource |= params
    resource = {name: value for name, value in resource.items() if value is not None}
    if operation.startswith("git.") and params.get("branch", "") is not None:
        branch = resource.get("branch") or situation.fact("git.branch")
        if branch is UNKNOWN or not branch:
            resource.pop("branch", None)
        elif isinstance(branch, str):
            # A refspec such as +HEAD:refs/heads/main is about main, and + is force.
            resource["branch"] = branch.removeprefix("+").rpartition(":")[2].removeprefix("refs/heads/")
            if branch.startswith("+"):
                resource["force"] = True
    path = resource.get("path")
    if isinstance(path, str):
        root = situation.folder.resolve()
        absolute = _resolved((base or root) / os.path.expanduser(path))  # noqa: PTH111 - no error for an unknown user
        inside = absolute == root or root in absolute.parents
        resource["path"] = absolute.relative_to(root).as_posix() if inside else absolute.as_posix()
        resource["outside_project"] = not inside
        resource["holds_llmgenie"] = _holds_us(absolute, root, whole=operation == "file.delete")
    return resource


def _holds_us(path: Path, root: Path, *, whole: bool) -> bool:
    """Whether an operation on `path` would take llmgenie away as it is installed, or change it, or what it keeps for its user.

    Args:
        path: resolved.
        root: of the project; the one that is llmgenie's own source may change it.
        whole: whether all that lies in `path` is meant: it is deleted or moved.
    """
    state = _resolved(trust.state_folder())  # wherever LLMGENIE_STATE_DIR says
    ours = (*_OURS, state)
    if path in ours or (whole and any(path in place.parents for place in ours)):
        return True
    if state in path.parents:
        return state not in root.parents
    return _OURS[0] in path.parents and root not in _OURS[0].parents


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a ring, a name too long, a NUL
        return Path(os.path.normpath(path))

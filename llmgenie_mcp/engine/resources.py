"""What an operation is about, as policies see it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgenie_mcp.engine.situation import Situation
from llmgenie_mcp.expressions import UNKNOWN
from llmgenie_mcp.outcome import Document


def resource_of(situation: Situation, operation: str, params: Mapping[str, Any]) -> Document:
    """What an operation is about: its parameters, branches by their own name, paths relative to the project.

    What is null is not known, and counts against the operation.
    """
    resource = {"type": operation.partition(".")[0], "force": False, "no_verify": False}
    resource |= {name: value for name, value in params.items() if value is not None}
    if operation.startswith("git."):
        branch = resource.get("branch") or situation.fact("git.branch")
        if branch is UNKNOWN or not branch:
            resource.pop("branch", None)
        elif isinstance(branch, str):
            # A refspec such as +HEAD:refs/heads/main is about main, and + is force.
            resource["branch"] = branch.removeprefix("+").rpartition(":")[2].removeprefix("refs/heads/")
            resource["force"] = resource["force"] or branch.startswith("+")
    path = resource.get("path")
    if isinstance(path, str):
        root = situation.folder.resolve()
        absolute = _resolved(root / path)
        inside = absolute == root or root in absolute.parents
        resource["path"] = absolute.relative_to(root).as_posix() if inside else absolute.as_posix()
        resource["outside_project"] = not inside
    return resource


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links in a ring, or a name too long
        return Path(os.path.normpath(path))

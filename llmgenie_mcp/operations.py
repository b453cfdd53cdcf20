"""Operations: what agents do outside llmgenie's own actions and policies still speak of (`git.push`, `file.delete` …)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from llmgenie_mcp.frozen import dataclass

OPERATIONS: dict[str, str] = {
    "git.push": "branch (the destination), remote, force, no_verify, delete, source and commit (what is pushed)",
    "git.push_tag": "tag, remote, force, delete, no_verify, source and commit (what is pushed)",
    "git.commit": "branch, no_verify, amend, message, secrets, secret_paths",
    "git.merge": "branch (the one merged into), source, no_verify",
    "git.reset": "branch, hard",
    "git.rebase": "branch",
    "git.branch_delete": "branch",
    "git.tag": "tag, delete, force",
    "git.discard": "what (work that cannot be got back: stashes, reflogs, objects)",
    "file.read": "path",
    "file.write": "path",
    "file.delete": "path",
    "network": "url, method",
    "package.publish": "version",
    "mcp.call": "server, tool",
    "restraint.lift": "what (which of the agent's restraints it would lift)",
    "opaque": "command, why, touches",
    "shell": "command",
}
"""Name → its parameters, which policies read as `resource.*`. Branches default to the current one.

`opaque` is what cannot be read beforehand, such as `$g push` or `curl … | sh`; `touches` lists the protected things that
its text could be about. `shell` is a command as a whole, beside the operations found in it.
"""

READING = frozenset({"file.read"})
"""Operations that change nothing."""

ABOUT: dict[str, tuple[str, ...]] = {
    "git.push": ("branch", "force", "delete"),
    "git.push_tag": ("tag", "force", "delete"),
    "git.merge": ("branch", "source"),
    "git.reset": ("branch", "hard"),
    "git.discard": ("what",),
    "git.tag": ("tag", "delete"),
    "network": ("url",),
    "package.publish": ("version",),
    "mcp.call": ("server", "tool"),
    "restraint.lift": ("what",),
    "opaque": ("command",),
    "shell": ("command",),
    **dict.fromkeys(("git.commit", "git.rebase", "git.branch_delete"), ("branch",)),
    **dict.fromkeys(("file.read", "file.write", "file.delete"), ("path",)),
}
"""Name → the parameters that an approval of it is about."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that an agent is about to do.

    Attributes:
        name: one of `OPERATIONS`.
        params: its parameters; None stands for what cannot be known, which counts against it.
        text: the part of the command that does it, for messages and the log.
        folder: where git would do it, relative to the caller's folder or absolute; "" is the caller's, None is not known.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    folder: str | None = ""

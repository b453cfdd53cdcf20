"""Operations: what agents do outside llmgenie's own actions and policies still speak of (`git.push`, `file.delete` …)."""

from __future__ import annotations

OPERATIONS: dict[str, str] = {
    "git.push": "branch (the destination), remote, force, no_verify",
    "git.commit": "branch, no_verify",
    "git.merge": "branch (the one merged into), source",
    "git.reset": "branch",
    "git.rebase": "branch",
    "git.branch_delete": "branch",
    "file.read": "path",
    "file.write": "path",
    "file.delete": "path",
    "network": "url",
    "package.publish": "version",
    "shell": "command",
}
"""Name → its parameters, which policies read as `resource.*`. Branches default to the current one."""

READING = frozenset({"file.read"})
"""Operations that change nothing."""

"""git's subcommands by name."""

from __future__ import annotations

from collections.abc import Callable

from llmgenie_mcp.shell import git_branches, git_files, git_history, git_push
from llmgenie_mcp.shell.git import Git, config

VERBS: dict[str, Callable[[Git], str | None]] = {
    **git_push.VERBS,
    **git_history.VERBS,
    **git_branches.VERBS,
    **git_files.VERBS,
    "config": config,
}
_HARMLESS = """
    add annotate archive blame bugreport bundle check-attr check-ignore check-mailmap check-ref-format cherry citool clone
    column commit-graph count-objects daemon describe diagnose diff-files diff-index diff-tree difftool
    fast-export fetch-pack fmt-merge-msg for-each-ref for-each-repo format-patch fsck get-tar-commit-id gitk gui
    hash-object help imap-send index-pack init init-db instaweb interpret-trailers log ls-remote ls-tree mailinfo mailsplit
    maintenance merge-base merge-file merge-index merge-one-file merge-tree mergetool mktag mktree multi-pack-index
    name-rev notes pack-objects pack-redundant pack-refs patch-id prune-packed quiltimport range-diff read-tree remote
    repack request-pull rerere rev-list shell shortlog show-branch show-index show-ref send-email sparse-checkout status
    stripspace unpack-file unpack-objects update-index update-server-info var verify-commit verify-pack verify-tag version
    whatchanged write-tree
"""
HARMLESS = frozenset(_HARMLESS.split())
"""Subcommands (git 2.52) that change neither a branch nor a file that counts, but by options that `git_beside` reads."""
PROGRAMS = frozenset({"lfs", "delta", "cliff", "crypt"})
"""Known programs named `git-…` of that kind."""

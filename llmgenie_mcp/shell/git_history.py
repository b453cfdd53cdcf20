"""Commands of git that add commits or throw some away."""

from __future__ import annotations

import re
from collections.abc import Callable

from llmgenie_mcp.shell.arguments import UNKNOWN, Arguments, known, parse
from llmgenie_mcp.shell.git import Git, branch_name

_COMMIT = """-m -F -C -c -t --message --file --reuse-message --reedit-message --template --author --date --fixup --squash
    --cleanup --trailer --pathspec-from-file"""
_REVISION = re.compile(
    r"(HEAD|@|ORIG_HEAD|FETCH_HEAD|MERGE_HEAD)\b.*|[0-9a-f]{7,40}|.*[~^].*|.*@\{.*|(origin|upstream)/.+|refs/.+"
)


def _commit(git: Git) -> str | None:
    arguments = parse(git.words, _COMMIT)
    if arguments.has("--dry-run", "--short", "--porcelain", "--help"):
        return None
    git.emit(
        "git.commit",
        branch=git.branch,
        no_verify=arguments.has("-n", "--no-verify") or git.call.hooks_off,
        amend=arguments.has("--amend"),
        message=_message(git, arguments),
    )
    return None


def _message(git: Git, arguments: Arguments) -> str | None:
    parts = arguments.values("-m", "--message")
    if parts:
        return known("\n\n".join(parts))
    source = arguments.value("-F", "--file")
    if source is None:
        return None
    if source == "-":
        return known(git.call.stdin.rstrip("\n")) if git.call.stdin else None
    git.files("file.read", [source])
    path = git.call.path(source)
    return known(git.call.reader.content(path, git.call.scope).rstrip("\n"))


def _picks(git: Git) -> str | None:
    arguments = parse(git.words, "-m --mainline -X --strategy-option --strategy -s")
    if arguments.has("-n", "--no-commit", "--abort", "--quit", "--skip") and git.verb != "am":
        return None
    if arguments.has("--abort", "--quit", "--skip", "--show-current-patch"):
        return None
    git.emit(
        "git.commit", branch=git.branch, message=None, no_verify=git.verb == "am" and arguments.has("-n", "--no-verify")
    )
    return None


def _merge(git: Git) -> str | None:
    arguments = parse(git.words, "-m -F -s -X --strategy --strategy-option --into-name --cleanup")
    if arguments.has("--abort", "--quit", "--squash"):
        return None
    source = " ".join(arguments.operands) or None
    git.emit(
        "git.merge",
        branch=git.branch,
        source=known(source) if source else None,
        no_verify=arguments.has("--no-verify") or git.call.hooks_off,
    )
    return None


def _pull(git: Git) -> str | None:
    arguments = parse(
        git.words,
        "-s -X --strategy --strategy-option --upload-pack -o --server-option --depth -j --jobs --deepen --refmap",
    )
    remote, refspecs = (arguments.operands or [""])[0], arguments.operands[1:]
    if arguments.has("--multiple"):
        refspecs = []
    for refspec in refspecs:
        source, colon, target = refspec.removeprefix("+").partition(":")
        if colon and target and not target.startswith(("refs/remotes/", "refs/tags/")):
            git.emit("git.reset", branch=None if "*" in target else branch_name(target))
        elif git.verb == "pull" and remote == ".":
            git.emit("git.merge", branch=git.branch, source=known(source))
    if git.verb == "pull" and arguments.has("--no-verify"):
        git.emit("git.merge", branch=git.branch, source=None, no_verify=True)
    return None


def _reset(git: Git) -> str | None:
    arguments = parse(git.words, "--pathspec-from-file -U --unified")
    hard = arguments.has("--hard")
    moves = hard or arguments.has("--soft", "--mixed", "--keep", "--merge")
    words = arguments.operands
    if arguments.has("-p", "--patch") or (arguments.after and not moves):
        return None
    commit = words[0] if words else ""
    if not hard and (commit in ("", "HEAD", "@") or len(words) > 1 or not (moves or _is_revision(commit))):
        return None
    git.emit("git.reset", branch=git.branch, hard=hard)
    return None


def _is_revision(word: str) -> bool:
    """Whether a word that may be a file or a commit is a commit: files have endings or folders, most of them."""
    return bool(
        UNKNOWN in word
        or _REVISION.fullmatch(word)
        or (not re.search(r"\.[A-Za-z]\w*$|^\.|/$|[*]|^[A-Z]\w+$", word) and "/" not in word)
    )


def _rebase(git: Git) -> str | None:
    arguments = parse(git.words, "--onto -x --exec -s -X --strategy --strategy-option -C --whitespace --empty")
    if arguments.has("--abort", "--quit", "--show-current-patch", "--edit-todo"):
        return None
    for text in arguments.values("-x", "--exec"):
        git.call.read_apart(text, [])
    branch = branch_name(arguments.operands[1]) if len(arguments.operands) > 1 else git.branch
    git.emit("git.rebase", branch=branch)
    if len(arguments.operands) > 1:
        git.switched(branch)
    return None


def _rewrite(git: Git) -> str | None:
    git.emit("git.rebase", branch=None)
    return None


def _stash(git: Git) -> str | None:
    verb = git.words[0] if git.words else ""
    if verb in ("drop", "clear"):
        git.emit("git.discard", what="stash")
    elif UNKNOWN in verb:
        git.emit("git.discard", what=None)
    return None


def _reflog(git: Git) -> str | None:
    if git.words[:1] in (["expire"], ["delete"], ["drop"]) and not parse(git.words).has("-n", "--dry-run"):
        git.emit("git.discard", what="reflog")
    return None


def _prune(git: Git) -> str | None:
    removes = any(word.startswith("--prune=") and word != "--prune=never" for word in git.words)
    if (removes or git.verb == "prune") and not parse(git.words).has("-n", "--dry-run"):
        git.emit("git.discard", what="objects")
    return None


VERBS: dict[str, Callable[[Git], str | None]] = {
    "commit": _commit, "cherry-pick": _picks, "revert": _picks, "am": _picks, "merge": _merge, "pull": _pull, "fetch": _pull,
    "reset": _reset, "rebase": _rebase, "filter-branch": _rewrite, "filter-repo": _rewrite, "stash": _stash, "reflog": _reflog,
    "gc": _prune, "prune": _prune,
}  # fmt: skip

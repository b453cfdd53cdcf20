"""Commands of git that add commits or throw some away."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from llmgenie_mcp.shell import patchtext
from llmgenie_mcp.shell.arguments import UNKNOWN, Arguments, known, may_be, parse, unknown
from llmgenie_mcp.shell.git import OWN, Git, branch_name, elsewhere
from llmgenie_mcp.shell.git_branches import moves
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.unpacking import unseen_patch

_COMMIT = """-m -F -C -c -t --message --file --reuse-message --reedit-message --template --author --date --fixup --squash
    --cleanup --trailer --pathspec-from-file"""
_REVISION = lazily(
    r"(HEAD|@|ORIG_HEAD|FETCH_HEAD|MERGE_HEAD)\b.*|[0-9a-f]{7,40}|.*[~^].*|.*@\{.*|(origin|upstream)/.+|refs/.+"
)


_FETCHES = lazily(r"remote\.(.*)\.fetch")
_UPSTREAM = lazily(r"branch\..*\.(merge|remote)")


def _commit(git: Git) -> str | None:
    arguments = parse(git.words, _COMMIT)
    if arguments.surely("--dry-run", "--short", "--porcelain", "--help"):
        return None
    git.emit(
        "git.commit",
        branch=git.branch,
        no_verify=arguments.has("-n", "--no-verify") or git.unchecked,
        amend=arguments.has("--amend"),
        message=_message(git, arguments),
    )
    return None


def _commit_tree(git: Git) -> str | None:
    """A commit that no hook sees; `update-ref` and `reset` bring it onto a branch (git-commit-tree(1))."""
    arguments = parse(git.words, "-m -F -p --message --file")
    git.emit("git.commit", branch=git.branch, no_verify=True, message=_message(git, arguments))
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


_PICK = "-m --mainline -X --strategy-option --strategy --cleanup"
_AM = "-p -C --directory --empty --exclude --include --patch-format --quoted-cr --resolvemsg --whitespace"


def _patched(git: Git, mails: Sequence[str]) -> None:
    """Report the files that patches in mails are about, as far as their texts are known."""
    scope = git.call.scope.copy()
    scope.folder = git.folder
    call = git.call.with_scope(scope)
    for mail in mails or ["-"]:
        text = patchtext.text_of(call, mail)
        patchtext.report(call, patchtext.read(text or "", 1, reverse=False), None)
        if text is None:
            unseen_patch(call, [mail], ".")


def _picks(git: Git) -> str | None:
    arguments = parse(git.words, _AM if git.verb == "am" else _PICK)
    if arguments.surely("-n", "--no-commit", "--abort", "--quit", "--skip") and git.verb != "am":
        return None
    if arguments.surely("--abort", "--quit", "--skip", "--show-current-patch"):
        return None
    if git.verb == "am":
        _patched(git, arguments.operands)
    git.emit(
        "git.commit", branch=git.branch, message=None, no_verify=git.verb == "am" and arguments.has("-n", "--no-verify")
    )
    return None


def _merge(git: Git) -> str | None:
    arguments = parse(git.words, "-m -F -s -X --message --file --strategy --strategy-option --into-name --cleanup")
    if arguments.surely("--abort", "--quit", "--squash"):
        return None
    source = " ".join(arguments.operands) or None
    git.emit(
        "git.merge",
        branch=git.branch,
        source=known(source) if source else None,
        no_verify=arguments.has("--no-verify") or git.unchecked,
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
    if arguments.has("--stdin"):
        refspecs = [*refspecs, *git.call.stdin.split()]
    elsewhere(git)
    for refspec in [*refspecs, *arguments.values("--refmap")]:
        _fetches(git, remote, refspec)
    for key, value in git.settings.items():
        if (configured := _FETCHES.fullmatch(key)) is not None:
            _fetches(git, configured.group(1), value)
    if git.verb == "pull":
        _merges(git, remote, refspecs, no_verify=arguments.has("--no-verify") or git.unchecked)
    return None


def _fetches(git: Git, remote: str, refspec: str) -> None:
    """Report what a fetch sets; what a remote's branch is remembered as, under its own name, is what fetching is for."""
    source, _, target = refspec.removeprefix("+").partition(":")
    target = f"refs/{target}" if target.startswith("remotes/") else target
    named = target.removeprefix(f"refs/remotes/{remote}/") if remote else target
    if not target or target.startswith(("refs/tags/", "tags/")):
        return
    if target.startswith("refs/remotes/"):
        if named == target or named != source.removeprefix("refs/").removeprefix("heads/"):
            name = target.split("/", 3)[-1].partition("*")
            moves(git, f"refs/remotes/{remote}/{UNKNOWN}" if name[1] and "/" not in name[0] else target)
    else:
        git.emit(
            "git.reset", branch=None if "*" in target or target.startswith("refs/replace") else branch_name(target)
        )


def _merges(git: Git, remote: str, refspecs: Sequence[str], *, no_verify: bool) -> None:
    """What a pull merges into the branch that it is on; that branch's own commits from elsewhere are no merge of another."""
    on = git.branch or git.call.reader.surroundings.branch(git.folder) if git.branch is not None else None
    upstream = git.upstream(on)
    sources = [refspec.removeprefix("+").partition(":")[0] for refspec in refspecs]
    if not sources and upstream is not None:
        remote, sources = upstream[0], [upstream[1]]
    elif not sources and (no_verify or any(_UPSTREAM.fullmatch(key) for key in git.settings)):
        sources = [UNKNOWN]
    own = remote in OWN or (upstream is not None and remote == upstream[0] != ".")
    for source in sources:
        if no_verify or not own or on is None or branch_name(source) != on:
            git.emit("git.merge", branch=git.branch, source=known(source), no_verify=no_verify)


def _reset(git: Git) -> str | None:
    arguments = parse(git.words, "--pathspec-from-file -U --unified")
    words = arguments.operands
    hard: bool | None = arguments.has("--hard")
    if not hard and len(words) > 1 and any(word.startswith(UNKNOWN) for word in words[: len(words) - arguments.after]):
        hard = False if words[0] in ("HEAD", "@") else None  # one of them may be the option; behind HEAD it is a file
    moves = hard is not False or arguments.has("--soft", "--mixed", "--keep", "--merge")
    if arguments.surely("-p", "--patch") or (arguments.after and not moves):
        return None
    commit = words[0] if words else ""
    if hard is False and (commit in ("", "HEAD", "@") or len(words) > 1 or not (moves or _is_revision(commit))):
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
    if arguments.surely("--abort", "--quit", "--show-current-patch", "--edit-todo"):
        return None
    for text in arguments.values("-x", "--exec"):
        git.call.read_apart(text, [])
    editor = git.call.variable("GIT_SEQUENCE_EDITOR") or git.settings.get("sequence.editor", "")
    if "exec" in editor or re.search(r"\bx\b", editor):
        git.call.opaque("writes what a rebase runs", text=editor)
    named = arguments.operands[0 if arguments.has("--root") else 1 :]
    vague = unknown([*arguments.operands[:1], *arguments.values("--onto")])
    branch = branch_name(named[0]) if named else git.branch
    if named and vague:
        branch = None  # where a word vanishes, the next one takes its place
    git.emit("git.rebase", branch=branch)
    if named:
        git.switched(branch)
    return None


def _rewrite(git: Git) -> str | None:
    git.emit("git.rebase", branch=None)
    return None


def _stash(git: Git) -> str | None:
    verb = git.words[0] if git.words else ""
    saves = verb in ("push", "save") or verb.startswith("-") or may_be(verb, ("push", "save"))
    if saves and parse(git.words, "-m --message --pathspec-from-file").has("-a", "--all"):
        git.files("file.delete", ["."])  # what git ignores is taken away too: settings, secrets, local state
    if verb in ("drop", "clear"):
        git.emit("git.discard", what="stash")
    return None


def _reflog(git: Git) -> str | None:
    looks = parse(git.words, "--expire --expire-unreachable").surely("-n", "--dry-run")
    if git.words[:1] in (["expire"], ["delete"], ["drop"]) and not looks:
        git.emit("git.discard", what="reflog")
    return None


_EXPIRES = lazily(r"gc\.(.*\.)?(prune|reflog|worktreeprune)expire(unreachable)?")


def _prune(git: Git) -> str | None:
    arguments = parse(git.words, "--expire --expire-to --max-cruft-size")
    removes = any(value != "never" for value in arguments.values("--prune") if value)
    removes = removes or any(_EXPIRES.fullmatch(key) and value != "never" for key, value in git.settings.items())
    if (removes or git.verb == "prune") and not arguments.surely("-n", "--dry-run"):
        git.emit("git.discard", what="objects")
    return None


VERBS: dict[str, Callable[[Git], str | None]] = {
    "commit": _commit, "cherry-pick": _picks, "revert": _picks, "am": _picks, "merge": _merge, "pull": _pull, "fetch": _pull,
    "reset": _reset, "rebase": _rebase, "filter-branch": _rewrite, "filter-repo": _rewrite, "stash": _stash, "reflog": _reflog,
    "gc": _prune, "prune": _prune, "commit-tree": _commit_tree,
}  # fmt: skip

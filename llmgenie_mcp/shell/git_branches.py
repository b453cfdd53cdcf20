"""Commands of git that switch, move, make and remove branches and tags."""

from __future__ import annotations

from collections.abc import Callable

from llmgenie_mcp.shell.arguments import UNKNOWN, known, parse, unknown
from llmgenie_mcp.shell.git import OWN, Git, branch_name
from llmgenie_mcp.shell.pattern import lazily

_PATH = lazily(
    r"\.{1,2}|\.{1,2}/.*|.*/|:/?.*|(?:.*/)?[^/]*\.(?![xX]$)[A-Za-z]\w{0,9}|.*[*?].*|(?:.*/)?(?:Makefile|Dockerfile|LICENSE|README|justfile|Justfile|Gemfile)"
)
"""What names a file rather than a branch, where git takes either; `v1.x` is a branch."""


def _checkout(git: Git) -> str | None:
    arguments = parse(git.words, "-b -B --orphan --conflict --pathspec-from-file -t --recurse-submodules-with")
    for option in ("-b", "-B", "--orphan"):
        name = arguments.value(option)
        if name is not None:
            if option == "-B":
                git.emit("git.reset", branch=branch_name(name))
            git.switched(branch_name(name))
            return None
    words = arguments.operands
    paths = words[len(words) - arguments.after :] if arguments.after else []
    before = words[: len(words) - len(paths)]
    if not paths and before and (len(before) > 1 or _is_path(git, before[0])):
        paths = before if _is_path(git, before[0]) else before[1:]
        before = []
    if arguments.has("-f", "--force") and (not paths or any(word.startswith(UNKNOWN) for word in words)):
        git.files("file.write", ["."])
        git.discards(["."])
    git.files("file.write", paths)
    if not arguments.surely("-p", "--patch"):
        git.discards(paths)
    if arguments.has("-d", "--detach"):
        git.switched(None)
    elif before and not paths:
        git.switched(_destination(before[0]))
    return None


def _is_path(git: Git, word: str) -> bool:
    """Whether a word where git takes a branch or files names files: a branch of that name is what git takes first."""
    plain = word.replace(UNKNOWN, "")  # what is not known of `.$x` is nothing, most often
    named = _PATH.fullmatch(word) or (plain[:1] in (".", ":") and _PATH.fullmatch(plain))
    return bool(named) and not git.call.reader.surroundings.has_branch(git.folder, word)


def _destination(word: str) -> str | None:
    return None if word == "-" or word.startswith("@{-") else branch_name(word)


def _switch(git: Git) -> str | None:
    arguments = parse(git.words, "-c -C --create --force-create --orphan --conflict")
    forced = arguments.value("-C", "--force-create")
    if forced is not None:
        git.emit("git.reset", branch=branch_name(forced))
    if arguments.has("-f", "--force", "--discard-changes"):
        git.files("file.write", ["."])
        git.discards(["."])
    name = forced or arguments.value("-c", "--create", "--orphan")
    words = arguments.operands
    if name is not None:
        git.switched(branch_name(name))
    elif arguments.has("-d", "--detach"):
        git.switched(None)
    elif words:
        git.switched(_destination(words[0]))
    return None


def _branch(git: Git) -> str | None:
    arguments = parse(git.words, "-u --set-upstream-to --sort --points-at --format --abbrev")
    words = arguments.operands
    if arguments.has("-d", "-D", "--delete"):
        for word in words:
            if arguments.surely("-r", "--remotes"):
                moves(git, f"refs/remotes/{word}", delete=True)
            else:
                git.emit("git.branch_delete", branch=branch_name(word))
    elif (upstream := arguments.value("-u", "--set-upstream-to")) is not None:
        # Where a word vanishes, the next one takes its place.
        vague = unknown(words) or (len(words) > 1 and not upstream.strip(UNKNOWN))
        _tracks(git, None if vague else branch_name(words[0]) if words else git.branch, upstream)
    elif arguments.has("-m", "-M", "--move") and words:
        git.emit("git.branch_delete", branch=branch_name(words[0]) if len(words) > 1 else git.branch)
        git.emit("git.reset", branch=branch_name(words[-1]))
        if len(words) == 1:
            git.switched(branch_name(words[0]))
    elif arguments.has("-f", "--force", "-C") and words:
        git.emit("git.reset", branch=branch_name(words[-1] if arguments.surely("-c", "-C", "--copy") else words[0]))
    if arguments.has("--show-current"):
        return ("HEAD" if git.branch == "" else git.branch or UNKNOWN) + "\n"
    return None


def _tracks(git: Git, branch: str | None, upstream: str) -> None:
    """Remember what a branch pulls from now on: `origin/x`, or a branch of this repository."""
    name = git.call.reader.surroundings.branch(git.folder) or "" if branch == "" else branch
    remote, slash, merged = upstream.removeprefix("refs/remotes/").partition("/")
    local = (
        (not slash and UNKNOWN not in remote)
        or remote == "refs"
        or git.call.reader.surroundings.has_branch(git.folder, upstream)
    )
    if not local and remote not in OWN:
        git.emit("git.reset", branch=name)  # a pull would count as its own, and bring in what it never had
    if name is not None:
        git.call.scope.upstreams[git.folder, name] = (
            (".", branch_name(upstream) or UNKNOWN) if local else (remote, merged)
        )


def _rev_parse(git: Git) -> str | None:
    """`git rev-parse --abbrev-ref HEAD` prints the branch; `HEAD` is what stands for it wherever it is pushed to."""
    if ("--abbrev-ref" in git.words or "--symbolic-full-name" in git.words) and git.words[-1] in ("HEAD", "@"):
        return ("HEAD" if git.branch == "" else git.branch or UNKNOWN) + "\n"
    return None


_TAG = """-m -F -u --message --file --local-user --sort --format --contains --no-contains --points-at --merged --cleanup
    --trailer"""
_TAG_LISTS = (
    "-l",
    "--list",
    "-n",
    "-v",
    "--verify",
    "--contains",
    "--no-contains",
    "--points-at",
    "--merged",
    "--sort",
)


def _tag(git: Git) -> str | None:
    arguments = parse(git.words, _TAG)
    words = arguments.operands
    if arguments.surely(*_TAG_LISTS) or not words:
        return None
    if arguments.has("-d", "--delete"):
        for word in words:
            git.emit("git.tag", tag=known(word), delete=True)
        return None
    if known(words[0]) is not None:
        git.call.scope.tags.add((git.folder, words[0]))
    git.emit("git.tag", tag=known(words[0]), force=arguments.has("-f", "--force"))
    return None


def moves(git: Git, ref: str, *, delete: bool = False) -> None:
    """Report what it is to set or remove a reference, of which the full name is given, or one that begins as in git-fetch(1).

    What is remembered of a remote's branch counts as that branch: what a push carries along is told by it.
    """
    ref = f"refs/{ref}" if ref.startswith(("heads/", "tags/", "remotes/")) else ref
    kind, _, name = ref.removeprefix("refs/").partition("/")
    if ref.startswith("refs/tags/"):
        git.emit("git.tag", tag=known(name), delete=delete, force=True)
    elif ref == "refs/stash":
        git.emit("git.discard", what="stash")
    elif kind == "replace":  # other commits are shown in the place of some
        git.emit("git.reset", branch=None)
    elif ref.startswith("refs/remotes/"):
        remote, _, name = name.partition("/")
        if name != "HEAD":
            git.emit("git.branch_delete" if delete else "git.reset", branch=None if UNKNOWN in remote else known(name))
    elif not ref.startswith("refs/notes/"):
        branch = git.branch if ref in ("HEAD", "@") else branch_name(ref)
        git.emit("git.branch_delete" if delete else "git.reset", branch=branch)


def _update_ref(git: Git) -> str | None:
    arguments = parse(git.words, "-m")
    words = arguments.operands
    if arguments.has("--stdin"):
        git.emit("git.reset", branch=None)
    elif words:
        moves(git, words[0], delete=arguments.has("-d"))
    return None


def _symbolic_ref(git: Git) -> str | None:
    arguments = parse(git.words, "-m")
    words = arguments.operands
    if len(words) > 2:
        git.emit("git.reset", branch=None)
    elif len(words) == 2:
        for ref in words if words[0].startswith("refs/heads/") else words[:1] if words[0] != "HEAD" else words[1:]:
            moves(git, ref)  # a commit on a branch that stands for another one is made on that one
        if words[0] == "HEAD":
            git.switched(branch_name(words[1]))
    elif words == ["HEAD"] and not arguments.has("-d", "--delete"):
        return ("HEAD" if git.branch == "" else git.branch or UNKNOWN) + "\n"
    return None


def _replace(git: Git) -> str | None:
    arguments = parse(git.words, "--format")
    if arguments.operands and not arguments.surely("-l", "--list"):
        git.emit("git.reset", branch=None)
    return None


def _unknown_branch(git: Git) -> str | None:
    git.emit("git.reset", branch=None)
    return None


def _worktree(git: Git) -> str | None:
    arguments = parse(git.words, "-b -B --reason --orphan")
    verb, rest = (arguments.operands or [""])[0], arguments.operands[1:]
    if verb == "add":
        if (name := arguments.value("-B")) is not None:
            git.emit("git.reset", branch=branch_name(name))
        from llmgenie_mcp.shell.scope import inside

        if rest:
            branch = arguments.value("-b", "-B") or (
                rest[1] if len(rest) > 1 else rest[0].rstrip("/").rsplit("/", 1)[-1]
            )
            git.call.scope.branches[inside(git.folder, rest[0])] = branch_name(branch)
    elif verb == "remove":
        git.files("file.delete", rest)
    return None


VERBS: dict[str, Callable[[Git], str | None]] = {
    "checkout": _checkout, "switch": _switch, "branch": _branch, "tag": _tag, "update-ref": _update_ref, "rev-parse": _rev_parse,
    "symbolic-ref": _symbolic_ref, "fast-import": _unknown_branch, "replace": _replace, "worktree": _worktree,
}  # fmt: skip

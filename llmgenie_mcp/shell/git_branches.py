"""Commands of git that switch, move, make and remove branches and tags."""

from __future__ import annotations

import re
from collections.abc import Callable

from llmgenie_mcp.shell.arguments import UNKNOWN, known, parse
from llmgenie_mcp.shell.git import Git, branch_name

_PATH = re.compile(
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
        for word in [] if arguments.surely("-r", "--remotes") else words:
            git.emit("git.branch_delete", branch=branch_name(word))
    elif (upstream := arguments.value("-u", "--set-upstream-to")) is not None:
        _tracks(git, branch_name(words[0]) if words else git.branch, upstream)
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
    local = not slash or remote == "refs" or git.call.reader.surroundings.has_branch(git.folder, upstream)
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


def _update_ref(git: Git) -> str | None:
    arguments = parse(git.words, "-m")
    words = arguments.operands
    if arguments.has("--stdin"):
        git.emit("git.reset", branch=None)
    elif words:
        ref = words[0]
        if ref.startswith("refs/tags/"):
            git.emit("git.tag", tag=known(ref.removeprefix("refs/tags/")), delete=arguments.has("-d"), force=True)
        elif ref == "refs/stash":
            git.emit("git.discard", what="stash")
        elif not ref.startswith(("refs/remotes/", "refs/notes/")):
            branch = git.branch if ref in ("HEAD", "@") else branch_name(ref)
            git.emit("git.branch_delete" if arguments.has("-d") else "git.reset", branch=branch)
    return None


def _symbolic_ref(git: Git) -> str | None:
    arguments = parse(git.words, "-m")
    words = arguments.operands
    if len(words) > 2:
        git.emit("git.reset", branch=None)
    elif len(words) == 2:
        git.emit("git.reset", branch=branch_name(words[1] if words[0] == "HEAD" else words[0]))
        if words[0] == "HEAD":
            git.switched(branch_name(words[1]))
    elif words == ["HEAD"] and not arguments.has("-d", "--delete"):
        return ("HEAD" if git.branch == "" else git.branch or UNKNOWN) + "\n"
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
    "symbolic-ref": _symbolic_ref, "fast-import": _unknown_branch, "replace": _unknown_branch, "worktree": _worktree,
}  # fmt: skip

"""What a push sends where: git-push(1), refspecs and all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmgenie_mcp.shell.arguments import UNKNOWN, Arguments, known, parse
from llmgenie_mcp.shell.git import Git, branch_name, redirected
from llmgenie_mcp.shell.pattern import lazily

_TAKES = "-o --push-option --repo --receive-pack --exec --recurse-submodules"
_REMOTE = lazily(r"(origin|upstream)$|[./]|\w[\w+.-]*://")
"""What is a remote rather than a refspec."""
_REMEMBERED = lazily(r"(refs/)?remotes/[^/]+/")
_TRUE = ("true", "yes", "on", "1", "")
_FORCE = ("-f", "--force", "--force-with-lease", "--force-if-includes")


def push(git: Git) -> str | None:
    """One operation for each destination; see `llmgenie_mcp.operations` for what "" and None say."""
    arguments = parse(git.words, _TAKES)
    if arguments.surely("-n", "--dry-run") and not arguments.has("--no-dry-run"):
        return None
    operands = arguments.operands
    remote = operands[0] if operands else arguments.value("--repo") or ""
    if known(remote) is None and any(_REMOTE.match(word) for word in operands[1:2]):
        git.emit("git.push", branch=None, remote=None)  # where the first word vanishes, the second is the remote
    send(git, arguments, known(remote), operands[1:])
    return None


def send(git: Git, arguments: Arguments, remote: str | None, refspecs: Sequence[str]) -> None:
    """Report what is sent to `remote`."""
    flags: dict[str, object] = {
        "force": any(name in _FORCE or (name.startswith("--forc")) for name, _ in arguments.options),
        "no_verify": arguments.has("--no-verify") or git.unchecked,
        "delete": arguments.has("-d", "--delete"),
    }
    if arguments.has("--all", "--branches", "--mirror"):
        mirror = arguments.has("--mirror")
        flags = {**flags, "force": flags["force"] or mirror}
        git.emit("git.push", branch=None, remote=remote, unresolved="mirror" if mirror else "branches", **flags)
        return
    follows = git.settings.get("push.followtags", "false").lower()
    if arguments.has("--tags", "--follow-tags") or follows in _TRUE or known(follows) is None:
        git.emit("git.push_tag", tag=None, remote=remote, **flags)
    if not refspecs and not (arguments.has("--tags") and git.call.scope.branches.get(git.folder) is None):
        _default(git, remote, flags)
    elif not refspecs and arguments.has("--tags"):
        return
    tags, prunes = False, arguments.has("--prune")
    said: set[str] = set()  # what is said again adds nothing
    for refspec in refspecs:
        if refspec == "tag":
            tags = True
        elif tags:
            git.emit("git.push_tag", tag=known(refspec), remote=remote, **flags)
            tags = False
        elif refspec not in said:
            said.add(refspec)
            _refspec(git, remote, refspec, flags, prunes=prunes)


def _default(git: Git, remote: str | None, flags: dict[str, object]) -> None:
    if remote is None or redirected(git):  # an unknown word may well be several: `xargs git push`
        git.emit("git.push", branch=None, remote=remote, **flags)
    elif git.branch == "":
        git.emit("git.push", branch="", remote=remote, unresolved="default", **flags)
    else:
        git.emit("git.push", branch=git.branch, remote=remote, **flags)


def _refspec(git: Git, remote: str | None, refspec: str, flags: dict[str, object], *, prunes: bool) -> None:
    forced = refspec.startswith("+")
    if forced:
        flags = {**flags, "force": True}
    source, colon, target = refspec.removeprefix("+").partition(":")
    if colon and not source and target:
        flags = {**flags, "delete": True}
    target = target if colon else source
    if colon and not target:
        target = source if source else UNKNOWN
    # As written, for who knows the repository; HEAD is no longer the repository's after `git switch`.
    head = "HEAD" in source or "@" in source
    hidden = known(refspec) is None or flags["delete"] or (head and git.branch != "")
    written = {} if hidden else {"refspec": refspec}
    if "*" in target or refspec in (":", "+:"):
        written = {} if prunes else written  # what the other side has beyond it is deleted there, and is not known here
        git.emit("git.push", branch=None, remote=remote, unresolved="all", **written, **flags)
    elif target in ("HEAD", "@") and git.branch == "":
        git.emit("git.push", branch="", remote=remote, unresolved="HEAD", **written, **flags)
    elif target in ("HEAD", "@"):
        git.emit("git.push", branch=git.branch, remote=remote, **flags)
    elif not colon and (git.folder, target) in git.call.scope.tags:
        git.emit("git.push_tag", tag=target, remote=remote, **flags)
    elif target.startswith(("refs/tags/", "tags/")):
        tag = known(target.rpartition("tags/")[2])
        # What is pushed under a tag's name need not be that tag.
        other = {} if flags["delete"] or source.rpartition("tags/")[2] == tag else {"source": known(source)}
        git.emit("git.push_tag", tag=tag, remote=remote, **other, **flags)
    elif (remembered := _REMEMBERED.match(target)) is not None:  # what this repository knows of a remote's branch
        git.emit("git.push", branch=branch_name(target[remembered.end() :]), remote=remote, **flags)
    elif not target.startswith("refs/notes/"):
        git.emit("git.push", branch=branch_name(target), remote=remote, **written, **flags)


def _send_pack(git: Git) -> str | None:
    arguments = parse(git.words, "--receive-pack --exec --remote --push-option")
    send(
        git,
        arguments,
        known(arguments.operands[0]) if arguments.operands else None,
        arguments.operands[1:] or [UNKNOWN],
    )
    return None


def _http_push(git: Git) -> str | None:
    git.emit("git.push", branch=None, remote=known(git.words[-1]) if git.words else None)
    return None


def _subtree(git: Git) -> str | None:
    arguments = parse(git.words, "-P --prefix -b --branch -m --message --onto")
    verb, rest = (arguments.operands or [""])[0], arguments.operands[1:]
    if verb == "push":
        send(git, arguments, known(rest[0]) if rest else None, rest[1:] or [UNKNOWN])
    elif verb in ("add", "merge", "pull"):
        git.emit("git.commit", branch=git.branch, message=None)
    return None


VERBS: dict[str, Callable[[Git], str | None]] = {
    "push": push,
    "send-pack": _send_pack,
    "http-push": _http_push,
    "subtree": _subtree,
}

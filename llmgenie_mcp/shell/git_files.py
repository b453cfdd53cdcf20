"""Commands of git that change files, show them, or run commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmgenie_mcp.shell import patchtext
from llmgenie_mcp.shell.arguments import PATHS, below, parse
from llmgenie_mcp.shell.finding import matching, paths
from llmgenie_mcp.shell.git import Git
from llmgenie_mcp.shell.moving import lost
from llmgenie_mcp.shell.unpacking import unseen_patch


def _restore(git: Git) -> str | None:
    arguments = parse(git.words, "-s --source --conflict --pathspec-from-file")
    if arguments.surely("-S", "--staged") and not arguments.has("-W", "--worktree"):
        return None
    git.files("file.write", arguments.operands)
    return None


def _remove(git: Git) -> str | None:
    arguments = parse(git.words, "--pathspec-from-file")
    if not arguments.surely("--cached", "-n", "--dry-run"):
        git.files("file.delete", arguments.operands)
    return None


def _move(git: Git) -> str | None:
    arguments = parse(git.words)
    if arguments.surely("-n", "--dry-run"):
        return None
    *sources, target = arguments.operands or [""]
    if len(sources) > 1 or target.endswith("/"):
        targets = [f"{target.rstrip('/')}/{word.rstrip('/').rsplit('/', 1)[-1]}" for word in sources]
    else:
        targets = [target for _ in sources]
    scope = git.call.scope.copy()
    scope.folder = git.folder
    call = git.call.with_scope(scope)
    call.files("file.write", sources)
    gone = [source for source, moved in zip(sources, targets, strict=True) if lost(call, source, moved)]
    call.files("file.delete", gone)
    call.files("file.write", targets)
    return None


def _clean(git: Git) -> str | None:
    arguments = parse(git.words, "-e --exclude")
    forced = arguments.has("-f", "--force") or git.settings.get("clean.requireforce", "").lower() == "false"
    if forced and not arguments.surely("-n", "--dry-run"):
        git.files("file.delete", arguments.operands or ["."])
    return None


def _show(git: Git) -> str | None:
    """`REVISION:path` is a file as it was."""
    for word in parse(git.words, "-n --format").operands:
        revision, colon, path = word.partition(":")
        if colon and path and revision:
            git.files("file.read", [path])
    return None


def _apply(git: Git) -> str | None:
    arguments = parse(git.words, "-p -C --directory --exclude --include --whitespace --build-fake-ancestor")
    looking = arguments.surely("--check", "--stat", "--numstat", "--summary") and not arguments.has("--apply")
    if looking or arguments.surely("--cached"):
        return None
    git.files("file.read", arguments.operands)
    folder = arguments.value("--directory")
    number = arguments.value("-p") or "1"
    scope = git.call.scope.copy()
    scope.folder = git.folder
    call = git.call.with_scope(scope)
    for word in arguments.operands or ["-"]:
        text = patchtext.text_of(call, word)
        targets = patchtext.read(text or "", int(number) if number.isdigit() else 1, arguments.has("-R", "--reverse"))
        patchtext.report(call, targets, folder)
        if not targets:
            call.files("file.write", [folder or "."])
        if text is None:
            unseen_patch(call, [word], folder or ".")
    return None


def _checkout_index(git: Git) -> str | None:
    arguments = parse(git.words, "--prefix --stage")
    git.files("file.write", ["."] if arguments.has("-a", "--all") else arguments.operands)
    return None


def _listed(git: Git) -> str | None:
    """What names files of the repository, for `xargs` and loops."""
    arguments = parse(git.words, "-x -X --exclude --exclude-from --diff-filter -S -G")
    if git.verb == "ls-files":
        return " ".join(_pathspecs(arguments.operands)) + "\n"
    if git.verb == "grep" and (arguments.has("--name-only", "--files-with-matches") or "-l" in git.words):
        operands = arguments.operands if arguments.has("-e", "-f") else arguments.operands[1:]
        return " ".join(_pathspecs(operands)) + "\n"
    return PATHS + ".\n" if arguments.has("--name-only") else None


def _pathspecs(words: Sequence[str]) -> list[str]:
    """What stands for the files of pathspecs (gitglossary(7)), whose `*` stands for slashes too."""
    found: list[str] = []
    for word in words or ["."]:
        if any(sign in word for sign in "*?[") and word[:1] != ":":
            found.extend(paths(["."], (matching(word),)))
        elif word[:2] not in (":!", ":^"):
            found.append(below(word) if word == "." else PATHS + word)
    return found


def _bisect(git: Git) -> str | None:
    if git.words[:1] == ["run"]:
        git.call.delegate(git.words[1:])
    return None


def _foreach(git: Git) -> str | None:
    words = [word for word in git.words if word not in ("--recursive", "-q", "--quiet")]
    if words[:1] == ["foreach"]:
        scope = git.call.scope.copy()
        scope.folder = None
        call = git.call.with_scope(scope)
        if len(words) == 2:
            call.read_apart(words[1], [])
        else:
            call.delegate(words[1:])
    return None


def _credential(git: Git) -> str | None:
    if git.words[:1] in (["fill"], ["get"]):
        git.files("file.read", ["~/.git-credentials"])
    return None


VERBS: dict[str, Callable[[Git], str | None]] = {
    "restore": _restore, "rm": _remove, "mv": _move, "clean": _clean, "show": _show, "cat-file": _show, "apply": _apply,
    "checkout-index": _checkout_index, "ls-files": _listed, "diff": _listed, "grep": _listed, "bisect": _bisect,
    "submodule": _foreach, "credential": _credential,
}  # fmt: skip

"""What is about to be committed or pushed, and what was: as operations that policies judge, and as commits of a range.

Formats: `--raw -z` and patches as in git-diff-tree(1) ("diff format for merges" included), the lines of pre-push as in
githooks(5), the cleanup of messages as in git-commit(1).
"""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmgenie_mcp.errors import ProjectError, UsageError
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.patches import search
from llmgenie_mcp.process import run_git
from llmgenie_mcp.repository import HEADS, TAGS, current_branch, repository_folders
from llmgenie_mcp.shell.moving import disposable

TIMEOUT = 60.0
"""Seconds for one question to git."""
MOST_ASKED = 200
"""For so many refs of one push is it found out whether they are forced; for more it is not known."""
_TASK = re.compile(r"(?<![\w-])[A-Z][A-Z0-9]{0,15}-[0-9]{1,9}(?![\w-])")
_PUSHED = re.compile(r".* ([0-9a-f]{40,64}) (\S+) ([0-9a-f]{40,64})")
_SCISSORS = "------------------------ >8 ------------------------"
_COMMENT_CHARACTERS = "#;@!$%^&|:"
_WHOLE_HISTORY = (
    "Get all of it: `fetch-depth: 0` in GitHub's checkout, `GIT_DEPTH: 0` in GitLab, else git fetch --unshallow."
)


@dataclass(frozen=True, slots=True)
class Change:
    """A path that a commit changes.

    Attributes:
        path: from the top of the repository, as git has it.
        status: A added, M modified (also type and mode), D deleted, R renamed.
        old: of a renamed one, the path before.
    """

    path: str
    status: str
    old: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a range.

    Attributes:
        oid: its full hash.
        parents: their hashes.
        author: `Name <address>`.
        subject: the first line of `message`.
        branch: the branch that the range is judged as.
        changes: its paths; of a merge only those that differ from every parent.
        secrets: {path, line, kind} for what looks like a secret in the lines it adds.
        unread: paths whose added lines were not searched to the end, because there are too many.
    """

    oid: str
    parents: tuple[str, ...]
    author: str
    subject: str
    message: str
    branch: str | None
    changes: tuple[Change, ...]
    secrets: tuple[dict[str, Any], ...]
    unread: tuple[str, ...]

    def operations(self, tasks: Sequence[str] | None = None) -> list[Operation]:
        """What policies judge: one `git.commit`, and `file.write` or `file.delete` for each path; both paths of a renamed file
        are written.

        Args:
            tasks: the tasks that `message` names; None: nobody asks for them. A merge need not name any.
        """
        missing = tasks is not None and not tasks and len(self.parents) < 2
        params = {"branch": self.branch, "message": self.message, "no_verify": False, "task_missing": missing}
        return _operations(params, self.changes, self.secrets, self.unread)


def staged(folder: Path, index: str | None = None) -> list[Operation]:
    """The commit that is about to be made in `folder`: one `git.commit`, then an operation for each path.

    While a merge is concluded, only the paths are listed that differ from all its parents: the rest was committed before.

    Args:
        folder: inside the checkout; paths are relative to it.
        index: what GIT_INDEX_FILE is in the hook: `git commit -a` and `git commit PATH` use an index of their own.

    Raises:
        ProjectError: git does not answer there.
    """
    own = {} if index is None else {"GIT_INDEX_FILE": index}
    merging = _merging(folder)
    # A copy that another parent has makes no rename of a deletion, so none is looked for in a merge.
    arguments = ("diff-index", "--cached", "--no-renames" if merging else "-M")
    base = "HEAD"
    raw = _run(folder, *arguments, "--raw", "-z", base, "--", **own)
    if raw is None:
        base = (_run(folder, "hash-object", "-t", "tree", os.devnull) or b"").decode().strip()
        raw = _asked(folder, *arguments, "--raw", "-z", base, "--", **own)
    changes = list(_changes(raw))
    for parent in merging:
        theirs = {change.path for change in _changes(_asked(folder, *arguments, "--raw", "-z", parent, "--", **own))}
        changes = [change for change in changes if change.path in theirs]
    # All of a renamed file is searched: where it was, a secret may have been let pass.
    secrets, unread = _searched(folder, ["diff-index", "--cached", "--no-renames", base, "--"], changes, own)
    params = {"branch": current_branch(folder), "no_verify": False}
    if inside := _inside(folder):
        changes = [
            Change(_seen_from(inside, c.path), c.status, None if c.old is None else _seen_from(inside, c.old))
            for c in changes
        ]
        secrets = [{**secret, "path": _seen_from(inside, secret["path"])} for secret in secrets]
        unread = [_seen_from(inside, path) for path in unread]
    return _operations(params, changes, secrets, unread)


def in_range(folder: Path, revisions: str, branch: str | None = None) -> list[Commit]:
    """The commits of `A..B`, oldest first.

    Args:
        folder: inside the checkout.
        revisions: `A..B`, the commits of B that A does not have; an A of zeros, as sent for a branch that is new, stands
            for all that other branches have.
        branch: said in each commit.

    Raises:
        UsageError: it is no such range, or not all of it is in this clone. ProjectError: git does not answer.
    """
    start, dots, end = revisions.partition("..")
    if not dots or end.startswith((".", "-")) or revisions.startswith("-") or "\0" in revisions:
        raise UsageError(f"{revisions!r} is no range of commits.", "Write A..B: the commits of B that A does not have.")
    head = _commit(folder, end or "HEAD")
    if start and not start.strip("0"):
        others = _asked(folder, "for-each-ref", f"--no-contains={head}", "--format=%(objectname)").decode().split()
        limits = [f"^{oid}" for oid in dict.fromkeys(others)]
    else:
        limits = [f"^{_commit(folder, start or 'HEAD')}"]
    form = "--format=%H%x00%P%x00%an <%ae>%x00%B"
    log = (
        "log",
        "-z",
        "--topo-order",
        "--reverse",
        "--encoding=UTF-8",
        "--no-show-signature",
        "--no-notes",
        "--no-color",
    )
    fields = _asked(folder, *log, form, head, *limits, "--").decode("utf-8", "replace").split("\0")
    rows = [fields[at : at + 4] for at in range(0, len(fields) - 3, 4)]
    cut = _shallow(folder)
    if any(oid in cut for oid, *_ in rows):
        raise UsageError(f"This clone is shallow: the history before {revisions} is missing.", _WHOLE_HISTORY)
    return [_read(folder, oid, parents.split(), author, message, branch) for oid, parents, author, message in rows]


def message(folder: Path, file: Path, *, edited: bool = True) -> str:
    """The message that git will make of `file`, the argument of the hook commit-msg.

    Args:
        folder: inside the checkout.
        file: as git gives it to the hook.
        edited: False when git opened no editor; it then sets GIT_EDITOR to `:` for hooks, and keeps comments.

    Raises:
        ProjectError: the file cannot be read, or git does not answer.
    """
    try:
        text = file.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise ProjectError(f"{file} cannot be read: {error.strerror}.", "Make it readable for you.") from error
    wanted = r"^(core\.comment(char|string)|commit\.cleanup)$"
    found = (_run(folder, "config", "--null", "--get-regexp", wanted) or b"").decode("utf-8", "replace")
    settings = dict(entry.split("\n", 1) for entry in found.split("\0") if "\n" in entry)
    cleanup = settings.get("commit.cleanup", "default")
    if cleanup == "default":
        cleanup = "strip" if edited else "whitespace"
    if cleanup == "verbatim":
        return text
    comment = settings.get("core.commentstring") or settings.get("core.commentchar") or "#"
    if comment == "auto":
        comment = _chosen(text)
    lines = text.split("\n")
    if edited and (mark := f"{comment} {_SCISSORS}") in lines:
        lines = lines[: lines.index(mark)]
    if cleanup == "strip":
        lines = [line for line in lines if not line.startswith(comment)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")


def pushed(folder: Path, remote: str, url: str, lines: Iterable[str]) -> list[Operation]:
    """What is about to be pushed, as git tells the hook pre-push.

    Args:
        folder: inside the checkout.
        remote: name of the remote, or its URL when it has none.
        url: of the remote.
        lines: of the hook's stdin: `<local ref> <local oid> <remote ref> <remote oid>`.

    Returns:
        A `git.push` or a `git.push_tag` for each line, with the `commit` that is pushed (of an annotated tag, the tag). `force`
        is true when what is on the other side would be lost, and None where that is not known; refs that are neither
        branches nor tags keep their full name.

    Raises:
        ProjectError: git does not answer.
    """
    found, asked = [], 0
    for line in lines:
        if not line.strip():
            continue
        told = _PUSHED.fullmatch(line.strip())
        if told is None:
            found.append(Operation("git.push", {"branch": None, "remote": remote or url}, line.strip()))
            continue
        local, ref, there = told.groups()
        delete, new = not local.strip("0"), not there.strip("0")
        force: bool | None = False
        if not (delete or new or local == there):
            asked += 1
            force = True if ref.startswith(TAGS) else _rewrites(folder, there, local) if asked <= MOST_ASKED else None
        params = {"remote": remote or url, "force": force, "delete": delete}
        pushed = {} if delete else {"commit": local}
        if ref.startswith(TAGS):
            found.append(Operation("git.push_tag", {"tag": ref.removeprefix(TAGS), **pushed, **params}, line.strip()))
        else:
            found.append(Operation("git.push", {"branch": ref.removeprefix(HEADS), **pushed, **params}, line.strip()))
    return found


def tasks_named(message: str, known: Callable[[str], bool]) -> list[str]:
    """The task ids such as TSK-12 that stand in `message` as whole words and are `known`, in order, each once."""
    return [name for name in dict.fromkeys(_TASK.findall(message)) if known(name)]


def _read(folder: Path, oid: str, parents: list[str], author: str, message: str, branch: str | None) -> Commit:
    arguments = ["diff-tree", "-r", "--root", "--no-commit-id"]
    renames = "--no-renames" if len(parents) > 1 else "-M"
    changes = list(_changes(_asked(folder, *arguments, renames, "-c", "--raw", "-z", oid, "--")))
    # As in `staged`, all of a renamed file is searched.
    secrets, unread = _searched(folder, [*arguments, "--no-renames", "--cc", oid, "--"], changes, {})
    subject = message.lstrip("\n").partition("\n")[0].strip()
    return Commit(
        oid, tuple(parents), author, subject, message.strip("\n"), branch, tuple(changes), tuple(secrets), tuple(unread)
    )


def _searched(
    folder: Path, arguments: Sequence[str], changes: Sequence[Change], environment: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[str]]:
    return search(folder, arguments, [change.path for change in changes if change.status != "D"], environment)


def _operations(
    params: dict[str, Any], changes: Sequence[Change], secrets: Sequence[dict[str, Any]], unread: Sequence[str]
) -> list[Operation]:
    paths = sorted({path for change in changes for path in (change.old, change.path) if path is not None})
    places = list(dict.fromkeys(one["path"] for one in secrets))
    commit = {**params, "paths": paths, "secrets": list(secrets), "secret_paths": places, "unread": list(unread)}
    found = [Operation("git.commit", commit)]
    for change in changes:
        if change.old is not None:  # what it held is still there, as with `mv`: nothing is deleted
            found.append(Operation("file.write", {"path": change.old, "kind": "committed"}))
            if disposable(change.path) and not disposable(change.old):  # where it can be deleted unasked later
                found.append(Operation("file.delete", {"path": change.old, "kind": "committed"}))
        name = "file.delete" if change.status == "D" else "file.write"
        found.append(Operation(name, {"path": change.path, "kind": "committed"}))
    return found


def _changes(raw: bytes) -> Iterator[Change]:
    """The entries of `--raw -z`, of merges too."""
    fields = iter(os.fsdecode(raw).split("\0"))
    for meta in fields:
        if not meta.startswith(":"):
            continue
        words = meta.split()
        parents = len(meta) - len(meta.lstrip(":"))
        status, path = words[-1], next(fields)
        if parents == 1 and status[0] in "RC":
            new = next(fields)
            yield Change(new, "R", path) if status[0] == "R" else Change(new, "A")
        elif words[parents] == "000000":
            yield Change(path, "D")
        else:
            yield Change(path, "A" if set(status) == {"A"} else "M")


def _merging(folder: Path) -> list[str]:
    """The other parents of a merge that is being concluded."""
    place = repository_folders(folder)
    try:
        return (place[0] / "MERGE_HEAD").read_text(encoding="ascii").split() if place else []
    except (OSError, UnicodeDecodeError):
        return []


def _shallow(folder: Path) -> frozenset[str]:
    """The commits at which a shallow clone ends."""
    place = repository_folders(folder)
    try:
        return frozenset((place[1] / "shallow").read_text(encoding="ascii").split()) if place else frozenset()
    except (OSError, UnicodeDecodeError):
        return frozenset()


def _commit(folder: Path, name: str) -> str:
    """The hash of a commit. Raises UsageError."""
    found = _run(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if found is None:
        hint = _WHOLE_HISTORY if _shallow(folder) else "Fetch it first, or correct the name."
        raise UsageError(f"{name!r} is no commit of this clone.", hint)
    return found.decode().strip()


def _rewrites(folder: Path, old: str, new: str) -> bool:
    """Whether `new` leaves out something of `old`; so does a commit that is not here, as it cannot be built upon."""
    return _run(folder, "merge-base", "--is-ancestor", old, new) is None


def _chosen(text: str) -> str:
    """The comment character that git chose for a message (`core.commentChar=auto`): its own comments come last."""
    last = text.rstrip().rpartition("\n")[2][:1]
    return last if last and last in _COMMENT_CHARACTERS else "#"


def _inside(folder: Path) -> str:
    """Where `folder` lies in its checkout; "" when it is the top."""
    here = folder.absolute()
    top = next((place for place in (here, *here.parents) if (place / ".git").exists()), here)
    return "" if here == top else here.relative_to(top).as_posix()


def _seen_from(inside: str, path: str) -> str:
    """A path of the repository as it is named from the folder `inside`."""
    return posixpath.relpath(f"/{path}", f"/{inside}")


def _run(folder: Path, *arguments: str, **environment: str) -> bytes | None:
    """What git prints; None when it fails. Raises ProjectError: there is no git, or it does not end."""
    try:
        done = run_git(folder, arguments, timeout=TIMEOUT, GIT_OPTIONAL_LOCKS="0", **environment)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ProjectError(f"git cannot be asked in {folder}: {error}", "Try git status there.") from error
    return done.stdout if done.returncode == 0 else None


def _asked(folder: Path, *arguments: str, **environment: str) -> bytes:
    """What git prints. Raises ProjectError also when it fails."""
    found = _run(folder, *arguments, **environment)
    if found is None:
        raise ProjectError(f"git {arguments[0]} fails in {folder}.", "Run it inside a git checkout.")
    return found

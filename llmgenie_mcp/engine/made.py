"""What llmgenie made of what a person approved: a merge commit, a tag. It may be pushed without asking again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llmgenie_mcp import trust
from llmgenie_mcp.outcome import Document
from llmgenie_mcp.storage import Storage

GIT_SECONDS = 2.0
MAKERS = {"git.push": "merge", "git.push_tag": "tag_release"}
"""Which action makes what an operation pushes."""
_SEALED = ("id", "action", "made", "into", "tagged")


def seal(run: Mapping[str, Any]) -> str:
    """The seal of a run that made something: a store that came with a clone, or was written by hand, has none.

    It is empty where the user's key cannot be read or made: the work is done by then, and pushing it needs a person.
    """
    try:
        return trust.seal({"made": {name: run.get(name) for name in _SEALED}})
    except OSError:
        return ""


def was_made(storage: Storage, folder: Path, operation: str, resource: Document) -> bool:
    """Whether what is pushed is the very commit that a merge made on that branch, or the tag as a release set it.

    What a remote has not seen of the branch below that commit has to be of merges as well, for the push carries it along.

    Args:
        storage: of the project.
        folder: where git acts.
        operation: one of `MAKERS`.
        resource: what the operation is about.
    """
    if resource.get("force") is not False or resource.get("delete") is not False:
        return False
    passed = {"action": MAKERS[operation], "status": "passed"}
    if not storage.query("runs", passed, limit=0).total:
        return False
    tag = resource.get("tag")
    if operation == "git.push":
        pushed = resource.get("commit") or _commit(folder, resource.get("source"))
        wanted = {"made": pushed, "into": resource.get("branch")}
    else:
        source = resource.get("commit") or resource.get("source", f"refs/tags/{tag}")
        wanted = {"made": tag, "tagged": _commit(folder, source)}
    if not all(wanted.values()):
        return False

    def runs(where: Document) -> list[Document]:
        return storage.query("runs", where).items

    if not _is_of_a_run(runs({**passed, **wanted})):
        return False
    return operation != "git.push" or next(carried_along(runs, folder, str(pushed), str(wanted["into"])), None) is None


def carried_along(runs: Callable[[Document], Iterable[Document]], folder: Path, tip: str, branch: str) -> Iterator[str]:
    """The commits that a push of a merge takes to a remote as well, and that no merge made: nobody reviewed them.

    Args:
        runs: finds documents of the table `runs` whose fields equal those given.
        folder: where git acts.
        tip: the merge, as a full hash.
        branch: that it was merged into.
    """
    for commit in _unpushed(folder, tip, branch):
        wanted = {"action": MAKERS["git.push"], "status": "passed", "made": commit, "into": branch}
        if not _is_of_a_run(runs(wanted)):
            yield commit


def _is_of_a_run(found: Iterable[Document]) -> bool:
    """Whether one of the runs is the user's own, sealed by their key."""
    return any(trust.is_sealed({"made": {name: run.get(name) for name in _SEALED}}, run.get("seal")) for run in found)


def _unpushed(folder: Path, tip: str, branch: str) -> list[str]:
    """What the branch itself got below `tip` since it was last seen on a remote: a push carries all of it along.

    Nothing where no remote is known to have the branch: who pushes it there first is not asked about its past.
    """
    from subprocess import TimeoutExpired

    from llmgenie_mcp.process import run_git

    one = f"{tip}^1"
    try:
        seen = run_git(
            folder, ["for-each-ref", "--format=%(objectname)", f"refs/remotes/*/{branch}"], timeout=GIT_SECONDS
        )
        known = seen.stdout.decode().split()
        if seen.returncode == 0 and not known:
            return []
        done = run_git(folder, ["rev-list", "--first-parent", one, "--not", *known], timeout=GIT_SECONDS)
    except (OSError, TimeoutExpired):
        return [one]
    return done.stdout.decode().split() if done.returncode == 0 else [one]


def _commit(folder: Path, source: object) -> str | None:
    """The full hash of what git would push as `source`; None when that is nothing."""
    from subprocess import TimeoutExpired

    from llmgenie_mcp.process import run_git

    if not isinstance(source, str) or source.startswith("-"):
        return None
    try:
        done = run_git(folder, ["rev-parse", "--verify", "-q", f"{source}^{{commit}}"], timeout=GIT_SECONDS)
    except (OSError, TimeoutExpired):
        return None
    return done.stdout.decode().strip() if done.returncode == 0 else None

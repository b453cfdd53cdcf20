"""Git hooks beside those that are there: pre-commit, commit-msg and pre-push run our command first and then go on.

A hook that is a shell script gets a marked block behind its first line. Any other one (a program, a link, one that is
switched off) is moved to `<name>.before-llmgenie`, and ours runs it. githooks(5) has the arguments and what is on stdin.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from llmgenie_mcp.edits import Block, blocks, files
from llmgenie_mcp.edits.files import Held
from llmgenie_mcp.edits.plan import Change, plan
from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.process import run_git
from llmgenie_mcp.project import git_top

HOOKS = ("pre-commit", "commit-msg", "pre-push")
ASIDE = ".before-llmgenie"
COMMENT = ("# ", "")
TIMEOUT = 20.0
"""Seconds for one question to git."""

_SHELL = re.compile(
    rb"#![ \t]*(?:\S*/env[ \t]+(?:-S[ \t]+)?)?(?:\S*/)?(?:sh|bash|dash|ash|ksh|zsh)(?:[ \t][^\r\n]*)?\n"
)
_TAIL = f"""# What was here before is run now, unless it was switched off.
[ -x "$0{ASIDE}" ] || exit 0
exec "$0{ASIDE}" "$@"
"""


@dataclass(frozen=True, slots=True)
class Repository:
    """Where git keeps what concerns hooks.

    Attributes:
        top: the working tree's folder.
        common: the folder that all its worktrees share, mostly `.git`.
        hooks: the folder whose hooks run, after core.hooksPath.
    """

    top: Path
    common: Path
    hooks: Path

    @property
    def own_hooks(self) -> bool:
        """Whether the folder of the hooks is this repository's: core.hooksPath may name one that all repositories share."""
        return any(self.hooks.is_relative_to(folder) for folder in (self.top, self.common, self.common.parent))


@dataclass(slots=True)
class HookPlan:
    """What becomes of the hooks.

    Attributes:
        changes: of files.
        notes: what a person should know or do by hand, a sentence each.
    """

    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def repository(root: Path) -> Repository | None:
    """The repository that `root` is in; None without git or outside of one."""
    top = _ask(root, "rev-parse", "--show-toplevel")
    if not top:
        return None
    folder = Path(top[0])
    places = [
        (folder / place).resolve() for place in _ask(folder, "rev-parse", "--git-common-dir", "--git-path", "hooks")
    ]
    return Repository(folder.resolve(), *places) if len(places) == 2 else None


def plan_hooks(repo: Repository, hook: Sequence[str]) -> HookPlan:
    """What is to be done so that the hooks of `repo` run `hook`, the command without the host's name."""
    result = HookPlan()
    if not repo.own_hooks:
        result.notes.append(
            f"core.hooksPath is {repo.hooks}, outside this repository, so nothing is written there. To have commits and pushes "
            f'checked, add to its {", ".join(HOOKS)}: {shlex.join([*hook, "git"])} <name of the hook> "$@" || exit $?'
        )
        return result
    for name in HOOKS:
        result.changes += _plan_hook(repo, name, script(name, hook))
    if any(change.problem is None for change in result.changes):
        result.notes += _notes(repo, result.changes)
    return result


def script(name: str, hook: Sequence[str]) -> str:
    """The lines that run `hook` for git's hook `name`: its failure ends the script, and its absence too."""
    command = shlex.join([*hook, "git", name])
    gone = " || ".join(
        [
            f"! [ -x {shlex.quote(hook[0])} ]",
            *(f"! [ -f {shlex.quote(part)} ]" for part in hook if part.endswith(".py")),
        ]
    )
    verb = "push" if name == "pre-push" else "commit"
    refusal = f"llmgenie: {hook[0]} or what it runs is gone, so this {verb} cannot be checked and is refused."
    return "\n".join([
        f"if {gone}; then",
        f"  printf '%s\\n' {shlex.quote(refusal)} >&2",
        f"  echo 'Mend it: llmgenie doctor --fix. A person who has to go on now: git {verb} --no-verify.' >&2",
        "  exit 1",
        "fi",
        *(_pushing(command) if name == "pre-push" else [f'{command} "$@" </dev/null || exit $?']),
    ])  # fmt: skip


def _pushing(command: str) -> list[str]:
    """pre-push is told on stdin what is pushed, which our command and the rest of the script both have to read."""
    return [
        "llmgenie_refs=",
        "[ -t 0 ] || llmgenie_refs=$(cat)",
        'if [ -n "$llmgenie_refs" ]; then',
        f'{command} "$@" <<LLMGENIE_REFS || exit $?',
        "$llmgenie_refs",
        "LLMGENIE_REFS",
        "exec <<LLMGENIE_REFS",
        "$llmgenie_refs",
        "LLMGENIE_REFS",
        "else",
        f'{command} "$@" </dev/null || exit $?',
        "fi",
    ]


def exclude(repo: Repository, paths: Iterable[Path]) -> list[Change]:
    """Keep `paths`, which are files of this machine, out of what git shows and adds; those that it tracks are left out."""
    names = set[str]()
    for path in paths:
        top = git_top(path.parent)
        if top is not None and not path.is_relative_to(repo.common) and not is_tracked(path):
            names.add("/" + re.sub(r"([\\*?\[ ])", r"\\\1", path.relative_to(top).as_posix()))
    place = repo.common / "info" / "exclude"
    edit = Block(f"{repo.common.name}/info/exclude", "\n".join(sorted(names)), COMMENT)
    return plan(repo.common.parent, [edit]) if names or (place.exists() and _has_block(place)) else []


def is_tracked(path: Path) -> bool:
    """Whether git has `path` in its index; no outside of a repository."""
    return path.parent.is_dir() and bool(_ask(path.parent, "ls-files", "--", f":(literal){path.name}"))


def _has_block(place: Path) -> bool:
    return b"llmgenie: begin" in place.read_bytes()


def _plan_hook(repo: Repository, name: str, lines: str) -> list[Change]:
    place = repo.hooks / name
    path = place.relative_to(repo.top).as_posix() if place.is_relative_to(repo.top) else str(place)
    try:
        found = files.look(place)
        text = found.data.decode("utf-8", "surrogateescape") if found and not found.link else ""
        there = blocks.get(text, COMMENT)
    except OSError as error:
        return [
            Change(path, place, None, None, problem=f"{path} cannot be read: {error.strerror}. It is left as it is.")
        ]
    except blocks.BlockError as error:
        return [Change(path, place, None, None, problem=f"{path}:{error}")]
    if found is not None and there is None and not _is_shell(found):
        return _beside(path, place, found, lines)
    at = None if there is not None else text.find("\n") + 1
    after, lead = blocks.put(text or "#!/bin/sh\n", lines, COMMENT, at=at or len("#!/bin/sh\n"))
    mode = files.usual_executable_mode() if found is None else files.executable(found.mode or 0)
    if found is not None and (after, mode) == (text, found.mode):
        return []
    said = "new hook" if found is None else "runs llmgenie first, then what is there"
    record = {"kind": "block", "comment": list(COMMENT), "text": lines, "lead": lead, "before": there}
    before = found.data if found else None
    return [Change(path, place, before, _encoded(after), (said,), mode=mode, undo=(record,))]


def _is_shell(found: Held) -> bool:
    return not found.link and bool((found.mode or 0) & 0o100) and _SHELL.match(found.data) is not None


def _beside(path: str, place: Path, found: Held, lines: str) -> list[Change]:
    """Ours in place of a hook into which no line can be put; that one is moved aside and run by ours."""
    aside = place.with_name(place.name + ASIDE)
    there = files.look(aside)
    if there not in {None, found}:  # the same is there after a crash between the two writes
        said = f"{path}{ASIDE} is in the way: {path} would be moved there. Move it away and run `llmgenie init` again."
        return [Change(path, place, found.data, None, problem=said)]
    text, _ = blocks.put("#!/bin/sh\n" + _TAIL, lines, COMMENT, at=len("#!/bin/sh\n"))
    record = {"kind": "moved", "aside": aside.name}
    block = {"kind": "block", "comment": list(COMMENT), "text": lines, "lead": "", "before": None}
    lines_for_people, mode = ("runs llmgenie first, then what was there",), files.usual_executable_mode()
    ours = Change(path, place, found.data, _encoded(text), lines_for_people, mode=mode, undo=(record, block))
    if there is not None:
        return [ours]
    whole, was = ({"kind": "whole"},), (f"what {path} was",)
    return [Change(path + ASIDE, aside, None, found.data, was, mode=found.mode, link=found.link, undo=whole), ours]


def _notes(repo: Repository, changes: Sequence[Change]) -> list[str]:
    notes = []
    tool = next(
        (tool for tool, sign in _REWRITERS.items() if any(sign in _seen(repo, change) for change in changes)), None
    )
    if tool:
        notes.append(
            f"{tool} writes its hooks anew when it is installed or updated: run `llmgenie init` again after that."
        )
    return notes


_REWRITERS: Mapping[str, bytes] = {
    "husky": b".husky",
    "pre-commit": b"generated by pre-commit",
    "lefthook": b"lefthook",
}
"""Tool → what its hooks hold or where they are."""


def _seen(repo: Repository, change: Change) -> bytes:
    return str(repo.hooks).encode("utf-8", "replace") + (change.before or b"")


def _ask(folder: Path, *arguments: str) -> list[str]:
    """The lines of git's answer; none when it fails or is not there."""
    try:
        done = run_git(folder, ["-c", "core.quotePath=false", *arguments], timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return []
    text = done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else ""
    return text.rstrip("\n").split("\n") if text else []


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


__all__ = ["ASIDE", "HOOKS", "HookPlan", "Repository", "exclude", "is_tracked", "plan_hooks", "repository", "script"]

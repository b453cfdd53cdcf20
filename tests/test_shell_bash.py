"""The corpus against bash itself: what git is really given is among what was read beforehand.

Each command that does nothing but push runs in bash, in an empty folder, with a `git` that only writes down its arguments.
"""

from __future__ import annotations

import os
import random
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from shell_corpus import WRAPPINGS, Entry, entries, wrapped

from llmgenie_mcp.operations import Operation
from llmgenie_mcp.shell import read_command

_GIT = """#!/bin/sh
case "$*" in *--show-current*|*--abbrev-ref*) echo HEAD;; esac
printf '%s\\n' "$#" "$@" >> "$GIVEN"
"""
_THROUGH = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do
  case "$1" in -u|-C|-g) shift;; --) shift; break;; esac
  shift
done
exec "$@"
"""
_VALUES = {"B": "some/branch", "REMOTE": "elsewhere", "X": "x"}
"""Variables that the corpus leaves open."""
# not here: another git than the one on PATH, programs without an end, other users' shells
_NOT_RUN = (
    "/usr/bin",
    "watch ",
    "su -c",
    "script ",
    "at now",
    "env -i",
    "npx",
    "poetry",
    "parallel",
    "select ",
    "flow feature",
)


def _pushes(entry: Entry) -> bool:
    only = bool(entry.operations) and all(note.startswith("git.push") for note in entry.operations)
    return only and not any(part in entry.command for part in _NOT_RUN)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    for name, text in {"git": _GIT, "sudo": _THROUGH, "doas": _THROUGH}.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def _run(command: str, folder: Path, programs: Path) -> list[list[str]]:
    """Run a command in bash; returns the arguments of each git that was started."""
    folder.mkdir()
    given, quiet = folder.with_suffix(".given"), subprocess.DEVNULL
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "GIVEN": str(given), **_VALUES}
    text = f"shopt -s expand_aliases\n{command}\nwait"
    subprocess.run(
        ["bash", "--norc", "-c", text],
        cwd=folder,
        env=environment,
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        timeout=60,
    )
    return _calls(given)


def _missed(command: str, calls: list[list[str]]) -> list[Operation]:
    """The pushes that were done and not read beforehand."""
    found = [operation for operation in read_command(command) if operation.name == "git.push"]
    done = read_command("\n".join(shlex.join(["git", *words]) for words in calls))
    return [real for real in done if real.name == "git.push" and not any(_covers(one, real) for one in found)]


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to compare with")


@needs_bash
def test_what_bash_gives_to_git_was_read_beforehand(programs: Path, tmp_path: Path) -> None:
    ran = 0
    for number, entry in enumerate(filter(_pushes, entries())):
        calls = _run(entry.command, tmp_path / f"{number}", programs)
        ran += len(calls)
        assert not _missed(entry.command, calls), (entry.command, calls)
    assert ran >= 100


_LEAVES = (
    "git push origin main", "g='git push'; $g origin main", 'M=main; git push origin "HEAD:$M"', "git -C . push origin :main",
    "git push -q origin +x:refs/heads/m'ai'n", 'set -- origin main; git push "$@"', 'a=(push origin main); git "${a[@]}"',
    "git push origin \\\n  main", "git push origin $(echo main)", "git push origin `echo main`", "git push origin {main,x}",
    "git push 2>/dev/null origin main >/dev/null", "echo main | xargs git push origin", "git push $(printf '%s ' origin main)",
    'while read -r b; do git push origin "$b"; done <<< main', "cat > s.sh <<'END'\ngit push origin $1\nEND\nsh s.sh main",
    "find . -maxdepth 0 -exec git push origin main \\;", "read -r v b <<< 'push main'; git $v origin $b",
)  # fmt: skip


@needs_bash
def test_pushes_are_found_however_deep_they_are_wrapped(programs: Path, tmp_path: Path) -> None:
    choices = random.Random(20261124)
    ran = 0
    for number in range(120):
        command = choices.choice(_LEAVES)
        for _ in range(choices.randint(1, 4)):
            command = wrapped(command, choices.choice(sorted(WRAPPINGS)))
        calls = _run(command, tmp_path / f"{number}", programs)
        ran += len(calls)
        assert not _missed(command, calls), (command, calls)
    assert ran >= 100


def _calls(given: Path) -> list[list[str]]:
    lines = given.read_text(encoding="utf-8").split("\n") if given.exists() else [""]
    calls: list[list[str]] = []
    while lines[0]:
        count = int(lines[0])
        calls.append(lines[1 : 1 + count])
        lines = lines[1 + count :]
    return calls


def _covers(found: Operation, real: Operation) -> bool:
    """Whether what was read is what was done, or says that it is not known."""
    for name in ("branch", "remote"):
        if found.params[name] is not None and found.params[name] != real.params[name]:
            return False
    return all(bool(found.params.get(flag)) or not real.params.get(flag) for flag in ("force", "delete", "no_verify"))

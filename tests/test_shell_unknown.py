"""Pieces of a git command that nobody knows: what could make a protected operation of it asks, and nothing else does."""

from __future__ import annotations

import re

import pytest
from fuzz_scene import examples
from hypothesis import given
from hypothesis import strategies as st
from shell_corpus import entries, noted, touching

from llmgenie_mcp.shell import read_command

_PLAIN = re.compile(r"git [A-Za-z0-9 ./:=@+_-]+")
_VAGUE = re.compile(r" (branch|path|tag|what|hard)=\?")
_GIT = [
    entry
    for entry in entries()
    if _PLAIN.fullmatch(entry.command)
    and any(touching(note) for note in entry.operations)
    and not any(note.startswith("opaque") for note in entry.operations)
    and " merge-index " not in entry.command
]


def _asked(note: str) -> bool:
    """Whether the note is of what cannot be read, or is done to a branch, tag or path that nobody knows."""
    return note.startswith(("opaque ", "restraint.lift")) or (touching(note) and bool(_VAGUE.search(note)))


def _about(note: str) -> tuple[str, str]:
    """The operation, and what it is done to: flags may be lost where the branch is protected anyway."""
    name, _, rest = note.partition(" ")
    return name, " ".join(part for part in rest.split(" ") if part.startswith(("branch=", "path=", "tag=", "what=")))


@given(st.sampled_from(_GIT), st.data())
@examples(600)
def test_what_nobody_knows_hides_no_protected_operation(entry: object, data: st.DataObject) -> None:
    command = entry.command  # type: ignore[attr-defined]
    words = command.split(" ")
    at = data.draw(st.integers(1, len(words)))
    if at == len(words) or data.draw(st.booleans()):
        words.insert(at, data.draw(st.sampled_from(["$x", '"$x"'])))
    else:
        cut = data.draw(st.integers(0, len(words[at])))
        words[at] = f"{words[at][:cut]}${{x}}{words[at][cut:]}"
    text = " ".join(words)
    found = [noted(operation) for operation in read_command(text)]
    told = {_about(note) for note in found}
    wanted = [_about(note) for note in entry.operations if touching(note)]  # type: ignore[attr-defined]
    missing = [one for one in wanted if one not in told]
    assert any(map(_asked, found)) or not missing, (text, missing, found)


@pytest.mark.parametrize(
    "command",
    [
        "git reflog expire$x --all",
        "git reflog $x --all",
        "git stash $x",
        "git commit -m$x --help",
        "git commit -m $x --dry-run",
        "git commit $x --dry-run -m text",
        "git commit -q$x -m text",
        "git commit -m text $x--no-verify",
        "git commit -m$x -- --no-verify",
        "git push -v$x origin feature",
        "git push $x --dry-run origin main",
        "git clean -f -e$x -n",
        "git worktree $x ../other",
        "git submodule $x 'git push origin main'",
        "git merge --file --abort main",
        "git am --exclude --abort a.mbox",
        "git rm -r $x --cached src",
        "git tag $x -l v1",
        "git --$x commit -m text",
        "git diff --outp$x=.git/hooks/pre-commit",
        "git log $x--output=.git/hooks/pre-commit",
        "git config --file $x .git/config core.hooksPath /x",
        "rm -rf src -- --help",
        "rm -rf $x --help",
    ],
)
def test_a_piece_that_could_make_something_else_of_it_asks(command: str) -> None:
    found = [noted(operation) for operation in read_command(command)]
    assert any(touching(note) and not note.startswith("file.read") for note in found), found


@pytest.mark.parametrize(
    "command",
    [
        "git log --$x",
        "git log -$n --oneline",
        "git log --since=$when --author=$who $branch",
        "git show -$n $commit",
        "git diff --$x $a $b",
        "git diff $base..$head -- $file",
        "git reset HEAD $file",
        "git status $x",
        "git add $file",
        "git add -- $files",
        "git blame -L$a,$b $file",
        "git checkout -b$name",
        "git switch -c $name",
        "git fetch $remote $branch",
        "git stash lis$x",
        "git stash push -m$x",
        "git reflog show$x",
        "git worktree list $x",
        "git bisect start $bad $good",
        "git restore --staged $file",
        "git rm --cached $file",
        "git clean -n $dir",
        "git push --dry-run origin $branch",
        "git format-patch -$n",
        "git tag -l $pattern",
        "git rev-parse --verify $ref",
        "rm --help $x",
    ],
)
def test_a_piece_that_could_not_passes(command: str) -> None:
    found = [noted(operation) for operation in read_command(command)]
    assert not any(touching(note) and not note.startswith("file.read") for note in found), found

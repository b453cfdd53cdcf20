"""Pieces of a git command that nobody knows beforehand: whether they could make something else of it.

A word that could be an option, or the word that says what is done, counts; one that stands where a value, a revision or a
file does, passes. What it means where it passes is for the module of its command.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmgenie_mcp.shell.arguments import PATHS, UNKNOWN, may_be
from llmgenie_mcp.shell.pattern import lazily

_LOOKING = """annotate blame cherry count-objects describe for-each-ref log ls-tree merge-base name-rev rev-list shortlog
    show-branch show-ref status whatchanged diff show"""
_LOOKS = frozenset(_LOOKING.split())
"""Commands that only look, but for options of these names."""
_MORE = ("--output", "--ext-diff", "--contents", "--no-index", "--textconv")
_LOOKS_BUT = frozenset(name[:length] for name in _MORE for length in range(5, len(name) + 1))
_NUMBERS = _LOOKS | {"format-patch", "grep", "ls-files", "ls-remote", "range-diff", "cat-file", "rev-parse"}
"""Commands whose options of one letter change nothing, and where `-$n` is a number."""
# command → letters behind which a value stands in the same word (the manual pages of git 2.52)
_VALUES = {
    "commit": "mFCctSuU", "commit-tree": "mFpS", "push": "o", "merge": "mFsXS", "pull": "sXojS", "fetch": "oj", "reset": "U",
    "rebase": "xsXCS", "cherry-pick": "mXS", "revert": "mXS", "am": "pCS", "checkout": "bBtU", "switch": "cCt", "branch": "u",
    "tag": "mFun", "stash": "mU", "worktree": "bB", "clean": "e", "apply": "pC", "restore": "sU", "config": "ft",
    "update-ref": "m", "symbolic-ref": "m", "subtree": "Pbm", "archive": "o", "clone": "obcju", "notes": "mFCc", "add": "U",
}  # fmt: skip
_PARTS: dict[str, tuple[str, ...]] = {
    "reflog": ("expire", "delete", "drop"), "stash": ("drop", "clear"), "worktree": ("remove", "add"), "bisect": ("run",),
    "submodule": ("foreach",), "subtree": ("push", "add", "merge", "pull"), "credential": ("fill", "get"),
    "sparse-checkout": ("set", "init", "reapply"), "bundle": ("create",), "remote": ("add", "set-url", "rename", "remove", "rm"),
}  # fmt: skip
"""Commands by what they are told to do: the words of which it matters that one may be meant."""
_OPTION = lazily(r"--[a-z]\S*|-[A-Za-z]{1,3}")


def doubt(verb: str, words: Sequence[str]) -> str | None:
    """Why the command could be another one than it seems; None: it could not.

    Args:
        verb: git's subcommand, which is known.
        words: those behind it.
    """
    if UNKNOWN not in "".join(words):
        return None
    options, swallowed = _options(words)
    if any(_may_be_option(word, verb) for word in options):
        return "an option of git cannot be known"
    if swallowed:
        return "what is an option of git cannot be known"
    if verb in _PARTS and may_be(next((word for word in words if word[:1] != "-"), ""), _PARTS[verb]):
        return f"what git {verb} is told cannot be known"
    return None


def _options(words: Sequence[str]) -> tuple[Sequence[str], bool]:
    """The words in front of `--`, and whether those behind it could be options: the word before it may take it as its value."""
    end = words.index("--") if "--" in words else len(words)
    behind = words[end + 1 :]
    before = words[end - 1] if end and behind else ""
    takes = before[:1] in ("-", UNKNOWN) and UNKNOWN in before and "=" not in before
    return words[:end], takes and any(_OPTION.fullmatch(word) for word in behind)


def _may_be_option(word: str, verb: str) -> bool:
    """Whether the word could be an option that is not known."""
    if UNKNOWN not in word or word.startswith(PATHS):
        return False
    if word[:1] == UNKNOWN:
        rest = word.replace(UNKNOWN, "")
        return _OPTION.fullmatch(rest) is not None and (verb not in _NUMBERS or _matters(word, verb))
    if word[:1] != "-":
        return False
    if word[1:2] == UNKNOWN or word[:2] == "--":
        return _matters(word, verb) if "=" not in word.partition(UNKNOWN)[0] else False
    if verb in _NUMBERS or verb not in _VALUES:
        return False
    flags = word[1:].partition(UNKNOWN)[0]
    return not any(letter in _VALUES[verb] for letter in flags)


def _matters(word: str, verb: str) -> bool:
    """Whether the name of an option of which a part is not known could be one that does more than to look."""
    name = word.partition("=")[0]
    if verb in _LOOKS:
        return bool(name.replace(UNKNOWN, "").strip("-")) and may_be(name, _LOOKS_BUT)
    return verb not in _NUMBERS or name[:2] == "--" or name[:1] == UNKNOWN

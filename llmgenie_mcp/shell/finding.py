"""Programs that list files, and run others on them: what they print stands for the files by a pattern (`PATHS`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from llmgenie_mcp.shell.arguments import PATHS, UNKNOWN, below, parse
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.pattern import lazily

_EXECUTES = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_PRINTS = {"-print": 0, "-print0": 0, "-ls": 0, "-printf": 1}
_WRITES = frozenset({"-fprint", "-fprint0", "-fprintf", "-fls"})
_TESTS = lazily(
    r"-(type|xtype|maxdepth|mindepth|newer\w*|[acm](time|min)|[ac]newer|size|perm|user|group|uid|gid|links|inum|fstype|used"
    r"|regextype|samefile|i?lname|context|files0-from|flags|depth)"
)
"""What takes a word and narrows nothing (find(1), GNU and BSD)."""
_NAMES = lazily(r"-i?(name|path|wholename|regex)")
_FD_EXECUTES = ("-x", "-X", "--exec", "--exec-batch")
_MOST = 200
"""Patterns and commands that are gone through one by one."""
_LONGEST = 200
"""Characters of a pattern; a longer one narrows nothing."""

Names = tuple[tuple[str, str], ...]
"""Which files: (folder, pattern of the last part of their path); a folder of "" is the one that is searched."""


class _Expression:
    """What find does, read from left to right: `actions` holds each with the files that it is done to at most.

    Negation narrows nothing, for what is not of a name has any other; the branches of `-o` are narrowed each by itself.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.at = 0
        self.actions: list[tuple[str, Sequence[str], Names | None]] = []
        self.names: Names | None = () if words else None
        while self.at < len(words):
            self.names = _either(self.names, self._or(None))
            self.at += 1  # a `)` that nothing opened

    def _next(self) -> str:
        word = self.words[self.at] if self.at < len(self.words) else ""
        self.at += 1
        return word

    def _or(self, narrowed: Names | None) -> Names | None:
        found = self._and(narrowed)
        while self.at < len(self.words) and self.words[self.at] != ")":
            self.at += 1
            found = _either(found, self._and(narrowed))
        return found

    def _and(self, narrowed: Names | None) -> Names | None:
        negated = False
        while self.at < len(self.words) and self.words[self.at] not in ("-o", "-or", ",", ")"):
            word = self._next()
            if word in ("!", "-not"):
                negated = not negated
            elif word not in ("-a", "-and"):
                found = self._one(word, narrowed)
                narrowed = narrowed if negated else found
                negated = False
        return narrowed

    def _one(self, word: str, narrowed: Names | None) -> Names | None:
        """A test or an action; returns what files there are behind it."""
        if word == "(":
            found = self._or(narrowed)
            self.at += 1
            return found
        if word in _EXECUTES:
            rest = self.words[self.at :]
            ends = (i for i, given in enumerate(rest) if given == ";" or (given == "+" and rest[i - 1 : i] == ["{}"]))
            end = next(ends, len(rest))
            self.actions.append(("run", rest[:end], narrowed))
            self.at += end + 1
        elif word == "-delete":
            self.actions.append(("delete", (), narrowed))
        elif word in _WRITES:
            self.actions.append(("write", [self._next()], narrowed))
            self.at += word == "-fprintf"
        elif word in _PRINTS:
            self.actions.append(("print", (), narrowed))
            self.at += _PRINTS[word]
        elif _NAMES.fullmatch(word):
            return _both(narrowed, _named(word, self._next()))
        elif _TESTS.fullmatch(word):
            self.at += 1
        return narrowed


def _either(one: Names | None, other: Names | None) -> Names | None:
    return None if one is None or other is None else tuple(dict.fromkeys((*one, *other)))


def _both(one: Names | None, other: Names | None) -> Names | None:
    """At most what both say: the first that says something."""
    return one if one is not None and (other is None or all(name != "*" for _, name in one)) else other


def _named(test: str, pattern: str) -> Names | None:
    if len(pattern) > _LONGEST or not pattern:
        return None
    spellings = [pattern, pattern.lower()] if test.startswith("-i") else [pattern]
    form = _by_regex if test.endswith("regex") else matching if not test.endswith("name") else None
    if test.endswith("wholename"):
        form = matching
    found = [form(spelling) if form else ("", _name(spelling)) for spelling in spellings]
    return tuple(dict.fromkeys(found))


def _name(pattern: str) -> str:
    """A pattern of fnmatch(3) for one name, as one of `expressions.patterns.compile_glob`."""
    pattern = re.sub(r"\\.|[\s/]", "?", pattern.replace(UNKNOWN, "*"))
    if "[:" in pattern or "[=" in pattern or "[." in pattern:
        return "*"
    return re.sub(r"\*+", "*", pattern.replace("[^", "[!"))


def matching(pattern: str) -> tuple[str, str]:
    """Folder and last part of the paths that a pattern may match whose `*` stands for slashes too."""
    start = re.split(rf"[*?\[\\{UNKNOWN}]", pattern, maxsplit=1)[0]
    name = pattern.rpartition("/")[2]
    last = max(name.rfind(sign) for sign in ("*", "?", "]", UNKNOWN))
    if start != pattern and last >= 0:
        name = "*" + name[last + 1 :]
    return start.rpartition("/")[0], _name(name)


def _by_regex(pattern: str) -> tuple[str, str]:
    end = re.search(r"(?<!\\)(?:[\w-]|\\\.)*$", pattern)
    literal = "" if end is None or "|" in pattern else end.group().replace("\\.", ".")
    return "", f"*{literal.rpartition('/')[2]}"


def paths(roots: Sequence[str], names: Names | None) -> list[str]:
    """The words that stand for the files of those names below the folders; names that are too many narrow nothing."""
    if names is None or len(roots) * len(names) > _MOST:
        return [below(root) for root in roots]
    return list(dict.fromkeys(_pattern(root, *name) for root in roots for name in names))


def _pattern(root: str, folder: str, name: str) -> str:
    here = root in (".", "./") and folder[:1] not in ("", "/", "~", ".")
    if here or folder == root or folder.startswith(root.rstrip("/") + "/"):
        root = folder
    if name == "*":
        return below(root)
    root = "" if root in (".", "./") else root.removeprefix("./").rstrip("/") + "/"
    return f"{PATHS}{root}**/{name}"


def _find(call: Call) -> str | None:
    words = list(call.words)
    while words and re.fullmatch(r"-[LHP]|-O\d", words[0]):
        del words[0]
    start = next((index for index, word in enumerate(words) if word[:1] in ("-", "(", "!")), len(words))
    roots = words[:start] or ["."]
    expression = _Expression(words[start:])
    actions = expression.actions or [("print", (), expression.names)]
    todo = sum(len(roots) * (1 if names is None else max(len(names), 1)) for _, _, names in actions)
    if todo > _MOST:
        call.opaque("find with more than can be gone through", ["anything"])
        return None
    itself = "-maxdepth" in words[:-1] and words[words.index("-maxdepth") + 1] == "0"
    printed: list[str] = []
    for kind, given, names in actions:
        found = [PATHS + root for root in roots] if itself else paths(roots, names)
        if kind == "delete":
            call.files("file.delete", found)
        elif kind == "write":
            call.files("file.write", given)
        elif kind == "print":
            printed.extend(found)
        else:
            printed.extend(_execute(call, given, path) for path in found)
    return " ".join(word.strip() for word in printed) + "\n" if all(w.startswith(PATHS) for w in printed) else None


def _execute(call: Call, words: Sequence[str], path: str) -> str:
    return call.delegate([word.replace("{}", path) for word in words]) or PATHS + "."


def _fd(call: Call) -> str | None:
    at = next((index for index, word in enumerate(call.words) if word in _FD_EXECUTES), len(call.words))
    takes = "-e -t -d -E --extension --type --max-depth --exclude --base-directory --search-path"
    arguments = parse(call.words[:at], takes)
    roots = [*arguments.operands[1:], *arguments.values("--base-directory", "--search-path")] or ["."]
    endings = tuple(("", _name(f"*.{ending.lstrip('.')}")) for ending in arguments.values("-e", "--extension"))
    if not endings and arguments.has("-g", "--glob"):
        endings = tuple(("", _name(pattern)) for pattern in arguments.operands[:1])
    hidden = arguments.has("-H", "--hidden", "-u", "--unrestricted")
    found = paths(roots, endings or None) if hidden or endings else [PATHS + root for root in roots]
    if at == len(call.words):
        return " ".join(found)
    command = call.words[at + 1 :]
    for path in found[:_MOST]:
        call.delegate([word.replace("{}", path) for word in command] + [path] * ("{}" not in " ".join(command)))
    return None


def _ls(call: Call) -> str | None:
    arguments = parse(call.words, "-I -w -T")
    hidden = arguments.has("-a", "-A", "--all", "--almost-all")
    operands = arguments.operands or (["*", ".*"] if hidden else ["*"])
    return " ".join(PATHS + path for path in operands if UNKNOWN not in path) or None


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(("find", "gfind"), _find),
    **dict.fromkeys(("fd", "fdfind"), _fd),
    "ls": _ls,
}

"""Code of other languages: what it plainly writes and runs is taken out and read, of the rest the words are judged."""

from __future__ import annotations

import re
from dataclasses import field

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.shell import opaque
from llmgenie_mcp.shell.pattern import lazily

_ESCAPE = lazily(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|([0-3][0-7]{2}))")
_JOINT = lazily(r"['\"]\s{0,20}(?:[+.]\s{0,20})?['\"]")
_LITERAL = r"(?:'([^'\"\\\n]*)'|\"([^'\"\\\n]*)\")"
_WRITES = lazily(
    rf"(?<![\w.])open\(\s*(?:{_LITERAL}|([A-Za-z_]\w*))\s*,\s*(?:mode\s*=\s*)?['\"][rwaxbt+]{{1,3}}['\"]"
    rf"|(?<![\w.])(?:pathlib\.)?Path\(\s*{_LITERAL}\s*\)\.write_(?:text|bytes)\("
    r"|(?<![\w.)\]])([A-Za-z_]\w*)\.write_(?:text|bytes)\("
    rf"|\b(?:write|append)File(?:Sync)?\(\s*(?:{_LITERAL}|([A-Za-z_]\w*))\s*,"
)
"""Calls that write a file: Python's and Node's."""
_NAMED = lazily(rf"(?<![\w.])([A-Za-z_]\w*)\s*=\s*(?:(?:pathlib\.)?Path\(\s*{_LITERAL}\s*\)|{_LITERAL})\s*(?=[;\n,]|$)")
_CHANGES = lazily(r"(?<![\w.])([A-Za-z_]\w*)\s*(?:[-+*/|%&^]|//|\*\*)?(?:=(?!=)|:=)|\b(?:for|as)\s+([A-Za-z_]\w*)")
_MAY_CHANGE = lazily(
    r"\b(?:def|lambda|function|global|globalThis|exec|eval|setattr|globals|locals|vars|case|catch|class)\b|=>|__"
    r"|[\])}]\s{0,20}=(?![=>])|(?:^|[;\n])[ \t]{0,20}\*?\w+[ \t]{0,20},"
)
"""With these in it, a name may have another value than the one that is assigned."""
_MOVES = lazily(r"\bchdir\b|\bcwd\s*[=:]")
_RUNS = lazily(
    r"(?<![\w.])subprocess\.(?:run|call|check_call|check_output|Popen)\(\s*\[\s*"
    r"((?:(?:'[^'\\\n]*'|\"[^\"\\\n]*\")\s*,?\s*)+)\]"
)
_SPECIAL = lazily(r"\b(?:shell|executable|preexec_fn|env|input|stdin)\s*=")
_IMPORT = lazily(r"\bimport\s+(?:\w+\s*,\s*)*subprocess(?:\s*,\s*\w+)*\s*(?=[;\n]|$)")
_STRING = lazily(r"'([^'\\\n]*)'|\"([^\"\\\n]*)\"")
_SUBSTITUTION = lazily(r"\s*s([/|#,!~])(?:(?!\1)[^\\]|\\.)*\1(?:(?!\1)[^\\]|\\.)*\1[gimsx]*\s*;?\s*", re.DOTALL)
_INTERPOLATES = lazily(r"@\{|\$\{|\(\?\??\{|\$\(|`")
_PERL_PUSH = lazily(r"\bpush\s*\(?\s*@")


@dataclass(slots=True)
class Plain:
    """What was taken out of a program, and what is left of it."""

    rest: str
    writes: list[str] = field(default_factory=list)
    runs: list[list[str]] = field(default_factory=list)


def plain(code: str) -> Plain:
    """Take out of Python or Node code the files that it writes under names that stand in it, and the commands that it runs."""
    found = Plain(code)
    if not _MOVES.search(code):
        named = _names(code)
        found.rest = _WRITES.sub(lambda match: _written(match, named, found.writes), code)
        if not _SPECIAL.search(code):
            found.rest = _RUNS.sub(lambda match: _run(match, found.runs), found.rest)
    if found.runs:
        found.rest = _IMPORT.sub("", found.rest)
    return found


def _names(code: str) -> dict[str, str]:
    """Names that are assigned once, and that to a literal."""
    if _MAY_CHANGE.search(code):
        return {}
    changes: dict[str, int] = {}
    for match in _CHANGES.finditer(code):
        name = match.group(1) or match.group(2)
        changes[name] = changes.get(name, 0) + 1
    found = {match.group(1): _first(match.groups()[1:]) for match in _NAMED.finditer(code)}
    return {name: value for name, value in found.items() if changes.get(name) == 1}


def _written(match: re.Match[str], named: dict[str, str], found: list[str]) -> str:
    groups = match.groups()
    variable = groups[2] or groups[5] or groups[8]
    path = named.get(variable) if variable else _first((*groups[:2], *groups[3:5], *groups[6:8]))
    if not path:
        return match.group()
    found.append(path)
    return "("


def _run(match: re.Match[str], found: list[list[str]]) -> str:
    found.append([_first(pair) for pair in _STRING.findall(match.group(1))])
    return "("


def _first(groups: tuple[str | None, ...]) -> str:
    return next((group for group in groups if group), "")


def about(code: str) -> list[str]:
    """Which protected things code could be about: its words, also those that it spells with escapes or in pieces."""
    said = _JOINT.sub("", _ESCAPE.sub(_character, code)) if "\\" in code or "'" in code or '"' in code else code
    found = opaque.touches_of_program(code)
    if said != code:
        found.extend(name for name in opaque.touches_of_program(said) if name not in found)
    return found


def about_perl(code: str) -> list[str]:
    """`about` of Perl, where `push` is a function and a substitution alone does nothing else."""
    if _SUBSTITUTION.fullmatch(code) and not _INTERPOLATES.search(code):
        return []
    return about(_PERL_PUSH.sub("(@", code))


def _character(match: re.Match[str]) -> str:
    code = next(group for group in match.groups() if group)
    number = int(code, 8 if match.group(4) else 16)
    return chr(number) if number < 0xD800 else " "

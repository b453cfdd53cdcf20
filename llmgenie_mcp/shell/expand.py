"""Words become fields: variables, substitutions, braces and splitting, in the order of POSIX.1-2024 section 2.6."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmgenie_mcp.shell.arguments import UNKNOWN
from llmgenie_mcp.shell.lexer import append
from llmgenie_mcp.shell.parser import Parser
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.syntax import Part, ShellSyntaxError, Variable, Word
from llmgenie_mcp.shell.values import applied

if TYPE_CHECKING:
    from llmgenie_mcp.shell.reader import Reader
    from llmgenie_mcp.shell.scope import Scope

MOST = 64
"""Fields that braces may give."""

A_SIGN = 16
"""Characters that one of a value counts as where a pattern is looked for at each."""

_RANGE = lazily(r"(-?\d+)\.\.(-?\d+)|([a-z])\.\.([a-z])|([A-Z])\.\.([A-Z])")
_HIDE, _SHOW = str.maketrans("~", "\ue004"), str.maketrans("\ue004\ue005\ue006\ue007", "~ \t\n")
_BLANKS = str.maketrans(" \t\n", "\ue005\ue006\ue007")
"""Blanks that separate no fields, as IFS says."""
_NUMBERS = frozenset({"$", "!", "PPID", "BASHPID", "RANDOM", "SRANDOM", "SECONDS", "EPOCHSECONDS", "UID", "EUID"})
_NUMBER = "1000"
"""Stands for numbers that cannot be known and that nothing is chosen by."""
_PLACES = lazily("[\U000f0000-\U000fffff]")
_PLACE = 0xF0000
"""Characters from here on stand for the parts of a word that are no plain text while braces are expanded."""


def fields(word: Word, reader: Reader, scope: Scope) -> list[str]:
    """The fields that `word` becomes: mostly one; none for an empty variable, several for lists of values."""
    if isinstance(word, str):
        return [word]
    if any(part.kind == "text" and not part.quoted and "{" in part.value for part in word):
        return [field for alternative in _alternatives(word) for field in _fields(alternative, reader, scope)]
    return _fields(word, reader, scope)


def _fields(word: list[Part], reader: Reader, scope: Scope) -> list[str]:
    if word and len(word) <= 2 and not (len(word) == 2 and word[0].value):
        listed = _listed(word[-1], scope)
        if listed is not None:
            return listed
    done: list[str] = []
    current: str | None = None
    for part in word:
        text = value(part, reader, scope)
        if part.kind == "text" and not part.quoted:
            current = (current or "") + text if text else current
        elif part.quoted or part.kind in ("process", "sink"):
            current = (current or "") + text.translate(_HIDE)
        else:
            current = _split(text, current, done, scope)
    if current is not None:
        done.append(current)
    return [_finish(field, reader, scope) for field in done]


def text(word: Word, reader: Reader, scope: Scope) -> str:
    """The one text that `word` becomes where no splitting is done: in assignments and redirections."""
    if isinstance(word, str):
        return word
    found = "".join(
        value(part, reader, scope).translate(_HIDE) if part.quoted else value(part, reader, scope) for part in word
    )
    return _finish(found, reader, scope)


def value(part: Part, reader: Reader, scope: Scope) -> str:
    """What a part stands for; may hold `UNKNOWN`."""
    if part.kind == "text":
        return str(part.value)
    if part.kind == "variable":
        found = _variable(part.value, reader, scope)
    elif part.kind == "command":
        found = reader.output(part.value, scope).rstrip("\n")
    elif part.kind in ("process", "sink"):
        found = f"/dev/fd/{len(scope.texts) + 63}"
        given = UNKNOWN if part.kind == "sink" else ""
        scope.texts[found] = reader.output(part.value, scope, given)
    else:
        for inner in part.value:
            value(inner, reader, scope)
        found = UNKNOWN
    reader.spend(len(found))
    return found


def _variable(variable: Variable, reader: Reader, scope: Scope) -> str:
    argument = "".join(value(part, reader, scope) for part in variable.argument)
    found = _lookup(variable.name, reader, scope)
    operator = variable.operator.lstrip(":")
    if variable.operator == "":
        return found
    if variable.operator == "@" and argument == "P":
        return _prompt(found, reader, scope)
    if UNKNOWN in found:  # most often it is not set, and takes the value given here
        if operator == "=":
            scope.variables[variable.name] = UNKNOWN
        return found
    empty = found == ""
    if operator == "=" and empty:
        scope.variables[variable.name] = argument
    if operator in ("-", "="):
        return argument if empty else found
    if operator == "+":
        return "" if empty else argument
    reader.spend(len(found) * A_SIGN)
    return found if operator == "?" else applied(variable.operator, found, argument)


def _prompt(found: str, reader: Reader, scope: Scope) -> str:
    """`${name@P}`: the value is expanded once more."""
    try:
        return text(Parser(found).until_end(), reader, scope)
    except ShellSyntaxError:
        return UNKNOWN


def _lookup(name: str, reader: Reader, scope: Scope) -> str:
    if name in scope.variables:
        found = scope.variables[name]
        return found if isinstance(found, str) else found[0] if found else ""
    if name.isdigit() or name in ("@", "*"):
        if name == "0":
            return scope.zero
        if scope.arguments is None:
            return UNKNOWN
        return " ".join(scope.arguments) if name in "@*" else "".join(scope.arguments[int(name) - 1 : int(name)])
    if name == "IFS":
        return " "
    if name in _NUMBERS:
        return _NUMBER
    if name == "PWD" and scope.folder != "":
        return scope.folder or UNKNOWN
    outside = reader.surroundings.variable(name)
    return UNKNOWN if outside is None else outside


def _listed(part: Part, scope: Scope) -> list[str] | None:
    """The elements of `"$@"` or `"${array[@]}"` that a whole word consists of."""
    if part.kind != "variable" or part.value.operator:
        return None
    name = part.value.name
    if name in ("@", "*"):
        return None if scope.arguments is None else list(scope.arguments)
    array = scope.variables.get(name[:-3]) if name.endswith(("[@]", "[*]")) else None
    return list(array) if isinstance(array, list) else None


def _split(text: str, current: str | None, done: list[str], scope: Scope) -> str | None:
    """Add an unquoted value to the field at hand; its blanks end fields, or the characters of IFS where that was set."""
    separators = scope.variables.get("IFS")
    if separators is not None:
        if not isinstance(separators, str) or UNKNOWN in separators:
            return (current or "") + UNKNOWN
        if not separators:
            return (current or "") + text.translate(_HIDE) if text else current
        text = text.translate({**_BLANKS, **dict.fromkeys(map(ord, separators), " ")})
    pieces = text.split()
    if not pieces:
        if text and current is not None:
            done.append(current)
            return None
        return current
    if current is not None and text[0].isspace():
        done.append(current)
        current = None
    pieces = [piece.translate(_HIDE) for piece in pieces]
    pieces[0] = (current or "") + pieces[0]
    done.extend(pieces[:-1])
    if text[-1].isspace():
        done.append(pieces[-1])
        return None
    return pieces[-1]


def _alternatives(word: list[Part]) -> list[list[Part]]:
    """The words that the braces of a word give: that comes before all other expansions."""
    text = "".join(
        _PLACES.sub("\ufffd", part.value) if part.kind == "text" and not part.quoted else chr(_PLACE + index)
        for index, part in enumerate(word)
    )
    found = _braced(text)
    if len(found) > MOST:
        return [[Part("text", UNKNOWN)]]
    return [_parts(alternative, word) for alternative in found]


def _parts(text: str, word: list[Part]) -> list[Part]:
    found: list[Part] = []
    for piece in re.split("([\U000f0000-\U000fffff])", text):
        if len(piece) == 1 and ord(piece) >= _PLACE:
            found.append(word[ord(piece) - _PLACE])
        else:
            append(found, piece)
    return found


def _braced(text: str) -> list[str]:
    """The alternatives of the first braces that have any, each with those of the rest."""
    start = text.find("{") if text.count("{") <= MOST else -1
    while start >= 0:
        end, choices = _choices(text, start)
        if choices:
            inner = [found for choice in choices for found in _braced(choice)]
            rest = _braced(text[end:]) if len(inner) <= MOST else [""]
            return [text[:start] + one + other for one in inner for other in rest][: MOST + 1]
        start = text.find("{", start + 1)
    return [text]


def _choices(text: str, start: int) -> tuple[int, list[str]]:
    """What stands between the commas of the braces at `start`, and where they end; nothing if they are characters."""
    depth, begin = 0, start + 1
    choices: list[str] = []
    for index in range(start, len(text)):
        here = text[index]
        if here == "{":
            depth += 1
        elif here == "," and depth == 1:
            choices.append(text[begin:index])
            begin = index + 1
        elif here == "}":
            depth -= 1
            if depth == 0:
                inside = text[begin:index]
                return index + 1, [*choices, inside] if choices else _range(inside)
    return len(text), []


def _range(text: str) -> list[str]:
    match = _RANGE.fullmatch(text)
    if match is None:
        return []
    low, high = (int(end) if match.group(1) else ord(end) for end in match.groups() if end)
    if abs(high - low) > MOST:
        return [UNKNOWN] * (MOST + 1)
    numbers = range(low, high + 1) if low <= high else range(low, high - 1, -1)
    return [str(number) if match.group(1) else chr(number) for number in numbers]


def _finish(field: str, reader: Reader, scope: Scope) -> str:
    if field[:1] == "~" and (len(field) == 1 or field[1] == "/"):
        home = _lookup("HOME", reader, scope)
        field = field if UNKNOWN in home or not home else home + field[1:]
    return field.translate(_SHOW)

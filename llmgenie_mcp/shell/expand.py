"""Words become fields: variables, substitutions, braces and splitting, in the order of POSIX.1-2024 section 2.6."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmgenie_mcp.shell.arguments import UNKNOWN
from llmgenie_mcp.shell.syntax import Part, Variable, Word

if TYPE_CHECKING:
    from llmgenie_mcp.shell.reader import Reader
    from llmgenie_mcp.shell.scope import Scope

LONGEST = 64 * 1024
"""A longer value is not known: doubling a variable over and over would take all memory."""
MOST = 64
"""Fields that braces may give."""

_LIST = re.compile(r"\{([^{}]*,[^{}]*)\}")
_RANGE = re.compile(r"\{(-?\d+)\.\.(-?\d+)\}")
_HIDE = str.maketrans("{},~", "\ue001\ue002\ue003\ue004")
_SHOW = str.maketrans("\ue001\ue002\ue003\ue004", "{},~")


def fields(word: Word, reader: Reader, scope: Scope) -> list[str]:
    """The fields that `word` becomes: mostly one; none for an empty variable, several for lists of values."""
    if isinstance(word, str):
        return [word]
    if len(word) <= 2 and (listed := _listed(word[-1], scope)) is not None and not (len(word) == 2 and word[0].value):
        return listed
    done: list[str] = []
    current: str | None = None
    braces = False
    for part in word:
        text = value(part, reader, scope)
        if part.kind == "text" and not part.quoted:
            braces = braces or "{" in text
            current = (current or "") + text
        elif part.quoted or part.kind == "process":
            current = (current or "") + text.translate(_HIDE)
        else:
            current = _split(text, current, done)
    if current is not None:
        done.append(current)
    return [_finish(field, reader, scope) for field in (_braced(done) if braces else done)]


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
    elif part.kind == "process":
        found = f"/dev/fd/{len(scope.texts) + 63}"
        scope.texts[found] = reader.output(part.value, scope)
    else:
        for inner in part.value:
            value(inner, reader, scope)
        found = UNKNOWN
    return found if len(found) <= LONGEST else UNKNOWN


def _variable(variable: Variable, reader: Reader, scope: Scope) -> str:
    argument = "".join(value(part, reader, scope) for part in variable.argument)
    found = _lookup(variable.name, reader, scope)
    if variable.operator == "" or UNKNOWN in found:
        return found
    operator = variable.operator.lstrip(":")
    empty = found == ""
    if operator in ("-", "="):
        return argument if empty else found
    if operator == "+":
        return "" if empty else argument
    return found if operator == "?" else UNKNOWN


def _lookup(name: str, reader: Reader, scope: Scope) -> str:
    if name in scope.variables:
        found = scope.variables[name]
        return found if isinstance(found, str) else found[0] if found else ""
    if name.isdigit() or name in ("@", "*"):
        if scope.arguments is None or name == "0":
            return UNKNOWN
        return " ".join(scope.arguments) if name in "@*" else "".join(scope.arguments[int(name) - 1 : int(name)])
    if name == "IFS":
        return " "
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


def _split(text: str, current: str | None, done: list[str]) -> str | None:
    """Add an unquoted value to the field at hand; its blanks end fields."""
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


def _braced(words: list[str]) -> list[str]:
    """Brace expansion; what would give very many fields is one that is not known."""
    found = list(words)
    for _ in range(8):
        following: list[str] = []
        for word in found:
            match = _LIST.search(word) or _RANGE.search(word)
            following.extend([word] if match is None else _alternatives(word, match))
        if following == found:
            break
        if len(following) > MOST:
            return [UNKNOWN]
        found = following
    return found


def _alternatives(word: str, match: re.Match[str]) -> list[str]:
    if match.re is _LIST:
        choices = match.group(1).split(",")
    else:
        low, high = int(match.group(1)), int(match.group(2))
        if abs(high - low) >= MOST:
            return [UNKNOWN]
        choices = [str(number) for number in range(low, high + 1)] or [
            str(number) for number in range(low, high - 1, -1)
        ]
    return [word[: match.start()] + choice + word[match.end() :] for choice in choices]


def _finish(field: str, reader: Reader, scope: Scope) -> str:
    if field[:1] == "~" and (len(field) == 1 or field[1] == "/"):
        home = _lookup("HOME", reader, scope)
        field = field if UNKNOWN in home or not home else home + field[1:]
    return field.translate(_SHOW)

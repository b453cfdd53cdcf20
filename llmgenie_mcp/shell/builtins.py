"""Commands of the shell itself: where it is, what its variables are, what it prints."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from llmgenie_mcp.markers import is_marker
from llmgenie_mcp.shell import outputs
from llmgenie_mcp.shell.arguments import UNKNOWN, known, parse
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.reader import quote
from llmgenie_mcp.shell.scope import inside

_ESCAPES = lazily(r"\\(x[0-9A-Fa-f]{1,2}|0?[0-7]{1,3}|.)")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "\\": "\\", "c": ""}
_FORMATS = lazily(r"%(?:%|[-+ 0#]*\d*(?:\.\d+)?([a-zA-Z]))")


def _cd(call: Call) -> str:
    arguments = parse(call.words)
    scope = call.scope
    target = arguments.operands[0] if arguments.operands else call.reader.surroundings.variable("HOME") or "~"
    before = scope.folder
    if target == "-":
        scope.folder = scope.folders[-1] if scope.folders else None
    else:
        scope.folder = inside(scope.folder, target)
        _may_fail(call, before)
    scope.folders.append(before)
    return ""


_MOST_FOLDERS = 4
_LONGEST = 1024
"""Characters of a folder that is looked for; of a longer one nobody is sure."""


def _may_fail(call: Call, before: str | None) -> None:
    """Where there is no such folder, what follows happens in the one before, unless that ends the shell."""
    scope, folder = call.scope, call.scope.folder
    if not folder or scope.strict or scope.own(folder):
        return
    if len(folder) <= _LONGEST and call.reader.surroundings.folder_exists(folder):
        return
    if before not in scope.elsewhere and len(scope.elsewhere) < _MOST_FOLDERS:
        scope.elsewhere.append(before)


def _popd(call: Call) -> str:
    scope = call.scope
    scope.folder = scope.folders.pop() if scope.folders else None
    return ""


def _pwd(call: Call) -> str:
    folder = call.scope.folder
    if folder:
        return folder + "\n"
    return (call.reader.surroundings.variable("PWD") or UNKNOWN) + "\n" if folder == "" else UNKNOWN


def _echo(call: Call) -> str:
    words = list(call.words)
    newline, escapes = "\n", False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        flags = words.pop(0)
        newline = "" if "n" in flags else newline
        escapes = "e" in flags or (escapes and "E" not in flags)
    text = " ".join(words)
    return (_unescape(text) if escapes else text) + newline


def _unescape(text: str) -> str:
    return _ESCAPES.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    code = match.group(1)
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    return _LETTERS.get(code, "\\" + code)


def _printf(call: Call) -> str:
    words = list(call.words)
    if words[:1] == ["-v"]:
        call.evaluates(words[1:2])
        call.scope.variables[words[1] if len(words) > 1 else ""] = UNKNOWN
        return ""
    if words[:1] == ["--"]:
        words.pop(0)
    if not words or UNKNOWN in words[0]:
        return UNKNOWN
    form, rest = _unescape(words[0]), words[1:]
    found = ""
    for _ in range(64):
        taken = len(rest)
        found += _FORMATS.sub(lambda match: _converted(match, rest), form)
        if not rest or len(rest) == taken:
            return found
    return UNKNOWN


def _converted(match: re.Match[str], rest: list[str]) -> str:
    letter = match.group(1)
    if letter is None:
        return "%"
    word = rest.pop(0) if rest else ""
    return word if letter in "sd" else _unescape(word) if letter == "b" else UNKNOWN


def _export(call: Call) -> str:
    call.evaluates(call.words)
    taken_away = any(word in ("-n", "+x") for word in call.words)
    for word in call.words:
        name, equals, value = word.partition("=")
        if taken_away and is_marker(name):
            call.emit("restraint.lift", what=name)
        if word.startswith("-") or not equals:
            continue
        if not call.scope.variables.get(name) or value:
            call.scope.variables[name] = value
        call.environment[name] = value
    if call.environment:
        call.assigned()
    return ""


def _unset(call: Call) -> str:
    arguments = parse(call.words)
    call.evaluates(call.words)
    for name in arguments.operands:
        if arguments.has("-f"):
            call.scope.functions.pop(name, None)
            continue
        call.scope.variables[name] = ""
        if is_marker(name) or UNKNOWN in name:
            call.emit("restraint.lift", what=known(name))
    return ""


def _forget(call: Call) -> str:
    """`read`, `mapfile`, `getopts`: what they assign cannot be known, or is what is piped in."""
    call.evaluates(call.words)
    if call.name in ("mapfile", "readarray") and (code := parse(call.words, "-C -c -d -n -O -s -t -u").value("-C")):
        call.read_apart(code, [])
    names = [word for word in call.words if word.isidentifier()]
    for name in names:
        call.scope.variables[name] = UNKNOWN
    lines = call.stdin.splitlines()
    if call.name == "read" and names and len(lines) == 1:
        separators = call.variable("IFS")
        line = (
            lines[0]
            if separators is None
            else " ".join(re.split(f"[{re.escape(separators)}]", lines[0]))
            if separators
            else lines[0]
        )
        parts = line.split(None, len(names) - 1)
        for name, part in zip(names, [*parts, *[""] * len(names)], strict=False):
            call.scope.variables[name] = part.strip()
    return ""


def _alias(call: Call) -> str:
    for word in call.words:
        name, equals, value = word.partition("=")
        if equals:
            call.scope.aliases[name] = value
    return ""


def _hash(call: Call) -> str:
    """`hash -p FILE NAME` lets NAME be FILE."""
    arguments = parse(call.words, "-p")
    file = arguments.value("-p")
    for name in arguments.operands if file else ():
        call.scope.aliases[name] = quote(file or "")
    return ""


def _set(call: Call) -> str:
    for word in call.words:
        if re.fullmatch(r"[-+][a-zA-Z]*e[a-zA-Z]*", word) or word == "errexit":
            call.scope.strict = word[0] != "+" and "+o" not in call.words
    if "--" in call.words:
        call.scope.arguments = call.words[call.words.index("--") + 1 :]
    return ""


def _shift(call: Call) -> str:
    if call.scope.arguments:
        call.scope.arguments = call.scope.arguments[1:]
    return ""


def _eval(call: Call) -> str:
    text = " ".join(call.words)
    return call.read(text)


def _trap(call: Call) -> str:
    arguments = parse(call.words)
    if arguments.operands and not arguments.has("-p", "-l"):
        if arguments.operands[1:] not in (["EXIT"], ["0"]):
            call.read(arguments.operands[0])
        call.reader.at_end(call, arguments.operands[0])
    return ""


def _which(call: Call) -> str:
    return (call.words[-1] if call.words else "") + "\n"


def _test(call: Call) -> str:
    call.evaluates(call.words)
    return ""


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return [UNKNOWN]


def _basename(call: Call) -> str:
    word = call.words[0] if call.words else ""
    if call.name == "basename":
        return word.rstrip("/").rsplit("/", 1)[-1].removesuffix(call.words[1] if len(call.words) > 1 else "") + "\n"
    return (word.rstrip("/").rpartition("/")[0] or ("/" if word.startswith("/") else ".")) + "\n"


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **outputs.HANDLERS,
    "cd": _cd, "pushd": _cd, "chdir": _cd, "popd": _popd, "pwd": _pwd, "echo": _echo, "printf": _printf,
    "export": _export, "declare": _export, "typeset": _export, "local": _export, "readonly": _export, "unset": _unset,
    "read": _forget, "mapfile": _forget, "readarray": _forget, "getopts": _forget, "alias": _alias, "set": _set,
    "shift": _shift, "eval": _eval, "trap": _trap, "which": _which, "test": _test, "[": _test, "true": _test, ":": _test,
    "false": _test, "exit": _test, "return": _test, "let": _test, "hash": _hash, "basename": _basename, "dirname": _basename,
}  # fmt: skip

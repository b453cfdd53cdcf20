"""Shells and interpreters: a shell's text is read on, other code is opaque."""

from __future__ import annotations

import re
from collections.abc import Callable

from llmgenie_mcp.shell.arguments import UNKNOWN, parse
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.opaque import touches_of_code

_SHELLS = "sh bash zsh dash ksh mksh ash fish rbash yash posh csh tcsh xonsh nu elvish".split()  # noqa: SIM905
_SHELL_VALUES = frozenset({"-O", "+O", "-o", "+o", "--rcfile", "--init-file"})

# name → options after which the code stands
_CODE: dict[str, str] = {
    "python": "-c", "node": "-e -p --eval --print", "deno": "", "bun": "-e --eval -p --print", "perl": "-e -E",
    "ruby": "-e", "php": "-r -B -R -E", "osascript": "-e", "lua": "-e", "julia": "-e -E --eval", "rscript": "-e",
    "r": "-e", "groovy": "-e", "scala": "-e", "elixir": "-e --eval", "erl": "-eval", "ghci": "-e", "guile": "-c",
    "tclsh": "-c", "gdb": "-ex --eval-command", "ts-node": "-e --eval", "tsx": "-e --eval",
}  # fmt: skip
_TAKES: dict[str, str] = {
    "python": "-c -m -W -X", "node": "-e -p -r --eval --print --require --import -C", "perl": "-e -E -I -M -m",
    "ruby": "-e -I -r -C -E", "php": "-r -B -R -E -d -c -f", "osascript": "-e -l -s",
}  # fmt: skip
_ALIASES = {"py": "python", "pypy3": "python", "nodejs": "node"}
_MODULES = {"llmgenie_mcp": "llmgenie", "llmgenie_mcp.faces.cli": "llmgenie"}


def _shell(call: Call) -> str:
    words = list(call.words)
    while words and words[0][:1] in ("-", "+") and words[0] not in ("-", "--"):
        word = words.pop(0)
        if word in _SHELL_VALUES:
            words = words[1:]
        elif word == "--command" or (word[:2] != "--" and "c" in word[1:]):
            return _text(call, words)
        elif word[:2] != "--" and "s" in word[1:]:
            return call.read_apart(call.stdin, words) if call.stdin else ""
        elif word == "--version":
            return ""
    if words[:1] in (["--"], ["-"]):
        words = words[1:]
    if words and words[0] != "/dev/stdin":
        return call.script_file(words[0], words[1:])
    return call.read_apart(call.stdin, words[1:]) if call.stdin else ""


def _text(call: Call, words: list[str]) -> str:
    """`-c TEXT`: more options may stand before the text, `$0` and `$1` and on behind it."""
    while len(words) > 1 and words[0][:1] in ("-", "+"):
        words = words[2:] if words[0] in _SHELL_VALUES else words[1:]
    return call.read_apart(words[0], words[2:]) if words else ""


def _source(call: Call) -> str:
    words = call.words[1:] if call.words[:1] == ["--"] else call.words
    if not words:
        return ""
    if words[0] == "/dev/stdin" and call.stdin:
        return call.read(call.stdin)
    call.files("file.read", words[:1])
    return call.script_file(words[0], words[1:], here=True)


def _interpreter(call: Call) -> str | None:
    name = _ALIASES.get(call.name, re.sub(r"(?:\d[\d.]*|w)$", "", call.name))
    if name == "python" and _module(call):
        return None
    arguments = parse(call.words, _TAKES.get(name, _CODE[name]), first=True, single=name in ("erl", "gdb"))
    codes = [value for value in arguments.values(*_CODE[name].split()) if value]
    file = arguments.operands[0] if arguments.operands else "-"
    if codes:
        _code(call, "\n".join(codes))
    elif name == "deno" and file == "eval":
        _code(call, " ".join(arguments.operands[1:]))
    elif file in ("-", "/dev/stdin"):
        if call.stdin and not arguments.has("--version", "-V", "-v"):
            _code(call, call.stdin)
    elif (written := call.scope.written(call.path(file))) is not None:
        _code(call, written)
    return None


def _code(call: Call, code: str) -> None:
    about = touches_of_code(code)
    if UNKNOWN in code and not code.replace(UNKNOWN, "").strip():
        about = ["anything"]
    call.opaque(f"code for {call.name}", about, text=call.text if code in call.text else f"{call.name} {code}")


def _module(call: Call) -> bool:
    """`python -m NAME …` runs what NAME's own command would; whether that is what this is."""
    arguments = parse(call.words, "-c -m -W -X", first=True)
    name = arguments.value("-m")
    if name is None or arguments.has("-c"):
        return False
    at = next((index for index, word in enumerate(call.words) if re.match(r"-[A-VYZa-z]*m", word)), None)
    start = None if at is None else at + (2 if call.words[at].endswith("m") else 1)
    rest = arguments.operands if start is None else call.words[start:]
    program = _MODULES.get(name.removesuffix(".__main__"), name.removesuffix(".__main__"))
    from llmgenie_mcp.shell.commands import HANDLERS

    if program in HANDLERS:
        call.delegate([program, *rest])
    return True


_EDITS_IN_PLACE = re.compile(r"-[a-zA-Z0-9]*i(?:\.\w+)?")


def _stream_editor(call: Call) -> str | None:
    """perl and ruby, whose code may end a bundle (`-pi -e CODE`, `-pie CODE`) and which edit files in place."""
    words: list[str] = []
    for word in call.words:
        bundle = re.fullmatch(r"(-[a-zA-Z0-9.]+)([eE])", word)
        words.extend([bundle.group(1), "-e"] if bundle else [word])
    flags = [word for word in words if re.fullmatch(r"-[pnlaw0sTtuUWX]*(?:i(?:\.\w+)?)?", word) and word != "-"]
    arguments = parse([word for word in words if word not in flags], _TAKES[call.name])
    codes = arguments.values("-e", "-E")
    if not codes:
        return _interpreter(call)
    _code(call, "\n".join(codes))
    in_place = any(_EDITS_IN_PLACE.fullmatch(flag) for flag in flags)
    call.files("file.write" if in_place else "file.read", arguments.operands)
    return None


def _make(call: Call) -> str | None:
    """make runs its Makefile like any program; one that the text itself writes is code."""
    arguments = parse(call.words, "-f -C -j -o -W --file --makefile --directory --eval")
    for file in arguments.values("-f", "--file", "--makefile"):
        written = call.stdin if file in ("-", "/dev/stdin") else call.scope.written(call.path(file))
        if written:
            _code(call, written)
    for text in arguments.values("--eval"):
        _code(call, text)
    return None


def _later(call: Call) -> str:
    return call.read_apart(call.stdin, []) if call.stdin else ""


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(_SHELLS, _shell),
    **dict.fromkeys(_CODE, _interpreter),
    **dict.fromkeys(_ALIASES, _interpreter),
    **dict.fromkeys(("python2", "python3", "pythonw", *(f"python3.{minor}" for minor in range(6, 20))), _interpreter),
    **dict.fromkeys(("perl", "ruby"), _stream_editor),
    **dict.fromkeys(("source", "."), _source),
    **dict.fromkeys(("make", "gmake"), _make),
    **dict.fromkeys(("at", "batch"), _later),
}

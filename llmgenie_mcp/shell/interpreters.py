"""Shells and interpreters: a shell's text is read on, other code is opaque."""

from __future__ import annotations

import re
from collections.abc import Callable

from llmgenie_mcp.shell import code as codes
from llmgenie_mcp.shell import programs
from llmgenie_mcp.shell.arguments import UNKNOWN, parse
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.opaque import touches, touches_of_code
from llmgenie_mcp.shell.pattern import lazily

_SHELLS = "sh bash zsh dash ksh mksh ash fish rbash yash posh csh tcsh xonsh nu elvish".split()  # noqa: SIM905
_SHELL_VALUES = frozenset({"-O", "+O", "-o", "+o", "--rcfile", "--init-file"})

# name → options after which the code stands
_CODE: dict[str, str] = {
    "python": "-c", "node": "-e -p --eval --print", "deno": "", "bun": "-e --eval -p --print", "perl": "-e -E",
    "ruby": "-e", "php": "-r -B -R -E", "osascript": "-e", "lua": "-e", "julia": "-e -E --eval", "rscript": "-e",
    "r": "-e", "groovy": "-e", "scala": "-e", "elixir": "-e --eval", "erl": "-eval", "ghci": "-e", "guile": "-c",
    "tclsh": "-c", "gdb": "-ex --eval-command", "ts-node": "-e --eval", "tsx": "-e --eval", "octave": "--eval",
    "gnuplot": "-e", "ipython": "-c", "emacsclient": "-e --eval",
}  # fmt: skip
_TAKES: dict[str, str] = {
    "python": "-c -m -W -X", "node": "-e -p -r --eval --print --require --import -C", "perl": "-e -E -I -M -m",
    "ruby": "-e -I -r -C -E", "php": "-r -B -R -E -d -c -f", "osascript": "-e -l -s",
}  # fmt: skip
_ALIASES = {"py": "python", "pypy3": "python", "nodejs": "node"}
_MOST = 16
"""Commands in one program's code that are read."""
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
    return call.read_apart(words[0], words[2:], zero=words[1] if len(words) > 1 else "") if words else ""


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
    given = [value for value in arguments.values(*_CODE[name].split()) if value]
    file = arguments.operands[0] if arguments.operands else "-"
    if given:
        _code(call, "\n".join(given))
    elif name == "deno" and file == "eval":
        _code(call, " ".join(arguments.operands[1:]))
    elif file in ("-", "/dev/stdin"):
        if call.stdin and not arguments.has("--version", "-V", "-v"):
            _code(call, call.stdin)
    elif "llmgenie_mcp" in (call.path(file) or file).split("/"):
        leash = file.endswith("leash.py")
        call.delegate(arguments.operands[2:] if leash else ["llmgenie", *arguments.operands[1:]])
    else:
        if file.endswith("setup.py") and "upload" in arguments.operands[1:]:
            call.emit("package.publish", version=None)
        _file(call, file)
    return None


def _file(call: Call, file: str) -> None:
    """Code in a file: what the text wrote there, and what lies among temporary files, where an earlier command put it."""
    path = call.path(file)
    written = call.scope.written(path)
    if written is not None and not call.scope.edited(path):
        _code(call, written)
    elif programs.temporary(call, path) and (text := call.script_text(file)) is not None:
        _code(call, text)


def _code(call: Call, code: str) -> None:
    writes: list[str] = []
    runs: list[list[str]] = []
    if UNKNOWN in code and not code.replace(UNKNOWN, "").strip():
        about = ["anything"]
    elif call.name == "perl":
        about = codes.about_perl(code)
    elif call.name.startswith(("py", "node", "ipython", "bun", "deno", "ts")):
        plain = codes.plain(code)
        about, writes, runs = codes.about(plain.rest), plain.writes, plain.runs
    else:
        about = codes.about(code)
    call.opaque(f"code for {call.name}", about, text=call.text if code in call.text else f"{call.name} {code}")
    call.files("file.write", writes)
    for words in runs[:_MOST]:
        call.delegate(words)


def _module(call: Call) -> bool:
    """`python -m NAME …` runs what NAME's own command would; whether that is what this is."""
    arguments = parse(call.words, "-c -m -W -X", first=True)
    name = next(iter(arguments.values("-m")), None)
    if name is None or arguments.has("-c"):
        return False
    at = next((index for index, word in enumerate(call.words) if re.match(r"-[A-VYZa-z]*m", word)), None)
    start = None if at is None else at + (2 if call.words[at].endswith("m") else 1)
    rest = arguments.operands if start is None else call.words[start:]
    if name == "llmgenie_mcp.upstream.leash":  # runs a program, behind a number
        call.delegate(rest[1:])
    if name == "timeit":
        _code(call, "\n".join(rest))
    if name in ("runpy", "cProfile", "profile", "trace", "coverage"):
        programs.within(call, rest)
    program = _MODULES.get(name.removesuffix(".__main__"), name.removesuffix(".__main__"))
    from llmgenie_mcp.shell.commands import HANDLERS

    if program in HANDLERS:
        call.delegate([program, *rest])
    return True


_EDITS_IN_PLACE = lazily(r"-[a-zA-Z0-9]*i(?:\.\w+)?")


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


_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")


def _make(call: Call) -> str | None:
    """make runs its Makefile like any program; one that the text itself writes is code."""
    arguments = parse(call.words, "-f -C -j -o -W --file --makefile --directory --eval")
    for file in arguments.values("-f", "--file", "--makefile"):
        written = call.stdin if file in ("-", "/dev/stdin") else call.scope.written(call.path(file))
        if written:
            _makefile(call, written)
    folder = arguments.value("-C", "--directory") or "."
    for name in () if arguments.has("-f", "--file", "--makefile") else _MAKEFILES:
        path = call.path(f"{folder}/{name}")
        if (written := call.scope.written(path)) and not call.scope.edited(path):
            _makefile(call, written)
    for text in arguments.values("--eval"):
        _makefile(call, text)
    return None


def _makefile(call: Call, text: str) -> None:
    about = touches_of_code(text) if text.replace(UNKNOWN, "").strip() else ["anything"]
    call.opaque(f"code for {call.name}", about, text=call.text if text in call.text else f"{call.name} {text}")


def _emacs(call: Call) -> str | None:
    from llmgenie_mcp.shell import writing

    arguments = parse(call.words, "-eval --eval -l --load -f --execute --funcall", single=True)
    given = arguments.values("--eval", "-eval", "--execute")
    if given:
        call.opaque("code for emacs", touches_of_code("\n".join(given)))
    return writing.HANDLERS[call.name](call)


def _m4(call: Call) -> str | None:
    call.files("file.read", parse(call.words, "-D -U -I -o").operands)
    if "cmd" in call.stdin:
        call.opaque("code for m4", touches_of_code(call.stdin))
    return None


def _later(call: Call) -> str:
    return call.read_apart(call.stdin, []) if call.stdin else ""


def _crontab(call: Call) -> str:
    if call.stdin and parse(call.words, "-u").operands in ([], ["-"]):
        call.opaque("runs commands later", touches(call.stdin) or ["anything"])
    return ""


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(_SHELLS, _shell),
    **dict.fromkeys(_CODE, _interpreter),
    **dict.fromkeys(_ALIASES, _interpreter),
    **dict.fromkeys(("python2", "python3", "pythonw", *(f"python3.{minor}" for minor in range(6, 20))), _interpreter),
    **dict.fromkeys(("perl", "ruby"), _stream_editor),
    **dict.fromkeys(("source", "."), _source),
    **dict.fromkeys(("make", "gmake"), _make),
    **dict.fromkeys(("at", "batch"), _later),
    "crontab": _crontab,
    "emacs": _emacs,
    "m4": _m4,
}

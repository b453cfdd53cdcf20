"""Programs that list files, and run others on them: what they print stands for the files by a pattern (`PATHS`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmgenie_mcp.shell.arguments import PATHS, UNKNOWN, parse
from llmgenie_mcp.shell.call import Call

_EXECUTES = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_FD_EXECUTES = ("-x", "-X", "--exec", "--exec-batch")


def _find(call: Call) -> str | None:
    words = [word for word in call.words if word not in ("-L", "-H", "-P")]
    start = next((index for index, word in enumerate(words) if word[:1] in ("-", "(", "!")), len(words))
    names = [
        words[index + 1]
        for index, word in enumerate(words[:-1])
        if word in ("-name", "-iname") and words[index - 1] not in ("!", "-not")
    ]
    found = [_found(root, name) for root in words[:start] or ["."] for name in names or [""]]
    for index, word in enumerate(words):
        if word == "-delete":
            call.files("file.delete", [PATHS + path for path in found])
        elif word in ("-fprint", "-fprintf", "-fls", "-fprint0"):
            call.files("file.write", words[index + 1 : index + 2])
        elif word in _EXECUTES:
            _execute(call, words[index + 1 :], found)
    return " ".join(PATHS + path for path in found if " " not in path) + "\n"


def _execute(call: Call, words: Sequence[str], found: Sequence[str]) -> None:
    end = next((index for index, word in enumerate(words) if word in (";", "+")), len(words))
    for path in found:
        call.delegate([word.replace("{}", PATHS + path) for word in words[:end]])


def _found(root: str, name: str) -> str:
    if not name or UNKNOWN in name:
        return root
    folder = root.removeprefix("./").rstrip("/") if root not in (".", "./") else ""
    return f"{folder}/**/{name}" if folder else f"**/{name}"


def _fd(call: Call) -> str | None:
    at = next((index for index, word in enumerate(call.words) if word in _FD_EXECUTES), None)
    if at is not None:
        command = call.words[at + 1 :]
        call.delegate([word.replace("{}", PATHS + ".") for word in command] + [PATHS + "."] * ("{}" not in command))
        return None
    arguments = parse(call.words, "-e -t -d -E --extension --type --max-depth --exclude")
    return " ".join(PATHS + root for root in arguments.operands[1:] or ["."])


def _ls(call: Call) -> str | None:
    operands = parse(call.words, "-I -w -T").operands or ["*"]
    return " ".join(PATHS + path for path in operands if UNKNOWN not in path) or None


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(("find", "gfind"), _find),
    **dict.fromkeys(("fd", "fdfind"), _fd),
    "ls": _ls,
}

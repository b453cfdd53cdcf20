"""What programs write and delete: tables of their options, after their manual pages (GNU and BSD)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence

from llmgenie_mcp.shell.arguments import UNKNOWN, parse
from llmgenie_mcp.shell.call import Call, is_program

# name → (options that take a value, operands before the files)
_WRITERS: dict[str, tuple[str, int]] = {
    "touch": ("-d -r -t --date --reference", 0), "truncate": ("-s -r --size --reference", 0), "sponge": ("", 0),
    "chmod": ("--reference", 1), "chown": ("--reference --from", 1), "chgrp": ("--reference", 1), "chattr": ("-v -p", 1),
    "chflags": ("", 1), "setfacl": ("-m -x -M -X", 0), "ed": ("-p", 0), "ex": ("-c", 0), "mkfifo": ("-m", 0),
    "fallocate": ("-l -o --length", 0), "mknod": ("-m", 0), "unix2dos": ("", 0), "dos2unix": ("", 0),
    "sd": ("-n -f", 2), "icacls": ("", 0), "attrib": ("", 0),
}  # fmt: skip
_DELETERS = {
    "rm": "", "rmdir": "", "unlink": "", "shred": "-n -s --iterations --size --random-source", "trash": "", "trash-put": "",
    "srm": "", "rimraf": "-g", "del-cli": "",
}  # fmt: skip
_MODE = re.compile(r"[-+=][rwxXstugoaij,]+")
"""A mode or a flag that looks like an option, as in `chmod -x file`."""
_EDITOR_RUNS = re.compile(r"(?:^|\n)\s*\d*!|\b[rw]\s*!")


def _writer(call: Call) -> str | None:
    takes, before = _WRITERS[call.name]
    modes = [word for word in call.words if before and _MODE.fullmatch(word)]
    arguments = parse([word for word in call.words if word not in modes], takes)
    if arguments.has("--reference") or modes:
        before = 0
    call.files("file.write", arguments.operands[before:])
    if call.name in ("ed", "ex") and _EDITOR_RUNS.search(call.stdin):
        call.opaque(f"{call.name} runs a command", text=call.stdin)
    return None


def _patch(call: Call) -> str | None:
    arguments = parse(call.words, "-p -i -d -o -D -F --strip --input --directory --output")
    call.files("file.read", arguments.values("-i", "--input"))
    if not arguments.has("--dry-run"):
        target = arguments.value("-o", "--output") or arguments.value("-d", "--directory") or "."
        call.files("file.write", arguments.operands[:1] or [target])
    return None


def _delete(call: Call) -> str | None:
    if "--help" not in call.words and "--version" not in call.words:
        call.files("file.delete", parse(call.words, _DELETERS[call.name]).operands)
    return None


def _gio(call: Call) -> str | None:
    if call.words[:1] in (["trash"], ["remove"]):
        call.files("file.delete", parse(call.words[1:]).operands)
    return None


def _copy(call: Call) -> str | None:
    """cp, mv, ln and install."""
    arguments = parse(call.words, "-t -S -m -o -g --target-directory --suffix --mode --owner --group")
    sources, target = list(arguments.operands), arguments.value("-t", "--target-directory")
    if call.name.endswith("install") and arguments.has("-d", "--directory"):
        return None
    into = target is not None
    if target is None:
        if len(sources) < 2:
            return None
        target = sources.pop()
        into = target.endswith("/") or len(sources) > 1 or target in (".", "..")
    if call.name.endswith("mv"):
        if target == "/dev/null":
            call.files("file.delete", sources)
            return None
        call.files("file.write", sources)
    elif call.name != "ln":
        call.files("file.read", sources)
    targets = _targets(sources, target, into)
    _carry(call, sources, targets)
    call.files("file.write", targets)
    return None


def _targets(sources: Sequence[str], target: str, into: bool) -> list[str]:
    if not into:
        return [target for _ in sources]
    names = [source.rstrip("/").rsplit("/", 1)[-1] for source in sources]
    return names if target in (".", "./") else [f"{target.rstrip('/')}/{name}" for name in names]


def _carry(call: Call, sources: Sequence[str], targets: Sequence[str]) -> None:
    """What is known of a file's text is known of its copy."""
    for source, target in zip(sources, targets, strict=True):
        before, after = call.path(source), call.path(target)
        if after is not None:
            call.scope.write(after, call.scope.written(before))
            if is_program(program := source.rsplit("/", 1)[-1].strip()):
                call.scope.links[posixpath.normpath(target)] = program


def _tee(call: Call) -> str:
    arguments = parse(call.words)
    call.files("file.write", arguments.operands)
    for word in [] if arguments.has("-a", "--append") else arguments.operands:
        if (path := call.path(word)) is not None:
            call.scope.write(path, call.stdin or UNKNOWN)
    return call.stdin or UNKNOWN


def _dd(call: Call) -> str | None:
    settings = dict(word.split("=", 1) for word in call.words if "=" in word)
    for name, operation in (("if", "file.read"), ("of", "file.write")):
        call.files(operation, [settings[name]] if name in settings else [])
    return None


_TAR = """-f -C -X -T -I --file --directory --exclude --strip-components --use-compress-program --to-command
    --checkpoint-action"""


def _tar(call: Call) -> str | None:
    words = list(call.words)
    if words and not words[0].startswith("-"):
        words[0] = "-" + words[0]
    arguments = parse(words, _TAR)
    for text in arguments.values("--to-command", "-I", "--use-compress-program", "--checkpoint-action"):
        call.read_apart(text.removeprefix("exec="), [])
    folder = arguments.value("-C", "--directory")
    archives = [value for value in arguments.values("-f", "--file") if value]
    if arguments.has("-x", "--extract", "--get"):
        call.files("file.read", archives)
        call.files("file.write", [] if arguments.has("-O", "--to-stdout") else [folder or "."])
    elif arguments.has("-c", "-r", "-u", "--create"):
        call.files("file.read", [f"{folder}/{word}" if folder else word for word in arguments.operands])
        call.files("file.write", archives)
    return None


def _unzip(call: Call) -> str | None:
    arguments = parse(call.words, "-d -x -P")
    if not arguments.has("-l", "-t", "-p", "-Z", "-v"):
        call.files("file.write", [arguments.value("-d") or "."])
    return None


def _compress(call: Call) -> str | None:
    arguments = parse(call.words, "-x -i -o -P -n -t -b -S")
    if call.name == "zip":
        call.files("file.read", arguments.operands[1:])
        call.files("file.write", arguments.operands[:1])
    elif not arguments.has("-c", "--stdout", "-t", "-l"):
        call.files("file.write", arguments.operands)
    return None


def _editor(call: Call) -> str | None:
    arguments = parse(call.words, "-c -S --cmd -u")
    commands = [*arguments.values("-c", "--cmd", "-S"), *(word for word in arguments.operands if word.startswith("+"))]
    if commands or (call.stdin and arguments.has("-e", "-s")):
        call.opaque("an editor runs commands", text=" ".join([call.name, *commands, call.stdin]))
        call.files("file.write", [word for word in arguments.operands if not word.startswith("+")])
    return None


def _rename(call: Call) -> str | None:
    arguments = parse(call.words)
    call.files("file.write", arguments.operands[1:])
    if call.words:
        call.opaque("code for rename", text=f"rename {arguments.operands[0] if arguments.operands else ''}")
    return None


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(_WRITERS, _writer),
    **dict.fromkeys(_DELETERS, _delete),
    **dict.fromkeys(("cp", "mv", "install", "ln", "gcp", "gmv", "ginstall"), _copy),
    **dict.fromkeys(("tar", "gtar", "bsdtar"), _tar),
    **dict.fromkeys(("zip", "gzip", "gunzip", "xz", "unxz", "bzip2", "bunzip2", "zstd"), _compress),
    **dict.fromkeys(("vi", "vim", "nvim", "emacs"), _editor),
    "gio": _gio,
    "patch": _patch,
    "tee": _tee,
    "dd": _dd,
    "unzip": _unzip,
    "rename": _rename,
}

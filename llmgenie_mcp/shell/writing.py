"""What programs write and delete: tables of their options, after their manual pages (GNU and BSD)."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence

from llmgenie_mcp.shell import patchtext
from llmgenie_mcp.shell.arguments import PATHS, UNKNOWN, below, looked_at, parse
from llmgenie_mcp.shell.call import Call, is_program
from llmgenie_mcp.shell.moving import lost
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.scope import join
from llmgenie_mcp.shell.streams import absent, given
from llmgenie_mcp.shell.unpacking import pour, unseen_patch

# name → (options that take a value, operands before the files)
_WRITERS: dict[str, tuple[str, int]] = {
    "touch": ("-d -r -t --date --reference", 0), "truncate": ("-s -r --size --reference", 0), "sponge": ("", 0),
    "chmod": ("--reference", 1), "chown": ("--reference --from", 1), "chgrp": ("--reference", 1), "chattr": ("-v -p", 1),
    "chflags": ("", 1), "setfacl": ("-m -x -M -X", 0), "ed": ("-p", 0), "ex": ("-c", 0), "mkfifo": ("-m", 0),
    "mount": ("-t -o -L -U", 1),
    "fallocate": ("-l -o --length", 0), "mknod": ("-m", 0), "unix2dos": ("", 0), "dos2unix": ("", 0),
    "sd": ("-n -f", 2), "icacls": ("", 0), "attrib": ("", 0),
}  # fmt: skip
_DELETERS = {
    "rm": "", "rmdir": "", "unlink": "", "shred": "-n -s --iterations --size --random-source", "trash": "", "trash-put": "",
    "srm": "", "rimraf": "-g", "del-cli": "",
}  # fmt: skip
_MODE = lazily(r"[-+=][rwxXstugoaij,]+")
"""A mode or a flag that looks like an option, as in `chmod -x file`."""
_EDITOR_RUNS = lazily(r"(?:^|\n)\s*\d*!|\b[rw]\s*!")


def _writer(call: Call) -> str | None:
    takes, before = _WRITERS[call.name]
    modes = [word for word in call.words if before and _MODE.fullmatch(word)]
    arguments = parse([word for word in call.words if word not in modes], takes)
    if arguments.has("--reference") or modes:
        before = 0
    files = arguments.operands[before:]
    call.files("file.write", files)
    if arguments.has("-R", "--recursive"):
        call.files("file.write", [below(word) for word in files if not any(sign in word for sign in f"*?[{PATHS[0]}")])
    if call.name in ("ed", "ex"):
        told = patchtext.text_of(call, "-")
        if told is None and not absent(call, given(call, ["-"])):
            call.opaque(f"what {call.name} is told to do cannot be seen", ["files"])
        if _EDITOR_RUNS.search(told or ""):
            call.opaque(f"{call.name} runs a command", text=told)
        _told(call, [told or "", *parse(call.words, takes).values("-c")])
    return None


def _patch(call: Call) -> str | None:
    """patch(1): without `-p`, only the last part of a name counts."""
    arguments = parse(call.words, "-p -i -d -o -D -F -B -Y -z -V -g -r --strip --input --directory --output --fuzz")
    patches = [*arguments.values("-i", "--input"), *arguments.operands[1:2]]
    call.files("file.read", patches)
    if arguments.surely("--dry-run"):
        return None
    folder = arguments.value("-d", "--directory")
    named = [value for value in (arguments.value("-o", "--output"), *arguments.operands[:1]) if value]
    number = arguments.value("-p", "--strip")
    source = patches[-1] if patches else "-"
    text = patchtext.text_of(call, source)
    targets = patchtext.read(
        text or "", None if number is None else int(number) if number.isdigit() else 0, arguments.has("-R", "--reverse")
    )
    if named or not targets:
        call.files("file.write", named[:1] or [folder or "."])
        if text is None and not named:
            unseen_patch(call, [source], folder or ".")
    else:
        patchtext.report(call, targets, folder)
    return None


def _apply_patch(call: Call) -> str | None:
    """The command by which some agents edit files: its patch is the first word, or standard input."""
    targets = patchtext.read_envelope(call.words[0] if call.words else call.stdin)
    patchtext.report(call, targets, None)
    if not targets:
        call.opaque("a patch that cannot be read", ["files"])
    return None


def _delete(call: Call) -> str | None:
    arguments = parse(call.words, _DELETERS[call.name])
    if not arguments.surely("--help", "--version"):
        call.files("file.delete", arguments.operands)
    return None


def _gio(call: Call) -> str | None:
    if call.words[:1] in (["trash"], ["remove"]):
        call.files("file.delete", parse(call.words[1:]).operands)
    elif call.words[:1] in (["move"], ["rename"], ["copy"]):
        return call.delegate(["cp" if call.words[0] == "copy" else "mv", *parse(call.words[1:]).operands])
    return None


def _copy(call: Call) -> str | None:
    """cp, mv, ln and install."""
    arguments = parse(call.words, "-t -S -m -o -g --target-directory --suffix --mode --owner --group")
    sources, target = list(arguments.operands), arguments.value("-t", "--target-directory")
    if call.name.endswith("install") and arguments.has("-d", "--directory"):
        return None
    into = target is not None
    if target is None:
        if len(sources) == 1 and call.name.endswith("ln"):
            sources.append(".")
        if len(sources) < 2:
            return None
        target = sources.pop()
        into = target.endswith("/") or len(sources) > 1 or target in (".", "..")
    targets = _targets(sources, target, into)
    leads: dict[str, str] = {}
    if call.name.endswith("mv"):
        if target == "/dev/null":
            call.files("file.delete", sources)
            return None
        call.files("file.write", sources)
        pairs = dict.fromkeys(zip(sources, targets, strict=True))
        call.files("file.delete", [source for source, moved in pairs if lost(call, source, moved)])
    elif call.name.endswith("ln"):
        symbolic = arguments.has("-s", "--symbolic")
        led = _linked(sources, targets, symbolic=symbolic)
        call.files("file.read", led)
        leads = dict(zip(targets, led, strict=True)) if symbolic else {}
        if not symbolic:  # a second name of a file: what is written by it is written to the file
            call.files("file.write", sources)
    else:
        call.files("file.read", looked_at(sources))
        call.files("file.write", sources if arguments.has("-l", "--link") else [])
    _carry(call, sources, targets)
    call.files("file.write", targets)
    _poured(call, sources, target, whole=arguments.has("-T", "--no-target-directory"))
    for name, path in leads.items():
        if (place := call.path(name)) is not None and UNKNOWN not in path:
            call.scope.leads[posixpath.normpath(place)] = path
    return None


def _poured(call: Call, sources: Sequence[str], target: str, *, whole: bool) -> None:
    """Report what lies in a folder whose contents are copied, `cp -r folder/. .`, rather than the folder itself."""
    for source in sources:
        if whole or (source.endswith(("/.", "/./")) and source.strip("./")):
            pour(call, source, target)


def _linked(sources: Sequence[str], targets: Sequence[str], *, symbolic: bool) -> list[str]:
    """What links lead to: it can be read by their names. What a symbolic one says is seen from its own folder."""
    if not symbolic:
        return list(sources)
    pairs = zip(sources, targets, strict=True)
    found = [join(target.rpartition("/")[0], source) or source for source, target in pairs]
    return [posixpath.normpath(path) if path[:1] != "~" and UNKNOWN not in path else path for path in found]


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
            if before is not None and call.scope.written(before) is None:
                call.scope.copies[posixpath.normpath(after)] = call.scope.copies.get(posixpath.normpath(before), before)
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


_TOLD = lazily(r"(?:^|[|:\n+])[\s\d,.$%]*(w|write|sav|saveas|r|read|e|edit|wq|x)!?[ \t]+(?:>>[ \t]*)?([^\s!|]+)")


def _told(call: Call, texts: Sequence[str]) -> None:
    """Report the files that an editor is told to write or to read (ed(1), `:help :write`)."""
    for verb, file in (match.groups() for text in texts for match in _TOLD.finditer(text[:4096])):
        call.files("file.read" if verb[0] in "re" else "file.write", [file])


def _editor(call: Call) -> str | None:
    arguments = parse(call.words, "-c -S --cmd -u")
    commands = [*arguments.values("-c", "--cmd"), *(word for word in arguments.operands if word.startswith("+"))]
    for file in arguments.values("-S"):
        text = call.script_text(file)
        if text is None and call.reader.surroundings.exists(call.path(file) or file):
            call.opaque(f"the script {file.replace(UNKNOWN, '…')} cannot be read", ["anything"])
        commands.append(text or "")
    _told(call, [*commands, call.stdin if arguments.has("-e", "-s") else ""])
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


# name → (options that take a value, words of which one says that files are changed, options that name such files)
_CHANGERS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "prettier": ("--config --parser --plugin --ignore-path --log-level", ("-w", "--write"), ()),
    "json": ("-f -e -c -o -j -k -E -C", ("-I", "--in-place"), ("-f",)),
    "dasel": ("-f -r -w -p -o -v -t -s --file --read --write --out --value --selector", ("put", "delete"), ("-f", "-o")),
}  # fmt: skip


def _changer(call: Call) -> str | None:
    takes, words, names = _CHANGERS[call.name]
    arguments = parse(call.words, takes)
    if any(word in call.words for word in words):
        call.files("file.write", arguments.values(*names) if names else arguments.operands)
    elif names:
        call.files("file.read", arguments.values(*names))
    return None


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(_WRITERS, _writer),
    **dict.fromkeys(_DELETERS, _delete),
    **dict.fromkeys(("cp", "mv", "install", "ln", "gcp", "gmv", "ginstall"), _copy),
    **dict.fromkeys(("vi", "vim", "nvim", "emacs"), _editor),
    **dict.fromkeys(_CHANGERS, _changer),
    "gio": _gio,
    "patch": _patch,
    "apply_patch": _apply_patch,
    "applypatch": _apply_patch,
    "tee": _tee,
    "dd": _dd,
    "rename": _rename,
}

"""Programs that pack and unpack: tables of their options, after their manual pages (GNU, BSD, Info-ZIP)."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Sequence

from llmgenie_mcp.shell.arguments import UNKNOWN, Arguments, looked_at, parse
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.streams import of_files
from llmgenie_mcp.shell.unpacking import unpack

_TAR = """-f -C -X -T -I -b -F -g -K -V --file --directory --exclude --strip-components --strip --use-compress-program
    --to-command --checkpoint-action --rsh-command --rmt-command --info-script --new-volume-script --transform --xform
    --exclude-from --files-from --owner --group --mode --mtime --newer --format --cd"""
_OLD = frozenset({"-f", "-C", "-X", "-T", "-I", "-b", "-F", "-g", "-K", "-V"})
_LETTERS = 32
_TAR_RUNS = """-I --use-compress-program --checkpoint-action --rsh-command --rmt-command -F --info-script
    --new-volume-script"""
_RENAMES = ("--transform", "--xform", "-P", "--absolute-names")


def _tar_words(call: Call) -> list[str]:
    """The words with options of the old style, whose values follow in their order, as options of the usual one."""
    words = list(call.words)
    if words and not words[0].startswith("-") and UNKNOWN not in words[0]:
        letters, rest = words[0], words[1:]
        words = []
        for option in (f"-{letter}" for letter in letters[:_LETTERS]):
            taken = option in _OLD
            words += [option, *rest[:taken]]
            rest = rest[taken:]
        words += rest
    return [*_split(call.variable("TAR_OPTIONS") or ""), *words]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return [UNKNOWN]


def _tar(call: Call) -> str | None:
    arguments = parse(_tar_words(call), _TAR)
    for text in arguments.values(*_TAR_RUNS.split()):
        call.read_apart(text.removeprefix("exec="), [])
    for text in arguments.values("--to-command"):  # it is given each file
        inner = call.with_scope(call.scope)
        inner.stdin = UNKNOWN
        inner.read_apart(text, [])
    folders = arguments.values("-C", "--directory", "--cd")
    folder = posixpath.join(*folders) if folders else None
    archives = [value for value in arguments.values("-f", "--file") if value]
    if arguments.has("-x", "--extract", "--get"):
        call.files("file.read", archives)
        if not arguments.has("-O", "--to-stdout"):
            _untar(call, arguments, archives or ["-"], folder or ".")
    elif arguments.has("-c", "-r", "-u", "--create"):
        packed = [f"{folder}/{word}" if folder else word for word in arguments.operands]
        call.files("file.read", looked_at(packed))
        call.files("file.write", archives)
        if arguments.has("--remove-files"):
            call.files("file.delete", packed)
    return None


def _untar(call: Call, arguments: Arguments, archives: Sequence[str], folder: str) -> None:
    strip = arguments.value("--strip-components", "--strip") or "0"
    top = next((value for name, value in arguments.options if name == "--one-top-level"), None)
    if top is not None:
        folder = posixpath.join(folder, top or re.sub(r"(\.tar)?\.\w+$", "", posixpath.basename(archives[-1])))
    strange = any(arguments.has(name) for name in _RENAMES) or (call.name == "bsdtar" and arguments.has("-s"))
    unpack(
        call,
        archives,
        folder,
        chosen=arguments.operands,
        strip=int(strip) if strip.isdigit() else 0,
        strange=strange or not strip.isdigit(),
    )


def _unzip(call: Call) -> str | None:
    arguments = parse(call.words, "-d -x -P")
    if not arguments.has("-l", "-t", "-p", "-Z", "-v") and arguments.operands:
        at = call.words.index("-x") if "-x" in call.words else len(call.words)  # what follows is left out
        archive, *chosen = parse(call.words[:at], "-d -P").operands or arguments.operands
        folder = arguments.value("-d") or "."
        unpack(call, [archive], folder, chosen=chosen, flat=arguments.has("-j"), strange=arguments.has("-:"))
    return None


_SUFFIX = lazily(r"\.(?:gz|xz|bz2|zst|lzma|Z|z)$|\.t([gx]z|bz2?)$")
_UNPACKS = frozenset({"gunzip", "unxz", "bunzip2", "unzstd", "unlzma"})
_CATS = frozenset({"zcat", "bzcat", "xzcat", "zstdcat", "gzcat", "lzcat"})


def _compress(call: Call) -> str | None:
    """gzip and its kin: a file gets another name, or goes to standard output."""
    arguments = parse(call.words, "-o -S -M -D -T --suffix --threads --memlimit" if call.name != "zstd" else "-o -D")
    files = arguments.operands
    unpacks = call.name in _UNPACKS or arguments.has("-d", "--decompress", "--uncompress")
    if arguments.has("-t", "-l", "--test", "--list"):
        return None
    if call.name in _CATS or arguments.has("-c", "--stdout", "--to-stdout"):
        call.files("file.read", looked_at(files))
        return of_files(call, files) if unpacks or call.name in _CATS else None
    if call.name in ("zstd", "unzstd"):
        call.files("file.read", looked_at(files))
        call.files("file.write", arguments.values("-o"))
    else:
        call.files("file.write", files)
    if unpacks and not arguments.has("-o"):
        call.files("file.write", [_SUFFIX.sub(_suffix, word) for word in files if _SUFFIX.search(word)])
    return None


def _suffix(match: re.Match[str]) -> str:
    return ".tar" if match.group(1) else ""


def _zip(call: Call) -> str | None:
    arguments = parse(call.words, "-x -i -P -n -t -b -TT --unzip-command")
    for text in arguments.values("-TT", "--unzip-command"):
        call.read_apart(text, [])
    call.files("file.read", looked_at(arguments.operands[1:]))
    call.files("file.write", arguments.operands[:1])
    if arguments.has("-m", "--move"):
        call.files("file.delete", arguments.operands[1:])
    return None


def _cpio(call: Call) -> str | None:
    arguments = parse(call.words, "-D -E -F -H -I -O -R -C --directory --file --format --owner")
    folder = (arguments.values("-D", "--directory") or ["."])[-1]
    call.files("file.read", arguments.values("-I", *(["-F"] if arguments.has("-i", "--extract") else [])))
    if arguments.has("-p", "--pass-through"):
        call.files("file.write", arguments.operands)
    elif arguments.has("-i", "--extract") and not arguments.has("-t", "--list"):
        unpack(call, arguments.values("-I", "-F", "--file") or ["-"], folder, chosen=arguments.operands)
    call.files("file.write", arguments.values("-O"))
    return None


def _seven(call: Call) -> str | None:
    verb, files = (call.words[0] if call.words else ""), [word for word in call.words[1:] if word[:1] != "-"]
    if verb in ("x", "e") and "-so" not in call.words:
        call.files("file.read", files[:1])
        folders = [word[2:] for word in call.words if re.match("-o.", word)] or ["."]
        unpack(call, files[:1], folders[-1], chosen=files[1:], flat=verb == "e")
    elif verb in ("a", "u"):
        call.files("file.read", looked_at(files[1:]))
        call.files("file.write", files[:1])
        call.files("file.delete", files[1:] if "-sdel" in call.words else [])
    return None


def _jar(call: Call) -> str | None:
    arguments = parse(
        [f"-{word}" if not at and word[:1] != "-" else word for at, word in enumerate(call.words)], "-C --file"
    )
    if arguments.has("-x", "--extract"):
        archive = [*arguments.values("--file"), *arguments.operands][:1] or ["-"]
        call.files("file.read", archive)
        unpack(call, archive, arguments.value("-C") or ".", chosen=arguments.operands[1:])
    return None


def _pax(call: Call) -> str | None:
    arguments = parse(call.words, "-f -b -o -s -x -B -D -E -G -T -U")
    reads, writes = arguments.has("-r"), arguments.has("-w")
    if reads and writes:
        call.files("file.read", looked_at(arguments.operands[:-1]))
        call.files("file.write", arguments.operands[-1:])
    elif reads:
        call.files("file.read", arguments.values("-f"))
        unpack(call, arguments.values("-f") or ["-"], ".", chosen=arguments.operands, strange=arguments.has("-s"))
    elif writes:
        call.files("file.read", looked_at(arguments.operands))
        call.files("file.write", arguments.values("-f"))
    return None


def _ditto(call: Call) -> str | None:
    """ditto copies folders, and with `-x` unpacks (macOS)."""
    arguments = parse(call.words, "--arch --bom")
    *sources, target = arguments.operands or [""]
    call.files("file.read", looked_at(sources))
    if arguments.has("-x"):
        unpack(call, sources, target or ".")
    else:
        call.files("file.write", [target])
    return None


def _unrar(call: Call) -> str | None:
    files = [word for word in call.words[1:] if word[:1] != "-"]
    if call.words[:1] in (["x"], ["e"]) and files:
        into = [word for word in files[1:] if word.endswith("/")]
        unpack(call, files[:1], (into or ["."])[-1], flat=call.words[0] == "e")
    return None


def _unar(call: Call) -> str | None:
    """unar puts what has no folder of its own into one."""
    arguments = parse(call.words, "-o -e -p -k -output-directory --output-directory")
    if arguments.operands:
        unpack(
            call,
            arguments.operands[:1],
            arguments.value("-o", "--output-directory") or ".",
            chosen=arguments.operands[1:],
        )
    return None


def _python(call: Call) -> str | None:
    """`python -m zipfile` and `python -m tarfile` (the library's reference)."""
    for option in ("-e", "--extract"):
        if option in call.words:
            archive, *folder = call.words[call.words.index(option) + 1 :] or [UNKNOWN]
            call.files("file.read", [archive])
            unpack(call, [archive], (folder or ["."])[0])
    for option in ("-c", "--create"):
        if option in call.words:
            target, *sources = call.words[call.words.index(option) + 1 :] or [UNKNOWN]
            call.files("file.read", looked_at(sources))
            call.files("file.write", [target])
    return None


HANDLERS: dict[str, Callable[[Call], str | None]] = {
    **dict.fromkeys(("tar", "gtar", "bsdtar"), _tar),
    **dict.fromkeys(("gzip", "xz", "bzip2", "zstd", "lzma", "pigz", "gzcat", *_UNPACKS, *_CATS), _compress),
    **dict.fromkeys(("7z", "7za", "7zz", "7zr"), _seven),
    **dict.fromkeys(("zipfile", "tarfile"), _python),
    "zip": _zip,
    "unzip": _unzip,
    "cpio": _cpio,
    "ditto": _ditto,
    "pax": _pax,
    "jar": _jar,
    "unrar": _unrar,
    "unar": _unar,
}

"""The files that a patch is about: unified and context diffs, git's extended headers, and the form that some agents use.

The formats are those of diff(1) and patch(1), of git-diff(1) ("Generating patch text with -p"), and of `apply_patch`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import field

from llmgenie_mcp.frozen import dataclass
from llmgenie_mcp.shell.arguments import UNKNOWN
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.streams import Stream, given

_ESCAPE = lazily(r"\\([0-7]{3}|.)")
_EPOCH = lazily(r"\s(1970-01-01|1969-12-31) ")
"""The time of a file that is not there: patch removes it."""
_ENVELOPE = lazily(r"\*\*\* (Add File|Update File|Move to|Delete File): *(.*)")


MOST = 400
"""Files of a patch that are told."""
_AS_LONG = 8
"""Characters of a patch that take as long as one of a command."""


@dataclass(slots=True)
class Targets:
    """Files by name, as they are seen from where the patch is applied; a name may hold `UNKNOWN`."""

    written: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.written or self.deleted)


def text_of(call: Call, word: str) -> str | None:
    """The text of a patch file, or of standard input for `-`; None where nothing is known of it.

    What git itself made of commits and changes counts as no patch: it brings in nothing that was not here.
    """
    stdin = call.stdin
    if word == "-" and (not stdin or stdin.replace(UNKNOWN, "").strip()):
        return stdin
    if word == "-" and isinstance(stdin, Stream) and stdin.of_git:
        return ""
    texts = [_file(call, path) for path in given(call, [word])]
    call.reader.spend(sum(len(text) for text in texts if text) // _AS_LONG)
    return None if None in texts else "\n".join(text for text in texts if text is not None)


def _file(call: Call, path: str | None) -> str | None:
    if path is None:
        return None
    written = call.scope.written(path)
    if written is None:
        return call.reader.surroundings.patch(posixpath.normpath(path))
    if isinstance(written, Stream) and written.of_git:
        return ""
    return written.strip(UNKNOWN) or (None if written else "")


def read(text: str, strip: int | None, reverse: bool) -> Targets:
    """What a diff writes and deletes.

    Args:
        text: the patch.
        strip: leading parts of names that are left out, as `-p` says; None: all but the last.
        reverse: whether it is applied the other way round, so that a new file goes away.
    """
    found = Targets()
    for before, after in _pairs(text):
        old, new = (_name(name, strip) for name in ((after, before) if reverse else (before, after)))
        if new is None and old is not None:
            found.deleted.append(old)
        elif new is not None:
            found.written.extend([new] if old in (new, None) or before == after else [*([old] if old else []), new])
        if len(found.written) + len(found.deleted) > MOST:
            break
    return found


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Old and new name of each file as they are written; what could be a header counts as one."""
    header, old, last = ("", ""), "", ""
    for line in (line.lstrip(" \t") for line in text.split("\n")):
        if line.startswith("diff --git "):
            header = _halves(line.removeprefix("diff --git "))
            old = ""
        elif line.startswith("+++ "):
            yield old, line[4:]
        elif line.startswith("--- "):
            old = line[4:]
            if last.startswith("*** ") and not last.endswith("****"):
                yield last[4:], old
        elif line.startswith("Index: "):
            yield "", line.removeprefix("Index: ")
        elif line.startswith("deleted file mode "):
            yield header[0], "/dev/null"
        elif line.startswith("new file mode "):
            yield "/dev/null", header[1]
        elif line.startswith(("new mode ", "rename to ", "copy to ", "GIT binary patch")) and header[1]:
            yield header
        last = line


def _halves(names: str) -> tuple[str, str]:
    if names.endswith('"'):
        second = names.rfind(' "')
        return names[:second], names[second + 1 :]
    middle = len(names) // 2
    if names[middle : middle + 1] == " " and names[:middle].partition("/")[2] == names[middle + 1 :].partition("/")[2]:
        return names[:middle], names[middle + 1 :]
    first, _, other = names.rpartition(" b/")
    return (first, f"b/{other}") if first else (names.partition(" ")[0], names.rpartition(" ")[2])


def _name(written: str, strip: int | None) -> str | None:
    """A name as the patch program takes it; None for `/dev/null`, which stands for no file."""
    name = written.partition("\t")[0].strip()
    if _EPOCH.search(written):
        return None
    if name[:1] == name[-1:] == '"' and len(name) > 1:
        name = _ESCAPE.sub(_unescaped, name[1:-1])
    elif "\t" not in written:
        name = re.sub(r" \d{4}-\d\d-\d\d .*$", "", name)
    if name == "/dev/null" or not name:
        return None
    parts = re.sub("/+", "/", name).split("/")
    return "/".join(parts[-1:] if strip is None or strip >= len(parts) else parts[strip:])


def _unescaped(match: re.Match[str]) -> str:
    code = match.group(1)
    return chr(int(code, 8)) if code.isdigit() and len(code) == 3 else code


def read_envelope(text: str) -> Targets:
    """What a patch of `*** Update File: name` and the like writes and deletes."""
    found = Targets()
    for line in text.splitlines():
        match = _ENVELOPE.match(line.strip())
        if match is not None and match.group(2).strip():
            (found.deleted if match.group(1) == "Delete File" else found.written).append(match.group(2).strip())
    return found


def report(call: Call, targets: Targets, folder: str | None) -> None:
    """Report the files, which are seen from `folder`, or from where the call runs."""
    if len(targets.written) + len(targets.deleted) > MOST:
        call.opaque("a patch of more files than can be gone through", ["anything"])
        return
    for operation, names in (("file.write", targets.written), ("file.delete", targets.deleted)):
        call.files(operation, [f"{folder.rstrip('/')}/{name}" if folder else name for name in names])

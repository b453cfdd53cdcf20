"""The corpus of shell commands: how `shell/corpus*.txt` is read, and how an answer is judged."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmgenie_mcp.operations import Operation

PLACE = Path(__file__).parent / "shell"
_LOOKING = frozenset({"file.read", "network"})
_WORD = re.compile(r'@\S*|[\w.]+="(?:[^"\\]|\\.)*"|\S+')
_BARE = re.compile(r'[^\s"?@][^\s"]*')

WRAPPINGS = {
    "subshell": "( {}\n)",
    "group": "{{ {}\n}}",
    "condition": "if true; then {}\nfi",
    "other branch": "if false; then :; else {}\nfi",
    "choice": "case x in y) ;; *) {}\n;; esac",
    "loop": "for once in 1; do {}\ndone",
    "condition of a loop": "while {}\nfalse; do :; done",
    "function": "wrapped() {{ {}\n}}; wrapped",
    "shell": "bash -c {quoted}",
    "wrapped shell": "env A=1 timeout 9 sh -c {quoted}",
    "eval": "eval {quoted}",
    "variable": 'text={quoted}; eval "$text"',
    "here-document": "bash <<'A_LONG_END'\n{}\nA_LONG_END",
    "pipe": "printf '%s\\n' {quoted} | bash",
    "substitution": 'echo "$( {}\n)"',
    "process substitution": "cat <(\n{}\n)",
    "after": "true && {}",
    "otherwise": "false || {{ {}\n}}",
    "not": "! {{ {}\n}}",
    "time": "time {{ {}\n}}",
    "coprocess": "coproc {{ {}\n}}",
}
"""Ways to write a command that change nothing of what it does."""


@dataclass(frozen=True)
class Entry:
    """One command.

    Attributes:
        operations: what is in it, each in the notation that `noted` writes.
        part: `tuning`, or `held_out`: what was not looked at while the reader was written.
    """

    group: str
    command: str
    operations: tuple[str, ...]
    part: str


def entries() -> list[Entry]:
    """All of the corpus, in its order."""
    found: list[Entry] = []
    group = ""
    lines = [
        line for path in sorted(PLACE.glob("corpus*.txt")) for line in path.read_text(encoding="utf-8").splitlines()
    ]
    for line in lines:
        if line.startswith("## "):
            group = line[3:]
        elif group and " ⇒" in line:
            written, _, wanted = line.rpartition(" ⇒")
            command = written.replace("⏎", "\n").replace("⇥", "\t")
            operations = tuple(_canonical(text) for text in wanted.strip().split(" + ") if text)
            found.append(Entry(group, command, operations, part(command)))
    return found


def wrapped(command: str, kind: str) -> str:
    """The command, written in one of the ways of `WRAPPINGS`."""
    return WRAPPINGS[kind].format(command, quoted=shlex.quote(command))


def part(command: str) -> str:
    """Three in ten commands are held out, by the hash of their text: adding some moves none of the others."""
    return "held_out" if hashlib.sha256(command.encode()).digest()[0] % 10 < 3 else "tuning"


def noted(operation: Operation) -> str:
    """An operation in the corpus' notation; of `opaque` only what it touches."""
    if operation.name == "opaque":
        return _joined(["opaque", *operation.params["touches"]])
    # A refspec stands in the command as it is given here.
    said = {name: value for name, value in operation.params.items() if name != "refspec"}
    words = [operation.name, *(_parameter(name, value) for name, value in said.items())]
    if operation.folder != "":
        words.append("@?" if operation.folder is None else f"@{operation.folder}")
    return _joined(words)


def touching(note: str) -> bool:
    """Whether a note is of something that changes what policies protect, or of an opaque part that could."""
    name, *rest = note.split(" ")
    return bool(rest) if name == "opaque" else name not in _LOOKING


def missed(entry: Entry, found: Sequence[str]) -> bool:
    """Whether something in the command was neither reported nor covered by an opaque part that touches something."""
    covered = any(note.startswith("opaque ") for note in found)
    return not covered and any(note not in found for note in entry.operations)


def false_alarm(entry: Entry, found: Sequence[str]) -> bool:
    """Whether something was reported for a command that does nothing of the kind."""
    return not any(map(touching, entry.operations)) and any(map(touching, found))


def _canonical(text: str) -> str:
    words = _WORD.findall(text)
    if words[0] == "opaque":
        return _joined(["opaque", *(words[1].split(",") if len(words) > 1 else [])])
    return _joined(words)


def _joined(words: Sequence[str]) -> str:
    return " ".join([words[0], *sorted(words[1:])])


def _parameter(name: str, value: object) -> str:
    if value is True:
        return name
    if value is None:
        return f"{name}=?"
    text = str(value)
    return f"{name}={text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)}"

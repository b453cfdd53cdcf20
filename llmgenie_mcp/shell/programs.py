"""Programs that no table knows: scripts are read by what they begin with, and words that are another command count as one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llmgenie_mcp.shell import opaque
from llmgenie_mcp.shell.arguments import UNKNOWN
from llmgenie_mcp.shell.call import Call
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.scope import join

_SHEBANG = lazily(r"#!\s*(?:\S*/env\s+(?:-\S+\s+)*)?(?:\S*/)?([\w.+-]+)")
_SHELL = lazily(r"(?:ba|z|da|k|mk|a|ya|po)?sh")
_FOREIGN_FOLDERS = frozenset({"node_modules", ".venv", "venv", "vendor", ".tox", ".nox", ".bin", "site-packages"})
_GENERATED = frozenset({"gradlew", "mvnw", "configure", "grailsw", "sbt", "bazelisk"})
"""Scripts that other programs wrote into a project, whose text is of those programs' making."""
_NOT_HERE = frozenset("""
    man tldr info help apropos whatis cheat notify-send say wall logger figlet cowsay jira bd task todo.sh llm
    kubectl oc k9s multipass vagrant heroku fly flyctl gcloud az aws gsutil s3cmd mc rclone lxc adb ansible docker-compose
""".split())  # fmt: skip  # noqa: SIM905
"""Programs whose words are a text for people, or that act on another machine."""
_SAID = frozenset({"-m", "--message", "-t", "--title", "-b", "--body", "-d", "--description", "--notes", "--comment"})
_BEFORE = lazily(r"(?:\+?:?!|\\!|\.(?:shell|system)\b|system\b|EXEC:|SYSTEM:|SHELL:|--[\w-]+=)\s*")
"""What programs want before a command for a shell in one of their words."""
_COMMAND = lazily(r"(?:sudo\s+)?(?:git\s+(?:-\S+\s+)*([a-z][\w-]*)|rm\s+-|(?:npx\s+|uvx\s+)?llmgenie\s)")
_BINDING = lazily(r"(^|/)\.(?!/|\./)[^/]")
"""A path with a hidden file or folder in it, such as those of settings and hooks."""
_LOOKED_AT = 8
"""Words behind `git` among which its subcommand is."""
_MOST = 8
"""Texts among the words of one program that are read."""


def run(call: Call) -> str:
    """Read what can be read of a program that has no handler; returns what is known of its output."""
    found = _script(call) if "/" in call.word else None
    if found is not None:
        return found
    _outputs(call)
    if "/" not in call.word and (other := opaque.other_shell(call.word)):
        call.opaque(f"{other} command", opaque.touches_of_code(call.text))
        return UNKNOWN
    within(call, call.words)
    return UNKNOWN


_OUTPUT = ("-o", "-O", "--output", "--out", "-out", "--outfile", "--output-file")


def _outputs(call: Call) -> None:
    """Report what the option by which most programs name their output says, where that is no everyday file."""
    for index, word in enumerate(call.words):
        if word[:1] != "-":
            continue
        name, equals, value = word.partition("=")
        if name in _OUTPUT:
            given = [value] if equals else list(call.words[index + 1 : index + 2])
            call.files("file.write", [one for one in given if _BINDING.search(one)])


def _script(call: Call) -> str | None:
    path = join(call.scope.folder, call.word)
    if path is None:
        return None
    if call.scope.written(path) is not None:
        return call.script_file(call.word, call.words)
    named = call.name.endswith((".sh", ".bash"))
    if not named and not temporary(call, path) and _made_by_programs(path):
        return None
    text = call.script_text(call.word)
    if not text:
        return None
    begins = _SHEBANG.match(text)
    if named or (_SHELL.fullmatch(begins.group(1)) if begins else temporary(call, path)):
        return call.read_apart(text, call.words)
    if begins and temporary(call, path):
        call.opaque(f"code for {begins.group(1)}", opaque.touches_of_code(text))
    return None


def temporary(call: Call, path: str | None) -> bool:
    """Whether a file lies where agents put what belongs to no project."""
    folder = call.reader.surroundings.variable("TMPDIR") or "/tmp"  # noqa: S108 - nothing is written
    return path is not None and path.startswith((folder.rstrip("/") + "/", "/tmp/", "/var/tmp/", "/dev/shm/"))  # noqa: S108


def _made_by_programs(path: str) -> bool:
    parts = path.split("/")
    return parts[-1] in _GENERATED or not _FOREIGN_FOLDERS.isdisjoint(parts)


def within(call: Call, words: Sequence[str]) -> None:
    """Run what stands among the words of a program that may run it: git, a deletion, llmgenie, or a text that begins so."""
    if call.name in _NOT_HERE:
        return
    texts = 0
    for index, word in enumerate(words):
        if command := _command(words, index):
            call.delegate(command)
            return
        if " " in word and texts < _MOST and (not index or words[index - 1] not in _SAID):
            texts += _text(call, word)


def _command(words: Sequence[str], index: int) -> list[str]:
    """The command that begins with that word; nothing when it is none that counts."""
    word = words[index]
    name = word.rsplit("/", 1)[-1].removesuffix(".exe")
    if name not in ("git", "rm", "llmgenie", "llmgenie-mcp", "llmgenie_mcp"):
        return []
    start = index + 1 + (words[index + 1 : index + 2] == ["--"])
    following = words[start : start + _LOOKED_AT]
    if name == "git":
        counts = any(_is_verb(other) for other in following)
    elif name == "rm":
        recursive = any(re.fullmatch(r"-[a-zA-Z]*[rR][a-zA-Z]*|--recursive", other) for other in following[:3])
        counts = recursive or "/" in word or words[index - 1 : index] == ["--"]
    else:
        counts = True
    return [name if name in ("git", "rm") else "llmgenie", *words[start:]] if counts else []


def _is_verb(word: str) -> bool:
    from llmgenie_mcp.shell.git_commands import VERBS

    return word in VERBS


def _text(call: Call, word: str) -> bool:
    before = _BEFORE.match(word)
    if before and before.group().partition("=")[0] in _SAID:
        return False
    text = word[before.end() :] if before else word
    match = _COMMAND.match(text)
    if match is None or (match.group(1) and not _is_verb(match.group(1))):
        return False
    call.read_apart(text, [])
    return True

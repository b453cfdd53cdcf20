"""One simple command: its words, what it is given, and what a handler may do with it."""

from __future__ import annotations

import posixpath
from functools import cache
from typing import TYPE_CHECKING

from llmgenie_mcp.markers import is_marker
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.shell import opaque, variables
from llmgenie_mcp.shell.arguments import UNKNOWN, known
from llmgenie_mcp.shell.evaluated import in_qualifiers, in_subscripts, program_name
from llmgenie_mcp.shell.scope import EDITED, Scope, join

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmgenie_mcp.shell.reader import Reader

ORDINARY = frozenset({
    "EDITOR", "VISUAL", "GIT_EDITOR", "PAGER", "BROWSER", "PYTHON", "PYTHON3", "PY", "PIP", "NODE", "NPM", "CC",
    "CXX", "LD", "AR", "MAKE", "CMAKE", "CARGO", "GO", "JAVA", "JAVACMD", "RUBY", "CHROME", "TERMINAL", "TEST_CMD",
    "PYTEST",
})  # fmt: skip
"""Variables that by custom name a program of one kind."""
_HOOK_SWITCHES = {"HUSKY": ("0", "false"), "LEFTHOOK": ("0", "false"), "HUSKY_SKIP_HOOKS": ("1", "true"),
                  "OVERCOMMIT_DISABLE": ("1", "true"), "SKIP_SIMPLE_GIT_HOOKS": ("1", "true")}  # fmt: skip
"""Variables by which hook runners are told to run no hooks (their documentation)."""
_ATTRIBUTES = frozenset(
    {"chmod", "chown", "chgrp", "chattr", "chflags", "setfacl", "touch", "mkdir", "icacls", "attrib", "git"}
)
"""Programs that change no file's text, or bring back one that is known to git."""
_COPIES = frozenset({"cp", "mv", "ln", "install", "gcp", "gmv", "ginstall"})
_EDITORS = frozenset(
    {"sed", "gsed", "perl", "ruby", "awk", "gawk", "patch", "sd", "ed", "ex", "yq", "dos2unix", "unix2dos"}
)
_BRINGS = frozenset({"mv", "gmv", "ln", "rsync", "mount", "rename", "gio"})
"""Programs that may put a file that was elsewhere, or a way to it, into a folder."""
_LONGEST_NAME = 64
_A_PATTERN = 2048
"""Characters that it counts as to look for a pattern among all programs."""
_FOLDERS = 64
"""Folders of PATH that are looked into."""
SETTINGS = UNKNOWN + "\ue011"
"""The output of a program that prints settings for a shell, which people `eval`."""
_PRINTS_SETTINGS: dict[str, tuple[str, ...]] = {
    "ssh-agent": (), "dircolors": (), "lesspipe": (), "keychain": (),
    "register-python-argcomplete": (), "resize": (), "tset": (), "brew": ("shellenv",), "direnv": ("hook", "export"),
    "pyenv": ("init", "virtualenv-init"), "rbenv": ("init",), "nodenv": ("init",), "goenv": ("init",),
    "jenv": ("init",), "starship": ("init",), "zoxide": ("init",), "atuin": ("init",), "fnm": ("env",),
    "mise": ("activate", "env", "hook-env"), "opam": ("env",), "docker-machine": ("env",), "fzf": ("--bash", "--zsh"),
    "minikube": ("docker-env",), "luarocks": ("path",), "conda": ("shell.bash", "shell.zsh", "shell.posix"),
    "kubectl": ("completion",), "thefuck": ("--alias",), "gh": ("completion",), "rustup": ("completions",),
    "pip": ("completion",), "npm": ("completion",),
}  # fmt: skip


def prints_settings(name: str, words: Sequence[str]) -> bool:
    """Whether the command prints nothing but settings for a shell (the programs' own documentation)."""
    verbs = _PRINTS_SETTINGS.get(name)
    return verbs is not None and (not verbs or any(word in verbs for word in words[:2]))


class Everything(Exception):
    """The text as a whole cannot be read; the message says why."""


def is_program(name: str) -> bool:
    """Whether a command of that name is a program that is known here, rather than the shell's own."""
    return name in _programs()


@cache
def _programs() -> frozenset[str]:
    from llmgenie_mcp.shell import builtins
    from llmgenie_mcp.shell.commands import HANDLERS

    return frozenset(HANDLERS) - frozenset(builtins.HANDLERS)


class Call:
    """A command about to run.

    Attributes:
        name: the program without folder and `.exe`, in lower case, as some file systems take it.
        words: its arguments, which may hold `UNKNOWN`.
        text: how it is written, for messages.
        stdin: what is known of its standard input; "" where nothing is given.
        environment: assignments that stand before it.
    """

    __slots__ = ("environment", "name", "reader", "scope", "stdin", "text", "word", "words")

    def __init__(
        self,
        word: str,
        words: list[str],
        text: str,
        stdin: str,
        scope: Scope,
        reader: Reader,
        environment: dict[str, str],
    ) -> None:
        self.word = word
        name = word.replace("\\", "/").rsplit("/", 1)[-1].lower().removesuffix(".exe").removesuffix(".cmd")
        self.name = program_name(name) if name[:1] in "=z" else name
        self.words = words
        self.text = text
        self.stdin = stdin
        self.scope = scope
        self.reader = reader
        self.environment = environment

    def run(self) -> str:
        """Hand the command to the handler of its name; returns what is known of its output."""
        from llmgenie_mcp.shell.commands import HANDLERS

        if self.environment:
            self.assigned()
        if ")" in self.text:
            for code in in_qualifiers(self.words):
                self.read_apart(code, [])
        if "/" in self.word and (linked := self.scope.links.get(posixpath.normpath(self.word))):
            self.name = linked
        if UNKNOWN in self.name or (any(c in self.name for c in "*?[") and self.name not in ("[", "[[")):
            return self._not_known()
        if (path := self._on_path()) is not None:
            return self.script_file(path, self.words)
        if prints_settings(self.name, self.words):
            return SETTINGS
        handler = HANDLERS.get(self.name)
        self._created()
        if handler is not None:
            found = handler(self)
            return UNKNOWN if found is None else found
        if self.name.startswith("git-") and self._is_verb():
            return self.delegate(["git", self.name[4:], *self.words])
        from llmgenie_mcp.shell import programs

        return programs.run(self)

    def _not_known(self) -> str:
        whole = " ".join([self.name, *self.words])
        rest = whole.replace(UNKNOWN, " ")
        written = self.text.split(None, 1)[0].strip("\"'${}") if self.text else ""
        if UNKNOWN not in self.name:
            self.opaque(
                "the command's name is a pattern", ["anything"] if self._stands_for_known() else opaque.touches(rest)
            )
        elif written in ORDINARY:
            self.opaque("the program is named by a variable", opaque.touches(rest))
        elif rest.strip():
            self.opaque(
                "the command's name cannot be known",
                opaque.touches(f"{rest}\n{whole.replace(UNKNOWN, '').replace('git-', 'git ')}"),
            )
        else:
            self.opaque("nothing of the command can be known", ["anything"])
        return UNKNOWN

    def _stands_for_known(self) -> bool:
        """Whether the pattern that is the command's name may stand for a program that is known here."""
        from fnmatch import filter as matching

        from llmgenie_mcp.shell.commands import HANDLERS

        self.reader.spend(_A_PATTERN)
        return len(self.name) > _LONGEST_NAME or bool(matching(HANDLERS, self.name))

    def _is_verb(self) -> bool:
        from llmgenie_mcp.shell.git_commands import VERBS

        return self.name[4:] in VERBS

    def _on_path(self) -> str | None:
        """The file that the command runs where the text itself wrote one into a folder of PATH."""
        folders = self.variable("PATH")
        if folders is None or "/" in self.word or not self.scope.texts:
            return None
        paths = (f"{folder}/{self.word}" for folder in folders.split(":", _FOLDERS)[:_FOLDERS] if folder)
        return next((path for path in paths if self.scope.written(self.path(path)) is not None), None)

    def _created(self) -> None:
        """Remember what the command made that was not there before; what may bring other files there ends that."""
        if self.name in ("touch", "mkdir"):
            for word in self.words:
                self.created(self.path(word) if word[:1] != "-" else None)
        elif self.name in _BRINGS or (self.name == "git" and "mv" in self.words):
            self.scope.made.clear()

    def created(self, path: str | None) -> None:
        """Remember that the text makes a file or folder, if nothing is there yet."""
        if path is not None:
            self.reader.created(path, self.scope)

    def assigned(self) -> None:
        """What setting variables does by itself: lifting restraints, or naming programs that will run."""
        self.evaluates(self.environment.values())
        for name, value in self.environment.items():
            if (is_marker(name) and value == "") or name.startswith("LLMGENIE_"):
                self.emit("restraint.lift", what=name)
            elif name.startswith("GIT_CONFIG_") and "core.hookspath" in value.lower():
                self.emit("restraint.lift", what="core.hooksPath")
            else:
                variables.run(self, name, value)

    def evaluates(self, words: Iterable[str]) -> None:
        """Read the commands in words that are evaluated once more."""
        for code in in_subscripts(words):
            self.read_apart(code, [])

    @property
    def hooks_off(self) -> bool:
        """Whether a variable tells the hook runners to do nothing."""
        return any(str(self.variable(name)).lower() in values for name, values in _HOOK_SWITCHES.items())

    def variable(self, name: str) -> str | None:
        """A variable as this command sees it, as far as the text says."""
        found = self.environment.get(name, self.scope.variables.get(name))
        return found if isinstance(found, str) else None

    def emit(self, name: str, *, folder: str | None = "", **params: object) -> None:
        """Report an operation; flags that are False are left out."""
        kept = {key: value for key, value in params.items() if value is not False}
        self.reader.add(Operation(name, kept, self.shown, folder))

    @property
    def shown(self) -> str:
        """The command as people are shown it, cut where it is long."""
        return self.text if len(self.text) <= opaque.SHOWN else self.text[: opaque.SHOWN - 1] + "…"

    def opaque(self, why: str, touched: Sequence[str] | None = None, text: str | None = None) -> None:
        """Report that this command, or `text`, cannot be read."""
        if touched is None or touched:
            self.scope.made.clear()
        self.reader.add_opaque(self.text if text is None else text, why, touched)

    def path(self, word: str) -> str | None:
        """A file as seen from where the whole text starts."""
        return join(self.scope.folder, word)

    def files(self, operation: str, words: Iterable[str]) -> None:
        """Report `operation` for each of the files; `-` is standard input or output."""
        shown = self.shown
        for word in dict.fromkeys(words):  # what is said again adds nothing
            if word not in ("-", ""):
                path = self.path(word)
                if path is None and operation == "file.read" and known(word):
                    path = word  # the folder is not known, the name is
                self._file(operation, path, shown)
                for folder in self.scope.elsewhere if operation != "file.read" else ():
                    self._file(operation, join(folder, word) or path, shown)

    def _file(self, operation: str, path: str | None, shown: str) -> None:
        if operation == "file.write" and path is not None:
            self._changed(path)
        elif operation == "file.delete" and self.scope.own(path):
            return
        self.reader.file(operation, path, shown, self.scope)

    def _edits(self) -> bool:
        return self.name in _EDITORS or self.name.startswith(("python", "node"))

    def _changed(self, path: str) -> None:
        """Forget what a file's text was; the handler may say what it is then."""
        if self.name in _COPIES:
            if (
                self.scope.written(path) is None
                and self.reader.surroundings.script(posixpath.normpath(path)) is not None
            ):
                self.scope.write(path, UNKNOWN)
        elif self.name not in _ATTRIBUTES:
            self.scope.write(path, EDITED if self._edits() else UNKNOWN)

    def delegate(self, words: Sequence[str], environment: dict[str, str] | None = None) -> str:
        """Run other words in this command's place, as `sudo` does."""
        if not words:
            return ""
        return self.reader.program(list(words), self.text, self.stdin, self.scope, environment or self.environment)

    def read(self, text: str, arguments: Sequence[str] | None = None) -> str:
        """Read a text in this very shell, as `eval` does."""
        if text == SETTINGS:
            self.opaque("settings that a program prints", [])
            return ""
        if not text.replace(UNKNOWN, "").strip():
            if UNKNOWN in text:
                self.opaque("runs a text that cannot be known", ["anything"])
            return ""
        if any(part in text for part in self.reader.decoded):
            self.opaque("runs a text that it decodes", ["anything"])
        outside = self.scope.arguments
        if arguments is not None:
            self.scope.arguments = list(arguments)
        stdin = "" if text == self.stdin else self.stdin  # a shell that reads its text from there leaves nothing of it
        found = self.reader.read(text, self.scope, stdin)
        self.scope.arguments = outside
        return found

    def read_apart(self, text: str, arguments: Sequence[str] | None, zero: str = "") -> str:
        """Read a text in a shell of its own, as `sh -c` does; aliases and functions stay behind."""
        inner = self.scope.copy()
        inner.zero = zero or UNKNOWN
        inner.aliases, inner.functions = {}, {}
        inner.arguments = None if arguments is None else list(arguments)
        return self.with_scope(inner).read(text)

    def with_scope(self, scope: Scope) -> Call:
        """This call as another shell sees it."""
        return Call(self.word, self.words, self.text, self.stdin, scope, self.reader, self.environment)

    def script_text(self, word: str) -> str | None:
        """The text of a script file: what the command itself wrote there, or what the surroundings know."""
        path = self.path(word)
        if path is None:
            return None
        written = self.scope.written(path)
        return self.reader.surroundings.script(posixpath.normpath(path)) if written is None else written

    def script_file(self, word: str, arguments: Sequence[str], *, here: bool = False) -> str:
        """Read a script file, in this shell (`here`) or in one of its own; opaque where its text is not known."""
        text = self.script_text(word)
        if text is None:
            shown = word.replace(UNKNOWN, "…")
            self.opaque(f"the script {shown} cannot be read", _touches_of_script(word))
            return UNKNOWN
        return self.read(text, arguments or None) if here else self.read_apart(text, arguments)


_EVERYDAY = (
    ".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv", ".zprofile", "activate", "nvm.sh", "env.sh",
    "conda.sh", "asdf.sh", "sdkman-init.sh", "setup.bash", "cargo/env", "bash_completion", "activate.fish",
    "setenv.sh", "rvm", ".envrc", "emsdk_env.sh", "environment", ".env", "export.sh", "oe-init-build-env",
    "profile.d/nix.sh", "environment-setup",
)  # fmt: skip
"""Scripts that people source to set variables; that they cannot be read is no reason to ask."""


def _touches_of_script(word: str) -> list[str]:
    if word.endswith(_EVERYDAY):
        return ["secrets"] if word.endswith((".env", ".envrc")) else []
    return ["anything"]


__all__ = ["Call", "Everything"]

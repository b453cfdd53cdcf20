"""The walk through a text: it keeps a `Scope`, and hands each simple command to the handler of its name.

Every walk returns what is known of the standard output: a text, in which `UNKNOWN` stands for what is not known. So
`echo "git push" | sh` and `$(echo main)` are read like what they come to.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from llmgenie_mcp.operations import Operation
from llmgenie_mcp.shell import expand, opaque
from llmgenie_mcp.shell.arguments import UNKNOWN
from llmgenie_mcp.shell.call import Call, Everything, is_program
from llmgenie_mcp.shell.parser import parse
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.scope import Scope, join
from llmgenie_mcp.shell.streams import Stream
from llmgenie_mcp.shell.syntax import Assignment, Command, Compound, Pipeline, Redirect, Script, Simple, TooMuch, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgenie_mcp.shell import Surroundings

LIMIT = 64 * 1024
"""Characters of a text that is read; longer ones are opaque."""
DEEPEST = 20
"""Texts within texts: `bash -c "bash -c …"`, functions that call functions."""
MOST = 4000
"""Commands that are walked through, those of functions and loops each time."""
MOST_TEXT = 1024 * 1024
"""Characters that expansions give altogether: doubling a variable over and over would take all memory."""
A_WORD = 32
"""Characters that a word of a command counts as, beside those that are expanded: looking at it takes as long."""
TURNS = 16
"""Words of a `for` that are gone through one by one; of more, the variable is not known."""

_DEVICES = frozenset(
    {"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/tty", "/dev/zero", "/dev/random", "/dev/urandom"}
)
_OPEN = lazily(r"/(?:dev|proc/self)/fd/(?!\.\.(?:/|$))(?:(?!/\.\.(?:/|$)).)*", re.DOTALL)
"""Files that are open already."""
_LEAVES = lazily(r"\b(?:exit|return|break|continue|die|exec)\b")
_QUOTES = lazily(r"[\"'\\]")
_OUTPUT = frozenset({">", ">>", ">|", "&>", "&>>", "<>", ">&"})


class Reader:
    """Reads one command text, and all texts that it runs."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.found: dict[object, Operation] = {}
        self.depth = 0
        self.steps = 0
        self.spent = 0
        self.uncalled: dict[str, tuple[Compound, Scope]] = {}
        self.decoded: set[str] = set()
        """Texts that the command does not say plainly: to run one is to hide it."""
        self.traps: list[tuple[Call, str]] = []

    def step(self) -> None:
        """Count a command."""
        self.steps += 1
        if self.steps > MOST:
            raise Everything("too many commands")

    def spend(self, size: int) -> None:
        """Count characters of values and words."""
        self.spent += size
        if self.spent > MOST_TEXT:
            raise Everything("too much text")

    def add(self, operation: Operation) -> None:
        """Report an operation; the same one is reported once."""
        key = (operation.name, operation.folder, repr(operation.params))
        self.found.setdefault(key, operation)

    def add_opaque(self, text: str, why: str, touched: Sequence[str] | None = None) -> None:
        """Report a part that cannot be read; without `touched` its words say what it could be about."""
        about = opaque.touches(text) if touched is None else list(touched)
        shown = text.replace(UNKNOWN, "…")
        shown = shown if len(shown) <= opaque.SHOWN else shown[: opaque.SHOWN - 1] + "…"
        self.add(Operation("opaque", {"command": shown, "why": why, "touches": about}, shown))

    def file(self, name: str, path: str | None, text: str, scope: Scope) -> None:
        """Report what is done to a file, also to the one that links of the text lead to; to no device without content."""
        if path and path[0] == "/" and (path in _DEVICES or _OPEN.fullmatch(path)):
            return
        self.add(Operation(name, {"path": path}, text))
        led = scope.led(path)
        if led is not None and (name != "file.delete" or posixpath.normpath(path or "") not in scope.leads):
            self.add(Operation(name, {"path": led}, text))  # a link itself is deleted, and not what it leads to

    def read(self, text: str, scope: Scope, stdin: str = "") -> str:
        """Read a text as the shell would; returns what is known of its output."""
        if len(text) > LIMIT or self.depth >= DEEPEST:
            why = "too long to read" if len(text) > LIMIT else "nested too deeply"
            self.add_opaque(text, why, ["anything"])
            return UNKNOWN
        self.depth += 1
        script, error = parse(text)
        found = self.script(script, scope, stdin)
        if error is not None:
            rest = text[error.position :]
            other = opaque.other_shell(text)
            about = ["anything"] if isinstance(error, TooMuch) else opaque.touches(_QUOTES.sub("", text))
            self.add_opaque(rest, f"{other} syntax" if other else str(error), about)
            found += UNKNOWN
        self.depth -= 1
        return found

    def output(self, script: Script, scope: Scope, stdin: str = "") -> str:
        """The output of a substitution, which runs in a subshell."""
        return self.script(script, scope.copy(), stdin)

    def script(self, script: Script, scope: Scope, stdin: str = "") -> str:
        """Walk through commands one after another."""
        return "".join([self._list(pipelines, scope, stdin) for pipelines in script.lists])

    def _list(self, pipelines: list[tuple[str, Pipeline]], scope: Scope, stdin: str) -> str:
        if len(pipelines) == 1:
            return self._pipeline(pipelines[0][1], scope, stdin)
        found = ""
        before = dict(scope.variables)
        outside, doubts = list(scope.elsewhere), list(scope.elsewhere)
        for operator, pipeline in pipelines:
            if operator == "||":
                other = scope.copy()
                found += UNKNOWN * bool(self._pipeline(pipeline, other, stdin))
                scope.merge(other)
                doubts = outside if _LEAVES.search(pipeline[-1].text) else doubts
            else:
                scope.elsewhere = list(outside)  # behind && a `cd` has not failed
                found += self._pipeline(pipeline, scope, stdin)
                doubts = [*doubts, *(folder for folder in scope.elsewhere if folder not in doubts)]
        scope.elsewhere = doubts
        for name, value in before.items():
            if scope.variables.get(name) != value:
                scope.variables[name] = UNKNOWN  # assigned behind && or ||, which may not have happened
        return found

    def _pipeline(self, commands: Pipeline, scope: Scope, stdin: str) -> str:
        if len(commands) == 1:
            return self._command(commands[0], scope, stdin)
        passed = stdin
        for command in commands:
            passed = self._command(command, scope.copy(), passed)
        return passed

    def _command(self, command: Command, scope: Scope, stdin: str) -> str:
        self.step()
        stdin = self._input(command, scope, stdin)
        found = (
            self._simple(command, scope, stdin)
            if isinstance(command, Simple)
            else self._compound(command, scope, stdin)
        )
        for redirect in command.redirects:
            if redirect.operator in _OUTPUT:
                found = self._write(redirect, command.text, scope, found)
        return found

    def _input(self, command: Command, scope: Scope, stdin: str) -> str:
        for redirect in command.redirects:
            if redirect.operator == "<<":
                stdin = expand.text(redirect.target, self, scope)
            elif redirect.operator == "<<<":
                stdin = expand.text(redirect.target, self, scope) + "\n"
            elif redirect.operator in ("<", "<>"):
                target = expand.text(redirect.target, self, scope)
                path = join(scope.folder, target)
                self.file("file.read", path, command.text, scope)
                stdin = self.content(path, scope)
        return stdin

    def created(self, path: str, scope: Scope) -> None:
        """Remember that the text makes a file or folder, if nothing is there yet."""
        normal = posixpath.normpath(path)
        if not self.surroundings.exists(normal):
            scope.made.add(normal)

    def content(self, path: str | None, scope: Scope) -> str:
        """What is known of a file's text: only what the command itself wrote there."""
        found = scope.written(path)
        if found is None:
            return UNKNOWN if path is None else Stream([path])
        return found

    def _write(self, redirect: Redirect, text: str, scope: Scope, output: str) -> str:
        target = expand.text(redirect.target, self, scope)
        if redirect.operator == ">&" and (target.isdigit() or target == "-"):
            return output
        path = join(scope.folder, target)
        self.file("file.write", path, text, scope)
        for folder in scope.elsewhere:
            self.file("file.write", join(folder, target) or path, text, scope)
        errors = redirect.descriptor not in ("", "1")
        if path is not None:
            self.created(path, scope)
            before = self.content(path, scope) if redirect.operator.endswith(">>") else ""
            scope.write(path, UNKNOWN if errors else before + output if before else output)
        return output if errors else ""

    def _simple(self, command: Simple, scope: Scope, stdin: str) -> str:
        fields: list[str] = []
        for word in command.words:
            fields.extend([word] if isinstance(word, str) else expand.fields(word, self, scope))
        for assignment in command.assignments:
            for part in assignment.subscript:
                expand.value(part, self, scope)
        assigned = {a.name: self._value(a, scope) for a in command.assignments}
        if not fields:
            scope.variables.update(assigned)
            Call("", [], command.text, stdin, scope, self, _texts(assigned)).assigned()
            return stdin if command.redirects else ""
        return self.run(fields, command.text, stdin, scope, _texts(assigned))

    def _value(self, assignment: Assignment, scope: Scope) -> str | list[str]:
        if assignment.array is not None:
            words = [field for word in assignment.array for field in expand.fields(word, self, scope)]
            return words if not assignment.partial else UNKNOWN
        value = expand.text(assignment.value, self, scope)
        if not assignment.partial:
            return value
        before = scope.variables.get(assignment.name)
        return before + value if isinstance(before, str) else UNKNOWN

    def run(self, words: list[str], text: str, stdin: str, scope: Scope, environment: dict[str, str]) -> str:
        """Run a command by its words: a function, an alias, or a program."""
        name = words[0]
        replaced: str | None = None
        if name in scope.functions:
            replaced = self._call(scope.functions[name], words[1:], scope, stdin)
        elif name in scope.aliases:
            inner = scope.copy()
            expansion = inner.aliases.pop(name)
            rest = " ".join(quote(word) for word in words[1:])
            replaced = self.read(f"{expansion} {rest}", inner, stdin)
        if replaced is not None and not is_program(name):
            return replaced
        # A program of that name may run all the same: scripts expand no aliases, and a definition may not have been reached.
        return self.program(words, text, stdin, scope, environment)

    def program(self, words: list[str], text: str, stdin: str, scope: Scope, environment: dict[str, str]) -> str:
        """Run a command by its words that is neither a function nor an alias, as other commands run it."""
        if self.depth > DEEPEST:
            raise Everything("nested too deeply")
        self.step()
        self.spend(len(words) * A_WORD)
        self.depth += 1
        found = Call(words[0], words[1:], text, stdin, scope, self, environment).run()
        self.depth -= 1
        return found

    def _call(self, function: Compound, arguments: list[str], scope: Scope, stdin: str) -> str:
        self.uncalled.pop(function.name, None)
        if self.depth >= DEEPEST:
            raise Everything("functions call each other too deeply")
        self.depth += 1
        outside, scope.arguments = scope.arguments, arguments
        found = self.script(function.bodies[0], scope, stdin)
        scope.arguments = outside
        self.depth -= 1
        return found

    def at_end(self, call: Call, text: str) -> None:
        """Read a text when everything else was read, as the shell that `call` is in will be then."""
        if len(self.traps) < TURNS:
            self.traps.append((call, text))
        else:
            call.read(text)

    def finish(self) -> None:
        """Read what runs at the end, and the functions that were never called: a later command may call them."""
        traps, self.traps = self.traps, []
        for call, text in traps:
            call.read(text)
        while self.uncalled:
            _, (function, scope) = self.uncalled.popitem()
            scope.arguments = None
            self.script(function.bodies[0], scope)

    def _compound(self, command: Compound, scope: Scope, stdin: str) -> str:
        kind = command.kind
        if kind == "function":
            scope.functions[command.name] = command
            if self.depth <= 1:
                self.uncalled[command.name] = (command, scope.copy())
            return ""
        if kind == "subshell":
            return self.script(command.bodies[0], scope.copy(), stdin)
        if kind == "group":
            return self.script(command.bodies[0], scope, stdin)
        if kind == "for":
            return self._for(command, scope, stdin)
        self._test_words(self._fields(command.words, scope), command, scope)
        if kind == "while":
            return self._while(command, scope, stdin)
        found = ""
        for number, body in enumerate(command.bodies):
            if number == 0 and kind == "if":
                found += self.script(body, scope, stdin)
                continue
            other = scope.copy()
            found += self.script(body, other, stdin)
            scope.merge(other)
        return UNKNOWN if found else ""

    def _test_words(self, words: list[str], command: Compound, scope: Scope) -> None:
        if command.kind == "test":
            Call("test", words, command.text, "", scope, self, {}).run()

    def _while(self, command: Compound, scope: Scope, stdin: str) -> str:
        """A loop, of which a second turn is gone through where the first one changes what is known at its beginning."""
        found = ""
        turn = scope.copy()
        for _ in range(2):
            branches, folder = dict(scope.branches), turn.folder
            if len(command.bodies) > 1:
                found += self.script(command.bodies[0], turn, stdin)
            before = dict(turn.variables)
            found += self.script(command.bodies[-1], turn, stdin)
            changed = {name for name, value in turn.variables.items() if before.get(name) != value}
            unknown = {name for name in changed if UNKNOWN in str(turn.variables[name])}
            scope.merge(turn)
            if changed == unknown and (turn.folder, turn.branches) == (folder, branches):
                break
            for name in unknown:
                turn.variables[name] = before.get(name, "")
        return UNKNOWN if found else ""

    def _for(self, command: Compound, scope: Scope, stdin: str) -> str:
        turns = self._fields(command.words, scope)
        if len(turns) > TURNS or not turns:
            turns = [UNKNOWN]
        inner = scope.copy()
        found = ""
        for turn in turns:
            inner.variables[command.name] = turn
            found += self.script(command.bodies[0], inner, stdin)
        scope.variables[command.name] = UNKNOWN
        inner.variables[command.name] = UNKNOWN
        scope.merge(inner)
        return found

    def _fields(self, words: list[Word], scope: Scope) -> list[str]:
        return [field for word in words for field in expand.fields(word, self, scope)]


def _texts(assigned: dict[str, str | list[str]]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else " ".join(value) for name, value in assigned.items()}


def quote(word: str) -> str:
    """The word as it is written in a shell's text."""
    return word if word.replace(UNKNOWN, "x").replace("-", "x").isalnum() else "'" + word.replace("'", "'\\''") + "'"

"""Commands: simple ones, lists, pipelines and compound commands, by recursive descent in one pass.

A parser of its own rather than a grammar for editors: tree-sitter-bash 0.25 takes a minute for 64 KB of `a|`, reads words
after a redirection as files and splits a word that a line continuation joins, and its import costs more than a hook may.
"""

from __future__ import annotations

from llmgenie_mcp.shell.lexer import DEEPEST, Lexer, unquoted
from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.syntax import (
    Assignment,
    Command,
    Compound,
    Part,
    Pipeline,
    Redirect,
    Script,
    ShellSyntaxError,
    Simple,
    TooMuch,
    Variable,
    Word,
)

_REDIRECT = lazily(r"(\d*|\{[A-Za-z_]\w*\})(<<<|<<-|<<|<>|<&|>>|>&|>\||&>>|&>|<(?!\()|>(?!\())")
_ASSIGNMENT = lazily(r"([A-Za-z_]\w*)(\[[^\]]*\])?(\+)?=")
_SEPARATOR = lazily(r";;&|;;|;&|;|&(?![&>])")
_KEYWORD = lazily(r"[a-z{}\[!]+(?=[\s;|&()<>]|$)")
_PREFIX = lazily(r"time(?:[ \t]+-p)?[ \t]+(?=[^-\s])|coproc[ \t]+(?:\w+[ \t]+(?=[{(]))?")
"""What may stand before a compound command too; of other options of `time` only the program of that name knows."""
_PIPE = lazily(r"\|&?(?!\|)")
_FUNCTION = lazily(r"[ \t]*\([ \t]*\)")
_CLOSERS = frozenset({"then", "do", "done", "fi", "elif", "else", "esac", "}"})
_OPENERS = frozenset({"{", "if", "while", "until", "for", "select", "case", "function", "[["})


class Parser(Lexer):
    """Reads commands."""

    ended_by = ""
    """Which of several endings `script` met last."""

    def script(self, *ends: str) -> Script:
        """Commands up to one of `ends`, which is passed: `)`, or a word such as `fi`; the end of the text when there are none."""
        lists: list[list[tuple[str, Pipeline]]] = []
        while True:
            self._space()
            if self.position >= len(self.text):
                if ends:
                    raise self.fail(f"{ends[0]} is missing")
                return Script(lists)
            if self._at_end(ends):
                return Script(lists)
            if match := _SEPARATOR.match(self.text, self.position):
                self.position = match.end()
                continue
            lists.append(self._list())

    def first_lists(self, found: list[list[tuple[str, Pipeline]]]) -> ShellSyntaxError | None:
        """Add the lists of the whole text to `found`, up to where it is no shell; returns that error."""
        try:
            while True:
                self._space()
                if self.position >= len(self.text):
                    return None
                if match := _SEPARATOR.match(self.text, self.position):
                    self.position = match.end()
                    continue
                start = self.position
                found.append(self._list())
        except ShellSyntaxError as error:
            error.position = start if self.position > start else self.position
            return error

    def _at_end(self, ends: tuple[str, ...]) -> bool:
        for end in ends:
            if self.peek(end) and (not end.isalpha() or self._keyword() == end):
                self.position += len(end)
                self.ended_by = end
                return True
        return False

    def _keyword(self) -> str:
        match = _KEYWORD.match(self.text, self.position)
        return match.group() if match else ""

    def _space(self) -> None:
        """Skip blanks, comments and newlines."""
        while True:
            self.blanks()
            if not self.peek("\n"):
                return
            self.newline()

    def _list(self) -> list[tuple[str, Pipeline]]:
        pipelines = [("", self._pipeline())]
        while True:
            self.blanks()
            operator = self.text[self.position : self.position + 2]
            if operator not in ("&&", "||"):
                return pipelines
            self.position += 2
            self._space()
            pipelines.append((operator, self._pipeline()))

    def _pipeline(self) -> Pipeline:
        start = self.position
        commands = [self._command()]
        while True:
            self.blanks()
            match = _PIPE.match(self.text, self.position)
            if not match:
                if len(commands) > 1:  # what the last one does depends on all
                    commands[-1].text = self.text[start : self.position].rstrip()
                return commands
            self.position = match.end()
            self._space()
            commands.append(self._command())

    def _command(self) -> Command:
        start = self.position
        self.step()
        while (keyword := self._keyword()) == "!" or _PREFIX.match(self.text, self.position):
            match = _PREFIX.match(self.text, self.position)
            self.position = match.end() if match else self.position + 1
            self.blanks()
        if keyword in _CLOSERS:
            raise self.fail(f"{keyword} has no beginning")
        command: Command
        if keyword in _OPENERS or self.peek("("):
            self.depth += 1
            if self.depth > DEEPEST:
                raise TooMuch("nested too deeply", self.position)
            command = self._compound(keyword)
            self.depth -= 1
            self._redirects(command)
        else:
            command = self._simple()
        command.text = self.text[start : self.position].rstrip()
        return command

    def _redirects(self, command: Command) -> None:
        while True:
            self.blanks()
            if not self._redirect(command):
                return

    def _redirect(self, command: Command) -> bool:
        match = _REDIRECT.match(self.text, self.position)
        if not match:
            return False
        self.position = match.end()
        descriptor, operator = match.groups()
        self.blanks()
        heredoc = operator in ("<<", "<<-")
        start = self.position
        target = self.word()
        if target is None:
            raise self.fail("a redirection has no target")
        redirect = Redirect("<<" if heredoc else operator, target, descriptor)
        command.redirects.append(redirect)
        if heredoc:
            written = self.text[start : self.position]
            quoted = any(sign in written for sign in "'\"\\")
            self.bodies.append((redirect, _delimiter(target, written), quoted, operator == "<<-"))
            redirect.target = ""
        return True

    def _simple(self) -> Command:
        command = Simple()
        while True:
            self.blanks()
            if self._redirect(command):
                continue
            if not command.words and self._assignment(command):
                continue
            start = self.position
            word = self.word()
            if word is None:
                break
            command.words.append(word)
            if len(command.words) == 1:
                if self.peek("(") or _FUNCTION.match(self.text, self.position):
                    return self._function(self.text[start : self.position])
            elif command.words[0] in ("export", "local", "declare", "typeset", "readonly") and self.peek("("):
                self.position = start
                if not self._assignment(command):
                    raise self.fail("a parenthesis is out of place")
        if not (command.words or command.assignments or command.redirects):
            raise self.fail("a command is missing")
        return command

    def _assignment(self, command: Simple) -> bool:
        match = _ASSIGNMENT.match(self.text, self.position)
        if not match:
            return False
        self.position = match.end()
        name, subscript, append = match.groups()
        found = Assignment(name, "", bool(subscript or append), subscript=self.subscript(subscript or ""))
        if self.peek("("):
            self.position += 1
            found.array = self._words(")")
        else:
            found.value = self.word() or ""
        command.assignments.append(found)
        return True

    def _words(self, end: str) -> list[Word]:
        """Words on any number of lines up to `end`, which is passed."""
        words: list[Word] = []
        while True:
            self._space()
            if self.peek(end):
                self.position += len(end)
                return words
            word = self.word()
            if word is None:
                raise self.fail(f"{end} is missing")
            words.append(word)

    def _compound(self, keyword: str) -> Compound:
        if self.peek("(("):
            self.position += 2
            return Compound("test", words=[[Part("scripts", self.arithmetic())]])
        if self.peek("("):
            self.position += 1
            return Compound("subshell", [self.script(")")])
        self.position += len(keyword)
        if keyword == "{":
            return Compound("group", [self.script("}")])
        if keyword == "if":
            return self._if()
        if keyword in ("while", "until"):
            return Compound("while", [self.script("do"), self.script("done")])
        if keyword in ("for", "select"):
            return self._for()
        if keyword == "case":
            return self._case()
        if keyword == "function":
            self.blanks()
            return self._function(str(self.word()))
        return self._test()

    def _if(self) -> Compound:
        bodies = [self.script("then")]
        while True:
            bodies.append(self.script("elif", "else", "fi"))
            if self.ended_by == "elif":
                bodies.append(self.script("then"))
            elif self.ended_by == "else":
                bodies.append(self.script("fi"))
            if self.ended_by == "fi":
                return Compound("if", bodies)

    def _for(self) -> Compound:
        self.blanks()
        if self.peek("(("):
            self.position += 2
            found = Compound("while", words=[[Part("scripts", self.arithmetic())]])
        else:
            found = Compound("for", name=str(self.word()))
            self._space()
            if self._keyword() == "in":
                self.position += 2
                while True:
                    self.blanks()
                    word = self.word()
                    if word is None:
                        break
                    found.words.append(word)
            else:
                found.words.append([Part("variable", Variable("@"), quoted=True)])
        self._space()
        if self.peek(";"):
            self.position += 1
            self._space()
        opening = self._keyword()
        if opening not in ("do", "{"):
            raise self.fail("do is missing")
        self.position += len(opening)
        found.bodies.append(self.script("done" if opening == "do" else "}"))
        return found

    def _case(self) -> Compound:
        self.blanks()
        found = Compound("case", words=[self.word() or ""])
        self._space()
        if self._keyword() != "in":
            raise self.fail("in is missing")
        self.position += 2
        while True:
            self._space()
            if self._keyword() == "esac":
                self.position += 4
                return found
            if self.peek("("):
                self.position += 1
            while not self.peek(")"):
                self.blanks()
                if self.peek("|"):
                    self.position += 1
                elif self.peek(")"):
                    break
                elif self.word() is None:
                    raise self.fail("a pattern is missing")
            self.position += 1
            found.bodies.append(self.script(";;&", ";;", ";&", "esac"))
            if self.ended_by == "esac":
                return found

    def _function(self, name: str) -> Compound:
        if match := _FUNCTION.match(self.text, self.position):
            self.position = match.end()
        elif self.peek("("):
            raise self.fail("a parenthesis is out of place")
        self._space()
        return Compound("function", [Script([[("", [self._command()])]])], name=name)

    def _test(self) -> Compound:
        """The words of `[[ … ]]`, where `<`, `&&` and parentheses are operators of the test."""
        found = Compound("test")
        while True:
            self._space()
            if self._keyword_end():
                return found
            word = self.word()
            if word is not None:
                found.words.append(word)
            elif self.position < len(self.text):
                self.position += 1
            else:
                raise self.fail("]] is missing")

    def _keyword_end(self) -> bool:
        if self.peek("]]"):
            self.position += 2
            return True
        return False


def _delimiter(target: Word, written: str) -> str:
    """What ends a here-document: the word without its quotes, of which nothing is expanded."""
    if isinstance(target, str):
        return target
    if all(part.kind == "text" for part in target):
        return "".join(part.value for part in target)
    return unquoted(written)


def parse(text: str) -> tuple[Script, ShellSyntaxError | None]:
    """The commands of `text`, and the error at which reading ended; what stands before it is in the script."""
    lists: list[list[tuple[str, Pipeline]]] = []
    error = Parser(text).first_lists(lists)
    return Script(lists), error

"""Words: quotes, expansions and here-documents, read from left to right without going back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeVar

from llmgenie_mcp.shell.pattern import lazily
from llmgenie_mcp.shell.syntax import Part, Redirect, Script, ShellSyntaxError, TooMuch, Variable, Word

if TYPE_CHECKING:
    from collections.abc import Callable

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")

DEEPEST = 40
"""Levels of substitutions and compound commands in one text; more is not written by hand."""

MOST = 3000
"""Commands and expansions in one text; more is no command that someone means to run, and takes longer than a hook may."""

_PLAIN = lazily(r"[^\s'\"\\$`|&;<>(){}~]+")
_LITERAL = lazily(r"[^\s'\"\\$`|&;<>()]+")
_BLANK = lazily(r"(?:[ \t]|\\\n)+")
_IN_QUOTES = lazily(r"[^\"\\$`]+")
_IN_BRACES = lazily(r"[^'\"\\$`{}]+")
_IN_BODY = lazily(r"[^\\$`]+")
_IN_ARITHMETIC = lazily(r"[^'\"\\$`()]+")
_NAME = lazily(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#?$!\-]")
_BRACED = lazily(r"!?(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!\-])(?:\[[^\]]*\])?")
_OPERATOR = lazily(r":?[-=?+]|##?|%%?|//?|\^\^?|,,?|:|@")
_QUOTED = lazily(r"'([^']*)'|\$?\"((?:[^\"\\]|\\.)*)\"|\\(.)", re.DOTALL)
_ANSI = lazily(r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}|c.|.)", re.DOTALL)
_ANSI_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}


def unquoted(text: str) -> str:
    """A here-document's delimiter as its line is written: quotes go, and nothing is expanded."""
    return _QUOTED.sub(lambda match: "".join(group for group in match.groups() if group), text.replace("\\\n", ""))


def _continued(line: str) -> bool:
    return line.endswith("\\") and (len(line) - len(line.rstrip("\\"))) % 2 == 1


def append(parts: list[Part], text: str) -> None:
    """Add plain text, of which the first letters may belong to a variable before it."""
    if parts and parts[-1].kind == "variable" and not parts[-1].quoted:
        variable, text = parts[-1].value.extended(text)
        if variable.name != parts[-1].value.name:
            parts[-1] = Part("variable", variable)
    if text:
        parts.append(Part("text", text))


class Lexer:
    """A position in a text and what is read from there."""

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        self.position = 0
        self.depth = depth
        self.count = 0
        self.bodies: list[tuple[Redirect, str, bool, bool]] = []
        """Here-documents whose body starts after this line: (where it goes, delimiter, quoted, tabs are stripped)."""

    def script(self, *ends: str) -> Script:
        """A script up to one of the closing tokens, which is passed; `parser` adds it."""
        raise NotImplementedError

    def fail(self, message: str) -> ShellSyntaxError:
        """The error for what stands here."""
        return ShellSyntaxError(message, self.position)

    def step(self) -> None:
        """Count a command or an expansion."""
        self.count += 1
        if self.count > MOST:
            raise TooMuch("too many commands", self.position)

    def peek(self, text: str) -> bool:
        """Whether `text` comes next."""
        return self.text.startswith(text, self.position)

    def blanks(self) -> None:
        """Skip spaces, continued lines and a comment."""
        if match := _BLANK.match(self.text, self.position):
            self.position = match.end()
        if self.peek("#"):
            end = self.text.find("\n", self.position)
            self.position = len(self.text) if end < 0 else end

    def newline(self) -> None:
        """Pass the newline here; the bodies of here-documents that were announced in the line follow it."""
        self.position += 1
        announced, self.bodies = self.bodies, []
        for redirect, delimiter, quoted, strip in announced:
            body = self._body(delimiter, strip, joined=not quoted)
            inner = type(self)(body, self.depth + 1)
            redirect.target = [Part("text", body, quoted=True)] if quoted else inner.until_end()

    def word(self) -> Word | None:
        """The word here; None when there is none."""
        match = _PLAIN.match(self.text, self.position)
        if match and (match.end() == len(self.text) or self.text[match.end()] in " \t\n;|&)"):
            self.position = match.end()
            return match.group()
        parts = self._parts()
        return parts if parts is not None else None

    def _parts(self) -> list[Part] | None:
        parts: list[Part] = []
        text, start = self.text, self.position
        while self.position < len(text):
            if match := _LITERAL.match(text, self.position):
                self.position = match.end()
                append(parts, match.group())
                continue
            here = text[self.position]
            if here in "'\"\\$`":
                self.quote_or_expansion(parts)
            elif here in "<>" and text.startswith("(", self.position + 1):
                parts.append(self._process())
            elif here == "(" and parts and parts[-1].kind == "text" and str(parts[-1].value)[-1:] in tuple("?*+@!"):
                parts.append(Part("text", self._pattern()))
            else:
                break
        return parts if self.position > start else None

    def quote_or_expansion(self, parts: list[Part]) -> None:
        """Add what the quote, backslash, dollar sign or backtick here stands for."""
        text, here = self.text, self.text[self.position]
        if here == "'":
            end = self._find("'", self.position + 1)
            parts.append(Part("text", text[self.position + 1 : end], quoted=True))
            self.position = end + 1
        elif here == '"':
            self.position += 1
            self._double(parts)
        elif here == "\\":
            if not text.startswith("\n", self.position + 1):
                parts.append(Part("text", text[self.position + 1 : self.position + 2], quoted=True))
            self.position += 2
        elif here == "$" and text.startswith("'", self.position + 1):
            self._ansi(parts)
        elif here == "$" and text.startswith('"', self.position + 1):
            self.position += 2
            self._double(parts)
        else:
            parts.append(self._expansion(quoted=False))

    def until_end(self) -> list[Part]:
        """The rest as the body of a here-document: expansions are made, quotes are characters."""
        parts: list[Part] = []
        while self.position < len(self.text):
            self._step(_IN_BODY, parts, escaped="$`\\\n")
        return parts

    def _double(self, parts: list[Part]) -> None:
        parts.append(Part("text", "", quoted=True))
        while True:
            if self.position >= len(self.text):
                raise self.fail("a double quote is not closed")
            if self.peek('"'):
                self.position += 1
                return
            self._step(_IN_QUOTES, parts, escaped='$`"\\\n')

    def _step(self, plain: re.Pattern[str], parts: list[Part], escaped: str) -> None:
        """One step inside double quotes or a body: characters, a backslash, or an expansion."""
        if match := plain.match(self.text, self.position):
            self.position = match.end()
            parts.append(Part("text", match.group(), quoted=True))
        elif self.peek("\\"):
            following = self.text[self.position + 1 : self.position + 2]
            kept = "" if following == "\n" else following if following and following in escaped else "\\" + following
            parts.append(Part("text", kept, quoted=True))
            self.position += 2
        else:
            parts.append(self._expansion(quoted=True))

    def _expansion(self, *, quoted: bool) -> Part:
        """What `$` or a backtick here begins."""
        self.step()
        if self.peek("`"):
            return Part("command", self._backtick(), quoted)
        if self.peek("$(("):
            self.position += 3
            return Part("scripts", self._nested(Lexer.arithmetic, self), quoted)
        if self.peek("$("):
            self.position += 2
            return Part("command", self._nested(self.script, ")"), quoted)
        if self.peek("${"):
            self.position += 2
            return self._nested(self._braced, quoted)
        if match := _NAME.match(self.text, self.position + 1):
            self.position = match.end()
            return Part("variable", Variable(match.group(), bare=True), quoted)
        self.position += 1
        return Part("text", "$", quoted)

    def _nested(self, read: Callable[[_Given], _Found], argument: _Given) -> _Found:
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooMuch("nested too deeply", self.position)
        found = read(argument)
        self.depth -= 1
        return found

    def _braced(self, quoted: bool) -> Part:
        if self.peek("#") and not self.peek("#}"):
            self.position += 1  # a length: digits
        match = _BRACED.match(self.text, self.position)
        if not match:
            raise self.fail("not a parameter")
        self.position = match.end()
        operator = _OPERATOR.match(self.text, self.position)
        if operator:
            self.position = operator.end()
        inside = self.subscript(match.group().partition("[")[2])
        argument: list[Part] = [Part("scripts", inside)] if inside else []
        while not self.peek("}"):
            self._inside(_IN_BRACES, argument)
        self.position += 1
        return Part("variable", Variable(match.group(), operator.group() if operator else "", argument), quoted)

    def _inside(self, plain: re.Pattern[str], parts: list[Part]) -> None:
        """One step inside `${…}` or arithmetic, where quotes still quote."""
        if self.position >= len(self.text):
            raise self.fail("an expansion is not closed")
        if match := plain.match(self.text, self.position):
            self.position = match.end()
            parts.append(Part("text", match.group()))
        elif self.text[self.position] in "'\"\\$`":
            self.quote_or_expansion(parts)
        else:
            parts.append(Part("text", self.text[self.position]))
            self.position += 1

    def arithmetic(self) -> list[Part]:
        """The expansions inside `((…))`, whose opening was passed."""
        parts: list[Part] = []
        open_ = 0
        while not (open_ == 0 and self.peek("))")):
            open_ += {"(": 1, ")": -1}.get(self.text[self.position : self.position + 1], 0)
            if open_ < 0:
                raise self.fail("arithmetic is not closed")
            self._inside(_IN_ARITHMETIC, parts)
        self.position += 2
        return [part for part in parts if part.kind != "text"]

    def _backtick(self) -> Script:
        end = self.position + 1
        while (end := self._find("`", end)) and self._escaped(end):
            end += 1
        inner = re.sub(r"\\([`\\$])", r"\1", self.text[self.position + 1 : end])
        self.position = end + 1
        nested = type(self)(inner, self.depth + 1)
        if nested.depth > DEEPEST:
            raise TooMuch("nested too deeply", self.position)
        return nested.script()

    def _escaped(self, position: int) -> bool:
        before = position
        while self.text[before - 1] == "\\":
            before -= 1
        return (position - before) % 2 == 1

    def _process(self) -> Part:
        kind: Literal["process", "sink"] = "process" if self.peek("<") else "sink"
        self.position += 2
        return Part(kind, self._nested(self.script, ")"))

    def _pattern(self) -> str:
        """A parenthesis of an extended pattern, such as that of `!(a|b)`."""
        start, open_ = self.position, 0
        while self.position < len(self.text):
            open_ += {"(": 1, ")": -1}.get(self.text[self.position], 0)
            self.position += 1
            if open_ == 0:
                return self.text[start : self.position]
        raise self.fail("a pattern is not closed")

    def _ansi(self, parts: list[Part]) -> None:
        end = self.position + 2
        while (end := self._find("'", end)) and self._escaped(end):
            end += 1
        parts.append(Part("text", _ANSI.sub(_ansi_character, self.text[self.position + 2 : end]), quoted=True))
        self.position = end + 1

    def _body(self, delimiter: str, strip: bool, joined: bool) -> str:
        """The lines up to the delimiter; where it is not quoted, a backslash at the end of a line joins the next one to it."""
        lines: list[str] = []
        while self.position < len(self.text):
            pieces = [self._line()]
            while joined and _continued(pieces[-1]) and self.position < len(self.text):
                pieces[-1] = pieces[-1][:-1]
                pieces.append(self._line())
            line = "".join(pieces)
            line = line.lstrip("\t") if strip else line
            if line == delimiter:
                break
            lines.append(line + "\n")
        return "".join(lines)

    def _line(self) -> str:
        start, end = self.position, self.text.find("\n", self.position)
        end = len(self.text) if end < 0 else end
        self.position = min(end + 1, len(self.text))
        return self.text[start:end]

    def subscript(self, text: str) -> list[Part]:
        """The expansions in a subscript or in another text that is expanded like one."""
        if "$" not in text and "`" not in text:
            return []
        inner = type(self)(text, self.depth + 1)
        if inner.depth > DEEPEST:
            raise TooMuch("nested too deeply", self.position)
        return [part for part in inner.until_end() if part.kind != "text"]

    def _find(self, what: str, start: int) -> int:
        found = self.text.find(what, start)
        if found < 0:
            raise self.fail("a quote is not closed")
        return found


def _ansi_character(match: re.Match[str]) -> str:
    """What a backslash and more stand for in `$'…'` (bash manual, 3.1.2.4)."""
    code = match.group(1)
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
    elif code[0] in "01234567":
        number = int(code, 8) & 0xFF
    elif code[0] == "c" and len(code) > 1:
        number = ord(code[1]) & 0x1F
    else:
        return _ANSI_LETTERS.get(code, code if code in "\\'\"?" else "\\" + code)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"

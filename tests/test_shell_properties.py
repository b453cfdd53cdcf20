"""Properties of the reader of shell commands: it never raises, harmless wrapping hides nothing, and it sees bash's words."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shell_corpus import WRAPPINGS, entries, noted, wrapped

from llmgenie_mcp.shell import FAULT, Nowhere, read_command
from llmgenie_mcp.shell.commands import HANDLERS
from llmgenie_mcp.shell.git_commands import VERBS
from llmgenie_mcp.shell.reader import Reader
from llmgenie_mcp.shell.scope import Scope

_SIGNS = "'\"\\$`|&;<>(){}[]!#*?~ \n\t=-\0\ud800"
_WORDS = """$( $(( )) << <<E && || [[ ]] if then fi do done case esac for in function git push rm eval sh -c xargs env a $x"""
_PIECES = st.sampled_from([*_SIGNS, "\nE\n", *(f"{word} " for word in _WORDS.split())])


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=30).map("".join)))
@settings(max_examples=600, deadline=None)
def test_no_text_makes_it_fail(text: str) -> None:
    for operation in read_command(text):
        assert not str(operation.params.get("why")).startswith(FAULT), operation


_OPTIONS = st.sampled_from(
    [*"abcdefgiklmnopqrstuvxCDEFIMSX", "-message", "-force", "-file=x", "-exec", "-c=", "", "-", "-output"]
)
_OPERANDS = st.sampled_from(
    ["", "x", "a/b", "HEAD", "main", "+", ":", "{}", ";", "=", "a=b", "https://x.example/", "@f", "1", "-"]
)
_ARGUMENTS = st.lists(st.one_of(_OPTIONS.map("-{}".format), _OPERANDS), max_size=6)


@given(st.sampled_from([*sorted(HANDLERS), *(f"git {verb}" for verb in sorted(VERBS))]), _ARGUMENTS)
@settings(max_examples=1500, deadline=None)
def test_no_arguments_make_a_handler_fail(name: str, arguments: list[str]) -> None:
    command = " ".join([name, *map(shlex.quote, arguments)])
    for text in (command, f'{command} "$unknown"', f"echo a b | {command}"):
        for operation in read_command(text):
            assert not str(operation.params.get("why")).startswith(FAULT), operation


# what a wrapping itself changes: where aliases are known, what `$@` and stdin are, what a syntax error takes along
_DEPEND = ("$1", "$@", "alias ", "`", "if ($?)", "<(", "script ", "expect", "git() {", "cd -", "trap ")
_WHOLE = [e for e in entries() if e.operations and not any(part in e.command for part in _DEPEND)]


@pytest.mark.parametrize("kind", WRAPPINGS)
def test_harmless_wrapping_hides_nothing(kind: str) -> None:
    for entry in _WHOLE:
        found = [noted(operation) for operation in read_command(wrapped(entry.command, kind))]
        missing = [note for note in entry.operations if note not in found]
        assert not missing, (entry.command, found)


class Empty(Nowhere):
    """Surroundings where no variable is set."""

    def variable(self, name: str) -> str | None:
        return ""


class Recorder(Reader):
    """Keeps the words of `show`."""

    shown: list[list[str]]

    def program(self, words: list[str], text: str, stdin: str, scope: Scope, environment: dict[str, str]) -> str:
        if words[0] == "show":
            self.shown.append(words[1:])
            return ""
        return super().program(words, text, stdin, scope, environment)


# pieces of words, a line each; A is `u v` and E is empty
_WRITTEN = r"""
a
B-1
'x y'
"p q"
''
""
\a
$A
"$A"
${A}
x$E
"$E"
{1,2}
{c..e}
{3..1}
'{1,2}'
{,z}
$'\x41\t'
$'it\'s'
$(echo h i)
"$(echo h  i)"
`echo z`
"`echo 'z z'`"
=
:
%
@
^
+
}
{
"a\b\"c\$d"
${E:-f g}
"${E:-f g}"
${A:+k}
'a"b'
"a'b"
"""
_WORD_PIECES = st.sampled_from([*_WRITTEN.strip("\n").split("\n"), "\\ ", "\\\n"])
_COMMANDS = st.lists(st.lists(_WORD_PIECES, min_size=1, max_size=4).map("".join), max_size=5).map(
    lambda words: " ".join(["show", *words])
)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to compare with")
@given(st.lists(_COMMANDS, min_size=12, max_size=12))
@settings(max_examples=40, deadline=None)
def test_the_words_are_those_that_bash_makes(commands: list[str]) -> None:
    prepared = "A='u v'; E=; "
    reader = Recorder(Empty())
    reader.shown = []
    for command in commands:
        reader.read(prepared + command, Scope())
    script = "show() { printf '<%s>' \"$@\"; printf '\\n--\\n'; }; set -f; HOME=/nowhere\n" + "\n".join(
        prepared + command for command in commands
    )
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True)
    assert done.stderr == ""
    mine = ["".join(f"<{word}>" for word in words) or "<>" for words in reader.shown]
    assert "\n--\n".join(mine) + "\n--\n" == done.stdout, commands

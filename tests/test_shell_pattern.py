"""Patterns of the shell reader are compiled when they are first used, and each of them can be."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from importlib import import_module

import pytest

from llmgenie_mcp import shell
from llmgenie_mcp.shell.pattern import lazily


def test_every_pattern_of_the_reader_compiles() -> None:
    modules = [import_module(f"{shell.__name__}.{found.name}") for found in pkgutil.iter_modules(shell.__path__)]
    kind = type(lazily(""))
    found = {id(value): value for module in modules for value in vars(module).values() if isinstance(value, kind)}
    assert len(found) > 90
    assert all(re.compile(one.pattern) for one in found.values())


def test_it_answers_as_the_compiled_one_does() -> None:
    ours, theirs = lazily(r"(a)|b", re.IGNORECASE), re.compile(r"(a)|b", re.IGNORECASE)
    for _ in range(2):
        assert ours.sub("-", "cAb") == theirs.sub("-", "cAb")
        assert ours.split("cAb") == theirs.split("cAb")
        assert [one.span(1) for one in ours.finditer("Ab")] == [one.span(1) for one in theirs.finditer("Ab")]
        assert (ours.match("cA"), bool(ours.search("cA")), bool(ours.fullmatch("A"))) == (None, True, True)
        assert (ours.flags, ours.groups) == (theirs.flags, theirs.groups)
    with pytest.raises(re.error):
        lazily("(").search("")


def test_importing_the_reader_compiles_none_of_them() -> None:
    code = (
        "import re, sys; made = []; told = re.compile\n"
        "re.compile = lambda text, *more: made.append((sys._getframe(1).f_globals['__name__'], text)) or told(text, *more)\n"
        "import llmgenie_mcp.shell.commands\n"
        "print([one for one in made if one[0].startswith('llmgenie_mcp.shell')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

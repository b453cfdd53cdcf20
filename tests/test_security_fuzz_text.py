"""Definitions and shell commands that somebody damaged, or wrote to do damage: an answer, always, and soon."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fuzz_scene import changed, damaged, examples, nested, quickly
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from ruamel.yaml import YAML
from shell_corpus import entries, noted

from llmgenie_mcp import plugins
from llmgenie_mcp.config import Settings
from llmgenie_mcp.declared import ActionFile
from llmgenie_mcp.engine.situation import vocabulary
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.loader import load_bytes
from llmgenie_mcp.loader.catalog import load_catalog
from llmgenie_mcp.operations import OPERATIONS
from llmgenie_mcp.rules import Policy
from llmgenie_mcp.shell import FAULT, read_command
from llmgenie_mcp.triggers import Trigger
from llmgenie_mcp.workflow import Workflow

ROOT = Path(__file__).parent.parent
DRAW = st.data()


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


GOOD: list[tuple[str, type[BaseModel], Any]] = [
    *(("workflows", Workflow, read(path)) for path in sorted((ROOT / "workflows").glob("*.yaml"))),
    *(("policies", Policy, read(path)) for path in sorted((ROOT / "workflows" / "policies").glob("*.yaml"))),
    ("triggers", Trigger, {"name": "t", "on": "ci.*", "when": 'event.data.x == "y"', "run": [{"action": "run_tests"}]}),
    (
        "actions",
        ActionFile,
        {
            "name": "ship",
            "description": "Ship it.",
            "params": {"properties": {"v": {"type": "string", "pattern": "^[0-9]+$"}}, "required": ["v"]},
            "steps": [{"id": "a", "command": {"argv": ["x", "{params.v}"]}}, {"id": "b", "action": "run_tests"}],
        },
    ),
]
"""What a project may define, as data: the folder, the model, an example."""


SHIPPED = {path.relative_to(ROOT).as_posix() for path in (ROOT / "workflows").rglob("*.yaml")}


def placed(error: DefinitionError, lines: int) -> None:
    """Every problem says where it is."""
    problems: Any = error.details["problems"]
    assert problems
    for problem in problems:
        if problem["file"] in SHIPPED:
            continue  # it names what is not there any more
        assert 0 <= problem["line"] <= lines + 1, problem
        assert problem["column"] >= 0, problem
    assert len(str(error)) < 100_000


@given(DRAW)
@examples(150)
def test_a_definition_with_another_structure_is_refused_with_its_place_or_good(data: st.DataObject) -> None:
    _, model, good = data.draw(st.sampled_from(GOOD))
    text = json.dumps(changed(data.draw, good), indent=data.draw(st.sampled_from([None, 1])))
    with quickly(text):
        try:
            load_bytes(text.encode("utf-8", "surrogatepass"), model, "x.yaml")
        except DefinitionError as error:
            placed(error, text.count("\n") + 1)


@given(DRAW)
@examples(30)
def test_a_project_with_a_changed_definition_is_refused_with_its_place_or_in_force(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder, _, good = data.draw(st.sampled_from(GOOD))
    store = tmp_path_factory.mktemp("store")
    place = store / folder / f"{good['name']}.yaml"
    place.parent.mkdir()
    place.write_text(
        json.dumps(changed(data.draw, good, frozenset({"name"}))), encoding="utf-8", errors="surrogatepass"
    )
    with quickly(place.read_bytes()):
        for trusted in (False, True):
            try:
                load_catalog(
                    store,
                    actions=plugins.actions(),
                    operations=OPERATIONS,
                    vocabulary=vocabulary(frozenset()),
                    trusted=trusted,
                )
            except DefinitionError as error:
                placed(error, 1)


BOMBS = {
    "aliases": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)),
    "a line of a megabyte": f"name: {'x' * 1_000_000}",
    "a comment of a megabyte": f"name: x # {'x' * 1_000_000}",
    "a flow of many": f"name: [{'a,' * 400_000}]",
    "braces": "{" * 200_000,
    "brackets": "[" * 200_000,
    "dashes": "- " * 200_000,
    "question marks": "? " * 100_000,
    "colons": "a: " * 200_000,
    "indents": "".join(" " * depth + "a:\n" for depth in range(900)),
    "quotes": "name: '" + "''" * 400_000,
    "escapes": 'name: "' + "\\x41" * 200_000 + '"',
    "anchors": "".join(f"k{n}: &a{n} x\n" for n in range(20_000)),
    "tags": "name: !" + "t" * 9_000,
    "documents": "---\n" * 100_000,
    "directives": "%YAML 1.2\n" * 50_000,
    "block scalar": "name: |\n" + "  x\n" * 200_000,
    "folded scalar": "name: >\n" + "  x\n\n" * 100_000,
    "keys": "".join(f"k{n}: 1\n" for n in range(60_000)),
    "a long number": f"name: {'9' * 500_000}",
    "a deep flow": json.dumps(nested(45)),
    "an expression": "when: " + "(" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("kind", BOMBS)
def test_a_file_that_is_a_bomb_is_refused_soon(kind: str) -> None:
    text, model = BOMBS[kind], Workflow if len(kind) % 2 else Settings
    with quickly(kind), pytest.raises(DefinitionError) as caught:
        load_bytes(text.encode(), model, "x.yaml")
    placed(caught.value, text.count("\n") + 1)


CORPUS = entries()
PLAIN = re.compile(r"[A-Za-z0-9 ./:=@+_-]+")
"""Commands of words alone: whatever is done to the writing of a word of those is known to change nothing."""
SIMPLE = [
    entry
    for entry in CORPUS
    if entry.operations
    and not any(note.startswith("opaque") for note in entry.operations)
    and PLAIN.fullmatch(entry.command)
    and "=" not in entry.command.split(" ")[0]
    and entry.command.split(" ")[0] not in ("alias", "time", "coproc", "function", ".", "then")
]


@given(st.sampled_from(CORPUS), DRAW)
@examples(250)
def test_a_damaged_command_is_read_to_its_end(entry: Any, data: st.DataObject) -> None:
    text = damaged(data.draw, entry.command.encode()).decode("utf-8", "surrogateescape")
    with quickly(text):
        for operation in read_command(text):
            assert not str(operation.params.get("why")).startswith(FAULT), (text, operation)


def rewritten(draw: Any, word: str, *, unknown: bool) -> str:
    """The word, written in another way that a shell reads the same; `unknown`: also with what only the shell knows."""
    cut = draw(st.integers(0, len(word)))
    ways = [
        word,
        f"'{word}'",
        f'"{word}"',
        f"{word[:cut]}''{word[cut:]}",
        f'{word[:cut]}""{word[cut:]}',
        f"'{word[:cut]}'{word[cut:]}",
        f'{word[:cut]}"{word[cut:]}"',
        f"{word[:cut]}\\\n{word[cut:]}",
        "".join(f"\\{letter}" for letter in word),
        f"$'{word}'",
    ]
    if unknown:
        ways += [f"{word}$(:)", f"{word}${{nothing_at_all:-}}", f"{word[:cut]}`true`{word[cut:]}"]
    return str(draw(st.sampled_from(ways)))


BETWEEN = st.sampled_from([" ", "  ", "\t", " \\\n ", " \t "])
BEFORE = st.sampled_from(["", " ", "\n", "# git status\n", ": ; ", "true && ", "A=1 ", "! ", "{ ", "( ", "</dev/null "])
AFTER = {"{ ": " ; }", "( ": " )"}
BEHIND = st.sampled_from(
    ["", " # and so on", " ;", " && :", " || :", "\n", " 2>&1", " >/dev/null", " &", " | cat", "\\\n"]
)


def _anywhere(note: str) -> str:
    """The note without folder and remote: what follows an option of git's that is not known may be its value."""
    return re.sub(r" (remote=|@)\S+", "", note)


@given(st.sampled_from(SIMPLE), DRAW)
@examples(400)
def test_the_same_command_written_otherwise_is_the_same_operations(entry: Any, data: st.DataObject) -> None:
    first, *words = entry.command.split(" ")
    pushes, before = words[:1] == ["push"], data.draw(BEFORE)
    text = before + rewritten(data.draw, first, unknown=pushes)
    for word in words:
        text += data.draw(BETWEEN) + (
            rewritten(data.draw, word, unknown=pushes and not re.match("-[^-]", word)) if word else ""
        )
    text += AFTER.get(before, "") + data.draw(BEHIND)
    with quickly(text):
        found = [noted(operation) for operation in read_command(text)]
    unsure = {note.partition(".")[0] for note in found if "=?" in note}
    told = {_anywhere(note) for note in found}
    missing = [
        note for note in entry.operations if _anywhere(note) not in told and note.partition(".")[0] not in unsure
    ]
    # What cannot be read is asked about where it may touch what policies protect; that a file is fetched is not among it.
    harmless = all(note.startswith(("network ", "file.read ", "file.write ")) for note in missing)
    covered = any(note.startswith("opaque" if harmless else "opaque ") for note in found)
    assert not missing or covered, (text, missing, found)


@pytest.mark.parametrize(
    "command",
    [
        "git push --al${x}l",
        "git push --delet${x}e origin main",
        "git reset --hard$x",
        "git reset $x HEAD~1",
        "git commit --no-verify$x -m text",
        "git interpret-trailers --in-plac${x}e message.txt",
        "git checkout .${x}",
    ],
)
def test_an_option_or_a_path_that_cannot_be_known_is_not_taken_for_a_harmless_one(command: str) -> None:
    found = read_command(command)
    assert any(o.params.get("touches") or None in o.params.values() for o in found), found
    assert read_command(command.replace("${x}", "").replace("$x", "")) != []

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgenie_mcp.config import Settings
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.loader import MAX_BYTES, Loaded, load_bytes, load_yaml
from llmgenie_mcp.rules import Policy
from llmgenie_mcp.workflow import Workflow

WORKFLOWS = Path(__file__).parent.parent / "workflows"
REVIEW = (WORKFLOWS / "review.yaml").read_text(encoding="utf-8")
SECURITY = (WORKFLOWS / "policies" / "security.yaml").read_text(encoding="utf-8")
FLOW = "name: x\ninitial: a\nstates: {a: {on: {go: b}}, b: {final: true}}\n"


def flow(text: str) -> Loaded[Workflow]:
    return load_bytes(text.encode(), Workflow, "x.yaml")


def metadata(yaml: str) -> Any:
    return flow(f"{FLOW}metadata: {yaml}").value.metadata


def refusal(data: bytes | str) -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        load_bytes(data.encode() if isinstance(data, str) else data, Workflow, "x.yaml")
    return caught.value


def test_packaged_workflow_is_read_with_its_place_and_hash() -> None:
    loaded = load_yaml(WORKFLOWS / "review.yaml", Workflow)
    assert loaded.value.initial == "draft"
    assert loaded.path == WORKFLOWS / "review.yaml"
    assert len(loaded.sha256) == 64
    line, column = loaded.position(("states", "draft", "on", "submit", "guards", 1, "expression"))
    assert REVIEW.splitlines()[line - 1][column - 1 :] == "git.clean"


def test_file_is_named_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "x.yaml").write_text(FLOW, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_yaml(tmp_path / "flows" / "x.yaml", Workflow).file == "flows/x.yaml"
    monkeypatch.chdir(tmp_path / "flows")
    assert load_yaml(Path("x.yaml"), Workflow).file == "x.yaml"
    assert load_yaml(Path("../flows/x.yaml"), Workflow).file == "../flows/x.yaml"


def test_on_is_a_word_and_so_are_off_yes_and_no() -> None:
    assert metadata("{on: on, off: off, yes: yes, no: no, y: y, n: n}") == {
        "on": "on", "off": "off", "yes": "yes", "no": "no", "y": "y", "n": "n"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-01-01", "2026-01-01"), ("2026-01-01 10:00:00", "2026-01-01 10:00:00"), ("12:30", "12:30"),
        ("12:30:45", "12:30:45"), ("0o17", 15), ("0x1F", 31), ("017", 17), ("0b101", "0b101"), ("1_000", "1_000"),
        ("-7", -7), ("+7", 7), ("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("1.2.3", "1.2.3"), ("~", None),
        ("null", None), ("", None), ("Null", None), ("nUll", "nUll"), ("TRUE", True), ("False", False),
        ("tRue", "tRue"), ("'true'", "true"), ('"1"', "1"), ("=", "="), ("<", "<"), ("1,5", "1,5"), ("0xZZ", "0xZZ"),
        ("12345678901234567890", 12345678901234567890), ("'<<'", "<<"),
    ],
)  # fmt: skip
def test_plain_words_mean_what_the_core_schema_of_yaml_1_2_says(written: str, value: object) -> None:
    found = metadata(f"\n  key: {written}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_json_is_read_with_tabs_escapes_and_a_schema_key() -> None:
    text = json.dumps(
        {
            "$schema": "x",
            "name": "x",
            "initial": "a",
            "states": {"a": {"on": {"go": "a"}}},
            "metadata": {"k": "\\ 😀/"},
        },
        indent="\t",
    )
    assert flow(text).value.metadata == {"k": "\\ 😀/"}


def test_schema_key_is_accepted_at_the_top_only() -> None:
    assert "states.a.$schema: Unknown key '$schema'" in str(
        refusal("name: x\ninitial: a\nstates: {a: {$schema: x, on: {go: a}}}")
    )


def test_byte_order_mark_and_windows_line_ends_do_not_move_positions() -> None:
    text = "\ufeff" + "name: x\ninitial: zz\nstate: {}\n".replace("\n", "\r\n")
    assert [(p["line"], p["column"]) for p in refusal(text).details["problems"]] == [(1, 1), (3, 1)]  # type: ignore[index,attr-defined]


def test_alias_becomes_a_copy() -> None:
    found = metadata("\n  one: &x {list: [1]}\n  two: *x")
    assert found["one"] == found["two"]
    assert found["one"]["list"] is not found["two"]["list"]


def test_settings_file_may_be_empty() -> None:
    assert load_bytes(b"# nothing yet\n", Settings, "llmgenie.yaml").value == Settings()


POSITIONS = """\
name: x
initial: a
on:
  stop: b
states:
  a:
    on:
      go: {target: b, guards: [{expression: "git.clean", message: m}]}
      short: b
    actions:
  b: {final: true}
"""


@pytest.mark.parametrize(
    ("loc", "offset", "key", "place"),
    [
        (("name",), None, False, (1, 7)),
        (("name",), None, True, (1, 1)),
        (("on", "stop"), None, False, (4, 9)),
        (("on", "[key]"), None, False, (3, 1)),
        (("states", "a"), None, False, (7, 5)),
        (("states", "a"), None, True, (6, 3)),
        (("states", "a", "on", "go", "guards", 0), None, False, (8, 32)),
        (("states", "a", "on", "go", "guards", 0, "expression"), None, False, (8, 45)),
        (("states", "a", "on", "go", "guards", 0, "expression"), 4, False, (8, 50)),
        (("states", "a", "on", "go", "guards", 7, "expression"), None, False, (8, 31)),
        (("states", "a", "on", "short", "target"), None, False, (9, 14)),
        (("states", "a", "on", "short", "Transition", "target"), None, False, (9, 14)),
        (("states", "a", "actions"), None, False, (10, 5)),
        (("states", "b", "missing"), None, False, (11, 6)),
        ((), None, False, (1, 1)),
        (("nowhere", "at", "all"), None, False, (1, 1)),
    ],
)
def test_position_of_keys_values_and_what_is_missing(
    loc: tuple[str | int, ...], offset: int | None, key: bool, place: tuple[int, int]
) -> None:
    assert flow(POSITIONS).position(loc, offset, key) == place


@pytest.mark.parametrize(
    "written",
    [
        "foo the mark", '"foo \\" \\u00e9\\ud83d\\ude00 the mark"', "'it''s the mark'", '&x "foo the mark"', "&x the mark",
        ">-\n  foo\n  bar\n\n  the mark\n", ">\n  foo the\n  mark\n", "|\n\n    foo\n      bar\n    the mark\n",
        "foo\n   bar\n\n   the mark", '"foo\n   bar\\\n   qux the mark"', "'foo\n\n  bar the mark'",
        "|2\n    foo\n  the mark\n",
    ],
)  # fmt: skip
def test_offset_inside_a_scalar_is_found_in_every_style(written: str) -> None:
    text = f"{FLOW}description: {written}\n"
    loaded = flow(text)
    line, column = loaded.position(("description",), loaded.value.description.index("mark"))
    assert text.splitlines()[line - 1][column - 1 :].startswith("mark")


def test_missing_file() -> None:
    with pytest.raises(DefinitionError) as caught:
        load_yaml(Path("nowhere/x.yaml"), Workflow)
    assert str(caught.value) == "nowhere/x.yaml: There is no such file"
    assert caught.value.details["problems"] == [
        {"file": "nowhere/x.yaml", "line": 0, "column": 0, "where": "", "message": "There is no such file", "hint": ""}
    ]


def test_folder_and_pipe_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(DefinitionError, match=r"^folder.yaml: This is a folder\nName a YAML or JSON file.$"):
        load_yaml(tmp_path / "folder.yaml", Workflow, file="folder.yaml")
    with pytest.raises(DefinitionError, match=r"^pipe.yaml: This is not a regular file\n"):
        load_yaml(tmp_path / "pipe.yaml", Workflow, file="pipe.yaml")


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(FLOW, encoding="utf-8")

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DefinitionError, match=r"^x.yaml: The file cannot be read: Permission denied$"):
        load_yaml(path, Workflow, file="x.yaml")


def test_name_that_no_file_can_have() -> None:
    with pytest.raises(DefinitionError, match=r"The file cannot be read: .*null"):
        load_yaml(Path("a\0b"), Workflow, file="x.yaml")


def test_file_beyond_one_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(DefinitionError, match=r"^x.yaml: The file is larger than 1,000,000 bytes\n"):
        load_yaml(path, Workflow, file="x.yaml")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"name: x\ndescription: caf\xe9\n", "x.yaml:2:17: Byte 0xe9 (number 25 of the file) is not UTF-8\nSave"),
        ("name: x".encode("utf-16"), "x.yaml:1:1: The file is UTF-16, not UTF-8\nSave it as UTF-8."),
        (b"name: x\ninitial: a\0b", "x.yaml:2:11: Character U+0000 cannot stand in YAML\nRemove it."),
        (FLOW.replace("x", '"\\ud83d"').encode(), "x.yaml:1:7: name: Half of a surrogate pair\nWrite the character"),
        (b"[" * 60, "x.yaml:1:51: Nested deeper than 50 levels"),
        (b"a: [" + b"1," * 30_000 + b"]", "x.yaml:1:40003: More than 20,000 values, with aliases written out"),
        (b"!" * 200_000, "x.yaml:1:1: A tag of more than 10,000 characters"),
        (b"%YAML 1." + b"1" * 5000, "x.yaml:1:1: This cannot be read as YAML: ValueError: Exceeds the limit"),
    ],
)  # fmt: skip
def test_bytes_and_sizes_that_are_refused(data: bytes, said: str) -> None:
    assert str(refusal(data)).startswith(said)


def test_alias_bomb_is_refused_quickly() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(20)]
    start = time.process_time()
    assert "More than 20,000 values, with aliases written out" in str(refusal("\n".join(lines)))
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "text", ["!" * MAX_BYTES, "[" * MAX_BYTES, "- " * (MAX_BYTES // 2), "a: b\n" * (MAX_BYTES // 5)]
)
def test_hostile_megabyte_is_refused_within_seconds(text: str) -> None:
    start = time.process_time()
    refusal(text)
    assert time.process_time() - start < 15


def test_problems_are_sorted_and_at_most_twenty_are_shown() -> None:
    error = refusal(FLOW + "".join(f"key{n}: 1\n" for n in range(30)) + "name: y\n")
    problems = error.details["problems"]
    assert isinstance(problems, list)
    assert [problem["line"] for problem in problems] == list(range(4, 24))
    assert error.details["count"] == 31
    assert error.hint == "… and 11 more."
    assert str(error).startswith("x.yaml:4:1: key0: Unknown key 'key0'\n  Allowed here: description")
    assert json.dumps(error.to_dict())


def test_thousands_of_problems_are_counted_but_not_spelled_out() -> None:
    error = refusal(FLOW + "".join(f"key{n}: 1\n" for n in range(3000)))
    assert error.details["count"] == 3000
    assert len(str(error)) < 5000


def test_fault_of_the_text_hides_what_follows_from_it_but_nothing_else() -> None:
    error = refusal("name: 1\ninitial: a\nversion: .nan\nstates: {a: {on: {go: a}}}")
    assert [line for line in str(error).splitlines() if not line.startswith(" ")] == [
        "x.yaml:1:7: name: Expected text, got the number 1",
        "x.yaml:3:10: version: .nan is no number that can be stored",
    ]


def test_problem_reached_through_an_alias_is_said_once_where_it_is_written() -> None:
    error = refusal("name: x\ninitial: a\nstates:\n  a: {on: {go: &t {target: 3}, run: *t}}")
    assert str(error).splitlines()[0] == "x.yaml:4:28: states.a.on.go.target: Expected text, got the number 3"
    assert error.details["count"] == 1


def test_long_values_are_shortened_in_messages() -> None:
    assert len(str(refusal(f"{FLOW}{'k' * 5000}: 1\nversion: {'v' * 5000}"))) < 1500


def test_importing_the_loader_does_not_import_the_yaml_parser() -> None:
    code = "import sys, llmgenie_mcp.loader.catalog; print('ruamel.yaml' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    assert run.stdout.strip() == "False"


def loads_or_says_why(data: bytes, model: type[Workflow | Policy]) -> None:
    try:
        loaded = load_bytes(data, model, "x.yaml")
    except DefinitionError as error:
        problems = error.details["problems"]
        assert isinstance(problems, list)
        text = data.decode("utf-8", "replace")
        for problem in problems:
            assert 1 <= problem["line"] <= text.count("\n") + text.count("\r") + 1
            assert 1 <= problem["column"] <= len(text) + 1
    else:
        assert loaded.value.name


LIMITS = settings(deadline=5000, max_examples=250, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
SNIPPETS = st.sampled_from(
    [*"[]{}'\"|>#%\t\r\n\x85\u2028\ufeffé😀", "\n  ", ": ", "- ", "&a ", "*a", "!!x ", "? ", "\\u", "---\n",
     "on", "target", "true", "1", "null", "<<", "name", "states", "a", "{git.head}"]
)  # fmt: skip


@LIMITS
@given(
    st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(str.encode), st.lists(SNIPPETS).map("".join).map(str.encode)
    )
)
def test_any_bytes_load_or_raise_a_definition_error(data: bytes) -> None:
    loads_or_says_why(data, Workflow)


@LIMITS
@given(st.data(), st.sampled_from([(REVIEW, Workflow), (SECURITY, Policy)]))
def test_any_damage_to_a_good_file_is_noticed_or_harmless(
    data: st.DataObject, good: tuple[str, type[Workflow | Policy]]
) -> None:
    text, model = good
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 60)))
    inserted = data.draw(st.lists(SNIPPETS, max_size=4).map("".join))
    loads_or_says_why((text[:start] + inserted + text[end:]).encode(), model)


LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x7f")
# YAML limits a key to 1,024 characters, escapes included.
KEYS = st.text(LETTERS, max_size=50)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | FLOATS | st.text(LETTERS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@LIMITS
@given(st.dictionaries(KEYS, JSON, max_size=3), st.sampled_from([None, 1, "\t"]))
def test_any_json_is_read_as_json_means_it(value: dict[str, Any], indent: int | str | None) -> None:
    content = {"name": "x", "initial": "a", "states": {"a": {"on": {"go": "a"}}}, "metadata": value}
    assert flow(json.dumps(content, indent=indent)).value.metadata == value

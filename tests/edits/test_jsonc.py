"""JSON with comments: read as it is meant, changed in one place, and left alone everywhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmgenie_mcp.edits import jsonc
from llmgenie_mcp.edits.jsonc import JsoncError

KEYS = ("mcpServers", "llmgenie")
VALUE = {"command": "llmgenie-mcp", "args": ["--project", "ü"]}

names = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def texts(draw: st.DrawFn, value: Any = None) -> str:
    """A text with comments, blanks, trailing commas, and one kind of line end."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    gap = st.sampled_from(
        ["", "", "", " ", "  ", "\t", "\n", "\n  ", "\n\n    ", " // c, }\n", "/* [ */", " /* a\nb */ "]
    )

    def written(part: Any) -> str:
        if not isinstance(part, (dict, list)):
            return json.dumps(part, ensure_ascii=draw(st.booleans()))
        pieces = [
            (f"{json.dumps(key)}{draw(gap)}:{draw(gap)}" if isinstance(part, dict) else "") + written(inner)
            for key, inner in (part.items() if isinstance(part, dict) else enumerate(part))
        ]
        inside = ",".join(f"{draw(gap)}{piece}{draw(gap)}" for piece in pieces)
        inside += draw(st.sampled_from(["", ","])) if pieces else ""
        return f"{'{' if isinstance(part, dict) else '['}{inside}{draw(gap)}{'}' if isinstance(part, dict) else ']'}"

    if value is None:
        value = draw(st.dictionaries(names, values, max_size=4))
    text = draw(st.sampled_from(["", "\ufeff"])) + draw(gap) + written(value) + draw(gap)
    return text.replace("\n", newline)


def is_plain_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def reads(text: str) -> bool:
    try:
        jsonc.parse(text)
    except JsoncError:
        return False
    return True


@given(values)
def test_plain_json_is_read_as_json_loads_reads_it(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=3, ensure_ascii=False)):
        assert repr(jsonc.parse(text)) == repr(json.loads(text))


@given(st.data(), st.dictionaries(names, values, max_size=4))
def test_comments_blanks_and_trailing_commas_change_nothing_of_the_value(data: st.DataObject, value: Any) -> None:
    assert repr(jsonc.parse(data.draw(texts(value)))) == repr(value)


@settings(max_examples=400)
@given(texts(), st.lists(names, min_size=1, max_size=3), values)
def test_a_member_that_is_set_and_removed_leaves_the_text_as_it_was(text: str, keys: list[str], value: Any) -> None:
    try:
        there = jsonc.reach(text, keys)
        changed = jsonc.set_member(text, keys, value)
    except JsoncError:  # what is on the way is no object
        assume(False)
    assume(there < len(keys))
    wanted = jsonc.parse(text)
    inner = wanted
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
    inner[keys[-1]] = value
    assert jsonc.parse(changed) == wanted
    assert jsonc.set_member(changed, keys, value) == changed
    assert jsonc.remove_member(changed, keys, len(keys) - 1 - there) == text


@settings(max_examples=400)
@given(texts(), st.lists(names, min_size=1, max_size=2), values)
def test_an_item_that_is_added_and_removed_leaves_the_text_as_it_was(text: str, keys: list[str], inner: Any) -> None:
    item = {"ours": "the mark\\", "more": inner}
    try:
        changed = jsonc.add_item(text, keys, item, "the mark\\")
    except JsoncError:
        assume(False)
    value = jsonc.parse(changed)
    for key in keys:
        value = value[key]
    assert value[-1] == item
    assert jsonc.add_item(changed, keys, item, "the mark\\") == changed
    there = jsonc.reach(text, keys)
    assert jsonc.remove_items(changed, keys, "the mark\\", len(keys) - there) == text


@given(texts(), values, values)
def test_a_replaced_member_is_written_back_exactly(text: str, old: Any, new: Any) -> None:
    keys = ["k"]
    before = jsonc.set_member(text, keys, old)
    written = jsonc.source(before, keys)
    assert written is not None
    assert jsonc.set_source(jsonc.set_member(before, keys, new), keys, written) == before


@given(st.text(alphabet='{}[]",:/*\\ \n019-.eEtruefalsn\ufeff\x00', max_size=30))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    if not reads(text):
        with pytest.raises(JsoncError) as caught:
            jsonc.parse(text)
        assert (caught.value.line >= 1, caught.value.column >= 1) == (True, True)
        assert caught.value.message.endswith((".", "["))
        assert not is_plain_json(text) or "twice" in caught.value.message
    else:
        assert json.loads(json.dumps(jsonc.parse(text))) == jsonc.parse(text)


# name: the text before, and what it becomes with VALUE at KEYS
STYLES = {
    "empty": ("", '{\n  "mcpServers": {\n    "llmgenie": {}\n  }\n}\n'),
    "braces": ("{}\n", '{\n  "mcpServers": {\n    "llmgenie": {}\n  }\n}\n'),
    "only a comment": ("// ours\n", '// ours\n{\n  "mcpServers": {\n    "llmgenie": {}\n  }\n}\n'),
    "minified": ('{"mcpServers":{"a":{"b":1}}}', '{"mcpServers":{"a":{"b":1},"llmgenie":{}}}'),
    "one line": ('{"mcpServers": {}}', '{"mcpServers": {"llmgenie": {}}}'),
    "four blanks": (
        '{\n    "mcpServers": {\n        "a": {} // theirs\n    }\n}',
        '{\n    "mcpServers": {\n        "a": {}, // theirs\n        "llmgenie": {}\n    }\n}',
    ),
    "tabs, windows, trailing comma": (
        '{\r\n\t"mcpServers": {\r\n\t\t"a": {},\r\n\t},\r\n}\r\n',
        '{\r\n\t"mcpServers": {\r\n\t\t"a": {},\r\n\t\t"llmgenie": {},\r\n\t},\r\n}\r\n',
    ),
    "another member": ('{\n  "x": 1\n}\n', '{\n  "x": 1,\n  "mcpServers": {\n    "llmgenie": {}\n  }\n}\n'),
    "a comment inside": (
        '{\n  "mcpServers": {\n    // none yet\n  }\n}\n',
        '{\n  "mcpServers": {\n    // none yet\n    "llmgenie": {}\n  }\n}\n',
    ),
}


@pytest.mark.parametrize(("before", "after"), STYLES.values(), ids=STYLES)
def test_a_new_member_is_written_in_the_style_around_it(before: str, after: str) -> None:
    assert jsonc.set_member(before, KEYS, {}) == after


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_items_of_ours_are_replaced_in_place_appended_and_taken_out(newline: str) -> None:
    text = '{\n  "hooks": [\n    {"c": "x ours 1"}, // first\n    {"c": "theirs"}\n  ]\n}\n'.replace("\n", newline)
    two = jsonc.set_items(text, ["hooks"], [{"c": "x ours 2"}, {"c": "x ours 3"}], "x ours")
    assert two == text.replace("ours 1", "ours 2").replace(
        '{"c": "theirs"}', f'{{"c": "theirs"}},{newline}    {{{newline}      "c": "x ours 3"{newline}    }}'
    )
    assert jsonc.set_items(two, ["hooks"], [{"c": "x ours 2"}], "x ours") == text.replace("ours 1", "ours 2")


def test_a_member_is_taken_out_from_between_others_with_the_line_comments_kept() -> None:
    text = '{ // one\n  "a": 1, // two\n  "b": 2\n}'
    assert jsonc.remove_member(text, ["a"]) == '{ // one\n   // two\n  "b": 2\n}'
    assert jsonc.remove_member('{ // one\n"a": 1, "b": 2 }', ["a"]) == '{ // one\n "b": 2 }'
    assert jsonc.remove_member('{"a": 1, "b": 2}', ["a"]) == '{"b": 2}'
    assert jsonc.remove_member('{ "b": 2, // one\n"a": 1}', ["a"]) == '{ "b": 2 // one\n}'


# text: where, and what the message must name
WRONG = {
    '{"a": 1, "b": 2, "a": 3}': (1, 18, "'a' is there twice"),
    '{\n  "a": 1\n  "b": 2\n}': (3, 3, "a comma or } belongs here"),
    '{\r\n  "a": [1, 2\r\n': (3, 1, "] is missing for what began at 2:8"),
    "{'a': 1}": (1, 2, "a name in double quotes"),
    '{"a" 1}': (1, 6, "a colon belongs after the name 'a'"),
    '{"a": NaN}': (1, 7, "'NaN' is not expected"),
    '{"a": "x\ny"}': (1, 7, "does not end on its line"),
    '{"a": "\\q"}': (1, 7, "a \\ that JSON does not know"),
    '{"a": 1} x': (1, 10, "one value"),
    '{"a": 1, /* }': (1, 10, "*/ is missing"),
    '{"ü": 1,\n ,}': (2, 2, "',' is not expected"),
    "[" * 1000: (1, 201, "deep"),
    '{"a": ' + "9" * 5000 + "}": (1, 7, "digits"),
}


@pytest.mark.parametrize(("text", "place"), WRONG.items(), ids=[text[:16] for text in WRONG])
def test_a_wrong_text_is_refused_with_its_place(text: str, place: tuple[int, int, str]) -> None:
    with pytest.raises(JsoncError) as caught:
        jsonc.parse(text)
    assert (caught.value.line, caught.value.column) == place[:2]
    assert place[2] in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"mcpServers": []}', "1:16: mcpServers is an array here; an object belongs here."),
        ('{"mcpServers": 1}', "1:16: mcpServers is a single value here; an object belongs here."),
        ("[]", "1:1: The file is an array here; an object belongs here."),
    ],
)
def test_another_kind_on_the_way_is_refused_and_not_replaced(text: str, message: str) -> None:
    with pytest.raises(JsoncError) as caught:
        jsonc.set_member(text, KEYS, VALUE)
    assert str(caught.value) == message
    with pytest.raises(JsoncError, match="llmgenie is an object here; an array belongs here"):
        jsonc.add_item('{"mcpServers": {"llmgenie": {}}}', KEYS, VALUE, "x")

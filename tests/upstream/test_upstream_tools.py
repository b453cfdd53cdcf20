"""What is kept of tools: clean texts, bounded schemas, marks that show every change, and acceptances nobody can forge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upstream_scene import tool

from llmgenie_mcp import trust
from llmgenie_mcp.config import Upstream
from llmgenie_mcp.errors import BadParams
from llmgenie_mcp.upstream import folder, listing
from llmgenie_mcp.upstream.schema import SHOWN_BYTES, checked, params_of, shown, usage
from llmgenie_mcp.upstream.text import clean, hidden_in, is_hidden
from llmgenie_mcp.upstream.tools import Unusable, read_tool, tool_of, tools_of

SHOP = Upstream(command=("shop",))


def nested(levels: int) -> dict[str, Any]:
    """A schema of so many levels."""
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


# -- texts


@pytest.mark.parametrize(
    "hidden",
    [
        "\u200b",
        "\u202e",
        "\U000e0041",
        "\x1b",
        "\x00",
        "\u2066",
        "\ufeff",
        "\ufe0f",
        "\U000e0100",
        "\u3164",
        "\ue000",
        "\x85",
    ],
)
def test_what_people_do_not_see_is_taken_out_and_counted(hidden: str) -> None:
    assert clean(f"Buy{hidden} it.", 100) == "Buy it."
    assert hidden_in(f"Buy{hidden} it.") == 1
    assert tool_of(tool("buy", description=f"Buy{hidden} it.")).hidden == 1


@given(st.text(max_size=400), st.integers(1, 100))
def test_a_clean_text_is_short_and_shows_all_it_holds(text: str, limit: int) -> None:
    made = clean(text, limit)
    assert len(made) <= limit
    assert not any(is_hidden(character) for character in made)
    assert clean(made, limit) == made


def test_letters_of_all_scripts_and_line_ends_stay() -> None:
    text = "Купить кота 🐈 — 猫を買う\n\nسعر"
    assert clean(text, 100) == text


# -- tools


@pytest.mark.parametrize(
    ("annotations", "read_only", "destructive"),
    [
        (None, False, True),
        ({"readOnlyHint": True}, True, False),
        ({"readOnlyHint": True, "destructiveHint": True}, True, False),
        ({"destructiveHint": False}, False, False),
        ({"readOnlyHint": "yes"}, False, True),
        ({"destructiveHint": None}, False, True),
    ],
)
def test_annotations_are_read_as_the_specification_says(annotations: Any, read_only: bool, destructive: bool) -> None:
    made = tool_of({**tool("buy"), "annotations": annotations})
    assert (made.read_only, made.destructive) == (read_only, destructive)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"name": 3, "inputSchema": {"type": "object"}},
        tool("") | {"name": ""},
        tool("b uy"),
        tool("buy\u200b"),
        tool("x" * 129),
        {"name": "buy"},
        tool("buy", schema={"type": "string"}),
        tool("buy", schema=nested(30)),
        tool("buy", schema={"type": "object", "properties": {"a": {"enum": ["x" * 70_000]}}}),
        tool("buy", schema={"type": "object", "properties": {"a\u200b": {}}}),
        tool("buy", schema={"type": "object", "properties": {"a": {"enum": ["x\u202e"]}}}),
    ],
)
def test_a_tool_that_cannot_be_called_is_left_out(raw: Any) -> None:
    with pytest.raises(Unusable):
        tool_of(raw)
    found, problems = tools_of([raw, tool("ok"), "no tool"])
    assert [each.name for each in found] == ["ok"]
    assert len(problems) == 2


def test_prose_in_a_schema_is_cleaned_and_parameters_of_such_names_stay() -> None:
    properties = {
        "description": {"type": "string", "description": "A\u200b " + "long " * 200},
        "title": {"type": "string"},
    }
    made = tool_of(tool("buy", schema={"type": "object", "properties": properties, "$comment": "psst"}))
    assert set(made.schema["properties"]) == {"description", "title"}
    assert len(made.schema["properties"]["description"]["description"]) <= 300
    assert "$comment" not in made.schema
    assert made.hidden == 1


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({}, []),
        ({"description": "Does it!"}, ["description"]),
        ({"description": "Does it.\u200b"}, ["description"]),
        ({"inputSchema": {"type": "object", "properties": {"a": {}}}}, ["parameters"]),
        ({"inputSchema": {"type": "object", "$comment": "x"}}, ["parameters"]),
        ({"annotations": {"readOnlyHint": True}}, ["annotations"]),
        ({"description": "x", "annotations": {}}, ["description", "annotations"]),
    ],
)
def test_every_change_shows_by_name(change: Any, parts: list[str]) -> None:
    before = tool_of(tool("buy"))
    after = tool_of({**tool("buy"), **change})
    assert after.changed(before.marks) == parts
    assert read_tool(json.loads(json.dumps(after.to_dict()))) == after


# -- lists and acceptances


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A project's store."""
    place = tmp_path / ".llmgenie"
    place.mkdir()
    return place


def test_what_is_accepted_stays_so_until_it_changes(store: Path) -> None:
    buy, sell = tool_of(tool("buy")), tool_of(tool("sell"))
    before = folder.mark_of(store)
    listing.keep(store, "shop", SHOP, [buy, sell], ["odd"], "shop 1")
    assert folder.mark_of(store) != before
    known = listing.load(store, "shop", SHOP)
    assert [each.name for each in known.waiting()] == ["buy", "sell"]
    assert (known.problems, known.server) == (("odd",), "shop 1")
    listing.accept(store, "shop", SHOP, [buy])
    assert [each.name for each in listing.load(store, "shop", SHOP).waiting()] == ["sell"]
    listing.accept(store, "shop", SHOP, [sell])
    assert not listing.load(store, "shop", SHOP).waiting()
    changed = tool_of(tool("buy", description="Other."))
    listing.keep(store, "shop", SHOP, [changed, sell], [], "shop 1")
    known = listing.load(store, "shop", SHOP)
    assert known.changes(known.tools["buy"]) == ["description"]
    listing.keep(store, "shop", SHOP, [buy, sell], [], "shop 1")
    assert not listing.load(store, "shop", SHOP).waiting()


def test_the_same_list_again_writes_nothing(store: Path) -> None:
    listing.keep(store, "shop", SHOP, [tool_of(tool("buy"))], [], "")
    before = folder.mark_of(store)
    listing.keep(store, "shop", SHOP, [tool_of(tool("buy"))], [], "")
    assert folder.mark_of(store) == before


@pytest.mark.parametrize(
    "other",
    [
        {"command": ("other",)},
        {"command": ("shop",), "cwd": "sub"},
        {"command": ("shop",), "env": {"A": "b"}},
        {"url": "https://example.org/mcp"},
    ],
)
def test_another_definition_is_another_server(store: Path, other: Any) -> None:
    buy = tool_of(tool("buy"))
    listing.keep(store, "shop", SHOP, [buy], [], "")
    listing.accept(store, "shop", SHOP, [buy])
    changed = Upstream(**other)
    assert listing.load(store, "shop", changed) == listing.Listing()
    listing.keep(store, "shop", changed, [buy], [], "")
    assert listing.load(store, "shop", changed).waiting() == [buy]


def test_time_limits_may_change_without_asking_again(store: Path) -> None:
    buy = tool_of(tool("buy"))
    listing.keep(store, "shop", SHOP, [buy], [], "")
    listing.accept(store, "shop", SHOP, [buy])
    assert not listing.load(store, "shop", Upstream(command=("shop",), timeout=5, idle=1, max_answer=900)).waiting()


def test_an_acceptance_that_was_written_without_the_key_is_none(store: Path) -> None:
    buy, sell = tool_of(tool("buy")), tool_of(tool("sell"))
    listing.keep(store, "shop", SHOP, [buy, sell], [], "")
    listing.accept(store, "shop", SHOP, [buy])
    path = folder.folder(store) / f"shop{listing.ACCEPTED}"
    kept = json.loads(path.read_text(encoding="utf-8"))
    tools = json.loads(kept["tools"])
    kept["tools"] = json.dumps({**tools, "sell": {"marks": dict(sell.marks), "description": ""}})
    path.write_text(json.dumps(kept), encoding="utf-8")
    assert listing.load(store, "shop", SHOP).waiting() == [buy, sell]


def test_an_acceptance_of_another_project_or_server_is_none(store: Path, tmp_path: Path) -> None:
    buy, other = tool_of(tool("buy")), tmp_path / "other" / ".llmgenie"
    other.mkdir(parents=True)
    listing.keep(store, "shop", SHOP, [buy], [], "")
    listing.accept(store, "shop", SHOP, [buy])
    accepted = (folder.folder(store) / f"shop{listing.ACCEPTED}").read_bytes()
    for place, name in ((other, "shop"), (store, "mall")):
        listing.keep(place, name, SHOP, [buy], [], "")
        (folder.folder(place) / f"{name}{listing.ACCEPTED}").write_bytes(accepted)
        assert listing.load(place, name, SHOP).waiting() == [buy]


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"definition": 3}', b'{"tools": {"a": 1}}']
)
def test_damaged_files_are_as_if_they_were_not_there(store: Path, damage: bytes) -> None:
    buy = tool_of(tool("buy"))
    listing.keep(store, "shop", SHOP, [buy], [], "")
    listing.accept(store, "shop", SHOP, [buy])
    (folder.folder(store) / f"shop{listing.ACCEPTED}").write_bytes(damage)
    assert listing.load(store, "shop", SHOP).waiting() == [buy]
    (folder.folder(store) / f"shop{listing.LISTED}").write_bytes(damage)
    assert listing.load(store, "shop", SHOP) == listing.Listing()


def test_the_files_are_the_users_alone(store: Path) -> None:
    listing.keep(store, "shop", SHOP, [tool_of(tool("buy"))], [], "")
    place = folder.folder(store)
    assert place.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in place.iterdir())
    assert trust.state_folder() in place.parents
    assert listing.forget(store, "shop")
    assert not listing.forget(store, "shop")


# -- parameters


def checks(schema: Any, given: Any) -> str:
    """What is wrong with parameters by a schema; "" when nothing is."""
    try:
        params_of("shop.buy", tool_of(tool("buy", schema=schema))).model_validate(given)
    except BadParams as error:
        return error.message
    return ""


OBJECT = {"type": "object", "additionalProperties": False}
ITEM = {"$defs": {"Item": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}}
LOOP = {"$defs": {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}, "v": {"type": "integer"}}}}}
BOMB = {
    "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 4} for n in range(20)} | {"d20": {"type": "object"}}
}


@pytest.mark.parametrize(
    ("schema", "given", "part"),
    [
        ({**OBJECT, "properties": {"a": {"type": "integer"}}}, {"a": 1}, ""),
        ({**OBJECT, "properties": {"a": {"type": "integer"}}}, {"b": 1}, "b: is no parameter"),
        ({**OBJECT, "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}, {"a": "a" * 40 + "!"}, ""),
        ({**OBJECT, "patternProperties": {"(a+)+$": {}}}, {"a" * 40 + "!": 1}, ""),
        ({"type": "object", **ITEM, "properties": {"i": {"$ref": "#/$defs/Item"}}}, {"i": {"n": 1}}, ""),
        ({"type": "object", **ITEM, "properties": {"i": {"$ref": "#/$defs/Item"}}}, {"i": {}}, "i.n: is missing"),
        ({"type": "object", **LOOP, "properties": {"n": {"$ref": "#/$defs/N"}}}, {"n": {"v": "x"}}, "n.v: 'x' is not"),
        ({"type": "object", **LOOP, "properties": {"n": {"$ref": "#/$defs/N"}}}, {"n": {"next": {"next": 1}}}, ""),
        ({"type": "object", "$ref": "#"}, {"a": 1}, ""),
        ({"type": "object", "$ref": "https://example.org/schema.json"}, {"a": 1}, ""),
        ({"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}, {"a": 1}, ""),
        (
            {"type": "object", **BOMB, "properties": {"a": {"$ref": "#/$defs/d0"}}},
            {"a": 1},
            "a: 1 is not of type 'object'.",
        ),
        ({"type": "object", "properties": {"a": {"type": "no such"}}}, {"a": 1}, ""),
        (
            {"type": "object", "properties": {"model_dump": {"type": "integer"}, "tool": {}}},
            {"model_dump": 1, "tool": 2},
            "",
        ),
    ],
)
def test_parameters_are_checked_as_far_as_that_is_safe(schema: Any, given: Any, part: str) -> None:
    found = checks(schema, given)
    assert part in found
    assert bool(part) == bool(found)


def test_the_parameters_reach_the_server_as_they_were_given() -> None:
    given = {"model_dump": 1, "copy": [1, {"a": None}], "self": "x", "": 2.5}
    params = params_of("shop.buy", tool_of(tool("buy"))).model_validate(given)
    assert params.model_extra == given
    assert params.model_dump(mode="json") == given


def test_a_schema_that_is_long_is_shown_short() -> None:
    rows = {f"column_{n}": {"type": "string", "description": "What it holds. " * 15} for n in range(80)}
    made = shown({"type": "object", "properties": rows, "required": ["column_3"]}, "Fill in a form. " * 40)
    assert len(json.dumps(made)) <= SHOWN_BYTES
    assert made["properties"]["column_3"]["type"] == "string"
    assert made["required"] == ["column_3"]
    assert made["description"].startswith("Fill in a form.")


def test_the_line_of_parameters_tells_needed_ones_first() -> None:
    properties = {"a": {"default": 3}, "b": {}, "c": {"default": None}, "d": {"default": "x" * 50}}
    assert usage({"properties": properties, "required": ["b"]}) == f"b, a?=3, c?, d?={'x' * 19}…"
    assert usage({}) == ""
    assert usage({"properties": [], "required": "all"}) == ""


KEYWORDS = ["$ref", "properties", "allOf", "type", "items", "$defs", "enum", "required", "additionalProperties", "a"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_no_schema_makes_the_check_fail_by_itself(part: Any) -> None:
    schema = {"type": "object", "properties": {"a": part}, "$defs": {"a": part}}
    assert isinstance(checked(schema), dict)
    assert isinstance(shown(schema), dict)
    assert isinstance(usage({"type": "object", "properties": part, "required": part}), str)
    try:
        made = tool_of(tool("buy", schema=schema))
    except Unusable:
        return
    assert isinstance(checks(made.schema, {"a": 1}), str)

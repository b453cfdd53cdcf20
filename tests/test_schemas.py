"""Generated files are as the models say; `packaged.write_schemas` and `packaged.write_parsed` write them anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from llmgenie_mcp.config import Settings
from llmgenie_mcp.declared import ActionFile
from llmgenie_mcp.errors import DefinitionError
from llmgenie_mcp.loader import load_bytes, load_yaml, packaged, yamltext
from llmgenie_mcp.loader.packaged import PARSED, load_packaged, write_parsed, write_schemas
from llmgenie_mcp.loader.schema import DIALECT, schema_for
from llmgenie_mcp.rules import Policy
from llmgenie_mcp.scenarios import ScenarioFile
from llmgenie_mcp.triggers import Trigger
from llmgenie_mcp.workflow import Workflow

ROOT = Path(__file__).parent.parent
MODELS = {
    "workflow": Workflow,
    "policy": Policy,
    "settings": Settings,
    "scenario": ScenarioFile,
    "trigger": Trigger,
    "action": ActionFile,
}
FLOWS = sorted((ROOT / "workflows").glob("*.yaml"))
POLICIES = sorted((ROOT / "workflows" / "policies").glob("*.yaml"))


def properties(schema: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema, nested ones included, with its place."""
    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items() if isinstance(schema.get("properties"), dict) else ():
            yield f"{where}.{name}", value
        for key, value in schema.items():
            if key not in ("default", "examples"):
                yield from properties(value, f"{where}.{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from properties(value, f"{where}.{index}")


def test_committed_schemas_are_what_the_models_say(tmp_path: Path) -> None:
    written = write_schemas(tmp_path)
    assert sorted(path.name for path in written) == sorted(path.name for path in (ROOT / "schemas").iterdir())
    for path in written:
        assert (ROOT / "schemas" / path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), path.name


def test_writing_schemas_again_changes_nothing(tmp_path: Path) -> None:
    assert len(write_schemas(tmp_path / "new")) == len(MODELS)
    assert write_schemas(tmp_path / "new") == []


def test_committed_parsed_definitions_are_those_of_the_yaml_files(tmp_path: Path) -> None:
    assert write_parsed(tmp_path / PARSED) == [tmp_path / PARSED]
    assert write_parsed(tmp_path / PARSED) == []
    committed = ROOT / "llmgenie_mcp" / "loader" / PARSED
    assert committed.read_text(encoding="utf-8") == (tmp_path / PARSED).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", MODELS)
def test_schema_is_valid_2020_12_with_a_stable_id(kind: str) -> None:
    schema = schema_for(MODELS[kind])
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert schema["$id"] == f"urn:llmgenie:schema:{kind}:1"
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("kind", MODELS)
def test_every_property_is_described(kind: str) -> None:
    schema = schema_for(MODELS[kind])
    found = list(properties(schema))
    assert found
    # pydantic leaves a description out where the one of the model referred to is the same.
    named = {f"#/$defs/{name}": value for name, value in schema.get("$defs", {}).items()}
    described = [value.get("description") or named[value["$ref"]].get("description") for _, value in found]
    assert [where for (where, _), words in zip(found, described, strict=True) if not words] == []


@pytest.mark.parametrize("path", [*FLOWS, *POLICIES], ids=lambda path: path.stem)
def test_packaged_definition_fits_its_schema(path: Path) -> None:
    model = Policy if path.parent.name == "policies" else Workflow
    content = yamltext.parse(path.read_text(encoding="utf-8")).root.data()
    Draft202012Validator(schema_for(model)).validate(content)
    assert load_yaml(path, model).value.name == path.stem


@pytest.mark.parametrize("path", [*FLOWS, *POLICIES], ids=lambda path: path.stem)
def test_packaged_definition_names_its_schema_for_editors(path: Path) -> None:
    words = path.read_text(encoding="utf-8").splitlines()[0].partition("$schema=")
    assert words[0] == "# yaml-language-server: "
    assert (path.parent / words[2]).resolve().is_file()


@pytest.mark.parametrize(
    "yaml",
    [
        "{name: x, initial: a, states: {a: {on: {go: a}}}, zebra: 1}", "{name: X, initial: a, states: {a: {on: {go: a}}}}",
        "{name: x, initial: a, states: {A: {on: {go: a}}}}", "{name: x, initial: a, states: {a: {on: {Go: a}}}}",
        "{name: x, initial: a, states: {}}", "{name: x, initial: a, states: {a: {on: {go: [a]}}}}", "[]",
        "{name: x, initial: a, states: {a: {final: 1}}}", "{initial: a, states: {a: {on: {go: a}}}}",
        "{name: x, initial: a, states: {a: {on: {go: {target: a, approval: robot}}}}}",
    ],
)  # fmt: skip
def test_schema_refuses_what_the_loader_refuses(yaml: str) -> None:
    assert not Draft202012Validator(schema_for(Workflow)).is_valid(yamltext.parse(yaml).root.data())
    with pytest.raises(DefinitionError):
        load_bytes(yaml.encode(), Workflow, "x.yaml")


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packaged definition that was edited after `parsed.json` was written."""
    path = tmp_path / "review.yaml"
    path.write_text((ROOT / "workflows" / "review.yaml").read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    monkeypatch.setattr(packaged, "_parsed", dict)
    return path


def test_packaged_definition_is_read_from_yaml_when_it_was_edited(changed: Path) -> None:
    unchanged = load_packaged(ROOT / "workflows" / "review.yaml", "workflows/review.yaml", Workflow)
    edited = load_packaged(changed, "workflows/review.yaml", Workflow)
    assert edited.value == unchanged.value
    assert edited.sha256 != unchanged.sha256


def test_definition_parsed_ahead_still_knows_its_positions() -> None:
    path = ROOT / "workflows" / "review.yaml"
    ahead = load_packaged(path, "workflows/review.yaml", Workflow)
    loc = ("states", "in_review", "on", "approve")
    assert ahead.position(loc) == load_yaml(path, Workflow).position(loc)


@pytest.mark.parametrize("kept", ["not JSON", "[]", '{"workflows/review.yaml": {"sha256": "0", "data": {}}}'])
def test_damaged_or_old_parsed_definitions_are_passed_over(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / PARSED).write_text(kept, encoding="utf-8")
    monkeypatch.setattr(packaged, "files", lambda _name: tmp_path)
    packaged._parsed.cache_clear()
    found = load_packaged(ROOT / "workflows" / "review.yaml", "workflows/review.yaml", Workflow)
    packaged._parsed.cache_clear()
    assert found.value.name == "review"

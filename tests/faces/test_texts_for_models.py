"""What a model reads before it acts: every action, parameter, prompt and resource is described, in few words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from llmgenie_mcp import Engine, errors
from llmgenie_mcp.errors import LlmgenieError
from llmgenie_mcp.faces.mcp_face import Face
from llmgenie_mcp.faces.mcp_prompts import GUIDES, PROMPTS
from llmgenie_mcp.plugins import Action

LONGEST = 60
"""Characters of a name with the server's and the separator; longer ones are filtered out by clients."""
CLOSED = {"priority", "status", "effect", "kind", "method", "verdict"}
"""Parameters of these names take one of few values."""


@pytest.fixture(scope="module")
def actions(template: Path) -> Iterator[dict[str, Action]]:
    with Engine.open(template, store="memory:") as engine:
        yield dict(engine.definitions.actions)


def _options(info: dict[str, Any]) -> list[dict[str, Any]]:
    return [option for option in info.get("anyOf", [info]) if option.get("type") != "null"]


def test_every_action_is_described_in_one_or_two_sentences(actions: dict[str, Action]) -> None:
    assert len(actions) > 40
    for name, action in actions.items():
        assert re.fullmatch(r"[a-z][a-z_]*", name)
        assert len(f"mcp__llmgenie__{name}") <= LONGEST
        assert 10 <= len(action.description) <= 160, name
        assert action.description[0].isupper(), name
        assert action.description.endswith("."), name


def test_every_parameter_of_an_action_is_described_typed_and_closed_where_it_is_closed(
    actions: dict[str, Action],
) -> None:
    for name, action in actions.items():
        schema = action.params.model_json_schema()
        assert schema["additionalProperties"] is False, name
        for field, info in schema.get("properties", {}).items():
            said = info.get("description", "")
            assert 5 <= len(said) <= 160, (name, field)
            assert said.endswith((".", "…")), (name, field)
            assert len(field) <= 30
            if field in CLOSED:
                assert all("enum" in option or "const" in option for option in _options(info)), (name, field)
            if any(option.get("type") == "string" and "enum" not in option for option in _options(info)):
                text = next(option for option in _options(info) if option.get("type") == "string")
                assert text.get("maxLength") or text.get("pattern"), (name, field)


def test_all_schemas_of_all_actions_together_stay_small(actions: dict[str, Action]) -> None:
    """A model asks for three at a time; all of them are what a client without search would load."""
    sizes = {name: len(json.dumps(action.params.model_json_schema())) for name, action in actions.items()}
    assert max(sizes.values()) <= 2_500, max(sizes, key=lambda name: sizes[name])
    assert sum(sizes.values()) <= 40_000


def test_a_search_answers_with_examples_that_are_calls_of_run_action(template: Path) -> None:
    with Engine.open(template, store="memory:") as engine:
        found = engine.available_actions("code", query="create task")["actions"]
        assert found[0]["example"] == {
            "action": "create_task",
            "params": dict(engine.definitions.action("create_task").sample or {}),
        }
        assert "example" not in found[-1] or len(found) <= 3


def test_prompts_their_arguments_and_resources_are_described(template: Path) -> None:
    async def listed() -> tuple[Any, Any, Any]:
        face = Face(str(template))
        return await face.list_prompts(), await face.list_resources(), await face.list_resource_templates()

    prompts, resources, templates = anyio.run(listed)
    assert {prompt.name for prompt in prompts} == PROMPTS.keys()
    for prompt in prompts:
        assert 10 <= len(prompt.description) <= 100
        assert all(10 <= len(argument.description) <= 100 for argument in prompt.arguments)
    assert len(resources) >= 2 + len(GUIDES)
    for resource in (*resources, *templates):
        assert 10 <= len(resource.description) <= 100, resource.name
        assert len(f"mcp__llmgenie__{resource.name}") <= LONGEST


def test_every_class_of_errors_says_when_and_has_a_code_of_its_own() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LlmgenieError)]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes) >= 15
    for kind in kinds:
        assert (kind.__doc__ or "").split("\n")[0].endswith("."), kind
        assert re.fullmatch(r"[a-z_]+", kind.code)
        assert kind.__name__ in (errors.__doc__ or ""), kind

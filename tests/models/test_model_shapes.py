"""Answers of a given shape: how a schema is asked for, what is taken off an answer, what is asked for again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hostile import Hostile, as_json
from model_scene import (
    KINDS,
    PATHS,
    ask,
    failed,
    models,
    saying,
    saying_json,
)
from scene import documents

from llmgenie_mcp import Engine
from llmgenie_mcp.errors import BadParams

both = pytest.mark.parametrize("kind", KINDS)


SHAPE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "size"],
    "properties": {"name": {"type": "string"}, "size": {"type": "integer", "minimum": 1}},
}


@both
def test_an_answer_is_constrained_by_a_schema(engine: Engine, repo: Path, server: Hostile, kind: str) -> None:
    server.on(PATHS[kind], saying_json(kind, {"name": "Ä", "size": 3}))
    models(repo, server, kind)
    outcome = ask(engine, schema=SHAPE)
    assert outcome.ok, outcome
    assert outcome.result["data"] == {"name": "Ä", "size": 3}
    asked = server.asked[0].json
    if kind == "openai":
        described = {"name": "answer", "schema": SHAPE, "strict": True}
        assert asked["response_format"] == {"type": "json_schema", "json_schema": described}
    else:
        assert asked["format"] == SHAPE
    assert json.dumps(SHAPE) in asked["messages"][0]["content"]


@both
@pytest.mark.parametrize(
    "around", ["```json\n{}\n```", "```\n{}\n```", "<think>so or so, {{\n</think>\n{}", "\n\n {} \n"]
)
def test_what_models_put_around_it_is_taken_off(
    engine: Engine, repo: Path, server: Hostile, kind: str, around: str
) -> None:
    server.on(PATHS[kind], saying(kind, around.replace("{}", '{"name": "x", "size": 1}').replace("{{", "{")))
    models(repo, server, kind)
    assert ask(engine, schema=SHAPE).result["data"] == {"name": "x", "size": 1}
    assert len(server.asked) == 1


@both
def test_an_answer_that_does_not_fit_is_asked_for_once_more_with_what_was_wrong(
    engine: Engine, repo: Path, server: Hostile, kind: str
) -> None:
    server.on(PATHS[kind], saying_json(kind, {"name": "x", "size": 0}), saying_json(kind, {"name": "x", "size": 1}))
    models(repo, server, kind, price_in=1, price_out=1)
    result = ask(engine, schema=SHAPE, system="Be exact.").result
    assert result["data"] == {"name": "x", "size": 1}
    assert (result["tokens"], result["cost"]) == ({"in": 22, "out": 14}, 0.000036)
    first, second = (asked.json["messages"] for asked in server.asked)
    assert first[0]["content"].startswith("Be exact.")
    assert second[: len(first)] == first
    assert second[-2] == {"role": "assistant", "content": '{"name": "x", "size": 0}'}
    assert "size: 0 is less than the minimum of 1" in second[-1]["content"]


@both
@pytest.mark.parametrize(
    ("garbage", "told"),
    [
        ("I am only a parrot.", "it is no JSON"),
        ('{"name": "x", "size": NaN}', "it is no JSON"),
        ("[" * 5000, "it is no JSON"),
        ('{"name": "x"}', "'size' is a required property"),
        ('"name"', "is not of type 'object'"),
    ],
)
def test_garbage_twice_is_told_with_its_end(
    engine: Engine, repo: Path, server: Hostile, kind: str, garbage: str, told: str
) -> None:
    server.on(PATHS[kind], saying(kind, garbage))
    models(repo, server, kind)
    message, hint, result = failed(ask(engine, schema=SHAPE))
    assert told in message
    assert "asked twice" in hint
    assert result["answer"][:50] == garbage[:50]
    assert len(result["answer"]) <= 2000
    assert result["tokens"] == {"in": 22, "out": 14}
    assert documents(engine)["runs"]["RUN-1"]["tokens"] == {"in": 22, "out": 14}


@both
def test_an_answer_that_was_cut_is_not_asked_for_again(engine: Engine, repo: Path, server: Hostile, kind: str) -> None:
    server.on(PATHS[kind], saying(kind, '{"name": "x', "length"))
    models(repo, server, kind)
    message, hint, _ = failed(ask(engine, schema=SHAPE, max_tokens=5))
    assert "it ended at max_tokens (5)" in message
    assert "max_tokens" in hint
    assert len(server.asked) == 1


def test_odd_values_in_data_can_be_kept(engine: Engine, repo: Path, server: Hostile) -> None:
    odd = '{"nul": "a\\u0000b", "half": "\\ud83d", "large": 1e999, "deep": ' + "[" * 200 + "]" * 200 + "}"
    server.on(PATHS["ollama"], saying("ollama", odd))
    models(repo, server, "ollama")
    outcome = ask(engine, schema={"type": "object"})
    assert outcome.ok, outcome
    json.dumps(outcome.to_dict(), allow_nan=False).encode("utf-8")
    assert set(outcome.result["data"]) == {"nul", "half", "large", "deep"}
    assert engine.storage.verify().ok


def test_an_endpoint_without_schemas_is_asked_without_and_the_answer_checked(
    engine: Engine, repo: Path, server: Hostile
) -> None:
    refuse = as_json({"error": {"message": "This response_format type is unavailable now"}}, 400)
    server.on(PATHS["openai"], refuse, refuse, refuse, saying("openai", '{"name": "x", "size": 1}'))
    models(repo, server, "openai")
    assert ask(engine, schema=SHAPE).result["data"] == {"name": "x", "size": 1}
    formats = [asked.json.get("response_format") for asked in server.asked]
    assert formats[0]["json_schema"]["strict"] is True
    assert "strict" not in formats[1]["json_schema"]
    assert formats[2:] == [{"type": "json_object"}, None]


def test_a_schema_that_is_not_closed_is_not_called_strict(engine: Engine, repo: Path, server: Hostile) -> None:
    server.on(PATHS["openai"], saying("openai", "{}"))
    models(repo, server, "openai")
    loose = {"type": "object", "properties": {"a": {"anyOf": [{"type": "object"}, {"type": "null"}]}}}
    assert ask(engine, schema=loose).ok
    assert "strict" not in server.asked[0].json["response_format"]["json_schema"]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "text"}, "no JSON Schema"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1/x"}}}, "'$ref'"),
        ({"items": [{"x": 1}]}, "no JSON Schema"),
        ({"anyOf": [{"type": "string", "pattern": "(a+)+$"}]}, "'pattern'"),
        ({"$defs": {"a": {"patternProperties": {}}}}, "'patternProperties'"),
    ],
)
def test_schemas_that_are_none_or_could_harm_are_refused(
    engine: Engine, repo: Path, server: Hostile, schema: dict[str, object], told: str
) -> None:
    models(repo, server, "ollama")
    with pytest.raises(BadParams) as error:
        ask(engine, schema=schema)
    assert told in error.value.message
    assert server.asked == []


def test_a_property_may_be_called_pattern(engine: Engine, repo: Path, server: Hostile) -> None:
    server.on(PATHS["ollama"], saying("ollama", '{"pattern": "$ref"}'))
    models(repo, server, "ollama")
    assert ask(engine, schema={"properties": {"pattern": {"enum": ["$ref"]}}}).result["data"] == {"pattern": "$ref"}

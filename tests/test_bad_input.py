"""Whatever is wrong with a call, it is told in words, nothing is written, and the next call works."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scene import codes, commands, lines, started

from llmgenie_mcp import Engine, plugins
from llmgenie_mcp.errors import BadParams, LlmgenieError, UnknownName

LONG = "x" * 1_000_000
DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]
SECRET = "ghp_" + "a1B2c3D4e5" * 4
ACTIONS = sorted(plugins.actions())
ODD: dict[str, Any] = {
    "a megabyte": LONG,
    "NUL": "a\0b",
    "lone surrogate": "\udcff",
    "deep": DEEP,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "huge number": 10**400,
    "bytes": b"x",
    "a set": {1},
    "keys that are no text": {1: {2: 3}},
    "an object": {"a": {"b": [1]}},
    "a list": [1, "a", None],
    "negative": -1,
    "truth": True,
    "null": None,
    "empty": "",
    "spaces": "   ",
}


@pytest.fixture
def busy(engine: Engine, repo: Path) -> Iterator[Engine]:
    """An engine with a task and a session; after the test it still works and its store is whole."""
    commands(repo, test=["true"])
    engine.run_action("create_task", {"title": "x"})
    started(engine, mode="code")
    yield engine
    assert engine.run_action("log_entry", {"text": "still here"}).ok
    assert engine.storage.verify().ok


def told(error: LlmgenieError) -> str:
    """The error as a face shows it: bounded, and JSON."""
    text = json.dumps(error.to_dict(), ensure_ascii=False)
    text.encode("utf-8")
    assert len(text) < 4000
    assert error.message
    return text


@pytest.mark.parametrize("kind", ODD)
def test_odd_values_in_every_parameter_of_every_action_are_told_or_taken(busy: Engine, kind: str) -> None:
    for action in ACTIONS:
        for field, info in plugins.actions()[action].params.model_fields.items():
            required = {"title": "x", "text": "x", "key": "a", "value": 1, "id": "TSK-1", "trigger": "block"}
            required |= {"mode": "code", "name": "test", "branch": "main", "to": "team", "message": "x", "prompt": "x"}
            fields = plugins.actions()[action].params.model_fields
            required = {**(plugins.actions()[action].sample or {}), **required}
            params = {name: required[name] for name, f in fields.items() if f.is_required()} | {field: ODD[kind]}
            before = busy.storage.last_seq()
            try:
                outcome = busy.run_action(action, params, session="SES-1")
            except LlmgenieError as error:
                told(error)
                assert busy.storage.last_seq() == before, (action, field, info)
            else:
                json.dumps(outcome.to_dict(), allow_nan=False).encode("utf-8")


@pytest.mark.parametrize("name", [LONG, "\0", "\ud800", "", "Create_Task", "create task", "create_task\n", "__class__"])
def test_an_unknown_action_teaches(busy: Engine, name: str) -> None:
    with pytest.raises(UnknownName) as error:
        busy.run_action(name, {})
    told(error.value)
    assert error.value.hint


@pytest.mark.parametrize("name", [None, 5, [], {}, b"create_task", True])
def test_a_name_that_is_no_text_is_told(busy: Engine, name: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: busy.run_action(name, {}),
        lambda: busy.policy(name),
        lambda: busy.enforce(None, name),
        lambda: busy.context_data(name),
        lambda: busy.update_context(name, 1),
        lambda: busy.trigger_event(name),
        lambda: busy.action_schema(name),
    ]
    if name is not None:
        calls += [
            lambda: busy.run_action("log_entry", {"text": "x"}, session=name),
            lambda: busy.run_action("log_entry", {"text": "x"}, idempotency_key=name),
            lambda: busy.available_actions(name),
            lambda: busy.workflow_state(name),
            lambda: busy.enforce(name, "git.push"),
        ]
    for call in calls:
        with pytest.raises(BadParams) as error:
            call()
        told(error.value)


@pytest.mark.parametrize("params", [[], "text", 5, LONG, [{}], DEEP, b"{}"])
def test_parameters_that_are_no_object_are_told(busy: Engine, params: Any) -> None:
    for call in (
        lambda: busy.run_action("create_task", params),
        lambda: busy.run_action("list_tasks", params),
        lambda: busy.enforce(None, "create_task", params),
        lambda: busy.enforce(None, "git.push", params),
        lambda: busy.trigger_event("ci.finished", params),
    ):
        if not params:
            continue
        with pytest.raises(BadParams) as error:
            call()
        told(error.value)


@pytest.mark.parametrize("operation", ["git.push", "file.write", "shell", "network", "package.publish"])
@pytest.mark.parametrize("kind", ODD)
def test_odd_values_in_an_operation_are_told_or_judged_on_the_safe_side(
    busy: Engine, operation: str, kind: str
) -> None:
    for name in ("branch", "path", "command", "url", "version", "force"):
        try:
            decision = busy.enforce(None, operation, {name: ODD[kind]}, session="SES-1")
        except LlmgenieError as error:
            told(error)
            continue
        json.dumps(decision.to_dict(trace=True), allow_nan=False).encode("utf-8")
        if (operation, name) in (("git.push", "branch"), ("file.write", "path")) and not isinstance(ODD[kind], str):
            assert decision.effect != "allow"


@pytest.mark.parametrize(
    "title",
    [
        "عنوان المهمة",
        "タスク",
        "👩\u200d👩\u200d👧\u200d👦",
        "e\u0301\u0301",
        "\u202eevil\u202c",
        "a\u2028b",
        "ﷺ" * 200,
        "<b>&amp;",
        "'; DROP TABLE",
        "${x}",
    ],
)
def test_a_title_in_any_script_is_kept_found_and_listed_as_it_is(busy: Engine, title: str, repo: Path) -> None:
    task = busy.run_action("create_task", {"title": title}).result["id"]
    assert busy.context_data(f"tasks/{task}")["value"]["title"] == title
    assert busy.run_action("list_tasks", {"query": title.split(maxsplit=1)[0]}).result["total"] == 1
    busy.storage.checkpoint()
    with Engine.open(repo, read_only=True) as other:
        assert other.context_data("tasks", query=title.split(maxsplit=1)[0])["items"][0]["title"] == title


def test_a_secret_in_any_text_of_any_action_is_refused_and_never_on_the_disk(busy: Engine, repo: Path) -> None:
    tried = 0
    for action in ACTIONS:
        offer = plugins.actions()[action]
        fields = offer.params.model_fields
        for field in fields:
            params: dict[str, Any] = {name: "x" for name, info in fields.items() if info.is_required()}
            params[field] = f"see {SECRET}"
            for value in (params[field], [params[field]], {"token": params[field]}):
                params[field] = value
                try:
                    outcome = busy.run_action(action, params, session="SES-1")
                except LlmgenieError:
                    continue
                tried += 1
                assert outcome.status == "denied" or not offer.changes, (action, field)
                if offer.changes:
                    assert "security/no-secrets-in-parameters" in [reason.rule for reason in outcome.reasons]
    assert tried > 20
    busy.update_context("notes/plain", "nothing to hide")
    outcome = busy.update_context("notes/hidden", {"deep": [{"er": SECRET}]}, session="SES-1")
    assert codes(outcome) == ["rule_matched"]
    busy.trigger_event("ci.finished", {"log": SECRET, SECRET: 1})
    with pytest.raises(LlmgenieError):
        busy.run_action(SECRET)
    busy.storage.checkpoint()
    kept = b"".join(path.read_bytes() for path in (repo / ".llmgenie").rglob("*") if path.is_file())
    assert b"nothing to hide" in kept
    assert SECRET.encode() not in kept
    assert SECRET[4:].encode() not in kept


def test_a_refusal_about_a_secret_says_what_to_do_without_repeating_it(busy: Engine) -> None:
    outcome = busy.run_action("log_entry", {"text": f"token {SECRET}"})
    (reason,) = outcome.reasons
    assert "github_token" in reason.message
    assert SECRET not in json.dumps(outcome.to_dict())
    assert reason.fix is not None
    assert "environment variable" in reason.fix["message"]


def test_long_parameters_are_kept_whole_in_their_document_and_cut_in_the_log(busy: Engine) -> None:
    text = "é" * 20_000
    task = busy.run_action("create_task", {"title": "x", "description": text}).result["id"]
    assert busy.context_data(f"tasks/{task}")["value"]["description"] == text
    line = lines(busy)[-1]
    assert len(json.dumps(line["params"])) < 5000
    value = {f"key{n}": ["word"] * 20 for n in range(1000)}
    busy.update_context("notes/wide", value)
    assert busy.context_data("notes/wide")["value"]["value"] == value
    line = {k: v for k, v in lines(busy)[-1].items() if k != "changes"}
    assert len(json.dumps(line)) < 5000

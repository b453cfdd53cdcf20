"""Every refusal has a way out: an action that can be run, a command, the triggers from here, or a person."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from scene import SUMMARY, started
from seeker import WAY

import llmgenie_mcp
from llmgenie_mcp import Engine, errors, plugins, validation
from llmgenie_mcp.errors import BadParams, LlmgenieError
from llmgenie_mcp.faces.mcp_prompts import guide
from llmgenie_mcp.operations import OPERATIONS

SOURCE = Path(llmgenie_mcp.__file__).parent


def runnable(engine: Engine, fix: Mapping[str, Any]) -> bool:
    """Whether a fix is a call: the action exists, and its parameters fit once the blanks are filled."""
    action = engine.definitions.actions.get(fix["action"])
    if action is None:
        return False
    params = {name: "SES-1" if value == "…" else value for name, value in fix["params"].items()}
    try:
        validation.check(action, params, None)
    except BadParams as error:
        missing = [problem for problem in error.details["problems"] if "is missing" not in problem["message"]]  # type: ignore[attr-defined]
        return not missing and bool(fix.get("message"))
    return True


def _stuck(engine: Engine, message: str, fix: Mapping[str, Any] | None) -> bool:
    return not runnable(engine, fix) if fix else not WAY.search(message)


@pytest.fixture
def sessions(engine: Engine) -> list[str | None]:
    """None, and a session of every status."""
    active, paused, finished = (started(engine, mode="code") for _ in range(3))
    engine.run_action("pause_session", {"session": paused})
    engine.run_action("finish_session", {"summary": SUMMARY}, session=finished)
    return [None, active, paused, finished]


def test_whatever_is_blocked_in_any_state_of_any_workflow_has_a_way_out(
    engine: Engine, sessions: list[str | None]
) -> None:
    flows = engine.definitions.workflows
    places = [*flows["modes"].states, *(f"{n}/{s}" for n in ("review", "release") for s in flows[n].states)]
    seen = 0
    for place in places:
        for session in sessions:
            for line in engine.available_actions(place, session, include_blocked=True)["blocked"]:
                for reason in line["reasons"]:
                    seen += 1
                    assert not _stuck(engine, reason["message"], reason.get("fix")), (place, line["name"], reason)
    assert seen > 500


def test_what_a_question_only_supposes_is_named_in_no_way_out(engine: Engine) -> None:
    blocked = engine.available_actions("review/draft", include_blocked=True)["blocked"]
    fixes = [reason["fix"] for line in blocked for reason in line["reasons"] if "fix" in reason]
    assert fixes
    assert "(new)" not in str(fixes)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_is_refused_of_an_operation_has_a_way_out(
    engine: Engine, sessions: list[str | None], operation: str
) -> None:
    odd = {"branch": "main", "force": True, "no_verify": True, "hard": True, "url": "https://example.org"}
    for params in ({}, odd, {"path": ".env"}, {"path": "/etc/hosts"}, {"path": ".llmgenie/db.json"}, {"what": "all"}):
        for session in sessions:
            decision = engine.enforce(None, operation, params, session=session)
            for reason in decision.reasons:
                assert not _stuck(engine, reason.message, reason.fix), (params, reason)


def _raised() -> Iterator[tuple[str, ast.Call]]:
    tree = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, LlmgenieError)}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            call = node.exc if isinstance(node, ast.Raise) else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in tree:
                yield f"{path.relative_to(SOURCE)}:{call.lineno}", call


def test_every_error_that_is_raised_says_what_to_do_next() -> None:
    places = list(_raised())
    silent = [
        place
        for place, call in places
        if len(call.args) < 2
        and not any(word.arg in ("hint", None) for word in call.keywords)
        and not any(isinstance(argument, ast.Starred) for argument in call.args)
    ]
    assert silent == []
    assert len(places) > 100


def test_every_code_of_a_refusal_and_of_an_error_stands_in_the_guide_or_is_told_by_its_text() -> None:
    told = guide("refusals")
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    codes = set(re.findall(r'Refusal\(\s*"([a-z_]+)"', source))
    assert len(codes) > 8
    assert [code for code in sorted(codes) if code not in told] == []


@pytest.mark.parametrize("name", sorted(plugins.actions()))
def test_the_example_of_an_action_is_a_call_that_fits(engine: Engine, name: str) -> None:
    action = plugins.actions()[name]
    assert action.sample is not None
    validation.check(action, action.sample, None)
    if action.sample:
        with pytest.raises(BadParams) as error:
            validation.check(action, {"no_such": 1}, None)
        assert error.value.details["example"] == dict(action.sample)
        assert error.value.hint.endswith("}")


def test_what_is_searched_for_and_not_open_is_found_with_the_way_to_it(engine: Engine) -> None:
    answer = engine.available_actions("code", query="claim a task")
    assert "claim_task" not in [line["name"] for line in answer["actions"]]
    assert answer["blocked"][0]["name"] == "claim_task"
    assert answer["blocked"][0]["reasons"][0]["fix"]
    assert "blocked" not in engine.available_actions("code", query="create a task")
    assert "blocked" not in engine.available_actions("code")

"""The eight tools: what they answer, and how they teach a caller who is wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp_wire import call, data, git, run_action, start_session, text_of

from llmgenie_mcp.engine import Engine
from llmgenie_mcp.faces.mcp_server import create_server

pytestmark = pytest.mark.anyio
Connect = Callable[..., Client]


async def test_available_actions_are_listed_with_parameters_for_a_model_and_as_data(client: Connect) -> None:
    async with client() as c:
        result = await call(c, "get_available_actions", context="review")
    answer = result.structured_content or {}
    names = [action["name"] for action in answer["actions"]]
    assert "create_task" in names
    assert "blocked" not in answer
    assert "- create_task(title, " in text_of(result)


async def test_blocked_actions_are_listed_on_request_with_reason_and_way_out(client: Connect) -> None:
    async with client() as c:
        result = await call(c, "get_available_actions", context="review", include_blocked=True)
    blocked = {b["name"]: b["reasons"] for b in (result.structured_content or {})["blocked"]}
    assert blocked["start_release"][0]["code"] == "not_open_here"
    assert "→ run_action start_session" in text_of(result)


async def test_a_query_finds_actions_with_their_schema(client: Connect) -> None:
    async with client() as c:
        answer = await data(c, "get_available_actions", query="task create")
    assert answer["actions"][0]["name"] == "create_task"
    assert "title" in answer["actions"][0]["schema"]["properties"]


async def test_the_state_names_project_mode_session_and_what_waits(client: Connect, project: Path) -> None:
    async with client() as c:
        session = await start_session(c, mode="code")
        result = await call(c, "get_workflow_state", session=session)
    answer = result.structured_content or {}
    assert answer["project"]["root"] == str(project)
    assert answer["mode"] == "code"
    assert answer["session"]["id"] == session
    assert str(project) in text_of(result)
    assert f"Session {session} (active)" in text_of(result)


async def test_a_policy_is_told_with_its_rules(client: Connect) -> None:
    async with client() as c:
        result = await call(c, "get_policy", policy_name="branch_protection")
    assert (result.structured_content or {})["level"] == "always_on"
    assert "no-unapproved-merge deny when" in text_of(result)


async def test_a_task_goes_from_create_to_context_data(client: Connect) -> None:
    async with client() as c:
        created = await run_action(c, "create_task", title="Write the parser", priority="high")
        id_ = created["result"]["id"]
        read = await data(c, "get_context_data", key=f"tasks/{id_}")
        listed = await call(c, "get_context_data", key="tasks", query="priority:high")
    assert read["value"]["title"] == "Write the parser"
    assert f"- {id_} Write the parser (status todo, priority high)" in text_of(listed)


async def test_a_mode_switch_answers_with_the_new_list(client: Connect) -> None:
    async with client() as c:
        before = await data(c, "run_action", action="create_task", params={"title": "x"})
        after = await data(c, "run_action", action="log_mode_switch", params={"mode": "review", "reason": "ready"})
    assert after["state"]["to"] == "review"
    assert set(after["actions"]) != set(before["actions"])


async def test_a_refusal_is_an_answer_with_rule_values_fix_and_what_is_open(client: Connect) -> None:
    async with client() as c:
        session = await start_session(c, mode="review")
        result = await call(c, "run_action", action="merge", params={"branch": "main"}, session=session)
    outcome = result.structured_content or {}
    assert not result.is_error
    assert outcome["status"] == "denied"
    reason = next(r for r in outcome["reasons"] if r["rule"] == "branch_protection/no-unapproved-merge")
    assert reason["values"]["resource.branch"] == "main"
    assert "create_task" in outcome["actions"]
    text = text_of(result)
    assert text.startswith("merge was refused; nothing was changed.")
    assert "→ run_action start_review" in text
    assert "Open by mode and state: " in text
    assert len(text) < len(json.dumps(outcome))


async def test_enforce_policy_decides_without_doing_and_shows_the_clauses(client: Connect) -> None:
    async with client() as c:
        denied = await call(c, "enforce_policy", policy="branch_protection", action="merge", params={"branch": "main"})
        free = await data(c, "enforce_policy", policy="branch_protection", action="git.push", params={"branch": "x"})
        log = await data(c, "get_context_data", key="meta-log")
    assert (denied.structured_content or {})["effect"] == "deny"
    assert "resource.branch = 'main'" in text_of(denied)
    assert free["allowed"]
    assert log["total"] == 0


@pytest.mark.parametrize("policy", ["all", "*", None])
async def test_all_policies_are_asked_at_once(client: Connect, policy: str | None) -> None:
    async with client() as c:
        answer = await data(c, "enforce_policy", policy=policy, action="file.read", params={"path": ".env"})
    assert [reason["policy"] for reason in answer["reasons"]] == ["security"]
    assert len(answer["policies"]) > 1


async def test_enforce_policy_judges_in_the_session_named_among_the_parameters(client: Connect) -> None:
    commit: dict[str, Any] = {"policy": "all", "action": "git.commit"}
    async with client() as c:
        session = await start_session(c, mode="code")
        inside = await data(c, "enforce_policy", **commit, params={"branch": "feature/x", "session": session})
        outside = await data(c, "enforce_policy", **commit, params={"branch": "feature/x"})
        own = {"session": session, "summary": "Wrote the parser, tested it."}
        finish = await data(c, "enforce_policy", policy="logging", action="finish_session", params=own)
    assert inside["allowed"]
    assert [reason["rule"] for reason in outside["reasons"]] == ["work-needs-a-session"]
    assert finish["allowed"]


async def test_an_event_is_recorded_and_says_what_moved(client: Connect) -> None:
    async with client() as c:
        result = await call(c, "trigger_event", event="ci.finished", params={"branch": "x", "passed": True})
        log = await data(c, "get_context_data", key="meta-log")
    assert (result.structured_content or {})["moved"] == []
    assert "Nothing waits for it." in text_of(result)
    assert log["items"][0]["type"] == "event.received"


async def test_a_note_is_written_read_and_protected_against_lost_updates(client: Connect) -> None:
    async with client() as c:
        await data(c, "update_context", key="notes/design", value={"a": [1, 2]})
        read = await data(c, "get_context_data", key="notes/design")
        lost = await call(c, "update_context", key="notes/design", value=1, expected_version=7)
    assert read["value"]["value"] == {"a": [1, 2]}
    assert lost.is_error
    assert "(code: conflict)" in text_of(lost)


async def test_text_that_looks_like_json_stays_text_and_the_caller_is_told(client: Connect) -> None:
    async with client() as c:
        written = await call(c, "update_context", key="notes/a", value='{"a": 1}')
        read = await data(c, "get_context_data", key="notes/a")
    assert read["value"]["value"] == '{"a": 1}'
    assert "looks like JSON" in text_of(written)


async def test_the_log_names_the_client_and_never_a_person(client: Connect) -> None:
    async with client() as c:
        await run_action(c, "create_task", title="x")
        log = await data(c, "get_context_data", key="meta-log")
    assert log["items"][0]["actor"] == {"kind": "agent", "id": "mcp"}


async def test_the_same_idempotency_key_is_not_run_twice(client: Connect) -> None:
    async with client() as c:
        asked: dict[str, Any] = {"action": "create_task", "params": {"title": "x"}, "idempotency_key": "k"}
        first = await data(c, "run_action", **asked)
        again = await call(c, "run_action", **asked)
        tasks = await data(c, "get_context_data", key="tasks")
    assert (again.structured_content or {})["result"] == first["result"]
    assert "answered before, not run again" in text_of(again)
    assert tasks["total"] == 1


WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    ("get_policy", {"name": "security"}, ["policy_name is missing", "no parameter 'name'", "policy_name (required)"]),
    ("run_action", {"action": "create_task", "title": "x"}, ["no parameter 'title'", "goes into params"]),
    ("run_action", {"action": 5}, ["action: input should be a valid string, not '5'"]),
    ("run_action", {"action": "create_task", "params": "title=x"}, ["params: input should be a valid dictionary"]),
    ("run_action", {"action": "create_task", "params": [1]}, ["params: input should be a valid dictionary"]),
    ("get_context_data", {"key": "tasks", "limit": 0}, ["limit: input should be greater than or equal to 1"]),
    ("get_context_data", {"key": "tasks", "limit": "many"}, ["limit: input should be a valid integer", "'many'"]),
    ("run_action", {"action": "create_task"}, ["title: is missing", "create_task takes: title", "(code: bad_params)"]),
    ("run_action", {"action": "creat_task"}, ["Unknown action 'creat_task'", "Did you mean create_task"]),
    ("run_action", {"action": "create_task", "params": {"title": "x"}, "session": "SES-9"}, ["SES-9", "start_session"]),
    ("get_policy", {"policy_name": "branch_protect"}, ["Did you mean branch_protection?", "(code: unknown_name)"]),
    ("get_context_data", {"key": "tasks/TSK-9"}, ["TSK-9"]),
    ("get_available_actions", {"context": "reviewing"}, ["Did you mean review?"]),
    ("update_context", {"key": "sessions/SES-1", "value": {}}, ["start_session", "(code: not_writable)"]),
    ("enforce_policy", {"policy": "all", "action": "git.psh"}, ["git.push"]),
    ("trigger_event", {"event": "CI finished"}, ["ci.finished"]),
    ("create_task", {"title": "x"}, ["no tool 'create_task'", "run_action"]),
]


@pytest.mark.parametrize(("tool", "arguments", "taught"), WRONG, ids=[f"{t}-{i}" for i, (t, _, _) in enumerate(WRONG)])
async def test_every_wrong_call_is_answered_with_what_would_be_right(
    project: Path, tool: str, arguments: dict[str, Any], taught: list[str]
) -> None:
    async with Client(create_server(str(project))) as c:
        result = await c.call_tool(tool, arguments)
    assert result.is_error
    for words in taught:
        assert words in text_of(result)
    assert "Error executing tool" not in text_of(result)
    assert "pydantic" not in text_of(result)


async def test_an_action_called_as_a_tool_is_shown_the_way_once_the_project_is_open(client: Connect) -> None:
    async with client() as c:
        await data(c, "get_workflow_state")
        result = await c.call_tool("create_task", {"title": "x"})
    assert 'call run_action with {"action": "create_task"' in text_of(result)


async def test_parameters_given_as_json_text_are_understood(client: Connect) -> None:
    async with client() as c:
        outcome = await data(c, "run_action", action="create_task", params='{"title": "x"}')
        nothing = await data(c, "run_action", action="list_tasks", params=None, session=None)
    assert outcome["result"]["task"]["title"] == "x"
    assert nothing["status"] == "ok"


async def test_what_nobody_expected_is_logged_and_the_server_goes_on(
    client: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    async with client() as c:
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
            patch.setattr(Engine, "policy", broken)
            result = await c.call_tool("get_policy", {"policy_name": "security"})
        assert result.is_error
        assert "Internal error in get_policy (RuntimeError)" in text_of(result)
        assert "hunter2" not in text_of(result)
        assert "hunter2" in caplog.text
        assert (await data(c, "get_policy", policy_name="security"))["name"] == "security"


async def test_a_lone_surrogate_in_an_answer_is_escaped(client: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"name": "x\ud800", "level": "always_on"}
    monkeypatch.setattr(Engine, "policy", lambda *_: answer)
    async with client() as c:
        result = await c.call_tool("get_policy", {"policy_name": "x"})
    assert result.structured_content == {"name": "x\\ud800", "level": "always_on"}


async def test_a_long_list_stays_under_10_kb_and_is_paged_to_its_end(client: Connect, project: Path) -> None:
    with Engine.open(project) as engine:
        for number in range(120):
            engine.run_action("create_task", {"title": f"{number} " + "Ä" * 150})
    seen: list[str] = []
    async with client() as c:
        cursor: dict[str, str] = {}
        while True:
            page = await data(c, "get_context_data", key="tasks", **cursor)
            seen += [item["id"] for item in page["items"]]
            if not page.get("cursor"):
                break
            cursor = {"cursor": page["cursor"]}
        whole = await data(c, "get_context_data", key="tasks", limit=500)
    assert len(seen) == len(set(seen)) == 120
    assert len(whole["items"]) == 120


async def test_a_document_too_long_for_an_answer_is_never_a_value_with_parts_missing(client: Connect) -> None:
    long = "word " * 4_000
    async with client() as c:
        await run_action(c, "create_task", title="x", description=long)
        short = await call(c, "get_context_data", key="tasks/TSK-1")
        whole = await data(c, "get_context_data", key="tasks/TSK-1", limit=1)
    assert set(short.structured_content or {}) == {"key", "bytes", "excerpt"}
    assert "repeat with limit=1" in text_of(short)
    assert whole["value"]["description"] == long


async def test_the_list_of_actions_stays_under_10_kb_with_everything_in_it(client: Connect, project: Path) -> None:
    git(project, "switch", "-q", "-c", "feature/x")
    async with client() as c:
        session = await start_session(c, mode="review")
        await run_action(c, "start_review", session)
        result = await call(c, "get_available_actions", session=session, include_blocked=True)
    assert len(result.model_dump_json(by_alias=True)) <= 10_240


async def test_state_belongs_to_the_session_named_and_not_to_the_connection(client: Connect, project: Path) -> None:
    async with client() as c:
        session = await start_session(c)
        await run_action(c, "switch_mode", session, mode="code")
    async with client() as other:
        assert (await data(other, "get_workflow_state", session=session))["mode"] == "code"
        assert (await data(other, "get_workflow_state"))["mode"] == "discuss"

"""Which session a conversation belongs to, in the spellings of every host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hook_talk import RUN, bound, event, own, shell, told, write
from scene import define, git, lines, started

from llmgenie_mcp import Engine, agents
from llmgenie_mcp.engine import conversations, oversight
from llmgenie_mcp.hosts import ToolCall, Verdict

NO_SOURCE_IN_DOCS = """
name: docs_only
level: situational
applies_to: {actions: [file.write], modes: [docs]}
rules:
  - {id: no-source, effect: deny, when: 'glob(resource.path, ["src/**"])', reason: "In mode docs only documents change."}
"""
STARTED = (
    'start_session: done.\nsession: {"id": "%s", "version": 1, "status": "active"}\nOpen by mode and state: run_tests'
)
"""How llmgenie answers in text that a session was started."""


def claude(tool: str, given: dict[str, Any], result: str | None) -> dict[str, Any]:
    """The form that Claude Code, Codex, Gemini CLI and VS Code share."""
    return {
        "session_id": "c-1",
        "cwd": "/p",
        "permission_mode": "default",
        "tool_name": tool,
        "tool_input": given,
        **({"hook_event_name": "PreToolUse"} if result is None else {"hook_event_name": "PostToolUse"}),
        **({} if result is None else {"tool_response": [{"type": "text", "text": result}]}),
    }


def codex(tool: str, given: dict[str, Any], result: str | None) -> dict[str, Any]:
    return {**claude(tool, given, result), "turn_id": "1"}


def gemini(tool: str, given: dict[str, Any], result: str | None) -> dict[str, Any]:
    events = {"hook_event_name": "BeforeTool" if result is None else "AfterTool"}
    return {
        **claude(tool, given, None),
        **events,
        **({} if result is None else {"tool_response": {"llmContent": result}}),
    }


def vscode(tool: str, given: dict[str, Any], result: str | None) -> dict[str, Any]:
    events = {"hookEventName": "PreToolUse" if result is None else "PostToolUse", "sessionId": "c-1", "cwd": "/p"}
    return {**events, "tool_name": tool, "tool_input": given, **({} if result is None else {"tool_response": result})}


def copilot(tool: str, given: dict[str, Any], result: str | None) -> dict[str, Any]:
    known = {"sessionId": "c-1", "cwd": "/p", "toolName": tool, "toolArgs": given}
    if result is None:
        return {**known, "__event__": "preToolUse"}
    return {**known, "__event__": "postToolUse", "toolResult": {"resultType": "success", "textResultForLlm": result}}


def cursor(tool: str, given: dict[str, Any], result: str | None) -> dict[str, Any]:
    name = "beforeMCPExecution" if result is None else "afterMCPExecution"
    known = {"conversation_id": "c-1", "cursor_version": "2.9", "workspace_roots": ["/p"], "tool_name": tool}
    answer = {} if result is None else {"result_json": json.dumps({"content": [{"type": "text", "text": result}]})}
    return {**known, "hook_event_name": name, "tool_input": json.dumps(given), **answer}


def cursor_tool(tool: str, given: dict[str, Any], result: str | None) -> dict[str, Any]:
    name = "preToolUse" if result is None else "postToolUse"
    known = {"conversation_id": "c-1", "cursor_version": "2.9", "workspace_roots": ["/p"], "tool_name": tool}
    return {
        **known,
        "hook_event_name": name,
        "tool_input": given,
        **({} if result is None else {"tool_output": result}),
    }


def windsurf(tool: str, given: dict[str, Any], result: str | None) -> dict[str, Any]:
    name = "pre_mcp_tool_use" if result is None else "post_mcp_tool_use"
    info = {"mcp_server_name": tool, "mcp_tool_name": RUN, "mcp_tool_arguments": given, "mcp_result": result}
    return {"agent_action_name": name, "trajectory_id": "c-1", "tool_info": info}


SPELLINGS: list[tuple[str, Callable[..., dict[str, Any]], str]] = [
    ("claude-code", claude, "mcp__llmgenie__run_action"),
    ("claude-code", claude, "mcp__plugin_llmgenie_llmgenie__run_action"),
    ("codex", codex, "mcp__llmgenie__run_action"),
    ("copilot", copilot, "llmgenie-run_action"),
    ("cursor", cursor, "run_action"),
    ("cursor", cursor_tool, "MCP:run_action"),
    ("gemini", gemini, "mcp_llmgenie_run_action"),
    ("gemini", gemini, "mcp__llmgenie__run_action"),
    ("vscode", vscode, "mcp_llmgenie_run_action"),
    ("windsurf", windsurf, "llmgenie"),
]
HOSTS = pytest.mark.parametrize(("host", "form", "tool"), SPELLINGS)


@HOSTS
def test_a_call_to_llmgenie_that_names_a_session_binds_the_conversation_to_it(
    engine: Engine, host: str, form: Callable[..., dict[str, Any]], tool: str
) -> None:
    first, _ = started(engine, mode="code"), started(engine, mode="docs")
    payload = form(tool, {"action": "run_tests", "session": first}, None)
    found = agents.find(host).read(payload)
    assert oversight.answer(engine.guard(), found) == Verdict()
    assert bound(engine, host=host) == first
    before = engine.storage.last_seq()
    oversight.answer(engine.guard(), found)
    assert engine.storage.last_seq() == before, "what is known is not written again"


@HOSTS
def test_what_start_session_answers_binds_the_conversation(
    engine: Engine, host: str, form: Callable[..., dict[str, Any]], tool: str
) -> None:
    old, new = started(engine, mode="code"), started(engine, mode="docs")
    started(engine, mode="test")
    payload = form(tool, {"action": "start_session", "params": {"mode": "docs"}, "session": old}, STARTED % new)
    assert oversight.answer(engine.guard(), agents.find(host).read(payload)) == Verdict()
    assert bound(engine, host=host) == new


@pytest.mark.parametrize(
    ("action", "params", "result", "binds"),
    [
        ("start_session", {}, "Unknown task 'TSK-9'.\nDid you mean SES-1?\n(code: unknown_name)", None),
        ("start_session", {}, 'Denied. → run_action resume_session {"session": "SES-1"}', None),
        ("start_session", {}, STARTED % "SES-99", None),
        ("resume_session", {"session": "SES-1"}, "resume_session: done.", "SES-1"),
        ("resume_session", {"session": "SES-7"}, "Unknown session 'SES-7'.\nDid you mean SES-1?", None),
        ("list_tasks", {}, STARTED % "SES-1", None),
        ("record_note", {"session": "SES-1"}, "record_note: done.", None),
    ],
)
def test_a_session_that_was_only_mentioned_binds_nothing(
    engine: Engine, action: str, params: dict[str, Any], result: str, binds: str | None
) -> None:
    started(engine)
    told(engine, own(action=action, params=params), kind="after", name="PostToolUse", result=result, can_deny=False)
    assert bound(engine) == binds


@pytest.mark.parametrize(
    "call",
    [
        own(server="github", session="SES-1"),
        own(server="not-quite-llmgenies", session="SES-1"),
        own("read_notes", session="SES-1"),
        own("read_notes", server="", session="SES-1"),
        ToolCall("shell", "Bash", command="run_action", arguments={"session": "SES-1"}),
        own(session="SES-2"),
        own(session="SES-1 "),
        own(session=["SES-1"]),
        own(session={"id": "SES-1"}),
    ],
    ids=lambda call: f"{call.server}/{call.tool} {call.arguments.get('session')}",
)
def test_other_servers_other_tools_and_sessions_that_are_none_bind_nothing(engine: Engine, call: ToolCall) -> None:
    started(engine)
    told(engine, call)
    assert bound(engine) is None


def test_two_conversations_in_one_checkout_keep_the_modes_of_their_sessions(engine: Engine, repo: Path) -> None:
    define(repo, "policies", "docs_only", NO_SOURCE_IN_DOCS)
    code, docs = started(engine, mode="code"), started(engine, mode="docs")
    told(engine, own(session=code), conversation="in code")
    told(engine, own(session=docs), conversation="in docs")
    for _ in range(2):
        assert told(engine, write("src/a.py"), conversation="in code").effect == "allow"
        assert "docs_only/no-source" in told(engine, write("src/a.py"), conversation="in docs").reason
        assert told(engine, write("docs/a.md"), conversation="in docs").effect == "allow"
    assert "docs_only" in told(engine, write("src/a.py"), conversation=None).reason, "the newest of the checkout"
    denied = [line for line in lines(engine) if line["type"] == "operation.denied"]
    assert {(line["session"], line["mode"]) for line in denied} == {(docs, "docs")}


def test_the_same_conversation_id_of_another_host_is_another_conversation(engine: Engine) -> None:
    code, docs = started(engine, mode="code"), started(engine, mode="docs")
    told(engine, own(session=code), host="codex")
    told(engine, own(session=docs), host="gemini")
    assert (bound(engine), bound(engine, host="gemini")) == (code, docs)


def test_a_finished_session_binds_no_more(engine: Engine, repo: Path) -> None:
    git(repo, "switch", "-q", "-c", "topic")
    one = started(engine, mode="code")
    told(engine, own(session=one))
    assert told(engine, shell("git commit")).effect == "allow"
    assert engine.run_action("finish_session", {"summary": "All of it was done."}, session=one).ok
    assert "session_management/work-needs-a-session" in told(engine, shell("git commit")).reason
    two = started(engine, mode="code")
    assert told(engine, shell("git commit")).effect == "allow"
    assert lines(engine)[-1]["session"] == two


def test_sessions_of_other_worktrees_do_not_count(engine: Engine, repo: Path, tmp_path: Path) -> None:
    git(repo, "switch", "-q", "-c", "topic")
    tree = tmp_path / "tree"
    git(repo, "worktree", "add", "-q", str(tree), "-b", "other")
    session = started(engine, mode="code", worktree=str(tree))
    assert "work-needs-a-session" in told(engine, shell("git commit")).reason
    (tree / "sub").mkdir()
    for folder in (tree, tree / "sub"):
        assert told(engine, shell("git commit"), folder=str(folder)).effect == "allow"
        assert lines(engine)[-1]["session"] == session


def test_a_checkout_that_is_reached_by_a_link_has_the_same_session(engine: Engine, repo: Path, tmp_path: Path) -> None:
    git(repo, "switch", "-q", "-c", "topic")
    started(engine, mode="code")
    (tmp_path / "link").symlink_to(repo)
    assert told(engine, shell("git commit"), folder=str(tmp_path / "link")).effect == "allow"


def test_of_several_sessions_the_one_last_written_to_counts_and_an_active_one_before_a_paused_one(
    engine: Engine, repo: Path
) -> None:
    first, second, third = (started(engine, mode=mode) for mode in ("code", "docs", "test"))
    nobody = event(engine, conversation=None)

    def here(**status_and_time: tuple[str, str]) -> str | None:
        with engine.storage.begin() as tx:
            for session, (status, time) in zip((first, second, third), status_and_time.values(), strict=True):
                tx.put(
                    "sessions", session, {**(tx.get("sessions", session) or {}), "status": status, "updated_at": time}
                )
            tx.commit({"type": "test"})
        return conversations.session_of(engine.storage, nobody, repo)

    assert here(a=("active", "2026-01-03"), b=("active", "2026-01-02"), c=("active", "2026-01-01")) == first
    assert here(a=("active", "2026-01-01"), b=("active", "2026-01-01"), c=("active", "2026-01-01")) == third
    assert here(a=("active", "2026-01-01"), b=("paused", "2026-01-02"), c=("finished", "2026-01-03")) == first
    assert here(a=("paused", "2026-01-01"), b=("paused", "2026-01-02"), c=("finished", "2026-01-03")) == second
    assert here(a=("finished", "2026-01-01"), b=("finished", "2026-01-02"), c=("finished", "2026-01-03")) is None

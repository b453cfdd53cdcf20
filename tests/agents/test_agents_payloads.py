"""Payloads that are not as they should be: a refusal that teaches, never another error and never a silent pass."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden_events import files, label, load
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgenie_mcp import agents
from llmgenie_mcp.agents._tools import TOOLS
from llmgenie_mcp.hosts import HookEvent, PayloadError

HOSTS = agents.names()
NAMES = sorted(
    {
        *("hook_event_name", "hookEventName", "__event__", "agent_action_name", "tool_name", "toolName", "tool_input"),
        *(
            "toolArgs",
            "toolInput",
            "toolResult",
            "tool_info",
            "command",
            "command_line",
            "file_path",
            "filePath",
            "cwd",
        ),
        *("workspace_roots", "path", "replacements", "task", "args", "mcp_context", "server_name", "cursor_version"),
        *(
            "permission_mode",
            "loop_count",
            "stop_hook_active",
            "prompt",
            "mcp_tool_name",
            "mcp_tool_arguments",
            "status",
        ),
    }
)
EVENTS = sorted({event for host in HOSTS for event in agents.find(host).kinds})
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from([*EVENTS, *TOOLS, "mcp__", "/a", "{"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)),
    max_leaves=20,
)


def read(host: str, payload: Any) -> HookEvent | None:
    """The event, or None where it is refused with a message."""
    try:
        return agents.find(host).read(payload)
    except PayloadError:
        return None


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(HOSTS), st.one_of(VALUES, st.dictionaries(st.sampled_from(NAMES), VALUES)))
def test_no_json_value_raises_anything_but_a_payload_error(host: str, payload: Any) -> None:
    event = read(host, payload)
    assert event is None or event.kind != "before" or event.calls


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_known_tool_with_any_arguments_is_read_or_refused(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([p for p in files() if load(p)["event"]["kind"] == "before"]), label="payload")
    payload = load(path)["payload"]
    member = data.draw(st.sampled_from(sorted(payload)), label="member")
    event = read(path.parent.name, {**payload, member: data.draw(VALUES, label="value")})
    assert event is None or event.kind != "before" or event.calls


def cuts(payload: Any) -> Iterator[Any]:
    """The payload without each of its members, at every depth, and with each of them null."""
    if not isinstance(payload, dict):
        return
    for key, value in payload.items():
        rest = {name: copy.deepcopy(part) for name, part in payload.items() if name != key}
        yield rest
        yield {**rest, key: None}
        for inner in cuts(value):
            yield {**rest, key: inner}


@pytest.mark.parametrize("path", files(), ids=label)
def test_a_payload_with_something_missing_is_never_passed_without_having_been_understood(path: Path) -> None:
    golden = load(path)
    whole = golden["event"]
    for payload in cuts(golden["payload"]):
        event = read(path.parent.name, payload)
        if event is not None and whole["kind"] == "before":
            assert event.kind == "before", payload
            assert event.calls, payload


# host, payload, a part of the message
REFUSED: list[tuple[str, Any, str]] = [
    ("cursor", None, "not a JSON object"),
    ("cursor", [], "not a JSON object"),
    ("cursor", {}, "does not name its event"),
    ("cursor", {"hook_event_name": "beforeShellExecution"}, "`command`"),
    ("cursor", {"hook_event_name": "beforeShellExecution", "command": ["git"]}, "`command`"),
    ("cursor", {"hook_event_name": "beforeMCPExecution", "tool_input": "{}"}, "`tool_name`"),
    (
        "cursor",
        {"hook_event_name": "beforeMCPExecution", "tool_name": "x", "tool_input": "{"},
        "an object was expected",
    ),
    ("cursor", {"hook_event_name": "beforeReadFile", "file_path": ""}, "name no file"),
    ("cursor", {"hook_event_name": "preToolUse", "tool_name": "Delete", "tool_input": {}}, "name no file"),
    ("cursor", {"hook_event_name": "beforeReadFile", "file_path": " "}, "an empty text where a file's path"),
    ("claude-code", {"hook_event_name": "PreToolUse"}, "does not name its tool"),
    (
        "claude-code",
        {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": 5}},
        "a number where",
    ),
    (
        "claude-code",
        {"hook_event_name": "PreToolUse", "tool_name": "Write", "tool_input": {"file_path": ["a", 5]}},
        "a number where",
    ),
    (
        "claude-code",
        {"hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {"file_path": "a\0b"}},
        "no file",
    ),
    ("claude-code", {"hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {"path": "a" * 5000}}, "5000"),
    ("codex", {"hook_event_name": "PreToolUse", "tool_name": "apply_patch", "tool_input": {}}, "text of the patch"),
    (
        "codex",
        {"hook_event_name": "PreToolUse", "tool_name": "apply_patch", "tool_input": {"command": "x"}},
        "names no file",
    ),
    (
        "gemini",
        {"hook_event_name": "BeforeTool", "tool_name": "replace", "tool_input": "text"},
        "an object was expected",
    ),
    ("copilot", {"sessionId": "1", "cwd": "/"}, "neither the command line nor the payload"),
    ("copilot", {"toolName": "bash", "toolArgs": "git push"}, "an object was expected"),
    ("copilot", {"toolArgs": {"command": "git push"}}, "does not name its tool"),
    (
        "vscode",
        {"hookEventName": "PreToolUse", "tool_name": "create_and_run_task", "tool_input": {}},
        "`command` and `args`",
    ),
    ("windsurf", {"hook_event_name": "PreToolUse"}, "agent_action_name"),
    ("windsurf", {"agent_action_name": "pre_run_command"}, "command_line"),
    ("windsurf", {"agent_action_name": "pre_mcp_tool_use", "tool_info": {}}, "mcp_tool_name"),
]


@pytest.mark.parametrize(("host", "payload", "told"), REFUSED)
def test_what_is_missing_is_said(host: str, payload: Any, told: str) -> None:
    with pytest.raises(PayloadError) as caught:
        agents.find(host).read(payload)
    assert told in str(caught.value)


def test_a_message_about_a_payload_does_not_repeat_what_it_holds() -> None:
    payload = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": {"secret": "hunter2"}}}
    with pytest.raises(PayloadError) as caught:
        agents.find("claude-code").read(payload)
    assert "hunter2" not in str(caught.value)


def test_members_that_nobody_knows_change_nothing() -> None:
    for path in files():
        golden, agent = load(path), agents.find(path.parent.name)
        more = {**golden["payload"], "zz_new": {"deep": [1]}, "another": None}
        assert agent.read(more) == agent.read(golden["payload"]), path


MODES = [("default", True), ("plan", True), ("acceptEdits", True), ("bypassPermissions", False), ("dontAsk", False)]


@pytest.mark.parametrize(("mode", "asks"), [*MODES, ("auto", False), ("later-invented", False), (None, False)])
def test_claude_code_is_asked_to_ask_in_modes_that_have_a_dialogue(mode: str | None, asks: bool) -> None:
    payload = {
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": "rm a"},
        "permission_mode": mode,
    }
    assert agents.find("claude-code").read(payload).can_ask is asks


def test_a_second_path_does_not_hide_behind_the_first() -> None:
    arguments = {"file_path": "README.md", "path": ".env", "content": "x"}
    payload = {"hook_event_name": "PreToolUse", "tool_name": "Write", "tool_input": arguments}
    assert agents.find("claude-code").read(payload).calls[0].paths == ("README.md", ".env")


def test_a_second_command_does_not_hide_behind_the_first() -> None:
    arguments = {"command": "ls", "cmd": "git push origin main"}
    payload = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": arguments}
    assert [call.command for call in agents.find("codex").read(payload).calls] == ["ls", "git push origin main"]


@pytest.mark.parametrize(
    ("cwd", "folder"), [("/p", "/p"), ("C:\\p", "C:\\p"), ("\\\\host\\p", "\\\\host\\p"), ("p", None), (5, None)]
)
def test_the_folder_is_absolute_or_not_known(cwd: Any, folder: str | None) -> None:
    payload = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}, "cwd": cwd}
    assert agents.find("claude-code").read(payload).folder == folder


@pytest.mark.parametrize(("workdir", "folder"), [("lib", "/p/lib"), ("/q", "/q"), ("", "/p"), (5, "/p")])
def test_a_command_runs_in_the_folder_that_it_is_told(workdir: Any, folder: str) -> None:
    arguments = {"cmd": "git push", "workdir": workdir}
    payload = {"hook_event_name": "PreToolUse", "tool_name": "exec_command", "tool_input": arguments, "cwd": "/p"}
    assert agents.find("codex").read(payload).folder == folder


@pytest.mark.parametrize(("count", "repeated"), [(0, 0), (3, 3), (-1, 0), (None, 0), ("3", 0)])
def test_how_often_a_stop_was_held_up_is_a_number_of_times(count: Any, repeated: int) -> None:
    assert agents.find("cursor").read({"hook_event_name": "stop", "loop_count": count}).repeated == repeated


def test_headers_of_a_patch_count_with_blanks_before_them_and_texts_of_lines_do_not() -> None:
    lines = ["*** Begin Patch", "*** Add File: a.md", "+*** Delete File: b", "  *** Delete File: c", "-*** Move to: d"]
    payload = {"hook_event_name": "PreToolUse", "tool_name": "apply_patch", "tool_input": {"command": "\n".join(lines)}}
    calls = agents.find("codex").read(payload).calls
    assert [(call.kind, call.paths) for call in calls] == [("write", ("a.md",)), ("delete", ("c",))]


def test_members_that_a_model_left_empty_are_left_out() -> None:
    arguments = {"pattern": "x", "path": None, "glob": "", "include": None}
    payload = {"hook_event_name": "PreToolUse", "tool_name": "Grep", "tool_input": arguments}
    assert agents.find("claude-code").read(payload).calls[0].kind == "other"
    payload["tool_input"] = {"file_path": "a.py", "path": None, "files": ""}
    payload["tool_name"] = "Write"
    assert agents.find("claude-code").read(payload).calls[0].paths == ("a.py",)


def test_every_tool_of_the_tables_is_of_a_known_form() -> None:
    assert set(TOOLS.values()) == {"shell", "read", "write", "delete", "search", "patch", "editor", "task"}


@pytest.mark.parametrize("size", [1_000_000])
def test_huge_values_are_read_whole(size: int) -> None:
    payload = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "x" * size}}
    assert len(agents.find("claude-code").read(payload).calls[0].command) == size

"""Denials hold by each host's own rules, read here a second time and apart from the adapters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_events import files, label, load

from llmgenie_mcp import agents
from llmgenie_mcp.hosts import PROBE, Reply, Verdict

HOSTS = agents.names()


def value_of(reply: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(reply.get("stdout") or "{}"))


def cursor(event: str, reply: dict[str, Any]) -> bool:
    """Exit 2 blocks, 0 uses `permission`; only documented members are there."""
    known = {"permission", "user_message", "agent_message"} if event != "beforeTabFileRead" else {"permission"}
    value = value_of(reply)
    return set(value) <= known and (reply.get("code") == 2 or ("code" not in reply and value["permission"] == "deny"))


def claude_code(event: str, reply: dict[str, Any]) -> bool:
    """Exit 2 with stderr and no JSON; a dialogue gets the wrapped decision with code 0."""
    if event == "PermissionRequest":
        inner = value_of(reply)["hookSpecificOutput"]
        return "code" not in reply and inner["hookEventName"] == event and inner["decision"]["behavior"] == "deny"
    return reply.get("code") == 2 and bool(reply["stderr"].strip()) and "stdout" not in reply


def codex(event: str, reply: dict[str, Any]) -> bool:
    """What its schema allows and no more, so that the denial holds at exit code 0 as well as at 2."""
    value = value_of(reply)
    if set(value) != {"hookSpecificOutput"} or value["hookSpecificOutput"].pop("hookEventName") != event:
        return False
    inner = value["hookSpecificOutput"]
    if event == "PermissionRequest":
        return set(inner) == {"decision"} and set(inner["decision"]) == {"behavior", "message"} and "code" not in reply
    shape = {"permissionDecision", "permissionDecisionReason"}
    return set(inner) == shape and inner["permissionDecision"] == "deny" and bool(reply["stderr"].strip())


def gemini(event: str, reply: dict[str, Any]) -> bool:
    """JSON, stderr and the code each deny alone, for the readings of stdout that versions differ in."""
    value = value_of(reply)
    return (
        value["decision"] == "deny" and bool(value["reason"]) and reply["code"] == 2 and bool(reply["stderr"].strip())
    )


def copilot(event: str, reply: dict[str, Any]) -> bool:
    """The flat form of the event, with exit code 2."""
    value = value_of(reply)
    if event in {"preToolUse", "PreToolUse"}:
        decided = value["permissionDecision"] == "deny" and bool(value["permissionDecisionReason"])
    else:
        decided = value["behavior"] == "deny"
    return decided and reply["code"] == 2


def vscode(event: str, reply: dict[str, Any]) -> bool:
    """The wrapped form, with exit code 2 and stderr."""
    inner = value_of(reply)["hookSpecificOutput"]
    return inner["permissionDecision"] == "deny" and reply["code"] == 2 and bool(reply["stderr"].strip())


def windsurf(event: str, reply: dict[str, Any]) -> bool:
    """Exit code 2 and stderr; stdout is never read."""
    return event.startswith("pre_") and reply["code"] == 2 and bool(reply["stderr"].strip()) and "stdout" not in reply


RULES: dict[str, Callable[[str, dict[str, Any]], bool]] = {
    "claude-code": claude_code,
    "codex": codex,
    "copilot": copilot,
    "cursor": cursor,
    "gemini": gemini,
    "vscode": vscode,
    "windsurf": windsurf,
}


def denials() -> list[Path]:
    return [path for path in files() if load(path)["event"].get("can_deny")]


@pytest.mark.parametrize("path", denials(), ids=label)
def test_a_denial_is_in_a_form_that_the_host_honours(path: Path) -> None:
    golden = load(path)
    host, event = golden["event"]["host"], golden["event"]["name"]
    assert RULES[host](event, golden["replies"]["deny"])
    assert agents.find(host).denied(event, Reply(**golden["replies"]["deny"]))
    if not golden["event"].get("can_ask"):
        assert RULES[host](event, golden["replies"]["ask"])


@pytest.mark.parametrize("path", files(), ids=label)
def test_nothing_but_a_denial_counts_as_one(path: Path) -> None:
    golden = load(path)
    agent, event = agents.find(golden["event"]["host"]), golden["event"]["name"]
    asking = golden["event"].get("can_ask")
    for name in ("allow", "context", *(["ask"] if asking else [])):
        assert not agent.denied(event, Reply(**golden["replies"][name])), name
    if not golden["event"].get("can_deny"):
        assert not agent.denied(event, Reply(**golden["replies"]["deny"]))


JSON_DENY = (
    '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"no"}}'
)
BARE_DENY = '{"permissionDecision":"deny","permissionDecisionReason":"no"}'
DIALOGUE = '{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"deny","message":"no"}}}'

# host, event, reply, whether the host takes it as a denial
CASES: list[tuple[str, str, Reply, bool]] = [
    ("claude-code", "PreToolUse", Reply(JSON_DENY), True),
    ("claude-code", "PreToolUse", Reply(JSON_DENY, code=1), True),
    ("claude-code", "PreToolUse", Reply(BARE_DENY), False),
    ("claude-code", "PreToolUse", Reply("starting\n" + JSON_DENY), False),
    ("claude-code", "PreToolUse", Reply(stderr="no", code=1), False),
    ("claude-code", "PreToolUse", Reply(stderr="no", code=127), False),
    ("claude-code", "PreToolUse", Reply(stderr="no", code=2), True),
    ("claude-code", "PreToolUse", Reply('{"hookSpecificOutput": ', code=2), False),
    ("claude-code", "PermissionRequest", Reply(stderr="no", code=2), False),
    ("claude-code", "PermissionRequest", Reply(DIALOGUE), True),
    ("claude-code", "PostToolUse", Reply(stderr="no", code=2), False),
    ("cursor", "beforeShellExecution", Reply('{"permission":"deny"}'), True),
    ("cursor", "beforeShellExecution", Reply('{"permission":"deny"}', code=1), False),
    ("cursor", "beforeShellExecution", Reply('{"permission":"ask"}'), False),
    ("cursor", "beforeShellExecution", Reply('{"continue":false}'), False),
    ("cursor", "beforeShellExecution", Reply("no", code=2), True),
    ("cursor", "subagentStart", Reply('{"permission":"ask"}'), True),
    ("cursor", "stop", Reply('{"permission":"deny"}'), False),
    ("codex", "PreToolUse", Reply(JSON_DENY), True),
    ("codex", "PreToolUse", Reply(JSON_DENY[:-1] + ',"denyReason":"no"}'), False),
    ("codex", "PreToolUse", Reply(JSON_DENY[:-1] + ',"suppressOutput":true}'), False),
    ("codex", "PreToolUse", Reply(JSON_DENY.replace('"no"', '"no","more":1')), False),
    ("codex", "PreToolUse", Reply(JSON_DENY.replace('"no"', '" "')), False),
    ("codex", "PreToolUse", Reply(JSON_DENY.replace('"deny"', '"ask"')), False),
    ("codex", "PreToolUse", Reply(JSON_DENY, code=1), False),
    ("codex", "PreToolUse", Reply('{"decision":"block","reason":"no"}'), True),
    ("codex", "PreToolUse", Reply('{"decision":"block","reason":""}'), False),
    ("codex", "PreToolUse", Reply("welcome back\n" + JSON_DENY), False),
    ("codex", "PreToolUse", Reply(stderr="no", code=2), True),
    ("codex", "PreToolUse", Reply(stderr=" ", code=2), False),
    ("codex", "PermissionRequest", Reply(DIALOGUE), True),
    ("codex", "PermissionRequest", Reply(DIALOGUE.replace('"message"', '"interrupt":true,"message"')), False),
    ("gemini", "BeforeTool", Reply('{"decision":"deny","reason":"no"}'), True),
    ("gemini", "BeforeTool", Reply('{"decision":"deny"}'), False),
    ("gemini", "BeforeTool", Reply(code=2), False),
    ("gemini", "BeforeTool", Reply(stderr="no", code=1), False),
    ("copilot", "preToolUse", Reply(BARE_DENY), True),
    ("copilot", "preToolUse", Reply(BARE_DENY + "\n" + BARE_DENY), False),
    ("copilot", "preToolUse", Reply('{"permissionDecision":"deny"}'), False),
    ("copilot", "preToolUse", Reply(JSON_DENY), False),
    ("copilot", "preToolUse", Reply(code=1), True),
    ("copilot", "permissionRequest", Reply(code=1), False),
    ("copilot", "permissionRequest", Reply(code=2), True),
    ("copilot", "permissionRequest", Reply('{"behavior":"deny","message":"no"}'), True),
    ("copilot", "agentStop", Reply(stderr="no", code=2), False),
    ("vscode", "PreToolUse", Reply(JSON_DENY), True),
    ("vscode", "PreToolUse", Reply(BARE_DENY), False),
    ("vscode", "PreToolUse", Reply(stderr="no", code=2), True),
    ("vscode", "PreToolUse", Reply(JSON_DENY, code=1), False),
    ("windsurf", "pre_run_command", Reply(stderr="no", code=2), True),
    ("windsurf", "pre_run_command", Reply(JSON_DENY), False),
    ("windsurf", "pre_run_command", Reply(stderr="no", code=1), False),
    ("windsurf", "post_run_command", Reply(stderr="no", code=2), False),
]


@pytest.mark.parametrize(("host", "event", "reply", "denied"), CASES)
def test_what_a_host_takes_as_a_denial(host: str, event: str, reply: Reply, denied: bool) -> None:
    assert agents.find(host).denied(event, reply) is denied


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("text", ["", "null", "[]", "1", "{", '"deny"', '{"hookSpecificOutput":[]}', "[" * 20_000])
def test_output_of_no_use_never_is_a_denial_and_never_an_error(host: str, text: str) -> None:
    agent = agents.find(host)
    for event in agent.deniable:
        assert not agent.denied(event, Reply(text)), (event, text)


@pytest.mark.parametrize("host", HOSTS)
def test_the_probe_is_a_push_to_main_that_a_denial_stops(host: str, tmp_path: Path) -> None:
    agent = agents.find(host)
    probe = agent.probe(tmp_path)
    event = agent.read(probe.payload)
    assert [(call.kind, call.command) for call in event.calls] == [("shell", "git push origin main")]
    assert (event.name, event.kind, event.folder, event.can_deny) == (probe.event, "before", str(tmp_path), True)
    assert event.conversation == PROBE
    assert agent.denied(probe.event, agent.reply(event, Verdict("deny", "No.")))
    assert not agent.denied(probe.event, agent.reply(event, Verdict()))

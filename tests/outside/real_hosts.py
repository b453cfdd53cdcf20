"""How each host is run without a person: its settings, its command line and the names of its tools."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripted_model import Call, Json

TEXT = "tea\n"
PROMPT = "Do your work."


@dataclass(frozen=True)
class Host:
    """A host.

    Attributes:
        name: as `llmgenie init --agent` calls it.
        package: in npm.
        program: its executable.
        arguments: of one run without a person in which every tool is allowed, so that only a hook can stop one.
        hooks: the file that `init` writes its hooks to.
        before: its event before a tool is run.
        timeout: the member of a hook that says how long it may take, and its units in a second.
        closed: the member that makes a hook that fails refuse; "" when there is none.
        environment: variables, by the model's address.
        trust: the arguments and variables that tell the host to trust the project or its hooks; a person does it once
            in a dialogue.
        prepare: writes the person's settings: home, project, the model's address.
        shell: a call of the shell tool.
        write: a call that creates a file.
        read: a call that reads a file; None where only the shell does.
        own: a call to a tool of llmgenie's server.
        before_own: what has to be called before, so that the host has that tool at hand.
        messages: the member of a request that has the conversation.
    """

    name: str
    package: str
    program: str
    arguments: tuple[str, ...]
    hooks: str
    before: str
    timeout: tuple[str, int]
    closed: str
    environment: Callable[[str], dict[str, str]]
    trust: tuple[str, ...]
    prepare: Callable[[Path, Path, str], None]
    shell: Callable[[str], Call]
    write: Callable[[Path], Call]
    read: Callable[[Path], Call | None]
    own: Callable[[str, Json], Call]
    messages: str
    before_own: tuple[Call, ...] = ()

    def said(self, request: Json) -> list[Any]:
        """The conversation in a request, a part each."""
        return list(request.get(self.messages, []))

    def answer_of(self, part: Any) -> Any:
        """A part, if it is not the model's own."""
        own = part.get("role") in ("assistant", "model") or part.get("type") in (
            "function_call",
            "custom_tool_call",
            "tool_search_call",
        )
        return None if own else part

    def label(self, payload: Json, event: str) -> str:
        """By what a payload and a golden file are paired: event and tool. `event` counts where the payload has none."""
        named = payload.get("hook_event_name") or payload.get("hookEventName") or event.split(".", maxsplit=1)[0]
        tool = str(payload.get("tool_name") or payload.get("toolName") or "")
        return f"{named} {'mcp' if 'llmgenie' in tool or 'mcp_' in tool or '-' in tool else tool}".strip()


def _nothing(_: Path, __: Path, ___: str) -> None:
    """The host needs no settings."""


def _claude() -> Host:
    quiet = ("DISABLE_TELEMETRY", "DISABLE_AUTOUPDATER", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "IS_SANDBOX")
    return Host(
        name="claude-code",
        package="@anthropic-ai/claude-code",
        program="claude",
        arguments=("-p", PROMPT, "--permission-mode", "bypassPermissions", "--mcp-config", ".mcp.json"),
        hooks=".claude/settings.local.json",
        before="PreToolUse",
        timeout=("timeout", 1),
        closed="onFailure",
        environment=lambda url: {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "none",
            **dict.fromkeys(quiet, "1"),
        },
        trust=(),
        prepare=_nothing,
        shell=lambda line: Call("Bash", {"command": line, "description": "Look"}),
        write=lambda path: Call("Write", {"file_path": str(path), "content": TEXT}),
        read=lambda path: Call("Read", {"file_path": str(path)}),
        own=lambda tool, given: Call(f"mcp__llmgenie__{tool}", given),
        messages="messages",
    )


def _codex() -> Host:
    def prepare(home: Path, root: Path, url: str) -> None:
        settings = f"""
model = "gpt-5.5"
model_provider = "scripted"
[model_providers.scripted]
name = "scripted"
base_url = "{url}/v1"
wire_api = "responses"
[projects."{root}"]
trust_level = "trusted"
[mcp_servers.llmgenie]
command = "{Path(sys.executable).with_name("llmgenie-mcp")}"
"""
        (home / ".codex").mkdir(exist_ok=True)
        (home / ".codex" / "config.toml").write_text(settings, encoding="utf-8")

    flags = ("--dangerously-bypass-approvals-and-sandbox", "--dangerously-bypass-hook-trust")
    return Host(
        name="codex",
        package="@openai/codex",
        program="codex",
        arguments=("exec", *flags, PROMPT),
        hooks=".codex/hooks.json",
        before="PreToolUse",
        timeout=("timeout", 1),
        closed="",
        environment=lambda _: {},
        trust=flags[1:],
        prepare=prepare,
        shell=lambda line: Call("exec_command", {"cmd": line}),
        write=lambda path: Call("apply_patch", f"*** Begin Patch\n*** Add File: {path}\n+{TEXT}*** End Patch\n"),
        read=lambda path: None,
        own=lambda tool, given: Call(tool, given, "mcp__llmgenie"),
        messages="input",
        before_own=(Call("exec_command", {"cmd": "sleep 2"}), Call("tool_search", {"query": "run_action llmgenie"})),
    )


def _gemini() -> Host:
    def prepare(home: Path, _: Path, __: str) -> None:
        (home / ".gemini").mkdir(exist_ok=True)
        settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
        (home / ".gemini" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")

    return Host(
        name="gemini",
        package="@google/gemini-cli",
        program="gemini",
        arguments=("-p", PROMPT, "--yolo", "--skip-trust", "-m", "gemini-2.5-pro"),
        hooks=".gemini/settings.json",
        before="BeforeTool",
        timeout=("timeout", 1000),
        closed="",
        environment=lambda url: {
            "GOOGLE_GEMINI_BASE_URL": url,
            "GEMINI_API_KEY": "none",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
        trust=("GEMINI_CLI_TRUST_WORKSPACE",),
        prepare=prepare,
        shell=lambda line: Call("run_shell_command", {"command": line, "description": "Look"}),
        write=lambda path: Call("write_file", {"file_path": str(path), "content": TEXT}),
        read=lambda path: Call("read_file", {"file_path": str(path)}),
        own=lambda tool, given: Call(f"mcp_llmgenie_{tool}", given),
        messages="contents",
    )


def _copilot() -> Host:
    return Host(
        name="copilot",
        package="@github/copilot",
        program="copilot",
        arguments=("-p", PROMPT, "--allow-all-tools", "--trust-folder"),
        hooks=".github/hooks/llmgenie.json",
        before="preToolUse",
        timeout=("timeoutSec", 1),
        closed="",
        environment=lambda url: {
            "COPILOT_PROVIDER_BASE_URL": f"{url}/v1",
            "COPILOT_PROVIDER_API_KEY": "none",
            "COPILOT_MODEL": "gpt-5",
            "COPILOT_OFFLINE": "true",
        },
        trust=("--trust-folder",),
        prepare=_nothing,
        shell=lambda line: Call("bash", {"command": line, "description": "Look"}),
        write=lambda path: Call("create", {"path": str(path), "file_text": TEXT}),
        read=lambda path: Call("view", {"path": str(path)}),
        own=lambda tool, given: Call(f"llmgenie-{tool}", given),
        messages="messages",
    )


HOSTS = {host.name: host for host in (_claude(), _codex(), _gemini(), _copilot())}

__all__ = ["HOSTS", "Host"]

"""OpenAI Codex CLI: hooks of `.codex/hooks.json`.

Source: openai/codex, `codex-rs/hooks` (engine/output_parser.rs, events/, schema/generated), read in 2026, and its issues.
It reads output strictly: one member that its schema does not have and all of it is dropped, so that a denial goes through.

Denial: exit code 2 with the reason on stderr and the denying JSON on stdout. At code 2 it takes stderr and does not look
at stdout; should the code be lost (#41979), the JSON denies. Only the JSON would not do: the command runs in a login
shell, and what a profile prints makes stdout no JSON. A dialogue of PermissionRequest takes JSON alone.
Hooks run only after a person accepted them with `/hooks`, by a hash, so that the command line has to stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmgenie_mcp.agents import Probe, Site
from llmgenie_mcp.agents._common import BaseAgent, Form, answered, at, dumped, nested, permission_denied
from llmgenie_mcp.edits import Edit
from llmgenie_mcp.hosts import PROBE, HookEvent, Kind, Reply, Verdict

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("PreToolUse", "PermissionRequest"), "before"),
    "PostToolUse": "after",
    "SessionStart": "session_start",
    "SessionEnd": "session_end",
    "UserPromptSubmit": "prompt",
    "Stop": "stop",
}
_OTHER_EVENTS = ("SubagentStart", "SubagentStop", "PreCompact", "PostCompact", "Interrupt", "StopFailure")
_DENYING = {"hookEventName", "permissionDecision", "permissionDecisionReason", "additionalContext"}
_FILE = ".codex/hooks.json"


class Codex(BaseAgent):
    """The adapter of Codex CLI. It is never asked to ask: `ask` is unsupported and lets the call through."""

    name = "codex"
    title = "Codex CLI"
    checked = "Run with a scripted model, version 0.169.0, its hooks trusted by a flag."
    kinds = _KINDS
    deniable = frozenset({"PreToolUse", "PermissionRequest"})
    signs = (".codex",)
    home_signs = (".codex",)

    def answer(self, form: Form, event: HookEvent, words: Verdict) -> Reply:
        """How this host writes it; see BaseAgent."""
        if form == "context" and event.name in {"SessionStart", "UserPromptSubmit", "PostToolUse"}:
            return Reply(dumped(nested(event.name, additionalContext=words.context)))
        if form == "go on":
            return Reply(dumped({"decision": "block", "reason": words.reason}))
        if form != "deny":
            return Reply()
        if event.name == "PermissionRequest":
            return Reply(dumped(permission_denied(words.reason)), f"{words.reason}\n")
        answer = nested(event.name, permissionDecision="deny", permissionDecisionReason=words.reason)
        return Reply(dumped(answer), f"{words.reason}\n", 2)

    def denied(self, event: str, reply: Reply) -> bool:
        """Code 2 with a word on stderr, or code 0 with JSON that has nothing but what the schema knows."""
        if event == "PreToolUse" and reply.code == 2:
            return bool(reply.stderr.strip())
        value = answered(reply) or {}
        if event not in self.deniable or reply.code != 0:
            return False
        if event == "PreToolUse" and set(value) == {"decision", "reason"}:
            return value["decision"] == "block" and _told(value["reason"])
        inner = value.get("hookSpecificOutput")
        if not set(value) <= {"systemMessage", "hookSpecificOutput"} or not isinstance(inner, dict):
            return False
        if inner.get("hookEventName") != event:
            return False
        if event == "PermissionRequest":
            decision = inner.get("decision")
            if set(inner) != {"hookEventName", "decision"} or not isinstance(decision, dict):
                return False
            return set(decision) <= {"behavior", "message"} and decision.get("behavior") == "deny"
        known = set(inner) <= _DENYING and _told(inner.get("permissionDecisionReason"))
        return known and inner.get("permissionDecision") == "deny"

    def probe(self, folder: Path) -> Probe:
        """`git push origin main`, as the shell tool is asked for it."""
        payload = {
            "session_id": PROBE,
            "turn_id": "1",
            "transcript_path": None,
            "cwd": str(folder),
            "hook_event_name": "PreToolUse",
            "model": "none",
            "permission_mode": "default",
            "tool_name": "Bash",
            "tool_input": {"command": "git push origin main"},
            "tool_use_id": "call_1",
        }
        return Probe(payload, "PreToolUse")

    def edits(self, site: Site) -> Sequence[Edit]:
        """The hooks for every tool, and the rules; the server's entry would be in `config.toml`, which is left alone."""
        from llmgenie_mcp.agents import _files

        plain = {"type": "command", "command": _files.command(site, self.name), "timeout": site.timeout}
        groups: dict[str, dict[str, Any]] = {
            "PreToolUse": {"hooks": [{**plain, "command": _files.closed(site, self.name)}]},
            "PostToolUse": {"matcher": "^mcp__llmgenie__.*$", "hooks": [plain]},
            "SessionStart": {"hooks": [plain]},
            "Stop": {"hooks": [plain]},
        }
        hooks = [_files.hook(_FILE, event, group, site) for event, group in groups.items()]
        return [*hooks, _files.rules_block("AGENTS.md")]

    def complaints(self, root: Path) -> Sequence[str]:
        """What is wrong in `hooks.json`, and hooks that `config.toml` turned off."""
        from llmgenie_mcp.agents import _files

        form = _files.HookFile(_FILE, (*_KINDS, *_OTHER_EVENTS), {"PreToolUse"}, grouped=True)
        return [*_files.complaints(root, form), *_turned_off(root)]


def _told(reason: Any) -> bool:
    return isinstance(reason, str) and bool(reason.strip())


def _turned_off(root: Path) -> list[str]:
    import tomllib

    path = ".codex/config.toml"
    try:
        features = at(tomllib.loads((root / path).read_text(encoding="utf-8")), "features")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        return [f"{path} cannot be read: {error}"]
    off = [name for name in ("hooks", "codex_hooks") if at(features, name) is False]
    return [f"{path}: `features.{name}` is false: no hook runs. Set it to true." for name in off]


AGENT = Codex()

"""What `doctor` says about hosts' own files, one case a fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmgenie_mcp import agents

OURS = "/env/python -I -S /env/llmgenie_mcp/faces/hook.py --project /p "


def cursor(event: str = "beforeShellExecution", version: int | None = 1, **handler: Any) -> dict[str, Any]:
    item = {"command": f"{OURS}cursor", "timeout": 10, "failClosed": True, **handler}
    hooks = {"hooks": {event: [{k: v for k, v in item.items() if v is not None}]}}
    return hooks if version is None else {"version": version, **hooks}


def grouped(event: str = "PreToolUse", host: str = "claude-code", **handler: Any) -> dict[str, Any]:
    item = {"type": "command", "command": f"{OURS}{host}", "timeout": 10, "onFailure": "block", **handler}
    return {"hooks": {event: [{"hooks": [{k: v for k, v in item.items() if v is not None}]}]}}


def copilot(event: str = "preToolUse", **handler: Any) -> dict[str, Any]:
    return {"version": 1, "hooks": {event: [{"bash": f"{OURS}copilot {event}", "timeoutSec": 10, **handler}]}}


CURSOR, CLAUDE, CODEX = ".cursor/hooks.json", ".claude/settings.json", ".codex/hooks.json"
GEMINI, COPILOT, WINDSURF = ".gemini/settings.json", ".github/hooks/llmgenie.json", ".windsurf/hooks.json"
SWALLOWED = "can swallow its refusal"

# host, file, its content, a part of the one sentence about it; "" when there is nothing to say
CASES: list[tuple[str, str, Any, str]] = [
    ("cursor", CURSOR, cursor(), ""),
    ("cursor", CURSOR, {"version": 1}, ""),
    ("cursor", CURSOR, cursor("stop", failClosed=None), ""),
    ("cursor", CURSOR, cursor("beforeShelExecution"), "no hook of the file at all. Is 'beforeShellExecution' meant?"),
    ("cursor", CURSOR, cursor("PreToolUse"), "'PreToolUse' is no event of this host"),
    ("cursor", CURSOR, cursor(version=None), "`version` must be 1"),
    ("cursor", CURSOR, cursor(version=2), "`version` must be 1"),
    ("cursor", CURSOR, cursor(failClosed=None), 'lacks "failClosed": true'),
    ("cursor", CURSOR, cursor(failClosed=False), 'lacks "failClosed": true'),
    ("cursor", CURSOR, cursor(command=f"{OURS}cursor || true"), f"stands beside `||`, which {SWALLOWED}"),
    ("cursor", CURSOR, cursor(command=f"{OURS}cursor; exit 0"), f"stands beside `;`, which {SWALLOWED}"),
    ("cursor", CURSOR, cursor(command=f"{OURS}cursor 2>/dev/null"), f"stands beside `>`, which {SWALLOWED}"),
    ("cursor", CURSOR, cursor(command=f"{OURS}cursor | tee log"), f"stands beside `|`, which {SWALLOWED}"),
    ("cursor", CURSOR, cursor(command=f"{OURS}cursor &"), f"stands beside `&`, which {SWALLOWED}"),
    ("cursor", CURSOR, cursor(command=f"cd /x && {OURS}cursor"), f"stands beside `&&`, which {SWALLOWED}"),
    ("cursor", CURSOR, cursor(command=f"{OURS}'cursor"), "a quote that is not closed"),
    ("cursor", CURSOR, cursor(command="/env/python '/a;b|c/llmgenie_mcp/faces/hook.py' cursor"), ""),
    ("cursor", CURSOR, cursor(timeout=1), "waits 1 seconds"),
    ("cursor", CURSOR, cursor(timeout=None), ""),
    ("cursor", CURSOR, cursor(command="their-own || true", failClosed=None, timeout=1), ""),
    ("cursor", CURSOR, {"version": 1, "hooks": []}, "`hooks` must be an object"),
    ("cursor", CURSOR, {"version": 1, "hooks": {"stop": {}}}, "an array of hooks was expected"),
    ("cursor", CURSOR, {"version": 1, "hooks": {"stop": ["x"]}}, "an entry is not in the form of this host."),
    ("cursor", CURSOR, [], "must be an object"),
    ("cursor", CURSOR, '{"version": 1,\n "hooks": {]}', f"{CURSOR}:2:12: "),
    ("cursor", CURSOR, '// why\n{"version": 1, "hooks": {},}', ""),
    ("cursor", CURSOR, b'{"version": "\xff"}', "byte 13 is not UTF-8"),
    ("claude-code", CLAUDE, grouped(), ""),
    ("claude-code", CLAUDE, {"model": "x"}, ""),
    ("claude-code", ".claude/settings.local.json", grouped(onFailure=None), 'lacks "onFailure": "block"'),
    ("claude-code", CLAUDE, grouped("Stop", onFailure=None), ""),
    ("claude-code", CLAUDE, grouped("PreToolUsed"), "it never runs. Is 'PreToolUse' meant?"),
    ("claude-code", CLAUDE, {"disableAllHooks": True}, "`disableAllHooks` is true"),
    ("claude-code", CLAUDE, grouped(type="http", command=None, url="http://localhost/llmgenie"), "is of type http"),
    ("claude-code", CLAUDE, {"hooks": {"Stop": [{"command": "x"}]}}, "(a group with a `hooks` array)"),
    ("codex", CODEX, grouped(host="codex", onFailure=None), ""),
    ("codex", CODEX, grouped("BeforeTool", "codex"), "'BeforeTool' is no event"),
    ("codex", ".codex/config.toml", "[features]\nhooks = false\n", "`features.hooks` is false"),
    ("codex", ".codex/config.toml", "[features]\nhooks = true\n", ""),
    ("codex", ".codex/config.toml", "[features", "cannot be read"),
    ("gemini", GEMINI, grouped("BeforeTool", "gemini", timeout=10_000), ""),
    ("gemini", GEMINI, grouped("BeforeTool", "gemini", timeout=10), "waits 10 milliseconds"),
    ("gemini", GEMINI, grouped("PreToolUse", "gemini", timeout=10_000), "'PreToolUse' is no event"),
    ("gemini", GEMINI, {"hooksConfig": {"enabled": False}}, "`hooksConfig.enabled` is false"),
    ("gemini", GEMINI, {"hooks": {"enabled": False}}, "`hooks.enabled` is false"),
    ("gemini", GEMINI, {"hooksConfig": {"disabled": ["llmgenie"]}}, "names llmgenie"),
    ("copilot", COPILOT, copilot(), ""),
    ("copilot", COPILOT, copilot("PreToolUse"), ""),
    ("copilot", ".github/hooks/other.json", copilot("beforeTool"), "'beforeTool' is no event"),
    ("copilot", COPILOT, copilot(exec="/env/python", args=[]), "`exec` cannot stand beside"),
    ("copilot", COPILOT, copilot(timeoutSec=2), "waits 2 seconds"),
    ("copilot", COPILOT, {"hooks": {}}, "`version` must be 1"),
    ("copilot", COPILOT, {**copilot(), "disableAllHooks": True}, "`disableAllHooks` is true"),
    ("copilot", ".github/copilot/settings.json", {"disableAllHooks": True}, "no hook runs here"),
    (
        "vscode",
        ".vscode/settings.json",
        {"chat.hookFilesLocations": {".github/hooks": False}},
        "turns off .github/hooks",
    ),
    ("vscode", ".vscode/settings.json", {"chat.hookFilesLocations": {".github/hooks": True}}, ""),
    ("vscode", ".vscode/settings.json", {"editor.fontSize": 12}, ""),
    ("windsurf", WINDSURF, {"hooks": {"pre_run_command": [{"command": f"{OURS}windsurf"}]}}, ""),
    ("windsurf", WINDSURF, {"hooks": {"pre_run": [{"command": f"{OURS}windsurf"}]}}, "'pre_run' is no event"),
    ("windsurf", ".devin/hooks.json", {"hooks": {"pre_run_command": [{"command": f"{OURS}x || :"}]}}, SWALLOWED),
]


@pytest.mark.parametrize(("host", "path", "content", "told"), CASES)
def test_a_fault_of_a_file_is_told_in_one_sentence(
    host: str, path: str, content: Any, told: str, tmp_path: Path
) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    found = list(agents.find(host).complaints(tmp_path))
    assert len(found) == bool(told), found
    for sentence in found:
        assert told in sentence
        assert path in sentence


@pytest.mark.parametrize("host", agents.names())
def test_a_project_without_hosts_files_has_nothing_to_complain_about(host: str, tmp_path: Path) -> None:
    assert list(agents.find(host).complaints(tmp_path)) == []


@pytest.mark.parametrize("host", agents.names())
def test_a_folder_in_a_files_place_is_told_and_raises_nothing(host: str, tmp_path: Path) -> None:
    for path in (CURSOR, CLAUDE, CODEX, GEMINI, COPILOT, ".vscode/settings.json", WINDSURF):
        (tmp_path / path).mkdir(parents=True)
    assert all("cannot be read" in sentence for sentence in agents.find(host).complaints(tmp_path))


def test_two_files_of_windsurf_are_told(tmp_path: Path) -> None:
    for path in (WINDSURF, ".devin/hooks.json"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text('{"hooks": {"pre_run_command": []}}', encoding="utf-8")
    (sentence,) = agents.find("windsurf").complaints(tmp_path)
    assert "both have hooks" in sentence

"""Edits as an agent's adapter gives them: one of every kind, on files that are there and on files that are not."""

from __future__ import annotations

from pathlib import Path

from llmgenie_mcp.edits import AddItem, Block, Edit, SetMember, WholeFile, githooks, ledger, store
from llmgenie_mcp.edits.plan import Change, plan

MARK = "faces/hook.py"


def hook_item(name: str, version: int = 1) -> dict[str, object]:
    """An item of ours."""
    return {"command": f"/venv/python {MARK} {name}", "timeout": version}


def edits(version: int = 1) -> list[Edit]:
    """What is wanted; of another version with other values."""
    server = {"command": "llmgenie-mcp", "args": ["--version", str(version)]}
    return [
        SetMember(".cursor/mcp.json", ("mcpServers", "llmgenie"), server),
        SetMember(".cursor/hooks.json", ("version",), 1, weak=True),
        AddItem(".cursor/hooks.json", ("hooks", "stop"), hook_item("stop", version), MARK),
        AddItem(".cursor/hooks.json", ("hooks", "preToolUse"), hook_item("write", version), MARK),
        AddItem(".cursor/hooks.json", ("hooks", "preToolUse"), hook_item("delete", version), MARK),
        WholeFile(".cursor/rules/llmgenie.mdc", f"rules {version}\n"),
        SetMember(".mcp.json", ("mcpServers", "llmgenie"), server),
        AddItem(".claude/settings.local.json", ("hooks", "PreToolUse"), hook_item("pre", version), MARK),
        AddItem(".claude/settings.local.json", ("hooks", "Stop"), hook_item("stop", version), MARK),
        AddItem(".codex/hooks.json", ("hooks", "Stop"), hook_item("stop", version), MARK),
        SetMember(".gemini/settings.json", ("mcpServers", "llmgenie"), server),
        SetMember(".vscode/mcp.json", ("servers", "llmgenie"), server),
        Block("AGENTS.md", f"rule one {version}\nrule two"),
        Block("CLAUDE.md", f"rule one {version}\nrule two"),
        Block("deep/er/GEMINI.md", "rule\n"),
        WholeFile("bin/run.sh", "#!/bin/sh\n", executable=True),
    ]


def everything(root: Path, version: int = 1, *, most: int = 99) -> list[Change]:
    """The plan for a project, git hooks and store included; of the edits and of the store's files so many as `most`."""
    written = ledger.written(root / ".llmgenie")
    repo = githooks.repository(root)
    assert repo is not None
    return [
        *plan(root, [*edits(version)[:most], *store.edits()[: most // 3]], written),
        *githooks.plan_hooks(repo, ("/venv/python", "-I", f"/{MARK}", "--project", str(root))).changes,
        *githooks.exclude(repo, [root / ".vscode" / "mcp.json"]),
    ]

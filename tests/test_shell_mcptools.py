"""Tools of other MCP servers that do what a command would do."""

from __future__ import annotations

from typing import Any

import pytest
from shell_corpus import noted

from llmgenie_mcp.shell.mcptools import read_tool

# server, tool, arguments, operations in the corpus' notation
TOOLS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("github", "merge_pull_request", {"owner": "a", "repo": "b", "pullNumber": 3}, ["git.merge branch=?"]),
    ("", "mcp__github__merge_pull_request", {}, ["git.merge branch=?"]),
    ("GitHub", "merge-pull-request", {}, ["git.merge branch=?"]),
    ("gitlab", "merge_merge_request", {"mergeRequestIid": 3}, ["git.merge branch=?"]),
    ("github", "push_files", {"branch": "main", "files": []}, ["git.push branch=main"]),
    ("github", "create_or_update_file", {"branch": "refs/heads/main", "path": "a"}, ["git.push branch=main"]),
    ("github", "create_or_update_file", {"path": "a"}, ["git.push branch=?"]),
    ("github", "delete_file", {"path": "a", "branch": "main", "repo": "b"}, ["git.push branch=main"]),
    ("github", "delete_branch", {"branch": "x"}, ["git.push branch=x delete"]),
    ("github", "update_ref", {"ref": "heads/main"}, ["git.push branch=main"]),
    ("github", "create_release", {"tag_name": "v1.0"}, ["package.publish version=v1.0"]),
    ("github", "list_issues", {}, ["mcp.call server=github tool=list_issues"]),
    ("github", "create_pull_request", {"base": "main"}, ["mcp.call server=github tool=create_pull_request"]),
    ("github", "get_file_contents", {"path": "a"}, ["mcp.call server=github tool=get_file_contents"]),
    ("filesystem", "write_file", {"path": ".env", "content": "x"}, ["file.write path=.env"]),
    ("filesystem", "edit_file", {"path": "a.py"}, ["file.write path=a.py"]),
    ("filesystem", "read_text_file", {"path": "/a/.env"}, ["file.read path=/a/.env"]),
    ("filesystem", "read_multiple_files", {"paths": ["a", "b"]}, ["file.read path=a", "file.read path=b"]),
    ("filesystem", "move_file", {"source": "a", "destination": "b"}, ["file.write path=a", "file.write path=b"]),
    (
        "filesystem",
        "move_file",
        {"source": "a", "destination": "build/a"},
        ["file.write path=a", "file.delete path=a", "file.write path=build/a"],
    ),
    (
        "filesystem",
        "copy_file",
        {"source": "a", "destination": "build/a"},
        ["file.read path=a", "file.write path=build/a"],
    ),
    ("filesystem", "delete_file", {"path": "a"}, ["file.delete path=a"]),
    ("filesystem", "writeFile", {"filePath": "a"}, ["file.write path=a"]),
    ("filesystem", "write_file", {}, ["file.write path=?"]),
    ("filesystem", "write_file", {"path": 3}, ["file.write path=?"]),
    (
        "desktop-commander",
        "execute_command",
        {"command": "git push origin main"},
        ["git.push branch=main remote=origin"],
    ),
    ("", "mcp__shell__run_command", {"cmd": "rm -rf x"}, ["file.delete path=x"]),
    ("shell", "bash", {"command": ["git", "push", "origin", "main"]}, ["git.push branch=main remote=origin"]),
    (
        "shell",
        "run_command",
        {"command": "git", "args": ["push", "origin", "main"]},
        ["git.push branch=main remote=origin"],
    ),
    ("shell", "bash", {"command": "ls"}, []),
    ("shell", "bash", {}, ["mcp.call server=shell tool=bash"]),
    ("git", "git_commit", {"repo_path": "/a", "message": "x"}, ['git.commit @/a branch="" message=x']),
    ("git", "git_push", {"branch": "main"}, ["git.push branch=main"]),
    ("llmgenie", "run_action", {"action": "merge"}, []),
    ("", "mcp__llmgenie__run_action", {"action": "merge"}, []),
    ("LLMGenie", "get_policy", {}, []),
    ("docs", "search", {"path": "x"}, ["mcp.call server=docs tool=search"]),
    ("", "search", {}, ['mcp.call server="" tool=search']),
]


@pytest.mark.parametrize(("server", "tool", "arguments", "wanted"), TOOLS)
def test_a_tool_is_read_by_what_it_does(server: str, tool: str, arguments: dict[str, Any], wanted: list[str]) -> None:
    assert [noted(operation) for operation in read_tool(server, tool, arguments)] == wanted

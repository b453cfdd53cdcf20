"""Tools of MCP servers that do what commands do: merging, pushing, writing files, running a shell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmgenie_mcp.operations import Operation
from llmgenie_mcp.shell import read_command
from llmgenie_mcp.shell.moving import as_good_as_deleted
from llmgenie_mcp.shell.pattern import lazily

if TYPE_CHECKING:
    from llmgenie_mcp.shell import Surroundings


def _names_in(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MERGES = _names_in("""
    merge_pull_request merge_merge_request accept_merge_request merge_pr merge_mr enable_pull_request_auto_merge
    enable_auto_merge merge_branch complete_pull_request pull_request_merge
""")
_PUSHES = _names_in("""
    push_files create_or_update_file create_or_update_files update_file create_commit update_ref create_ref delete_ref
    update_branch create_or_update_contents push commit_files create_tree git_push
""")
_DELETES_BRANCH = "delete_branch"
_PUBLISHES = _names_in("create_release publish_package publish")
_SHELLS = _names_in("""
    execute_command run_command run_in_terminal bash shell sh terminal run_terminal_cmd run_shell_command exec
    execute_shell exec_command shell_exec execute_bash run_bash run_script start_process local_shell powershell cmd run
    execute
""")
_WRITES = _names_in("""
    write_file edit_file create_file append_file write_to_file replace_in_file str_replace insert_text save_file
    patch_file apply_diff edit_block write_pdf overwrite_file update_text_file create_text_file replace_text_in_file
""")
_DELETES = _names_in("delete_file remove_file delete_directory remove_directory delete_path delete_files trash_file")
_READS = _names_in("""
    read_file read_text_file read_media_file read_multiple_files get_file read_files view_file open_file
    read_file_content get_text_file_content
""")
_FILES: dict[str, str] = {
    **dict.fromkeys(_WRITES, "file.write"),
    **dict.fromkeys(_DELETES, "file.delete"),
    **dict.fromkeys(_READS, "file.read"),
}
_MOVES = frozenset(["move_file", "rename_file", "copy_file", "move_path"])
_COMMITS = {"git_commit": "git.commit", "git_reset": "git.reset", "git_merge": "git.merge", "git_rebase": "git.rebase"}
_PATH_KEYS = (
    "path",
    "file_path",
    "filePath",
    "filename",
    "file",
    "target_file",
    "paths",
    "files",
    "relative_path",
    "absolute_path",
    "uri",
)
_HOSTS = lazily(r"github|gitlab|gitea|forgejo|bitbucket|azure|devops|codeberg")


def read_tool(
    server: str, tool: str, arguments: Mapping[str, Any], surroundings: Surroundings | None = None
) -> list[Operation]:
    """The operations in a call of another MCP server's tool.

    Args:
        server: as the host knows it; "" when the host does not say.
        tool: its name, with or without the host's prefix (`mcp__github__merge_pull_request`), `-` and `_` alike.
        arguments: what the tool is given.
        surroundings: for commands in the arguments.
    """
    prefix, name = _names(server, tool)
    if prefix in ("llmgenie", "llmgenie_mcp"):
        return []  # it decides for itself
    text = f"{server or prefix}/{tool}"
    if name in _SHELLS and (command := _command(arguments)) is not None:
        return read_command(command, surroundings)
    found = _hosted(name, prefix, arguments, text) or _filed(name, prefix, arguments, text, surroundings)
    return found or [Operation("mcp.call", {"server": server or prefix, "tool": tool}, text)]


def _names(server: str, tool: str) -> tuple[str, str]:
    """The server's and the tool's plain names."""
    name = tool.strip()
    prefix = server
    if (match := re.match(r"(?i)mcp[_:]{1,2}(.+?)(?:__|:|/)(.+)$", name)) or (
        match := re.match(r"([^./:]+)[./:](.+)$", name)
    ):
        prefix, name = prefix or match.group(1), match.group(2)
    plain, short = _plain(prefix), _plain(name)
    known = short in _COMMITS or short in _PUSHES  # the git server's own names begin with its name
    for lead in (f"mcp_{plain}_", f"{plain}_"):
        short = short.removeprefix(lead) if plain and not known else short
    return plain, short


def _plain(name: str) -> str:
    return re.sub(r"[-\s.]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())).strip("_").lower()


def _command(arguments: Mapping[str, Any]) -> str | None:
    for key in ("command", "cmd", "script", "code", "commandLine", "command_line"):
        value = arguments.get(key)
        if isinstance(value, str):
            rest = arguments.get("args")
            words = [str(word) for word in rest] if isinstance(rest, list) else []
            return value if not words else " ".join([value, *map(_quoted, words)])
        if isinstance(value, list):
            return " ".join(_quoted(str(word)) for word in value)
    return None


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)


def _hosted(name: str, prefix: str, arguments: Mapping[str, Any], text: str) -> list[Operation]:
    branch = next(
        (v for k in ("branch", "branch_name", "ref", "target_branch") if isinstance(v := arguments.get(k), str) and v),
        None,
    )
    branch = None if branch is None else re.sub(r"^(refs/)?heads/", "", branch)
    if name in _MERGES:
        return [Operation("git.merge", {"branch": None}, text)]
    local = name in ("update_file",) and not _HOSTS.search(prefix)
    if (
        name in _PUSHES
        or (name in ("delete_file", "create_file", "edit_file") and (_HOSTS.search(prefix) or "repo" in arguments))
    ) and not local:
        return [Operation("git.push", {"branch": branch}, text)]
    if name == _DELETES_BRANCH:
        return [Operation("git.push", {"branch": branch, "delete": True}, text)]
    if name in _PUBLISHES:
        version = arguments.get("tag_name", arguments.get("version"))
        return [Operation("package.publish", {"version": version if isinstance(version, str) else None}, text)]
    if name in _COMMITS:
        message = arguments.get("message")
        extra = {"message": message if isinstance(message, str) else None} if name == "git_commit" else {}
        return [Operation(_COMMITS[name], {"branch": "", **extra}, text, _folder(arguments))]
    return []


def _folder(arguments: Mapping[str, Any]) -> str | None:
    value = arguments.get("repo_path", "")
    return value if isinstance(value, str) else None


def _filed(
    name: str, prefix: str, arguments: Mapping[str, Any], text: str, surroundings: Surroundings | None
) -> list[Operation]:
    if name in _MOVES:
        return _moved(name, arguments, text, surroundings)
    operation = _FILES.get(name)
    if operation is None or _HOSTS.search(prefix):
        return []
    return [Operation(operation, {"path": path}, text) for path in _paths(arguments) or [None]]


def _moved(name: str, arguments: Mapping[str, Any], text: str, surroundings: Surroundings | None) -> list[Operation]:
    given = [arguments.get(a, arguments.get(b)) for a, b in (("source", "from"), ("destination", "to"))]
    source, target = (end if isinstance(end, str) else None for end in given)
    kinds = [("file.read" if name.startswith("copy") else "file.write", source)]
    here = (surroundings.variable("PWD") if surroundings is not None else None) or ""
    if not name.startswith("copy") and as_good_as_deleted(source, target, here):
        kinds.append(("file.delete", source))
    return [Operation(kind, {"path": path}, text) for kind, path in [*kinds, ("file.write", target)]]


def _paths(arguments: Mapping[str, Any]) -> list[str | None]:
    for key in _PATH_KEYS:
        value = arguments.get(key)
        if isinstance(value, str):
            return [value.removeprefix("file://")]
        if isinstance(value, list):
            return [
                part if isinstance(part, str) else part.get("path") if isinstance(part, Mapping) else None
                for part in value
            ]
    return []

"""The tools that hosts give their agents, by name: what each use of one is (`ToolCall`).

The tables are one a host, from the documents named in that host's module, and are looked up as one: hosts read each
other's hook files (VS Code and Copilot CLI run the hooks of `.claude/settings.json`), so that any adapter may meet any
tool. No name means two things. A tool that is in none of them is of kind `other`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from llmgenie_mcp.hosts import CallKind, PayloadError, ToolCall

_CLAUDE = {
    **dict.fromkeys(("Bash", "PowerShell", "Monitor"), "shell"),
    **dict.fromkeys(("Read", "NotebookRead"), "read"),
    **dict.fromkeys(("Write", "Edit", "MultiEdit", "NotebookEdit"), "write"),
    **dict.fromkeys(("Grep", "Glob", "LS"), "search"),
}
_CURSOR = {
    "Shell": "shell",
    "Delete": "delete",
    "ApplyPatch": "patch",
    "SemanticSearch": "search",
    **dict.fromkeys(("StrReplace", "EditNotebook"), "write"),
}
_CODEX = {
    **dict.fromkeys(("shell", "local_shell", "exec_command", "unified_exec", "write_stdin"), "shell"),
    "apply_patch": "patch",
    "view_image": "read",
    "grep_files": "search",
}
_GEMINI = {
    "run_shell_command": "shell",
    **dict.fromkeys(("read_file", "read_many_files"), "read"),
    **dict.fromkeys(("write_file", "replace"), "write"),
    **dict.fromkeys(("glob", "grep_search", "search_file_content", "list_directory"), "search"),
}
_COPILOT = {
    **dict.fromkeys(("bash", "powershell", "write_bash", "write_powershell"), "shell"),
    "view": "read",
    **dict.fromkeys(("create", "edit", "str_replace", "insert"), "write"),
    "str_replace_editor": "editor",
    "git_apply_patch": "patch",
    **dict.fromkeys(("grep", "rg"), "search"),
}
_VSCODE = {
    **dict.fromkeys(("run_in_terminal", "runInTerminal", "runTerminalCommand", "send_to_terminal"), "shell"),
    "create_and_run_task": "task",
    "readFile": "read",
    **dict.fromkeys(("create_file", "createFile", "create_directory", "edit_file", "editFiles"), "write"),
    **dict.fromkeys(("insert_edit_into_file", "replace_string_in_file", "multi_replace_string_in_file"), "write"),
    "edit_notebook_file": "write",
    **dict.fromkeys(("delete_file", "deleteFile"), "delete"),
    **dict.fromkeys(("file_search", "list_dir", "semantic_search"), "search"),
}
TOOLS: Final[dict[str, str]] = {**_CLAUDE, **_CURSOR, **_CODEX, **_GEMINI, **_COPILOT, **_VSCODE}
"""Name → shell, read, write, delete, or a form that has to be looked into: search, patch, editor, task."""

_COMMAND = ("command", "cmd", "input", "chars", "text")
_PATCH = ("command", "input", "patch", "patchText", "patch_text")
_PATHS = (
    *("file_path", "filePath", "path", "paths", "absolute_path", "relative_path", "file", "files", "uri"),
    *("target_file", "targetFile", "notebook_path", "notebookPath", "target_notebook", "replacements"),
    *("dir_path", "dirPath", "target_directory", "target_directories"),
)
_SEARCHED = (*_PATHS, "glob", "include", "includePattern")
_WORKING_FOLDER = ("workdir", "working_directory", "dir_path", "cwd")
_LONGEST_PATH = 4096
_HEADERS = ("*** Add File:", "*** Update File:", "*** Move to:", "*** Delete File:")


def read_calls(name: str, arguments: Any, host: str, event: str) -> tuple[ToolCall, ...]:
    """What one use of the tool `name` with `arguments` (an object, or text for tools that take text) does.

    Every path that is named counts, so that a second one cannot hide behind the first. Raises PayloadError: the tool is
    known and its arguments do not say what it would do.
    """
    where = f"{host} {event}, tool {name[:60]!r}"
    if mcp := _mcp_name(name, host):
        return (ToolCall("mcp", name, server=mcp[0], tool=mcp[1], arguments=as_object(arguments, where)),)
    form = TOOLS.get(name)
    if form is None:
        return (ToolCall("other", name),)
    if form == "patch":
        return _patch_calls(name, arguments, where)
    given = as_object(arguments, where)
    if form == "shell":
        return _shell_calls(name, given, where)
    if form == "task":
        return (ToolCall("shell", name, command=_task_command(as_object(given.get("task", given), where), where)),)
    if form == "search":
        found = tuple(_named_paths(given, _SEARCHED, where))
        return (ToolCall("read", name, paths=found) if found else ToolCall("other", name),)
    if form == "editor":
        form = "read" if given.get("command") == "view" else "write"
    return (ToolCall(_kind(form), name, paths=paths_in(given, where)),)


def working_folder(arguments: Any) -> str | None:
    """The folder that a shell tool is told to run in, as it was given; None where it is not told."""
    if isinstance(arguments, Mapping):
        return next((v for k in _WORKING_FOLDER if isinstance(v := arguments.get(k), str) and v), None)
    return None


def paths_in(arguments: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Every path that the arguments of a file tool name, each once. Raises PayloadError: none, or what is no path."""
    found = dict.fromkeys(_named_paths(arguments, (*_PATHS, "include"), where))
    if not found:
        raise PayloadError(f"{where}: its arguments name no file; one of {', '.join(_PATHS[:4])} … was expected.")
    return tuple(found)


def _named_paths(arguments: Mapping[str, Any], keys: Sequence[str], where: str) -> Iterator[str]:
    """Those under `keys`; models fill members that they may leave out with null or an empty text."""
    for key in keys:
        value = arguments.get(key)
        if value is not None and value != "":
            yield from _paths(value, where)


def as_object(value: Any, where: str) -> Mapping[str, Any]:
    """Arguments as an object: some hosts send them as JSON text. Nothing at all is an empty object. Raises PayloadError."""
    if isinstance(value, str) and value.strip():
        value = decoded(value)
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise PayloadError(f"{where}: its arguments are {_named(value)}, an object was expected.")
    return value


def decoded(value: Any) -> Any:
    """The JSON value of a text; what is no JSON stays as it is."""
    try:
        return json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return value


def _mcp_name(name: str, host: str) -> tuple[str, str] | None:
    """Server and tool of an MCP tool's name; "" where the name does not tell.

    `mcp__server__tool`: Claude Code, Codex, Gemini CLI. `MCP:tool`: Cursor. `mcp_server_tool`: VS Code, Gemini CLI; a
    server with `_` in its name cannot be told from its tool there. `server-tool`: Copilot CLI, whose own tools have no `-`.
    """
    if name.startswith("mcp__"):
        server, _, tool = name[5:].partition("__")
        return (server, tool) if tool else ("", server)
    if name.startswith("MCP:"):
        return "", name[4:].strip()
    if name in TOOLS:
        return None
    if name.startswith("mcp_"):
        server, _, tool = name[4:].partition("_")
        return (server, tool) if tool else ("", server)
    if host == "copilot" and "-" in name:
        server, _, tool = name.partition("-") if name.startswith("llmgenie-") else name.rpartition("-")
        return server, tool
    return None


def _shell_calls(name: str, given: Mapping[str, Any], where: str) -> tuple[ToolCall, ...]:
    commands = [_command(given[key], where) for key in _COMMAND if given.get(key) is not None]
    if not commands:
        raise PayloadError(f"{where}: the text of the command is missing (`command`).")
    calls = tuple(ToolCall("shell", name, command=command) for command in commands)
    patches = (patch for patch in commands if "*** Begin Patch" in patch)
    return (*calls, *(call for patch in patches for call in _patched(name, patch, where)))


def _command(value: Any, where: str) -> str:
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        import shlex

        return shlex.join(value)
    if not isinstance(value, str):
        raise PayloadError(f"{where}: {_named(value)} where the text of the command was expected.")
    return value


def _task_command(task: Mapping[str, Any], where: str) -> str:
    """A task of VS Code: a command with words beside it."""
    more = task.get("args") or []
    words = [task.get("command"), *(more if isinstance(more, list) else [more])]
    texts = [word for word in words if isinstance(word, str)]
    if texts != words:
        raise PayloadError(f"{where}: the task's `command` and `args` are not texts.")
    return " ".join(texts)


def _patch_calls(name: str, arguments: Any, where: str) -> tuple[ToolCall, ...]:
    text = decoded(arguments) if isinstance(arguments, str) and arguments.lstrip().startswith("{") else arguments
    if isinstance(text, Mapping):
        given = text
        text = next((given[key] for key in _PATCH if given.get(key) is not None), None)
        if isinstance(text, list) and all(isinstance(word, str) for word in text):
            text = "\n".join(text)
        if text is None and any(key in given for key in _PATHS):
            return (ToolCall("write", name, paths=paths_in(given, where)),)
    if not isinstance(text, str):
        raise PayloadError(f"{where}: {_named(text)} where the text of the patch was expected.")
    calls = tuple(_patched(name, text, where))
    if not calls:
        raise PayloadError(f"{where}: the patch names no file (`{_HEADERS[0]} …`).")
    return calls


def _patched(name: str, patch: str, where: str) -> Iterator[ToolCall]:
    """Uses in a patch of Codex' format. Its parser takes a header with blanks before it, so more is found, never less."""
    for line in patch.splitlines():
        start = line.lstrip()
        if not start.startswith("*** "):
            continue
        for header in _HEADERS:
            if start.startswith(header):
                paths = tuple(_paths(start[len(header) :].strip(), where))
                yield ToolCall("delete" if header == _HEADERS[3] else "write", name, paths=paths)


def _paths(value: Any, where: str) -> Iterator[str]:
    """The paths in one argument: a text, a list of texts or of objects that name a file each."""
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from paths_in(part, where) if isinstance(part, Mapping) else _paths(part, where)
        return
    if not isinstance(value, str) or not value.strip():
        raise PayloadError(f"{where}: {_named(value)} where a file's path was expected.")
    if "\0" in value or len(value) > _LONGEST_PATH:
        raise PayloadError(f"{where}: a path of {len(value)} characters that no file system takes.")
    if value.startswith("file://"):
        from urllib.parse import unquote

        value = unquote(value[7:])
    yield value
    if value.startswith("@") and len(value) > 1:
        yield value[1:]  # Gemini CLI drops it when there is no file of that name


def _kind(form: str) -> CallKind:
    return "read" if form == "read" else "delete" if form == "delete" else "write"


def _named(value: Any) -> str:
    """What a wrong value is, for a message that does not repeat it."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return "an empty text" if not value.strip() else "a text"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "true or false" if isinstance(value, bool) else "a number"


__all__ = ["TOOLS", "as_object", "decoded", "paths_in", "read_calls", "working_folder"]

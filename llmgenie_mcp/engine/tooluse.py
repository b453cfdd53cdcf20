"""What the use of a tool would do: a command, an edit or a call of another server as operations, as far as can be known here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from llmgenie_mcp.engine import conversations
from llmgenie_mcp.hosts import ToolCall
from llmgenie_mcp.operations import Operation
from llmgenie_mcp.project import git_top
from llmgenie_mcp.surroundings import Place

if TYPE_CHECKING:
    from llmgenie_mcp.shell import Surroundings

Destinations: TypeAlias = Callable[[Operation], Iterable[Operation]]

_READ_HERE = ("unresolved", "refspec", "config")
"""Parameters of a push that say how it is to be resolved, and nothing about what it does."""
TOLD = 120
"""So many characters of a command that cannot be read stand in a question to a person; a `fix` carries up to 200 whole."""


def operations_of(call: ToolCall, folder: Path) -> list[Operation]:
    """What a use of a tool would do.

    Args:
        call: the use.
        folder: where the agent is.
    """
    if call.kind in ("read", "write", "delete"):
        return [Operation(f"file.{call.kind}", {"path": path}, text=call.name) for path in call.paths]

    def destinations(push: Operation) -> Iterable[Operation]:
        if push.folder is None:
            return [push]
        from llmgenie_mcp.refs import destinations as by_git

        return by_git(folder / push.folder, push)

    if call.kind == "mcp":
        return [] if conversations.is_ours(call) else of_server(call.server, call.tool, call.arguments, destinations)
    if call.kind == "shell":
        return of_command(call.command, Place(folder, git_top(folder)), destinations)
    return []


def of_command(command: str, surroundings: Surroundings | None, destinations: Destinations) -> list[Operation]:
    """The operations in a shell command, and the command as a whole.

    Args:
        command: the text.
        surroundings: what may be asked about the place; None for nothing.
        destinations: what one `git.push` comes to.
    """
    from llmgenie_mcp.shell import read_command

    whole = Operation("shell", {"command": command}, text=command)
    found = _known(read_command(command, surroundings), command, destinations)
    return [*(_sealed(operation, command) for operation in found), whole]


def of_server(server: str, tool: str, arguments: Mapping[str, Any], destinations: Destinations) -> list[Operation]:
    """The operations that a tool of another MCP server stands for."""
    from llmgenie_mcp.shell.mcptools import read_tool

    found = _known(read_tool(server, tool, arguments), f"{server} {tool}", destinations)
    given = json.dumps(arguments, sort_keys=True, default=str)
    return [_sealed(operation, given, always=True) for operation in found]


def _known(operations: Iterable[Operation], text: str, destinations: Destinations) -> list[Operation]:
    """The operations of a command or tool as far as they can be known here.

    Pushes are what `destinations` makes of them. A file whose name is not
    known is opaque: what is written may be anything, and what is read matters when `text` speaks of secrets.
    """
    found: list[Operation] = []
    for operation in operations:
        if operation.name == "git.push":
            found += destinations(operation)
        elif operation.name.startswith("file.") and operation.params.get("path", "") is None:
            found.append(_unnamed(operation, text))
        else:
            found.append(operation)
    return [replace(one, params={k: v for k, v in one.params.items() if k not in _READ_HERE}) for one in found]


def _unnamed(operation: Operation, text: str) -> Operation:
    from llmgenie_mcp.shell.opaque import SHOWN, touches

    verb = operation.name.partition(".")[2]
    concerns = [name for name in touches(text) if name == "secrets"] if verb == "read" else ["files"]
    why = f"which file it would {verb} is not known"
    return Operation("opaque", {"command": text[:SHOWN], "why": why, "touches": concerns}, operation.text)


def _sealed(operation: Operation, whole: str, *, always: bool = False) -> Operation:
    """What cannot be read and is too long to be shown, by its beginning and a hash: a person's yes is for it alone.

    Args:
        operation: of the call.
        whole: all that the call was given.
        always: also where its text is short, because that does not tell all.
    """
    command = operation.params.get("command")
    if operation.name != "opaque" or not isinstance(command, str) or (len(command) <= TOLD and not always):
        return operation
    from hashlib import blake2b

    mark = blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    told = f"{command[:TOLD].rstrip('…')}… ({len(whole)} characters, {mark})"
    return replace(operation, params={**operation.params, "command": told})
